"""Closed curves in the plane as data, and as polygons: what `polygon` and `spline` share.

An outline is one of {"polygon": [[x, y], ...]}, {"spline": [[x, y], ...]} (a closed cubic spline through the points)
and {"ellipse": [x, y, a, b, angle]}. A shape is {"outer": outline, "holes": [outline, ...]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.families._meshing import mesh_shape
from geometries.families.base import Shape, ShapeError
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Outline: TypeAlias = Mapping[str, Any]
_LEAST = 12  # segments of a smooth outline


# -- meshing -----------------------------------------------------------------------------------------------------------
def mesh_outlines(shape: Shape, size: float, order: int) -> Mesh:
    """Return triangles between the outer outline and the holes; boundaries `outer`, `hole1`, `hole2`, ...

    Raises `ShapeError` for outlines that cross and holes outside, with which gmsh never ends.
    """
    traced = [trace(outline, size) for outline in (shape["outer"], *shape["holes"])]
    if len(crossings(*traced)):
        raise ShapeError("outlines cross themselves or each other; expected simple ones, holes apart.")
    if not all(encloses(traced[0], hole).all() for hole in traced[1:]):
        raise ShapeError("a hole lies outside the outer outline; expected all inside.")
    return mesh_shape(partial(_build, traced), dim=2, size=size, order=order)


def _build(outlines: list[Floats], gmsh: ModuleType) -> dict[str, list[int]]:
    geo = gmsh.model.geo
    rings = [_ring(geo, points) for points in outlines]
    geo.addPlaneSurface([geo.addCurveLoop(ring) for ring in rings])
    geo.synchronize()
    return {f"hole{i}" if i else "outer": ring for i, ring in enumerate(rings)}


def _ring(geo: ModuleType, corners: Floats) -> list[int]:
    points = [geo.addPoint(x, y, 0) for x, y in corners.tolist()]
    return [geo.addLine(a, b) for a, b in zip(points, [*points[1:], points[0]], strict=True)]


# -- tracing -----------------------------------------------------------------------------------------------------------
def trace(outline: Outline, size: float) -> Floats:
    """Return the (n, 2) corners of an outline; smooth ones in even segments of at most `size`, at least 12."""
    kind, given = next(iter(outline.items()))
    numbers = np.array(given, dtype=np.float64)
    if kind == "polygon":
        return numbers
    if kind == "spline":
        return _even(_spline(numbers), size)
    if kind == "ellipse":
        return _even(_ellipse(*numbers), size)
    raise ShapeError(f"an outline is {kind!r}; expected polygon, spline or ellipse.")


def _spline(points: Floats) -> Floats:
    from scipy.interpolate import CubicSpline

    closed = np.concatenate([points, points[:1]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(steps))])  # centripetal: no loops between near points
    return CubicSpline(knots, closed, bc_type="periodic")(np.linspace(0, knots[-1], 40 * len(points) + 1))


def _ellipse(x: float, y: float, a: float, b: float, angle: float) -> Floats:
    t = np.linspace(0, 2 * np.pi, 241)
    u, v = a * np.cos(t), b * np.sin(t)
    return np.stack([x + u * np.cos(angle) - v * np.sin(angle), y + u * np.sin(angle) + v * np.cos(angle)], axis=1)


def _even(dense: Floats, size: float) -> Floats:
    """Return points at even steps along a closed curve; the last of `dense` is its first."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(int(np.ceil(along[-1] / size)), _LEAST), endpoint=False)
    return np.stack([np.interp(at, along, dense[:, i]) for i in range(2)], axis=1)


# -- measuring ---------------------------------------------------------------------------------------------------------
def area(points: Floats) -> float:
    """Signed area of a polygon (n, 2); positive if counter-clockwise."""
    return float(_cross(points, np.roll(points, -1, axis=0)).sum()) / 2


def angles(points: Floats) -> Floats:
    """(n,) inner angles of a counter-clockwise polygon, 0 to 2 pi."""
    ahead, behind = np.roll(points, -1, axis=0) - points, np.roll(points, 1, axis=0) - points
    return (np.arctan2(*behind.T[::-1]) - np.arctan2(*ahead.T[::-1])) % (2 * np.pi)


def distances(points: Floats, corners: Floats) -> Floats:
    """(n, m) distances of points (n, 2) from the segments of a closed polygon (m, 2)."""
    span = np.roll(corners, -1, axis=0) - corners
    offset = points[:, None] - corners
    along = np.clip((offset * span).sum(2) / (span * span).sum(1), 0, 1)
    return np.linalg.norm(offset - along[..., None] * span, axis=2)


def encloses(corners: Floats, points: Floats) -> NDArray[np.bool_]:
    """(n,) whether a polygon (m, 2) encloses points (n, 2), by its winding number."""
    rays = corners - points[:, None]
    ahead = np.roll(rays, -1, axis=1)
    turn = np.arctan2(_cross(rays, ahead), (rays * ahead).sum(2)).sum(1)
    return np.abs(turn) > np.pi


def crossings(*outlines: Floats) -> NDArray[np.int64]:
    """(k, 2) pairs i < j of segments of closed polygons that cross, numbered through the polygons."""
    points = np.concatenate(outlines)
    ends = np.concatenate([np.roll(outline, -1, axis=0) for outline in outlines])
    span = (ends - points)[:, None]
    apart = _cross(span, points - points[:, None]) * _cross(span, ends - points[:, None]) < 0
    return np.argwhere(np.triu(apart & apart.T, 1))


def narrowest(points: Floats) -> float:
    """Least distance between a corner of a closed polygon and the segments that do not end there; edges included."""
    n = len(points)
    away = distances(points, points)
    i = np.arange(n)
    away[i, i] = away[i, i - 1] = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    return float(away.min())


def _cross(u: Floats, v: Floats) -> Floats:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


# -- drawing -----------------------------------------------------------------------------------------------------------
def star(rng: np.random.Generator, corners: int, low: float, high: float) -> Floats:
    """Return (n, 2) corners about the origin, counter-clockwise, at radii from `low` to `high`; every one sees it."""
    gaps = rng.uniform(0.6, 1.4, corners)
    at = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(gaps) / gaps.sum()
    return rng.uniform(low, high, corners)[:, None] * np.stack([np.cos(at), np.sin(at)], axis=1)


def places(rng: np.random.Generator, corners: Floats, number: int, *, radii: tuple[float, float], gap: float) -> Floats:
    """Return (n, 3) disks (x, y, radius) inside a polygon, `gap` away from it and from each other; n <= `number`."""
    found = np.empty((0, 3))
    for _ in range(number):
        tries = rng.uniform(corners.min(0), corners.max(0), (64, 2))
        room = distances(tries, corners).min(1) - gap
        for x, y, radius in found:
            room = np.minimum(room, np.hypot(*(tries - (x, y)).T) - radius - gap)
        disks = np.column_stack([tries, np.minimum(room, rng.uniform(*radii, 64))])
        found = np.concatenate([found, disks[(room > radii[0]) & encloses(corners, tries)][:1]])
    return found
