"""What the surface formats share: reading as a surface or, where it is closed, as a volume; what is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, Reading, mesh_from_blocks
from geometries.errors import ReadError, WriteError
from geometries.fill import fill
from geometries.formats._polygons import named_rows
from geometries.formats.base import Reader
from geometries.mesh import Mesh, spatial
from geometries.sides import first_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface:
    """What a file holds: points (N, 3), cells by type with names, problems put right."""

    points: Floats
    blocks: Sequence[Block]
    problems: tuple[str, ...] = ()


def surface_file(content: Callable[[Path], Surface]) -> Reader:
    """Return the reader of a format of surfaces: `dim=3` fills a closed one with tetrahedra of edge `size`."""

    def read(path: Path, *, size: float | None, dim: int | None, order: int | None) -> Reading:
        if order not in (None, 1):
            raise ReadError(f"{path.name} is a surface of straight facets: order {order} applies to CAD only.")
        if size is not None and dim != 3:
            raise ReadError(f"{path.name} is a surface: size applies to its volume only; add dim=3 or leave size out.")
        found = content(path)
        wanted = 2 if dim == 3 else dim
        reading = mesh_from_blocks(found.points, found.blocks, dim=wanted, problems=found.problems)
        return fill(reading, path.name, size) if dim == 3 else reading

    return read


def merged(soup: Floats) -> tuple[Floats, Ints]:
    """Return the distinct points of (n, 3) in the order of their first appearance, and (n,) the number of each."""
    first, number = first_rows(soup)
    return soup[first], number


def written(mesh: Mesh, what: str) -> Mesh:
    """Return the surface that a format of straight facets holds of `mesh`, in space.

    That is a surface itself, or of a volume its outer facets, whose boundaries become regions.
    Raises `WriteError` for lines and cells of the second order.
    """
    if mesh.dim == 1 or mesh.order == 2:
        raise WriteError(f"{what} holds triangles and quads; the mesh has {', '.join(mesh.cells)} cells.")
    return skin(mesh) if mesh.dim == 3 else replace(mesh, points=spatial(mesh.points))


def skin(mesh: Mesh) -> Mesh:
    """Return the outer facets of a volume as a surface, outwards; its boundaries become regions."""
    place = np.full(mesh.num_facets, -1)
    place[mesh.facet_ids(mesh.outer)] = np.arange(len(mesh.outer))
    names = {name: place[mesh.facet_ids(sides)] for name, sides in mesh.boundaries.items()}
    blocks = []
    for kind, at, nodes in mesh.facets(mesh.outer):
        own = named_rows(names, at, len(mesh.outer) + 1, 1)  # -1, which is no outer side, is the last place
        blocks.append(Block(kind=kind.name, nodes=nodes, names=own))
    return mesh_from_blocks(mesh.points, blocks, dim=2).mesh
