"""Straight tubes in the plane, in cells that crowd at the walls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._boxes import SLACK, Boxes, fill, named, steps
from geometries.families.base import Shape
from geometries.mesh import Mesh


@dataclass(frozen=True)
class Tube(Boxes):
    """The tube [0, length] x [0, 1], its `length` drawn from a range, in triangles or quads.

    `cells` is their number across; at the walls they are 1 - `crowd` of the mean, along it twice as long as across.
    Boundaries: inlet (x = 0), outlet, walls. One of CFDBench's (arXiv 2310.05963) domains. A shape holds length.
    """

    name: ClassVar[str] = "tube"
    dim: ClassVar[int] = 2
    resolution: ClassVar[str] = "cells"
    length: tuple[float, float] = (3.0, 6.0)
    cells: int = 14
    crowd: float = 0.6

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("length", self.length[0] >= 0.5 and self.length[1] <= 100, "0.5 to 100, low and high")
        self.require("cells", 4 <= self.cells <= 1000, "4 to 1000")
        self.require("crowd", 0 <= self.crowd <= 0.9, "0 to 0.9")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a length."""
        return {"length": float(rng.uniform(*self.length))}

    def build(self, shape: Shape) -> Mesh:
        """Return the cells."""
        length = shape["length"]
        axes = [steps([0, length], 2 / self.cells), steps([0, 1], 1 / self.cells, crowd=self.crowd)]
        ends = lambda at: {"inlet": at[:, 0] < SLACK, "outlet": at[:, 0] > length * (1 - SLACK)}  # noqa: E731
        return named(fill(axes, self.cell), ends, "walls")
