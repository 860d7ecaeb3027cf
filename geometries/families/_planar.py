"""Plane shapes as closed polylines, each with names, edge lengths and what fills it, and their meshes in triangles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.families._meshing import Names, mesh_shape
from geometries.families._polylines import area, crossings, distances, encloses
from geometries.families.base import Family, Shape, ShapeError
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
_FINEST = 0.2  # of the edge length asked for: as fine as narrow places get
_LEAST = 12  # segments of a circle
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Loop:
    """A closed polyline through `corners` (n, 2).

    `names` is the boundary of each segment, from a corner to the next, or one for all ("": none); `size` the edge
    length wanted at each corner, or at all (0: the mesh's). `fill` is the region inside, up to the loops within; ""
    leaves it without a name, None leaves a hole.
    """

    corners: Floats
    names: str | Sequence[str]
    size: float | Floats = 0.0
    fill: str | None = ""


@dataclass(frozen=True)
class Planar(Family):
    """A family of plane shapes in triangles of `order` 1 or 2, given by their loops, the outer one first."""

    dim: ClassVar[int] = 2
    sizes: ClassVar[tuple[float, float]] = (0.002, 0.2)  # where `size` may lie
    order: int = 1

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("order", self.order in (1, 2), "1 or 2")
        if hasattr(self, "cells"):
            self.require_counts("cells", 4, 400)
        if hasattr(self, "size"):
            low, high = self.sizes
            self.require("size", low <= self.size <= high, f"{low:g} to {high:g}")

    @abstractmethod
    def loops(self, shape: Shape) -> list[Loop]:
        """Return the loops of a shape."""

    def mesh(self, shape: Shape) -> Mesh:
        """Return triangles, finer where parts of the outline come near each other."""
        return mesh_loops(_graded(self.loops(shape)), order=self.order)


# -- meshing -----------------------------------------------------------------------------------------------------------
def mesh_loops(loops: Sequence[Loop], *, order: int = 1, size: float = 0.0) -> Mesh:
    """Return triangles of edge up to `size` (0: the loops' largest) inside the first loop, conforming to all others.

    Raises `ShapeError` for loops that cross, or lie outside the first, with which gmsh never ends.
    """
    corners = [loop.corners for loop in loops]
    if len(crossings(*corners)):
        raise ShapeError("outlines cross themselves or each other; expected simple ones, holes apart.")
    if not all(encloses(corners[0], inner).all() for inner in corners[1:]):
        raise ShapeError("a hole lies outside the outer outline; expected all inside.")
    size = size or max(float(np.max(loop.size)) for loop in loops)
    return mesh_shape(partial(_build, loops), dim=2, size=size, order=order)


def _build(loops: Sequence[Loop], gmsh: ModuleType) -> Names:
    geo = gmsh.model.geo
    rings = [_ring(geo, loop) for loop in loops]
    curves = [geo.addCurveLoop(ring) for ring in rings]
    boundaries: dict[str, list[int]] = {}
    regions: dict[str, list[int]] = {}
    for loop, ring in zip(loops, rings, strict=True):
        names = [loop.names] * len(ring) if isinstance(loop.names, str) else loop.names
        for name, line in zip(names, ring, strict=True):
            boundaries.setdefault(name, []).append(line)
    parents = _parents([loop.corners for loop in loops])
    for i, loop in enumerate(loops):
        if loop.fill is not None:
            within = [curves[j] for j, parent in enumerate(parents) if parent == i]
            regions.setdefault(loop.fill, []).append(geo.addPlaneSurface([curves[i], *within]))
    geo.synchronize()
    return Names(*({name: tags for name, tags in sets.items() if name} for sets in (boundaries, regions)))


def _ring(geo: ModuleType, loop: Loop) -> list[int]:
    sizes = np.broadcast_to(loop.size, len(loop.corners)).tolist()
    points = [geo.addPoint(x, y, 0, size) for (x, y), size in zip(loop.corners.tolist(), sizes, strict=True)]
    return [geo.addLine(a, b) for a, b in zip(points, [*points[1:], points[0]], strict=True)]


def _parents(corners: Sequence[Floats]) -> list[int]:
    """Return the smallest loop around each loop; -1 for the outer one."""
    areas = [abs(area(c)) for c in corners]
    around = [[i for i, c in enumerate(corners) if i != j and encloses(c, own[:1])[0]] for j, own in enumerate(corners)]
    return [min(outside, key=lambda i: areas[i], default=-1) for outside in around]


def _graded(loops: Sequence[Loop]) -> list[Loop]:
    """Return the loops with no edge length above the distance to the segments that do not end at its corner."""
    corners = np.concatenate([loop.corners for loop in loops])
    away = np.concatenate([distances(corners, loop.corners) for loop in loops], axis=1)
    start = 0
    for loop in loops:
        i = np.arange(len(loop.corners))
        away[start + i, start + i] = away[start + i, start + i - 1 + (i == 0) * len(i)] = np.inf
        start += len(i)
    room = np.split(away.min(1), np.cumsum([len(loop.corners) for loop in loops])[:-1])
    return [
        replace(loop, size=np.clip(own, _FINEST * np.asarray(loop.size), loop.size))
        for loop, own in zip(loops, room, strict=True)
    ]


# -- drawing -----------------------------------------------------------------------------------------------------------
def rectangle(low: Sequence[float], high: Sequence[float]) -> Floats:
    """Return (4, 2) corners, counter-clockwise from the lowest."""
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])], dtype=np.float64)


def circle(x: float, y: float, radius: float, *, size: float) -> Floats:
    """Return points on a circle, counter-clockwise, at most `size` apart; at least 12."""
    count = max(int(np.ceil(2 * np.pi * radius / size)), _LEAST)
    at = 2 * np.pi * np.arange(count) / count
    return np.array([x, y]) + radius * np.stack([np.cos(at), np.sin(at)], axis=1)


def box_names(corners: Floats, other: str, names: Sequence[str] = ("left", "right", "bottom", "top")) -> list[str]:
    """Name each segment by the side of the bounding box that it lies on; `other` where it lies on none."""
    low, high, ends = corners.min(0), corners.max(0), np.roll(corners, -1, axis=0)
    slack = _SLACK * (high - low).max()
    sides = ((0, low[0]), (0, high[0]), (1, low[1]), (1, high[1]))
    on = [np.maximum(abs(corners[:, a] - v), abs(ends[:, a] - v)) < slack for a, v in sides]
    return [next((n for n, mask in zip(names, on, strict=True) if mask[i]), other) for i in range(len(corners))]


class Harmonics:
    """Random smooth closed curves r(t) about a centre: r = low + (high - low) / (1 + exp(f)), f a Gaussian field.

    f has the covariance 16 (9 - d²/dt²)^-1 on the circle, cut off at `count` harmonics, as the voids of Geo-FNO
    (arXiv 2207.05209), where `count` is the grid's.
    """

    def __init__(self, count: int = 6) -> None:
        """Take the number of harmonics."""
        k = np.arange(count + 1)
        self.deviation = 4 / np.sqrt(k**2 + 9.0) / np.sqrt(np.pi * np.where(k, 1, 2))

    def draw(self, rng: np.random.Generator) -> list[list[float]]:
        """Draw the (count + 1, 2) factors of cos(k t) and sin(k t)."""
        return (rng.normal(size=(len(self.deviation), 2)) * self.deviation[:, None]).tolist()

    @staticmethod
    def curve(factors: Sequence[Sequence[float]], radii: tuple[float, float], count: int = 240) -> Floats:
        """Return (count + 1, 2) points of the curve about the origin, counter-clockwise; the last is the first."""
        t = 2 * np.pi * (np.arange(count + 1) % count) / count
        waves = np.arange(len(factors))[:, None] * t
        f = (np.array(factors)[:, :, None] * np.stack([np.cos(waves), np.sin(waves)], axis=1)).sum((0, 1))
        r = radii[0] + (radii[1] - radii[0]) / (1 + np.exp(f))
        return r[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)
