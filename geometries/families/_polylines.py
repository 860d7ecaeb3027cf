"""Closed polylines (n, 2) in the plane: areas, angles, distances, crossings, even steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST = 12  # segments of a smooth outline


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


def even(dense: Floats, size: float) -> Floats:
    """Return points at even steps along a closed curve; the last of `dense` is its first."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(int(np.ceil(along[-1] / size)), _LEAST), endpoint=False)
    return np.stack([np.interp(at, along, dense[:, i]) for i in range(2)], axis=1)
