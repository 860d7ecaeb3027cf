"""Cross-sections of inductors: an iron core with air gaps, a coil's two sides, air."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.families._planar import Loop, Planar, rectangle
from geometries.families.base import Shape

Floats = NDArray[np.float64]
_AIR = 2.0  # side of the box of air
_CLEAR = 0.03  # between the coil and the core


@dataclass(frozen=True)
class Inductor(Planar):
    """A C core with an air gap in its right leg, or two U cores with a gap in either leg; a coil round the left leg.

    For magnetostatics in the plane, where currents flow across it: regions `core`, `coil_plus` (the coil's side in the
    core's window), `coil_minus` (the side to the left of the core), `air`; boundary `outer`, a square of side 2 about
    the origin. `size` is the target edge length at the core; `width`, `height` of the core, `leg`, the width of its
    legs, and `gap` are ranges; `gaps` is one of how many there are. After the problem of the same name in GNOT (arXiv
    2302.14376), whose geometry is not published.

    A shape holds width, height, legs [left, right, yoke], gaps [height of the left or 0, of the right], level (the
    gaps' middle) and coil [width in the window, height].
    """

    name: ClassVar[str] = "inductor"
    size: float = 0.06
    width: tuple[float, float] = (0.7, 1.0)
    height: tuple[float, float] = (0.7, 1.1)
    leg: tuple[float, float] = (0.14, 0.2)
    gap: tuple[float, float] = (0.03, 0.1)
    gaps: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require_counts("gaps", 1, 2)
        self.require("leg", self.leg[0] >= 0.05 and self.leg[1] <= 0.25, "0.05 to 0.25, low and high")
        self.require("gap", self.gap[0] >= 0.01 and self.gap[1] <= 0.2, "0.01 to 0.2, low and high")
        for field in ("width", "height"):
            low, high = getattr(self, field)
            self.require(field, 2 * self.leg[1] + 0.25 <= low and high <= 1.4, "two legs and 0.25 to 1.4, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a core and a coil."""
        width, height = float(rng.uniform(*self.width)), float(rng.uniform(*self.height))
        legs, gap = rng.uniform(*self.leg, 3).tolist(), float(rng.uniform(*self.gap))
        both = rng.integers(*self.gaps, endpoint=True) == 2
        window = np.array([width - legs[0] - legs[1], height - 2 * legs[2]]) - 2 * _CLEAR
        return {
            "width": width,
            "height": height,
            "legs": legs,
            "gaps": [gap if both else 0.0, gap],
            "level": float(rng.uniform(-0.15, 0.15) * window[1]),
            "coil": (window * rng.uniform((0.3, 0.5), (0.7, 1.0))).tolist(),
        }

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the box of air, the core's pieces, the coil's sides."""
        half = _AIR / 2
        box = Loop(rectangle((-half, -half), (half, half)), "outer", 3 * self.size, fill="air")
        cores = [Loop(piece, "", self.size, fill="core") for piece in _core(shape)]
        across, high = shape["coil"][0], shape["coil"][1] / 2
        left = -shape["width"] / 2
        inner = left + shape["legs"][0] + _CLEAR
        plus = rectangle((inner, -high), (inner + across, high))
        minus = rectangle((left - _CLEAR - across, -high), (left - _CLEAR, high))
        coils = [Loop(plus, "", self.size, fill="coil_plus"), Loop(minus, "", self.size, fill="coil_minus")]
        return [box, *cores, *coils]


def _core(shape: Shape) -> list[Floats]:
    """Return the core's one or two pieces, counter-clockwise."""
    x, y, level = shape["width"] / 2, shape["height"] / 2, shape["level"]
    left, right, yoke = shape["legs"]
    (a, b), (low, high) = (-x + left, x - right), (-y + yoke, y - yoke)
    gap_left, gap_right = (g / 2 for g in shape["gaps"])
    outside = [(-x, -y), (x, -y), (x, level - gap_right), (b, level - gap_right), (b, low), (a, low)]
    inside = [(a, high), (b, high), (b, level + gap_right), (x, level + gap_right), (x, y), (-x, y)]
    if not gap_left:
        return [np.array([*outside, *inside])]
    lower = [*outside, (a, level - gap_left), (-x, level - gap_left)]
    upper = [(-x, level + gap_left), (a, level + gap_left), *inside]
    return [np.array(lower), np.array(upper)]
