"""Several meshes as one: parts with names, sharing the points at one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, Reading, mesh_from_blocks
from geometries.errors import ReadError
from geometries.mesh import Mesh, spatial
from geometries.sides import first_rows

Ints = NDArray[np.int64]


def merged(parts: Sequence[tuple[str, Mesh]], dim: int | None = None) -> Reading:
    """Return one mesh of named parts, whose points at exactly one place become one.

    A part of the mesh's dimension is a region of its name, one a dimension lower a boundary; the parts' own regions
    and boundaries stay. Data that not all parts of the mesh's dimension have are dropped.
    """
    dims = sorted({mesh.dim for _, mesh in parts})
    if not dims:
        raise ReadError("there are no parts; expected at least one.")
    chosen = dims[-1] if dim is None else dim
    points = np.concatenate([spatial(m.points) for _, m in parts])
    kept, number = first_rows(points)
    blocks: list[Block] = []
    start = 0
    for name, mesh in parts:
        place = number[start : start + mesh.num_points]
        blocks += [replace(b, nodes=place[b.nodes]) for b in to_blocks(mesh, name, boundaries=mesh.dim == chosen)]
        start += mesh.num_points
    shared = len(points) - len(kept)
    told = (f"{shared} points at the place of others merged",) if shared else ()
    return mesh_from_blocks(points[kept], blocks, dim=dim, problems=told)


def to_blocks(mesh: Mesh, name: str = "", *, boundaries: bool = True) -> list[Block]:
    """Return a mesh as blocks of cells and of the facets of its boundaries; all cells are in the region `name` too."""
    out = []
    for kind, cells, start in mesh.blocks():
        names = {n: r[(r >= start) & (r < start + len(cells))] - start for n, r in mesh.regions.items()}
        if name:
            names[name] = np.arange(len(cells))
        data = {k: v[start : start + len(cells)] for k, v in mesh.cell_data.items()}
        out.append(Block(kind=kind.name, nodes=cells, names={k: v for k, v in names.items() if len(v)}, data=data))
    for title, sides in mesh.boundaries.items() if boundaries else ():
        for kind, _, nodes in mesh.facets(sides):
            out.append(Block(kind=kind.name, nodes=nodes, names={title: np.arange(len(nodes))}))
    return out
