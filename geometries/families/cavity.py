"""Rectangular cavities under a lid, in cells that crowd at the walls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._boxes import SLACK, Boxes, fill, named, steps
from geometries.families.base import Shape
from geometries.mesh import Mesh


@dataclass(frozen=True)
class Cavity(Boxes):
    """The cavity [0, 1] x [0, height], its `height` drawn from a range, in triangles or quads.

    `cells` is their number across; at the walls they are 1 - `crowd` of the mean. Boundaries: lid (the top), walls.
    One of CFDBench's (arXiv 2310.05963) domains. A shape holds height.
    """

    name: ClassVar[str] = "cavity"
    dim: ClassVar[int] = 2
    resolution: ClassVar[str] = "cells"
    height: tuple[float, float] = (0.5, 2.0)
    cells: int = 24
    crowd: float = 0.6

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("height", self.height[0] >= 0.1 and self.height[1] <= 10, "0.1 to 10, low and high")
        self.require("cells", 4 <= self.cells <= 1000, "4 to 1000")
        self.require("crowd", 0 <= self.crowd <= 0.9, "0 to 0.9")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a height."""
        return {"height": float(rng.uniform(*self.height))}

    def build(self, shape: Shape) -> Mesh:
        """Return the cells."""
        height = shape["height"]
        axes = [steps([0, end], 1 / self.cells, least=4, crowd=self.crowd) for end in (1.0, height)]
        return named(fill(axes, self.cell), lambda at: {"lid": at[:, 1] > height * (1 - SLACK)}, "walls")
