"""Sides, (cell, local facet) pairs, and the facets that they belong to. Arrays only; O(n log n); no loop over cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS, CellType

if TYPE_CHECKING:
    from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LARGEST = 2**62  # of a number of 63 bits that columns are packed in


def row_keys(rows: NDArray[np.generic]) -> Ints:
    """Return (n,) integers that are equal where `rows` are, and in their lexicographic order: one sort, not a column's.

    Columns are packed as the digits of one number; where it would not fit in 63 bits, or for floats, ranks stand in.
    """
    key, size = np.zeros(len(rows), np.int64), 1
    for column in rows.T if len(rows) else ():
        digit = column if column.dtype.kind in "iu" else np.unique(column, return_inverse=True)[1]
        low, high = int(digit.min()), int(digit.max())
        if high - low >= _LARGEST:
            digit = np.unique(digit, return_inverse=True)[1]
            low, high = 0, int(digit.max())
        if size * (high - low + 1) > _LARGEST:
            key = np.unique(key, return_inverse=True)[1]
            size = int(key.max()) + 1
        key = key * (high - low + 1) + (digit - low)
        size *= high - low + 1
    return key


def unique_rows(rows: Ints) -> Ints:
    """Return the distinct rows, sorted: `np.unique(rows, axis=0)`, faster."""
    return rows[np.unique(row_keys(rows), return_index=True)[1]]


def first_rows(rows: NDArray[np.generic]) -> tuple[Ints, Ints]:
    """Return (m,) where each distinct row first stands, ascending, and (n,) the place there of the row that each is."""
    _, first, number = np.unique(row_keys(rows), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[number]


def number_rows(rows: NDArray[np.generic]) -> tuple[Ints, Ints]:
    """Return (n,) the number of each row among the distinct rows in sorted order, and (m,) their counts."""
    key = row_keys(rows)
    order = np.argsort(key)
    ordered = key[order]
    new = np.ones(len(key), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    number = np.empty(len(key), np.int64)
    number[order] = np.cumsum(new) - 1
    return number, np.diff(np.flatnonzero(new), append=len(key))


def ranks(owner: Ints) -> Ints:
    """Return (n,) the place of each entry among those of its owner, which is a number of 0 or more."""
    order = np.argsort(owner, kind="stable")
    count = np.bincount(owner)
    out = np.empty(len(owner), np.int64)
    out[order] = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return out


def components(pairs: Ints, count: int) -> Ints:
    """Return (count,) the number of the connected piece that each is of, where `pairs` (n, 2) of them are joined.

    Pieces are numbered in the order of their lowest members.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def edges(mesh: Mesh) -> Ints:
    """Return the distinct (lower, higher) pairs of points that edges join, sorted: by counting twice, O(n)."""
    from scipy.sparse import coo_array

    number = np.int32 if mesh.num_points < np.iinfo(np.int32).max else np.int64  # half the memory to move
    total = sum(len(cells) * len(kind.edges) for kind, cells, _ in mesh.blocks())
    low, high = np.empty((2, total), number)
    at = 0
    for kind, cells, _ in mesh.blocks():
        columns = np.ascontiguousarray(cells.T, number)
        for a, b in kind.edges:
            to = slice(at, at := at + len(cells))
            np.minimum(columns[a], columns[b], out=low[to])
            np.maximum(columns[a], columns[b], out=high[to])
    table = coo_array((np.ones(total, dtype=bool), (high, low)), shape=(mesh.num_points, mesh.num_points))
    table.has_canonical_format = True  # not yet: the next line would sort, and the one after it does so by counting
    table = table.tocsr().tocsc()
    table.sum_duplicates()
    out = np.empty((table.nnz, 2), np.int64)
    out[:, 0] = np.repeat(np.arange(mesh.num_points, dtype=number), np.diff(table.indptr))
    out[:, 1] = table.indices
    return out


def corner_keys(corners: Ints, width: int) -> Ints:
    """Return (n, width) sorted corners padded with -1: equal for equal facets, whatever their orientation."""
    return _padded(np.sort(corners, axis=1), width)


def _padded(keys: Ints, width: int) -> Ints:
    out = np.full((len(keys), width), -1, dtype=np.int64)
    out[:, : keys.shape[1]] = keys
    return out


@dataclass(frozen=True, eq=False)
class SideTable:
    """All sides of a mesh, sorted, and the facet of each."""

    sides: Ints
    facet: Ints
    count: Ints
    keys: Ints
    start: Ints

    def neighbors(self) -> Ints:
        """Return (n, 2) pairs of cells that share a facet, of more than two cells each with the next."""
        order = np.argsort(self.facet, kind="stable")
        facet, cell = self.facet[order], self.sides[order, 0]
        same = facet[1:] == facet[:-1]
        return np.stack([cell[:-1][same], cell[1:][same]], axis=1)

    def ids(self, sides: Ints) -> Ints:
        """Return the facet number of each of `sides`."""
        return self.facet[self.start[sides[:, 0]] + sides[:, 1]]

    def find(self, corners: Ints) -> Ints:
        """Return one side for each row of facet corners (n, k), the lowest cell's; (-1, -1) where there is none."""
        wanted = np.zeros(max(self.keys.max(), corners.max(initial=-1)) + 2, dtype=bool)
        wanted[corners.ravel()] = True
        wanted[-1] = True  # the -1 that pads keys
        near = np.flatnonzero(wanted[self.keys].all(1))
        width = max(self.keys.shape[1], corners.shape[1])
        own, asked = _padded(self.keys[near], width), corner_keys(corners, width)
        number, _ = number_rows(np.concatenate([own, asked]))
        first = np.full(number.max(initial=-1) + 1, -1, dtype=np.int64)
        first[number[: len(own)][::-1]] = near[::-1]
        at = first[number[len(own) :]]
        return np.where(at[:, None] < 0, -1, self.sides[at])


def facets_per_cell(mesh: Mesh) -> Ints:
    """(C,) number of facets of each cell."""
    return np.concatenate([np.full(len(c), len(k.facets), np.int64) for k, c, _ in mesh.blocks()])


def table(mesh: Mesh) -> SideTable:
    """Number the facets of `mesh`."""
    width = max(CELLS[facet].corners for kind, _, _ in mesh.blocks() for facet, _ in kind.facets)
    per_cell = facets_per_cell(mesh)
    start = np.cumsum(per_cell) - per_cell
    cell = np.repeat(np.arange(mesh.num_cells), per_cell)
    keys = np.empty((len(cell), width), np.int64)
    for kind, cells, first in mesh.blocks():
        local = keys[start[first] :][: len(cells) * len(kind.facets)].reshape(len(cells), len(kind.facets), width)
        for i, (facet, nodes) in enumerate(kind.facets):
            local[:, i] = corner_keys(cells[:, list(nodes[: CELLS[facet].corners])], width)
    facet, count = number_rows(keys)
    return SideTable(np.stack([cell, np.arange(len(cell)) - start[cell]], axis=1), facet, count, keys, start)


def facets(mesh: Mesh, sides: Ints) -> Iterator[tuple[CellType, Ints, Ints]]:
    """Yield (facet type, positions in `sides`, (n, k) points), one for each cell type and local facet present."""
    for kind, cells, start in mesh.blocks():
        inside = (sides[:, 0] >= start) & (sides[:, 0] < start + len(cells))
        for local, (facet, nodes) in enumerate(kind.facets):
            at = np.flatnonzero(inside & (sides[:, 1] == local))
            if len(at):
                yield CELLS[facet], at, cells[sides[at, 0] - start][:, list(nodes)]


def geometry(mesh: Mesh, sides: Ints) -> tuple[Floats, Floats, Floats]:
    """Return centres (n, d), unit outward normals (n, d) and measures (n,) of `sides`, by their corners."""
    centers = np.zeros((len(sides), mesh.space_dim))
    vectors = np.zeros((len(sides), mesh.space_dim))
    for kind, at, points in facets(mesh, sides):
        corners = mesh.points[points[:, : kind.corners]]
        centers[at] = corners.mean(1)
        vectors[at] = _area_vectors(corners, centers[at] - mesh.cell_centers[sides[at, 0]])
    size = np.linalg.norm(vectors, axis=1)
    return centers, vectors / np.where(size > 0, size, 1.0)[:, None], size


def over_sides(mesh: Mesh, sides: Ints, value: object, shape: tuple[int, ...] = ()) -> bool:
    """Return whether a value is an array over `sides`: it has their number, and not that of their points."""
    array = isinstance(value, np.ndarray) and value.shape == (len(sides), *shape)
    return array and len(mesh.nodes(sides)) != len(sides)


def to_nodes(mesh: Mesh, sides: Ints, values: Floats) -> Floats:
    """Return (n, ...) the means of values over `sides` around each of their points, `mesh.nodes(sides)`."""
    total, count = np.zeros((mesh.num_points, *values.shape[1:])), np.zeros(mesh.num_points)
    for _, at, points in facets(mesh, sides):
        np.add.at(total, points, values[at][:, None])
        np.add.at(count, points, 1.0)
    nodes = mesh.nodes(sides)
    return total[nodes] / count[nodes].reshape(-1, *(1 for _ in values.shape[1:]))


def _area_vectors(corners: Floats, outward: Floats) -> Floats:
    """(n, d) normals whose length is the facet's measure, from (n, k, d) corners and a direction out of the cell."""
    k = corners.shape[1]
    if k == 1:
        vectors, size = outward, np.ones(len(corners))
    elif k == 2:
        tangent = corners[:, 1] - corners[:, 0]
        size = np.linalg.norm(tangent, axis=1)
        unit = tangent / size[:, None]
        vectors = outward - (outward * unit).sum(1)[:, None] * unit
    else:
        vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        if k == 4:
            vectors = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]) / 2
        return vectors * np.sign((vectors * outward).sum(1))[:, None]
    return vectors * (size / np.linalg.norm(vectors, axis=1))[:, None]
