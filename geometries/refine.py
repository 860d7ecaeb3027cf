"""Finer meshes from a mesh: mid-nodes (`second_order`) and uniform refinement (`refined`), names kept."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS, CellType, Nodes
from geometries.errors import MeshError
from geometries.mesh import Mesh
from geometries.sides import number_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SECOND = {
    "line": "line3",
    "triangle": "triangle6",
    "quad": "quad9",
    "tetra": "tetra10",
    "pyramid": "pyramid14",
    "wedge": "wedge18",
    "hexahedron": "hexahedron27",
}
_CORNERS = {
    "line": ((0,), (1,)),
    "triangle": ((0, 0), (1, 0), (0, 1)),
    "quad": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "tetra": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "hexahedron": ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}
_WIDTH = 8  # corners of the largest cell


def second_order(mesh: Mesh) -> Mesh:
    """Return the mesh with nodes amid edges, quad facets, quads and hexahedra; cells stay straight.

    Old points keep their numbers, and cells, sides and names stay as they are. Real point data are interpolated, others
    dropped. Raises `MeshError` if a cell is of second order already.
    """
    _first_order(mesh)
    sets = [CELLS[_SECOND[kind.name]].middles for kind, _, _ in mesh.blocks()]
    keys = [_keys(cells, local) for (_, cells, _), local in zip(mesh.blocks(), sets, strict=True)]
    rows = np.concatenate([k.reshape(-1, _WIDTH) for k in keys])
    number, count = number_rows(rows)
    middles = np.empty((len(count), _WIDTH), np.int64)
    middles[number] = rows
    ids = np.split(number + mesh.num_points, np.cumsum([k.shape[0] * k.shape[1] for k in keys])[:-1])
    cells = {
        _SECOND[kind.name]: np.hstack([cells, new.reshape(len(cells), -1)])
        for (kind, cells, _), new in zip(mesh.blocks(), ids, strict=True)
    }
    data = {k: np.concatenate([v, _means(v, middles)]) for k, v in mesh.point_data.items() if v.dtype.kind == "f"}
    points = np.concatenate([mesh.points, _means(mesh.points, middles)])
    return replace(mesh, points=points, cells=cells, point_data=data)


def refined(mesh: Mesh) -> Mesh:
    """Return the first-order mesh with every edge halved: 2 cells for 1 in 1-D, 4 in 2-D, 8 in 3-D; names kept.

    Old points keep their numbers; cell i becomes cells next to each other; real point data are interpolated, others
    dropped. The octahedron inside a tetrahedron is cut along its shortest diagonal. Raises `MeshError` for pyramids,
    wedges and cells of second order.
    """
    _first_order(mesh)
    bad = [kind.name for kind, _, _ in mesh.blocks() if kind.name not in _CORNERS]
    if bad:
        raise MeshError(f"cannot refine {bad[0]} cells; expected {', '.join(_CORNERS)}.")
    fine = second_order(mesh)
    blocks = zip(mesh.blocks(), fine.cells.values(), strict=True)
    cells = {k.name: _children(k, block, fine.points) for (k, _, _), block in blocks}
    each = np.concatenate([np.full(len(c), len(_tables(k)[0])) for k, c, _ in mesh.blocks()])
    first = np.cumsum(each) - each
    of_cell = np.repeat(np.arange(mesh.num_cells), each)
    return Mesh(
        points=fine.points,
        cells=cells,
        regions={k: np.flatnonzero(np.isin(of_cell, v)) for k, v in mesh.regions.items()},
        boundaries={k: _child_sides(mesh, v, first) for k, v in mesh.boundaries.items()},
        point_data=fine.point_data,
        cell_data={k: v[of_cell] for k, v in mesh.cell_data.items()},
    )


def _first_order(mesh: Mesh) -> None:
    if mesh.order > 1:
        raise MeshError(f"the mesh holds {', '.join(mesh.cells)} cells; expected first order.")


def _keys(cells: Ints, sets: tuple[Nodes, ...]) -> Ints:
    """(C, sets, 8) sorted corners of each set, padded with -1: equal for equal sets."""
    keys = np.full((len(cells), len(sets), _WIDTH), -1, dtype=np.int64)
    for i, local in enumerate(sets):
        keys[:, i, : len(local)] = np.sort(cells[:, list(local)], axis=1)
    return keys


def _means(values: NDArray[np.generic], rows: Ints) -> NDArray[np.generic]:
    """(n, ...) means of `values` over each row's entries that are not -1."""
    out = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype)
    sizes = (rows >= 0).sum(1)
    for size in np.unique(sizes):
        at = sizes == size
        out[at] = values[rows[at, :size]].mean(1)
    return out


def _lattice(kind: CellType) -> dict[Nodes, int]:
    """Local nodes of the full second-order cell by twice their reference coordinates."""
    corners = np.array(_CORNERS[kind.name])
    middles = CELLS[_SECOND[kind.name]].middles
    at = [2 * c for c in corners] + [(2 * corners[list(s)]).sum(0) // len(s) for s in middles]
    return {tuple(int(v) for v in p): i for i, p in enumerate(at)}


def _tables(kind: CellType) -> Ints:
    """(ways, children, corners) local nodes of a refined cell: one at each corner, then those in the middle.

    Tetrahedra have three ways, one for each diagonal of the octahedron inside; child 4 + f lies on facet f.
    """
    node, corners = _lattice(kind), np.array(_CORNERS[kind.name])
    at_corners = [[node[tuple((v + w).tolist())] for w in corners] for v in corners]
    if kind.name == "triangle":
        return np.array([[*at_corners, [3, 4, 5]]])
    if kind.name != "tetra":
        return np.array([at_corners])
    mid = {frozenset(edge): 4 + i for i, edge in enumerate(kind.edges)}
    inward = [[mid[frozenset(pair)] for pair in itertools.combinations(nodes, 2)] for _, nodes in kind.facets]
    return np.array([[*at_corners, *([*f, (set(d) - set(f)).pop()] for f in inward)] for d in _diagonals()])


def _diagonals() -> tuple[tuple[int, int], ...]:
    """Mid-nodes of opposite edges of a tetrahedron."""
    return (4, 9), (5, 7), (6, 8)


def _children(kind: CellType, cells: Ints, points: Floats) -> Ints:
    """(C * children, corners) cells of one refined block from its second-order cells."""
    tables = _tables(kind)
    way = np.zeros(len(cells), np.int64)
    if kind.name == "tetra":
        ends = points[cells[:, np.array(_diagonals())]]
        way = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=2).argmin(1)
    local = tables[way].reshape(len(cells), -1)
    return np.take_along_axis(cells, local, axis=1).reshape(-1, kind.corners)


def _child_sides(mesh: Mesh, sides: Ints, first: Ints) -> Ints:
    """Sides of the refined mesh on `sides`; `first` is the number of each cell's first child."""
    found = [np.empty((0, 2), np.int64)]
    for kind, cells, start in mesh.blocks():
        own = sides[(sides[:, 0] >= start) & (sides[:, 0] < start + len(cells))]
        for facet, child, local in _facet_children(kind):
            parent = own[own[:, 1] == facet, 0]
            found.append(np.stack([first[parent] + child, np.full(len(parent), local)], axis=1))
    return np.concatenate(found)


def _facet_children(kind: CellType) -> list[tuple[int, int, int]]:
    """(facet, child, child's facet) triples: which facets of the children lie on each facet of the cell."""
    second = CELLS[_SECOND[kind.name]]
    return [
        (facet, child, local)
        for facet, (_, on) in enumerate(second.facets)
        for child, nodes in enumerate(_tables(kind)[0].tolist())
        for local, (_, corners) in enumerate(kind.facets)
        if {nodes[i] for i in corners} <= set(on)
    ]
