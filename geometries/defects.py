"""What a valid mesh may still suffer from: cells that fold over, coincident points, crowded facets, hanging nodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from geometries.measures import simplex_distance
from geometries.mesh import Mesh
from geometries.sides import components

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CLOSE = 1e-9  # of the mesh's extent: points that are closer coincide
_MEND = {1: "split them into simplices", 2: "put mid-nodes in the middle of their edges"}  # by order
_ON = 1e-6  # of a facet's size: points that are closer lie on it
_MOST_SIDES = 200_000  # outer sides that are searched for hanging nodes: a cheap check of meshes that are mostly whole


def defects(mesh: Mesh) -> tuple[str, ...]:
    """Return what a solver would stumble over, one line each, by the outer sides; nothing is changed.

    The map of a cell that folds over has no inverse, though its corners may measure more than 0; solvers refuse it.
    Coincident points and hanging nodes leave cells apart that look joined; facets of more than two cells belong to
    overlapping cells, or to surfaces that branch. Meshes of lines and more than 200 000 outer sides are not searched
    for hanging nodes.
    """
    found = list(folds(mesh))
    if mesh.dim < 2:
        return tuple(found)
    crowded = int((mesh._table.count > 2).sum())
    if crowded:
        found.append(f"{crowded} facets belong to more than two cells: cells overlap or surfaces branch")
    nodes = mesh.nodes(mesh.outer)
    if len(nodes):
        twice = coincident(mesh.points[nodes], tolerance=_CLOSE * float(np.ptp(mesh.points, axis=0).max()))
        copies = int((twice != np.arange(len(nodes))).sum())
        if copies:
            found.append(f"{copies} points coincide with others, and cells are not joined there (--repair merges them)")
        distinct = nodes[twice == np.arange(len(nodes))]
        hanging = len(_hanging(mesh, distinct)) if len(mesh.outer) <= _MOST_SIDES else 0
        if hanging:
            found.append(f"{hanging} points lie inside facets or edges of cells that do not have them (hanging nodes)")
    return tuple(found)


def folds(mesh: Mesh) -> tuple[str, ...]:
    """Return how many cells of each type fold over inside, one line each, and what to do about them."""
    out = []
    for kind, cells, start in mesh.blocks():
        own = mesh.folded[(mesh.folded >= start) & (mesh.folded < start + len(cells))]
        if len(own):
            what = f"{len(own)} of {len(cells)} {kind.name} cells fold over"
            out.append(
                f"{what} (det J < 0 at a node; first: cell {own[0]}); mesh the part again, or {_MEND[kind.order]}"
            )
    return tuple(out)


def coincident(points: Floats, *, tolerance: float) -> Ints:
    """(n,) the lowest number among the points (n, d) that are joined to each by steps of at most `tolerance`."""
    from scipy.spatial import cKDTree

    number = components(cKDTree(points).query_pairs(tolerance, output_type="ndarray"), len(points))
    return np.unique(number, return_index=True)[1][number]


def _hanging(mesh: Mesh, nodes: Ints) -> Ints:
    """Return those of `nodes` that lie on an outer side, away from its own nodes."""
    from scipy.spatial import cKDTree

    tree, found = cKDTree(mesh.points[nodes]), [np.empty(0, np.int64)]
    for kind, _, points in mesh.facets(mesh.outer):
        corners = mesh.points[points[:, : kind.corners]]
        center, size = corners.mean(1), np.ptp(corners, axis=1).max(1)
        radius = np.linalg.norm(corners - center[:, None], axis=2).max(1) * (1 + _ON)
        near = tree.query_ball_point(center, radius)
        counts = np.fromiter(map(len, near), np.int64, len(near))
        side, node = np.repeat(np.arange(len(near)), counts), np.concatenate([*near, []]).astype(np.int64)
        apart = np.linalg.norm(mesh.points[points[side]] - mesh.points[nodes[node]][:, None], axis=2).min(1)
        side, node = (rows[apart > _ON * size[side]] for rows in (side, node))
        on = np.zeros(len(side), dtype=bool)
        for simplex in _simplices(kind.corners):
            on |= simplex_distance(mesh.points[nodes[node]], corners[side][:, list(simplex)]) <= _ON * size[side]
        found.append(nodes[node[on]])
    return np.unique(np.concatenate(found))


def _simplices(corners: int) -> Iterator[tuple[int, ...]]:
    """Yield the simplices that a facet with so many corners is made of."""
    yield tuple(range(min(corners, 3)))
    if corners == 4:
        yield 0, 2, 3
