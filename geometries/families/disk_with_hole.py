"""Disks with a round hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Loop, circle
from geometries.families.base import Shape
from geometries.families.disk import Disk


@dataclass(frozen=True)
class DiskWithHole(Disk):
    """The disk of radius 0.5 about (0.5, 0.5) with a round hole of random `radius`.

    `center` is the range of the hole's x and of its y; `cells` along the disk's diameter are drawn from a range.
    Boundaries: `outer`, `hole`. After Lötzsch et al. (arXiv 2206.14092), whose ranges are the defaults.
    """

    name: ClassVar[str] = "disk_with_hole"
    radius: tuple[float, float] = (0.05, 0.25)
    center: tuple[float, float] = (0.35, 0.65)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("radius", self.radius[0] >= 0.02, "radii from 0.02 on")
        furthest = np.sqrt(2) * max(abs(0.5 - v) for v in self.center)
        self.require("center", furthest + self.radius[1] < 0.48, "a hole inside the disk wherever it is drawn")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a resolution and the hole [x, y, radius]."""
        shape = super().draw(rng)
        hole = [*rng.uniform(*self.center, 2).tolist(), float(rng.uniform(*self.radius))]
        return {**shape, "hole": hole}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the circle and the hole."""
        size = 1 / shape["cells"]
        return [*super().loops(shape), Loop(circle(*shape["hole"], size=size), "hole", size, fill=None)]
