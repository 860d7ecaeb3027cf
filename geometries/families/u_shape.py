"""U shapes: the unit square without a slot from its top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Loop, Planar, box_names
from geometries.families.base import Shape


@dataclass(frozen=True)
class UShape(Planar):
    """The unit square without a slot from its top, of random `width`, `depth` and place; legs are at least 0.1 wide.

    `cells` along the square's side are drawn from a range. Boundaries: left, right, bottom, top (the ends of the two
    legs), `cut` (the slot). Lötzsch et al. (arXiv 2206.14092) test on such shapes after training on others. A shape
    holds cells and slot [left, right, floor].
    """

    name: ClassVar[str] = "u_shape"
    cells: tuple[int, int] = (7, 19)
    width: tuple[float, float] = (0.2, 0.6)
    depth: tuple[float, float] = (0.2, 0.8)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("width", self.width[0] >= 0.02 and self.width[1] <= 0.75, "0.02 to 0.75, low and high")
        self.require("depth", self.depth[0] >= 0.02 and self.depth[1] <= 0.95, "0.02 to 0.95, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a resolution and a slot."""
        cells, width = int(rng.integers(*self.cells, endpoint=True)), rng.uniform(*self.width)
        left = rng.uniform(0.1, 0.9 - width)
        return {"cells": cells, "slot": [float(left), float(left + width), float(1 - rng.uniform(*self.depth))]}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the outline."""
        left, right, floor = shape["slot"]
        corners = [(0, 0), (1, 0), (1, 1), (right, 1), (right, floor), (left, floor), (left, 1), (0, 1)]
        outline = np.array(corners, dtype=np.float64)
        return [Loop(outline, box_names(outline, "cut"), 1 / shape["cells"])]
