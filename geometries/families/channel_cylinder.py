"""A channel with a cylinder across it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Loop, Planar, box_names, circle, rectangle
from geometries.families.base import Shape

_NAMES = ("inlet", "outlet", "walls", "walls")
_FINER = 0.25  # edge length at the cylinder over that at the outlet


@dataclass(frozen=True)
class ChannelCylinder(Planar):
    """The channel [0, length] x [0, height] with a round cylinder of random place and `radius`.

    `x`, `y` and `radius` are ranges; `size` is the target edge length at the channel's ends, a quarter of it at the
    cylinder. Boundaries: inlet (x = 0), outlet, walls, cylinder. The benchmark of Schäfer and Turek
    (doi 10.1007/978-3-322-89849-4_39) is the member `STANDARD`; CFDBench (arXiv 2310.05963) varies it. A shape holds
    cylinder [x, y, radius].
    """

    name: ClassVar[str] = "channel_cylinder"
    STANDARD: ClassVar[Shape] = {"cylinder": [0.2, 0.2, 0.05]}
    size: float = 0.08
    length: float = 2.2
    height: float = 0.41
    x: tuple[float, float] = (0.15, 0.5)
    y: tuple[float, float] = (0.15, 0.26)
    radius: tuple[float, float] = (0.03, 0.08)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("radius", self.radius[0] >= self.size / 20, "radii from a twentieth of the edge length on")
        for field, end in (("x", self.length), ("y", self.height)):
            low, high = getattr(self, field)
            inside = low > 1.1 * self.radius[1] and high < end - 1.1 * self.radius[1]
            self.require(field, inside, "a cylinder inside the channel wherever it is drawn")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a cylinder."""
        return {"cylinder": [float(rng.uniform(*r)) for r in (self.x, self.y, self.radius)]}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the channel and the cylinder."""
        channel, fine = rectangle((0, 0), (self.length, self.height)), _FINER * self.size
        near = np.array([0.6, 1, 1, 0.6]) * self.size  # the cylinder stands near the inlet
        cylinder = circle(*shape["cylinder"], size=fine)
        return [Loop(channel, box_names(channel, "", _NAMES), near), Loop(cylinder, "cylinder", fine, fill=None)]
