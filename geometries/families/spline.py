"""Random smooth shapes: closed splines with elliptic holes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.families._outlines import Outline, mesh_outlines, places, star, trace
from geometries.families._polylines import angles, area, distances
from geometries.families.base import Family, Shape, until
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
_BLUNTEST = np.radians(35)  # turn of the outline between segments of one edge length
_GAP = 0.08  # width that every part has, unless the edges are short
_LEAST = 0.25  # area


@dataclass(frozen=True)
class Spline(Family):
    """Smooth closed outlines in the unit square with elliptic holes, in triangles.

    The outline is the periodic cubic spline through `points` (low, high) points at random radii. `size` is the target
    edge length, `order` 1 or 2; `holes` is a range of counts. No two parts of the outline are nearer than two edges
    or 0.08. Boundaries: `outer`, `hole1`, `hole2`, ...; a shape is as in `_outlines`.
    """

    name: ClassVar[str] = "spline"
    dim: ClassVar[int] = 2
    size: float = 0.04
    order: int = 1
    points: tuple[int, int] = (5, 10)
    holes: tuple[int, int] = (0, 3)

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("size", 0.002 <= self.size <= 0.08, "0.002 to 0.08 of the unit square's side")
        self.require("order", self.order in (1, 2), "1 or 2")
        self.require_counts("points", 4, 14)
        self.require_counts("holes", 0, 4)

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw the counts, then outlines until one fits."""
        points, holes = rng.integers(*self.points, endpoint=True), rng.integers(*self.holes, endpoint=True)
        attempt = partial(self._attempt, rng, int(points), int(holes))
        return until(attempt, f"spline of {points} points with room for {holes} holes")

    def mesh(self, shape: Shape) -> Mesh:
        """Return triangles."""
        return mesh_outlines(shape, self.size, self.order)

    def _attempt(self, rng: np.random.Generator, count: int, holes: int) -> Shape | None:
        outer = {"spline": (0.5 + star(rng, count, 0.22, 0.5)).tolist()}
        corners, gap = trace(outer, self.size), min(2 * self.size, _GAP)
        if not _smooth(corners, gap) or area(corners) < _LEAST:
            return None
        disks = places(rng, corners, holes, radii=(0.06, 0.15), gap=gap)
        if len(disks) < holes:
            return None
        return {"outer": outer, "holes": [_hole(rng, *disk) for disk in disks.tolist()]}


def _smooth(corners: Floats, gap: float) -> bool:
    """Whether a traced outline bends gently, lies in the unit square, and comes nowhere near itself."""
    n = len(corners)
    inside = bool((corners > -0.02).all() and (corners < 1.02).all())
    bends = np.abs(angles(corners) - np.pi).max()
    steps = np.abs(np.arange(n)[:, None] - np.arange(n))
    far = np.minimum(steps, n - steps) > 6
    return inside and bends < _BLUNTEST and bool(distances(corners, corners)[far].min() > gap)


def _hole(rng: np.random.Generator, x: float, y: float, radius: float) -> Outline:
    return {"ellipse": [x, y, radius, radius * float(rng.uniform(0.5, 1)), float(rng.uniform(0, np.pi))]}
