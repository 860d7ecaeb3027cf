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
_WIDTH = 4  # corners of the largest facet


def order_rows(rows: Ints) -> Ints:
    """Return the permutation that sorts `rows` lexicographically."""
    return np.lexsort(rows.T[::-1])


def unique_rows(rows: Ints) -> Ints:
    """Return the distinct rows, sorted: `np.unique(rows, axis=0)`, faster."""
    if not len(rows):
        return rows
    ordered = rows[order_rows(rows)]
    return ordered[np.r_[True, (ordered[1:] != ordered[:-1]).any(1)]]


def number_rows(rows: Ints) -> tuple[Ints, Ints]:
    """Return (n,) the number of each row among the distinct rows in sorted order, and (m,) their counts."""
    order = order_rows(rows)
    ordered = rows[order]
    new = np.r_[True, (ordered[1:] != ordered[:-1]).any(1)] if len(rows) else np.empty(0, bool)
    number = np.empty(len(rows), np.int64)
    number[order] = np.cumsum(new) - 1
    return number, np.bincount(number).astype(np.int64)


def corner_keys(corners: Ints) -> Ints:
    """Return (n, 4) sorted corners padded with -1: equal for equal facets, whatever their orientation."""
    keys = np.full((len(corners), _WIDTH), -1, dtype=np.int64)
    keys[:, : corners.shape[1]] = np.sort(corners, axis=1)
    return keys


@dataclass(frozen=True, eq=False)
class SideTable:
    """All sides of a mesh, sorted, and the facet of each."""

    sides: Ints
    facet: Ints
    count: Ints
    keys: Ints
    start: Ints

    def ids(self, sides: Ints) -> Ints:
        """Return the facet number of each of `sides`."""
        return self.facet[self.start[sides[:, 0]] + sides[:, 1]]

    def find(self, corners: Ints) -> Ints:
        """Return one side for each row of facet corners (n, k), the lowest cell's; (-1, -1) where there is none."""
        keys = corner_keys(corners)
        number, _ = number_rows(np.concatenate([self.keys, keys]))
        first = np.full(number.max(initial=-1) + 1, -1, dtype=np.int64)
        own = number[: len(self.keys)]
        first[own[::-1]] = np.arange(len(own))[::-1]
        at = first[number[len(self.keys) :]]
        return np.where(at[:, None] < 0, -1, self.sides[at])


def facets_per_cell(mesh: Mesh) -> Ints:
    """(C,) number of facets of each cell."""
    return np.concatenate([np.full(len(c), len(k.facets), np.int64) for k, c, _ in mesh.blocks()])


def table(mesh: Mesh) -> SideTable:
    """Number the facets of `mesh`."""
    sides, keys = [], []
    for kind, cells, start in mesh.blocks():
        number = np.arange(start, start + len(cells))
        local = [corner_keys(cells[:, list(nodes[: CELLS[f].corners])]) for f, nodes in kind.facets]
        sides.append(np.stack(np.broadcast_arrays(number[:, None], np.arange(len(local))), axis=-1).reshape(-1, 2))
        keys.append(np.stack(local, axis=1).reshape(-1, _WIDTH))
    all_keys = np.concatenate(keys)
    facet, count = number_rows(all_keys)
    start = np.concatenate([[0], np.cumsum(facets_per_cell(mesh))[:-1]])
    return SideTable(np.concatenate(sides), facet, count, all_keys, start)


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
