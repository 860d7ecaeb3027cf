"""The disk at random resolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Loop, Planar, circle
from geometries.families.base import Shape


@dataclass(frozen=True)
class Disk(Planar):
    """The disk of radius 0.5 about (0.5, 0.5); `cells` along its diameter are drawn from a range.

    Boundary: `outer`. After Lötzsch et al. (arXiv 2206.14092).
    """

    name: ClassVar[str] = "disk"
    cells: tuple[int, int] = (7, 19)

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a resolution."""
        return {"cells": int(rng.integers(*self.cells, endpoint=True))}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the circle."""
        size = 1 / shape["cells"]
        return [Loop(circle(0.5, 0.5, 0.5, size=size), "outer", size)]
