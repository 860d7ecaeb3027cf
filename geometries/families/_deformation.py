"""Smooth displacements of a mesh: waves, boundaries that stay or slide, round features that grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.errors import SpecError
from geometries.families.base import ShapeError
from geometries.measures import signed_measure
from geometries.mesh import Mesh
from geometries.quality import quality
from geometries.sides import components

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_REACH = 0.25  # of the diagonal: how far a boundary that stays holds its neighbourhood
_FLAT = 1e-3  # normals that differ less, relative to 1, are of one plane
_ROUND = 0.05  # of the radius: how far a round feature's points may lie off its circle
_TILTED = 0.15  # the mean square share of the axis in its normals; a sphere's is a third
_PLANES = 24  # of one boundary that slides
_LEAST = 0.35  # of its mean ratio: what a cell keeps
_BACK = tuple(0.75**k for k in range(24))  # shares of a displacement to try


def apply(mesh: Mesh, displacement: Floats) -> Mesh:
    """Return the mesh with points moved by the largest share of a displacement (N, d) that leaves every cell sound.

    A sound cell has positive measure and at least 0.35 of the mean ratio that it had, and does not fold over where it
    did not. Raises `ShapeError` if there is no such share above 0.001.
    """
    before = quality(mesh).ratio
    for share in _BACK:
        points = mesh.points + share * displacement
        if all((signed_measure(points, kind, cells) > 0).all() for kind, cells, _ in mesh.blocks()):
            moved = replace(mesh, points=points)
            if (quality(moved).ratio >= _LEAST * before).all() and np.isin(moved.folded, mesh.folded).all():
                return moved
    raise ShapeError("the deformation inverts cells however small it is; mesh the part anew, or use other parameters.")


def diagonal(points: Floats) -> float:
    """Return the diagonal of the bounding box."""
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def waves(points: Floats, terms: Sequence[Mapping[str, Any]]) -> Floats:
    """Return (N, d) the sum of vector * sin(2 pi frequency . x + phase), lengths over the diagonal."""
    size, dim = diagonal(points), points.shape[1]
    at = (points - points.min(0)) / size
    parts = [
        np.sin(2 * np.pi * at @ np.array(term["frequency"])[:dim] + term["phase"])[:, None]
        * np.array(term["vector"])[:dim]
        for term in terms
    ]
    return size * np.sum(parts, axis=0) if parts else np.zeros_like(points)


def held(mesh: Mesh, displacement: Floats, names: Sequence[str]) -> Floats:
    """Return a displacement that fades to none at the boundaries `names`."""
    out = displacement
    for name in names:
        out = out * _fade(mesh, mesh.sides(name), _REACH * diagonal(mesh.points))[:, None]
    return out


def sliding(mesh: Mesh, displacement: Floats, names: Sequence[str]) -> Floats:
    """Return a displacement without what would move the boundaries `names` out of their planes.

    Planes that meet at other than right angles are kept in their planes one after the other, the last one exactly.
    Raises `SpecError` for a boundary that is not made of few planes.
    """
    out = displacement
    for name in names:
        for normal, sides in _planes(mesh, name):
            fade = 1 - _fade(mesh, sides, _REACH * diagonal(mesh.points))
            out = out - (fade * (out @ normal))[:, None] * normal
    return out


def grown(mesh: Mesh, name: str, factor: float) -> Floats:
    """Return the (N, d) displacement that multiplies the radii of the round features of a boundary.

    A feature is a connected piece: a circle in 2-D, a cylinder in 3-D, or part of one. What is further from it than its
    diameter, or than the nearest outer side that is not across its axis, does not move: flat faces stay flat.
    Raises `SpecError` for a piece that is not round.
    """
    total = np.zeros_like(mesh.points)
    for sides in _pieces(mesh, mesh.sides(name)):
        feature = _fit(mesh, sides, name)
        fade = 1 - _fade(mesh, sides, _room(mesh, sides, feature))
        total += (factor - 1) * fade[:, None] * radial(mesh.points, feature)
    return total


# -- pieces of boundaries ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Round:
    """A circle, or a cylinder: `axis` (d,) is 0 in 2-D."""

    center: Floats
    axis: Floats
    radius: float


def _fade(mesh: Mesh, sides: Ints, reach: float) -> Floats:
    """(N,) 0 on `sides`, 1 from `reach` on, smooth between."""
    t = np.clip(_away(mesh, sides) / reach, 0, 1)
    return t * t * (3 - 2 * t)


def _away(mesh: Mesh, sides: Ints) -> Floats:
    """(N,) distance of each point from the nearest one on `sides`."""
    from scipy.spatial import cKDTree

    return cKDTree(mesh.points[mesh.nodes(sides)]).query(mesh.points)[0]


def _planes(mesh: Mesh, name: str) -> Iterator[tuple[Floats, Ints]]:
    """Yield the normal and the sides of each plane that a boundary is made of."""
    sides = mesh.sides(name)
    centers, normals, _ = mesh.side_geometry(sides)
    left = np.ones(len(sides), dtype=bool)
    for _ in range(_PLANES):
        if not left.any():
            return
        first = int(left.argmax())
        off = np.abs((centers - centers[first]) @ normals[first]) / diagonal(mesh.points)
        on = left & (normals @ normals[first] > 1 - _FLAT) & (off < _FLAT)
        yield normals[first], sides[on]
        left &= ~on
    if left.any():
        raise SpecError(f"slide names {name!r}, which is not flat; expected boundaries made of planes.", ("slide",))


def _pieces(mesh: Mesh, sides: Ints) -> list[Ints]:
    """Return the connected pieces of a boundary."""
    n = len(sides)
    pairs = [np.stack([np.repeat(at, nodes.shape[1]), n + nodes.ravel()], 1) for _, at, nodes in mesh.facets(sides)]
    label = components(np.concatenate(pairs), n + mesh.num_points)[:n]
    return [sides[label == value] for value in np.unique(label)]


def _fit(mesh: Mesh, sides: Ints, name: str) -> _Round:
    """Fit a circle or a cylinder to a piece: the axis is at first the direction that its normals have least of."""
    points = mesh.points[mesh.nodes(sides)]
    _, normals, area = mesh.side_geometry(sides)
    axis, basis = np.zeros(mesh.space_dim), np.eye(mesh.space_dim)
    if mesh.space_dim == 3:
        basis = np.linalg.eigh(normals.T @ (area[:, None] * normals))[1][:, ::-1].T
        axis, basis = basis[2], basis[:2]
    flat = points @ basis.T
    system = np.column_stack([2 * flat, np.ones(len(flat))])
    *middle, rest = np.linalg.lstsq(system, (flat**2).sum(1), rcond=None)[0]
    first = _Round(np.array(middle) @ basis, axis, float(np.sqrt(max(rest + np.square(middle).sum(), 0.0))))
    found, miss = _refined(points, first, basis)
    along = area @ (normals @ found.axis) ** 2 / area.sum()  # of flat triangles on a cylinder a little
    if not miss < _ROUND * found.radius < _ROUND * diagonal(mesh.points) or along > _TILTED:
        raise SpecError(f"radii names {name!r}, which is not round; expected circles or cylinders.", ("radii", name))
    return found


def _refined(points: Floats, first: _Round, basis: Floats) -> tuple[_Round, float]:
    """Return the circle or cylinder nearest to points in the sense of least squares, and its largest distance."""
    from scipy.optimize import least_squares

    def moved(by: Floats) -> _Round:
        tilt = by[3:] @ basis if first.axis.any() else 0.0
        axis = first.axis + tilt
        return _Round(first.center + by[:2] @ basis, axis / (np.linalg.norm(axis) or 1.0), first.radius + by[2])

    def misses(by: Floats) -> Floats:
        feature = moved(by)
        return np.linalg.norm(radial(points, feature), axis=1) - feature.radius

    result = least_squares(misses, np.zeros(5 if first.axis.any() else 3), x_scale="jac", xtol=1e-12, ftol=1e-12)
    return moved(result.x), float(np.abs(result.fun).max())


def radial(points: Floats, feature: _Round) -> Floats:
    """Return the (N, d) offsets of points from a feature's axis or centre."""
    offset = points - feature.center
    return offset - np.outer(offset @ feature.axis, feature.axis)


def _room(mesh: Mesh, sides: Ints, feature: _Round) -> float:
    """Return how far round a feature points may move: up to the next side along its axis, at most its diameter."""
    own = np.isin(mesh.facet_ids(mesh.outer), mesh.facet_ids(sides))
    across = np.abs(mesh.side_geometry(mesh.outer)[1] @ feature.axis) > 0.7
    others = mesh.outer[~own & ~across]
    if not len(others):
        return 2 * feature.radius
    nodes = np.setdiff1d(mesh.nodes(others), mesh.nodes(sides))
    nearest = _away(mesh, sides)[nodes].min() if len(nodes) else np.inf
    return float(min(2 * feature.radius, nearest))
