"""L shapes: the unit square without a rectangle at one corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Loop, Planar, box_names
from geometries.families.base import Shape

_CORNERS = ("bottom left", "bottom right", "top right", "top left")


@dataclass(frozen=True)
class LShape(Planar):
    """The unit square without a rectangle at a random corner, whose sides are drawn from the range `cut`.

    `cells` along the square's side are drawn from a range. Boundaries: left, right, bottom, top, what is left of the
    square's sides, and `cut`. After Lötzsch et al. (arXiv 2206.14092), whose ranges are the defaults. A shape holds
    cells, cut [width, height] and corner, such as "top left".
    """

    name: ClassVar[str] = "l_shape"
    cells: tuple[int, int] = (7, 19)
    cut: tuple[float, float] = (0.2, 0.8)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("cut", self.cut[0] >= 0.02 and self.cut[1] <= 0.98, "0.02 to 0.98 of the side, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a resolution, a corner and what is cut."""
        cells, corner = int(rng.integers(*self.cells, endpoint=True)), _CORNERS[rng.integers(4)]
        return {"cells": cells, "corner": corner, "cut": rng.uniform(*self.cut, 2).tolist()}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the outline."""
        (width, height), (row, column) = shape["cut"], shape["corner"].split()
        corners = np.array([(width, 0), (1, 0), (1, 1), (0, 1), (0, height), (width, height)])
        flip = np.array([column == "right", row == "top"])
        corners = np.where(flip, 1 - corners, corners)
        corners = corners[::-1] if flip.sum() == 1 else corners
        return [Loop(corners, box_names(corners, "cut"), 1 / shape["cells"])]
