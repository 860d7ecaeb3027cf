"""Closed curves in the plane as data, and as polygons: what `polygon` and `spline` share.

An outline is one of {"polygon": [[x, y], ...]}, {"spline": [[x, y], ...]} (a closed cubic spline through the points)
and {"ellipse": [x, y, a, b, angle]}. A shape is {"outer": outline, "holes": [outline, ...]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.families._planar import Loop, mesh_loops
from geometries.families._polylines import distances, encloses, even
from geometries.families.base import Shape, ShapeError
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Outline: TypeAlias = Mapping[str, Any]


def mesh_outlines(shape: Shape, size: float, order: int) -> Mesh:
    """Return triangles between the outer outline and the holes; boundaries `outer`, `hole1`, `hole2`, ..."""
    holes = [Loop(trace(hole, size), f"hole{i}", fill=None) for i, hole in enumerate(shape["holes"], start=1)]
    return mesh_loops([Loop(trace(shape["outer"], size), "outer"), *holes], order=order, size=size)


# -- tracing -----------------------------------------------------------------------------------------------------------
def trace(outline: Outline, size: float) -> Floats:
    """Return the (n, 2) corners of an outline; smooth ones in even segments of at most `size`, at least 12."""
    kind, given = next(iter(outline.items()))
    numbers = np.array(given, dtype=np.float64)
    if kind == "polygon":
        return numbers
    if kind == "spline":
        return even(_spline(numbers), size)
    if kind == "ellipse":
        return even(_ellipse(*numbers), size)
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
