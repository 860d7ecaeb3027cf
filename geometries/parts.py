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
    and boundaries stay. Data that not all parts of the mesh's dimension have are dropped and told; where parts meet,
    the data of points are those of the first.
    """
    dims = sorted({mesh.dim for _, mesh in parts})
    if not dims:
        raise ReadError("there are no parts; expected at least one.")
    chosen = dims[-1] if dim is None else dim
    points = np.concatenate([spatial(m.points) for _, m in parts])
    kept, number = first_rows(points)
    places = np.split(number, np.cumsum([mesh.num_points for _, mesh in parts])[:-1])
    blocks: list[Block] = []
    for (name, mesh), place in zip(parts, places, strict=True):
        blocks += [replace(b, nodes=place[b.nodes]) for b in to_blocks(mesh, name, boundaries=mesh.dim == chosen)]
    own = [mesh for _, mesh in parts if mesh.dim == chosen]
    at = [place for (_, mesh), place in zip(parts, places, strict=True) if mesh.dim == chosen]
    data = _point_data(own, at, len(kept))
    shared = len(points) - len(kept)
    told = [f"{shared} points at the place of others merged"] if shared else []
    found = mesh_from_blocks(points[kept], blocks, dim=dim, point_data=data, problems=told)
    lost = {k for mesh in own for k in (*mesh.point_data, *mesh.cell_data)} - {*data, *found.mesh.cell_data}
    left = (f"data that not all parts have are left out: {', '.join(sorted(lost))}",) if lost else ()
    return replace(found, problems=(*found.problems, *left))


def _point_data(meshes: Sequence[Mesh], at: Sequence[Ints], count: int) -> dict[str, NDArray[np.generic]]:
    """Return, for `count` points, the data that all meshes have; `at` is where their points are, the first ones win."""
    out: dict[str, NDArray[np.generic]] = {}
    for name in meshes[0].point_data if meshes else ():
        values = [mesh.point_data[name] for mesh in meshes if name in mesh.point_data]
        if len(values) == len(meshes) and len({v.shape[1:] for v in values}) == 1:
            out[name] = np.zeros((count, *values[0].shape[1:]), np.result_type(*values))
            for place, v in reversed(list(zip(at, values, strict=True))):
                out[name][place] = v
    return out


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
