"""Channels with a step on their floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.families._boxes import SLACK, Boxes, fill, named, steps
from geometries.families.base import Shape
from geometries.mesh import Mesh

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dam(Boxes):
    """The channel [0, 3] x [0, 1] without a rectangle on its floor, in triangles or quads.

    `at` (the step's upstream face), `width` and `height` are ranges; `size` is the target edge length. Boundaries:
    inlet (x = 0), outlet, floor, top, dam. One of CFDBench's (arXiv 2310.05963) domains. A shape holds dam
    [upstream x, downstream x, height].
    """

    name: ClassVar[str] = "dam"
    dim: ClassVar[int] = 2
    size: float = 0.08
    at: tuple[float, float] = (0.5, 1.2)
    width: tuple[float, float] = (0.05, 0.3)
    height: tuple[float, float] = (0.1, 0.5)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("size", 0.005 <= self.size <= 0.2, "0.005 to 0.2")
        self.require("at", self.at[0] >= 0.1 and self.at[1] <= 2.0, "0.1 to 2, low and high")
        self.require("width", self.width[0] >= 0.02 and self.width[1] <= 0.9, "0.02 to 0.9, low and high")
        self.require("height", self.height[0] >= 0.05 and self.height[1] <= 0.9, "0.05 to 0.9, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a step."""
        at, width, height = (float(rng.uniform(*r)) for r in (self.at, self.width, self.height))
        return {"dam": [at, at + width, height]}

    def build(self, shape: Shape) -> Mesh:
        """Return the cells."""
        left, right, height = shape["dam"]
        axes = [steps([0, left, right, 3], self.size), steps([0, height, 1], self.size, least=2)]

        def outside(at: Floats) -> NDArray[np.bool_]:
            x, y = at.T
            return (x < left) | (x > right) | (y > height)

        return named(fill(axes, self.cell, outside), _ends, "dam")


def _ends(at: Floats) -> dict[str, NDArray[np.bool_]]:
    x, y = at.T
    return {"inlet": x < SLACK, "outlet": x > 3 - SLACK, "floor": y < SLACK, "top": y > 1 - SLACK}
