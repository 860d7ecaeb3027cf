"""Random simple polygons with polygonal and circular holes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.families._outlines import Outline, mesh_outlines, places, star
from geometries.families._polylines import angles, area, crossings, narrowest
from geometries.families.base import Family, Shape, until
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Maker: TypeAlias = Callable[[np.random.Generator, int], Floats]
_SHARPEST = np.radians(38)
_GAP = 0.08  # width that every part has, unless the edges are short
_LEAST = 0.2  # area


@dataclass(frozen=True)
class Polygon(Family):
    """Polygons in the unit square with holes that are polygons or circles, in triangles.

    `size` is the target edge length, `order` 1 or 2; `corners` and `holes` are ranges of counts; `star` is the chance
    of a polygon that is star-shaped rather than any simple one. No two parts of the outline are nearer than two edges
    or 0.08, no angle is below 38 degrees. Boundaries: `outer`, `hole1`, `hole2`, ...; a shape is as in `_outlines`.
    """

    name: ClassVar[str] = "polygon"
    dim: ClassVar[int] = 2
    size: float = 0.04
    order: int = 1
    corners: tuple[int, int] = (5, 12)
    holes: tuple[int, int] = (0, 3)
    star: float = 0.5

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("size", 0.002 <= self.size <= 0.08, "0.002 to 0.08 of the unit square's side")
        self.require("order", self.order in (1, 2), "1 or 2")
        self.require_counts("corners", 3, 16)
        self.require_counts("holes", 0, 4)
        self.require("star", 0 <= self.star <= 1, "a chance from 0 to 1")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw the counts, then outlines until one fits."""
        corners, holes = rng.integers(*self.corners, endpoint=True), rng.integers(*self.holes, endpoint=True)
        make = star_polygon if rng.random() < self.star else any_polygon
        attempt = partial(self._attempt, rng, make, int(corners), int(holes))
        return until(attempt, f"polygon of {corners} corners with room for {holes} holes")

    def mesh(self, shape: Shape) -> Mesh:
        """Return triangles."""
        return mesh_outlines(shape, self.size, self.order)

    def _attempt(self, rng: np.random.Generator, make: Maker, corners: int, holes: int) -> Shape | None:
        points, gap = make(rng, corners), min(2 * self.size, _GAP)
        if not _sound(points, gap) or area(points) < _LEAST:
            return None
        disks = places(rng, points, holes, radii=(0.05, 0.15), gap=gap)
        if len(disks) < holes:
            return None
        return {"outer": {"polygon": points.tolist()}, "holes": [_hole(rng, *disk) for disk in disks.tolist()]}


def star_polygon(rng: np.random.Generator, corners: int) -> Floats:
    """Return the (n, 2) corners of a star-shaped polygon about the middle of the unit square."""
    return 0.5 + star(rng, corners, 0.2, 0.5)


def any_polygon(rng: np.random.Generator, corners: int) -> Floats:
    """Return the (n, 2) corners of a simple polygon: random points in a tour without crossings, counter-clockwise.

    The points lie in different squares of a 4 x 4 board. Two edges that cross are exchanged for two that do not; the
    tour gets shorter each time, so this ends.
    """
    squares = np.stack(np.divmod(rng.permutation(16)[:corners], 4), axis=1)
    points = (squares + rng.uniform(0.1, 0.9, (corners, 2))) / 4
    while len(found := crossings(points)):
        i, j = found[rng.integers(len(found))]
        points[i + 1 : j + 1] = points[i + 1 : j + 1][::-1]
    return points if area(points) > 0 else points[::-1]


def _sound(points: Floats, gap: float) -> bool:
    """Whether no angle is sharp, inside or outside, and no corner is nearer than `gap` to another part."""
    inner = angles(points)
    return bool(inner.min() > _SHARPEST and inner.max() < 2 * np.pi - _SHARPEST and narrowest(points) > gap)


def _hole(rng: np.random.Generator, x: float, y: float, radius: float) -> Outline:
    """Draw a circle or a polygon of 3 to 6 corners in a disk."""
    if rng.random() < 0.4:
        return {"ellipse": [x, y, radius, radius, 0.0]}
    corners = np.array([x, y]) + star(rng, int(rng.integers(3, 7)), 0.85 * radius, radius)
    return {"polygon": corners.tolist()}
