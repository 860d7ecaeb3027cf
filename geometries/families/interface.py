"""The unit square in two materials: smooth inclusions in a matrix, with conforming triangles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.families._outlines import places
from geometries.families._planar import Harmonics, Loop, Planar, box_names, rectangle
from geometries.families._polylines import even
from geometries.families.base import Shape, until


@dataclass(frozen=True)
class Interface(Planar):
    """The unit square with smooth inclusions of another material, at least 0.06 apart; no cell crosses an interface.

    `size` is the target edge length, `inclusions` a range of counts, `radius` one of the sizes of the disks in which
    they lie. Regions: `inside` (the inclusions), `outside`. Boundaries: left, right, bottom, top, and `interface`,
    which lies within the mesh. A shape holds inclusions: each {"place": [x, y, radius], "factors": harmonics}.
    """

    name: ClassVar[str] = "interface"
    size: float = 0.05
    inclusions: tuple[int, int] = (1, 3)
    radius: tuple[float, float] = (0.1, 0.3)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require_counts("inclusions", 1, 8)
        self.require("radius", self.radius[0] >= 0.05 and self.radius[1] <= 0.44, "0.05 to 0.44, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw how many inclusions there are, then places with room for them."""
        count, square = int(rng.integers(*self.inclusions, endpoint=True)), rectangle((0, 0), (1, 1))

        def attempt() -> np.ndarray | None:
            disks = places(rng, square, count, radii=self.radius, gap=0.06)
            return disks if len(disks) == count else None

        disks = until(attempt, f"place for {count} inclusions").tolist()
        return {"inclusions": [{"place": disk, "factors": Harmonics(4).draw(rng)} for disk in disks]}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the square and the inclusions."""
        square = rectangle((0, 0), (1, 1))
        loops = [Loop(square, box_names(square, ""), self.size, fill="outside")]
        for inclusion in shape["inclusions"]:
            x, y, radius = inclusion["place"]
            curve = Harmonics.curve(inclusion["factors"], (0.5 * radius, radius))
            loops.append(Loop(even(np.add(curve, (x, y)), self.size), "interface", self.size, fill="inside"))
        return loops
