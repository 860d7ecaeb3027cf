"""Heat sinks: a base plate with straight fins. Millimetres."""

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
class HeatSink(Boxes):
    """Plates on z = 0 with straight fins along x, in millimetres, in tetrahedra or hexahedra.

    `fins` is a range of counts; `length` (along x), `plate` (its thickness), `fin` (a fin's thickness), `gap` (between
    fins) and `height` (of the fins above the plate) are ranges, the same for all fins of a member. `size` is the target
    edge length; a fin is two cells thick. Boundaries: base (z = 0), fins (their flanks, ends and tips), floor (the
    plate's top between them), rim (the plate's edges). A shape holds fins (a count), length, plate, fin, gap, height.
    """

    name: ClassVar[str] = "heat_sink"
    dim: ClassVar[int] = 3
    size: float = 4.0
    fins: tuple[int, int] = (3, 7)
    length: tuple[float, float] = (25.0, 40.0)
    plate: tuple[float, float] = (3.0, 6.0)
    fin: tuple[float, float] = (2.0, 4.0)
    gap: tuple[float, float] = (3.0, 6.0)
    height: tuple[float, float] = (10.0, 25.0)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("size", self.size > 0, "an edge length above 0")
        self.require_counts("fins", 1, 100)
        for field in ("length", "plate", "fin", "gap", "height"):
            self.require(field, getattr(self, field)[0] >= 0.1 * self.size, "lengths from a tenth of the size on")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a count and the lengths."""
        lengths = {k: float(rng.uniform(*getattr(self, k))) for k in ("length", "plate", "fin", "gap", "height")}
        return {"fins": int(rng.integers(*self.fins, endpoint=True)), **lengths}

    def build(self, shape: Shape) -> Mesh:
        """Return the cells."""
        plate, top = shape["plate"], shape["plate"] + shape["height"]
        edges = _edges(shape)
        axes = [
            steps([0, shape["length"]], self.size),
            steps(edges, self.size, least=2),
            steps([0, plate, top], self.size, least=2),
        ]

        def inside(at: Floats) -> NDArray[np.bool_]:
            return (at[:, 2] < plate) | (np.searchsorted(edges, at[:, 1]) % 2 == 1)

        def faces(at: Floats) -> dict[str, NDArray[np.bool_]]:
            z = at[:, 2]
            return {"base": z < SLACK, "fins": z > plate * (1 + SLACK), "floor": z > plate * (1 - SLACK)}

        return named(fill(axes, self.cell, inside), faces, "rim")


def _edges(shape: Shape) -> list[float]:
    """Return where fins begin and end along y."""
    pitch = shape["fin"] + shape["gap"]
    return [at for i in range(shape["fins"]) for at in (i * pitch, i * pitch + shape["fin"])]
