"""The unit square at random resolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._planar import Loop, Planar, box_names, rectangle
from geometries.families.base import Shape


@dataclass(frozen=True)
class Square(Planar):
    """The unit square in unstructured triangles; `cells` along its side are drawn from a range.

    With `l_shape`, `u_shape`, `disk` and `disk_with_hole`, at resolutions of 7 to 19, these are the shapes of Lötzsch
    et al. (arXiv 2206.14092); `grid` has the square in structured cells. Boundaries: left, right, bottom, top.
    """

    name: ClassVar[str] = "square"
    cells: tuple[int, int] = (7, 19)

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a resolution."""
        return {"cells": int(rng.integers(*self.cells, endpoint=True))}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the square."""
        corners = rectangle((0, 0), (1, 1))
        return [Loop(corners, box_names(corners, ""), 1 / shape["cells"])]
