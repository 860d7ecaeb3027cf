"""The unit square with a random smooth void in its middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Harmonics, Loop, Planar, box_names, rectangle
from geometries.families._polylines import even
from geometries.families.base import Shape


@dataclass(frozen=True)
class UnitCell(Planar):
    """The unit square with a void in its middle, whose radius varies smoothly within the range `radius`.

    The elasticity problem of Geo-FNO (arXiv 2207.05209) and GNOT (arXiv 2302.14376); the void's radius is their random
    field cut off at six harmonics. `size` is the target edge length. Boundaries: left, right, bottom, top, `void`. A
    shape holds void, the factors of the harmonics: see `_planar.Harmonics`.
    """

    name: ClassVar[str] = "unit_cell"
    size: float = 0.05
    radius: tuple[float, float] = (0.2, 0.4)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("radius", self.radius[0] >= 0.05 and self.radius[1] <= 0.48, "0.05 to 0.48, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a void."""
        return {"void": Harmonics().draw(rng)}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the square and the void."""
        square = rectangle((0, 0), (1, 1))
        void = even(0.5 + Harmonics.curve(shape["void"], self.radius), self.size)
        return [Loop(square, box_names(square, ""), self.size), Loop(void, "void", self.size, fill=None)]
