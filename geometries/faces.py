"""Faces of the outer boundary: facets joined where they meet smoothly, and the shapes that they lie on."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from geometries.measures import simplex_distance
from geometries.mesh import Mesh
from geometries.sides import components, row_keys

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_TIED = 1e-9  # of the mesh's length, by which distances differ by rounding
_FINE = 5.0  # degrees
ALONG = 0.2  # a facet runs along an axis if the cosine between its normal and the axis is below this


def smooth_faces(mesh: Mesh, angle: float = 30.0) -> Ints:
    """Return (n,) face numbers of the outer sides: faces are joined where normals turn by less than `angle` degrees."""
    pairs = side_pairs(mesh)
    _, normals, _ = mesh.side_geometry(mesh.outer)
    cosine = (normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1)
    return components(pairs[cosine >= np.cos(np.radians(angle))], len(mesh.outer))


def resolved(mesh: Mesh) -> NDArray[np.bool_]:
    """Return (n,) whether an outer side is of a face that is flat, or told finely: not a chord of a coarse circle.

    Such a face, whose normals turn by less than 5° from one to the next, has a point all of whose facets
    are its own; the strips that a coarse circle is made of have none.
    """
    faces, corners = smooth_faces(mesh, _FINE), outer_corners(mesh)
    low, high = np.full(mesh.num_points, len(faces)), np.full(mesh.num_points, -1)
    np.minimum.at(low, corners, faces[:, None])
    np.maximum.at(high, corners, faces[:, None])
    return np.isin(faces, low[low == high])


def side_pairs(mesh: Mesh) -> Ints:
    """Return (n, 2) pairs of outer sides (positions in `mesh.outer`) that share a ridge: a point or an edge."""
    ridges, owner = [], []
    for kind, at, points in mesh.facets(mesh.outer):
        for _, nodes in kind.facets or (("vertex", (0,)),):
            ridge = np.sort(points[:, list(nodes[: max(mesh.dim - 1, 1)])], axis=1)
            ridges.append(ridge)
            owner.append(at)
    rows, owners = np.concatenate(ridges), np.concatenate(owner)
    keys = row_keys(rows)
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    return np.stack([owners[order[:-1]][same], owners[order[1:]][same]], axis=1)


def nearest_facet(mesh: Mesh, point: Floats) -> int:
    """Return the place in `mesh.outer` of the side nearest to a point (d,); of several, that of the nearest centre."""
    centers, _, _ = mesh.side_geometry(mesh.outer)
    away = np.linalg.norm(centers - point, axis=1)
    gap = np.full(len(away), np.inf)
    for kind, at, points in mesh.facets(mesh.outer):
        corners = mesh.points[points[:, : kind.corners]]
        reach = np.linalg.norm(corners - centers[at, None], axis=2).max(1)
        near = np.flatnonzero(away[at] - reach <= away.min())
        asked = np.broadcast_to(point, (len(near), len(point)))
        for size in range(1, min(kind.corners, 3) + 1):
            for simplex in combinations(range(kind.corners), size):
                found = simplex_distance(asked, corners[near][:, list(simplex)])
                gap[at[near]] = np.minimum(gap[at[near]], found)
    tied = np.flatnonzero(gap <= gap.min() + _TIED * mesh.length)
    return int(tied[away[tied].argmin()])


def every_point(mesh: Mesh, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which outer sides have all their corners in `mask`."""
    out = np.zeros(len(mesh.outer), dtype=bool)
    for kind, at, points in mesh.facets(mesh.outer):
        out[at] = mask[points[:, : kind.corners]].all(1)
    return out


def radial(offsets: Floats, axis: Floats) -> Floats:
    """(n,) distances from a line along `axis` of points (n, d) given by their offsets from it."""
    return np.linalg.norm(offsets - (offsets @ axis)[:, None] * axis, axis=1)


def axis_lines(mesh: Mesh, axis: Floats, radius: float, slack: Floats) -> Floats:
    """Return (n, 3) points, one on each axis line of a cylinder of `radius` among the outer facets.

    The corners of two neighbouring facets whose normals differ fix a circle in the plane across `axis`; those whose
    radius is the one asked for, by the `slack` (n,) of both, give an axis each.
    """
    pairs = side_pairs(mesh)
    _, normals, _ = mesh.side_geometry(mesh.outer)
    along = (np.abs(normals @ axis) < ALONG)[pairs].all(1)
    turning = (normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1) < 1 - 1e-6
    pairs = pairs[along & turning]
    across = np.linalg.svd(axis[None, :])[2][1:]
    flat = mesh.points[outer_corners(mesh)[pairs].reshape(len(pairs), -1)] @ across.T
    centers, radii = fit_circles(flat)
    near = slack[pairs].min(1)
    fits = np.abs(radii - radius) <= near
    _, first = np.unique(np.round(centers[fits] / near[fits].min(initial=np.inf)), axis=0, return_index=True)
    return centers[fits][first] @ across


def outer_corners(mesh: Mesh) -> Ints:
    """(n, k) corners of the outer sides, the first one repeated where a facet has fewer."""
    found = list(mesh.facets(mesh.outer))
    out = np.zeros((len(mesh.outer), max(kind.corners for kind, _, _ in found)), dtype=np.int64)
    for kind, at, points in found:
        out[at] = points[:, :1]
        out[at, : kind.corners] = points[:, : kind.corners]
    return out


def fit_circles(flat: Floats) -> tuple[Floats, Floats]:
    """Centres (n, 2) and radii (n,) of the circles nearest to each row of points (n, k, 2), by linear least squares."""
    middle = flat.mean(1, keepdims=True)
    local = flat - middle
    matrix = np.concatenate([2 * local, np.ones_like(local[..., :1])], axis=2)
    solved = (np.linalg.pinv(matrix) @ (local**2).sum(2)[..., None])[..., 0]
    radii = np.sqrt(np.maximum(solved[:, 2] + (solved[:, :2] ** 2).sum(1), 0.0))
    return solved[:, :2] + middle[:, 0], radii
