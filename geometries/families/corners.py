"""The unit square without rectangles at its corners, in structured cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.families._boxes import fill
from geometries.families.base import Family, Shape
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_AT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])  # corner1 to corner4, counter-clockwise from the origin


@dataclass(frozen=True)
class Corners(Family):
    """The unit square of `cells` x `cells` squares without a rectangle at each of `cuts` (low, high) random corners.

    `sides` is the range of the rectangles' sides in cells; `cell` is triangle or quad. The defaults are those measured
    on the data of BENO (arXiv 2401.09323), whose hardest set has `cuts=(4, 4)`. Boundaries: `outer`, which is all of
    them; left, right, bottom, top, what is left of the square's sides; corner1 to corner4, counter-clockwise from the
    origin, where they are cut. A shape holds `corners`: four [width, height] in cells, [0, 0] where nothing is cut.
    """

    name: ClassVar[str] = "corners"
    dim: ClassVar[int] = 2
    cells: int = 32
    cuts: tuple[int, int] = (0, 4)
    sides: tuple[int, int] = (4, 14)
    cell: str = "triangle"

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("cells", 3 <= self.cells <= 4096, "3 to 4096")
        self.require_counts("cuts", 0, 4)
        self.require_counts("sides", 1, (self.cells - 1) // 2)
        self.require("cell", self.cell in ("triangle", "quad"), "triangle or quad")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw how many corners are cut, which, and how far."""
        count = rng.integers(self.cuts[0], self.cuts[1] + 1)
        corners = np.zeros((4, 2), dtype=np.int64)
        corners[rng.permutation(4)[:count]] = rng.integers(self.sides[0], self.sides[1] + 1, (count, 2))
        return {"corners": corners.tolist()}

    def mesh(self, shape: Shape) -> Mesh:
        """Return the cells that are left."""
        cuts = np.array(shape["corners"], dtype=np.int64) / self.cells
        axis = np.arange(self.cells + 1) / self.cells
        mesh = fill([axis, axis], self.cell, lambda centers: ~_cut(centers, cuts).any(1))
        return mesh.named(boundaries=_names(mesh, cuts))


def _cut(points: Floats, cuts: Floats) -> NDArray[np.bool_]:
    """(n, 4) whether points lie in or on each corner's rectangle; in none where nothing is cut."""
    away = np.abs(points[:, None] - _AT)
    return (away < cuts + 1e-9).all(2) & (cuts > 0).all(1)


def _names(mesh: Mesh, cuts: Floats) -> dict[str, Ints]:
    centers, _, _ = mesh.side_geometry(mesh.outer)
    x, y = centers.T
    masks = {"left": x < 1e-9, "right": x > 1 - 1e-9, "bottom": y < 1e-9, "top": y > 1 - 1e-9}
    rim = np.logical_or.reduce(list(masks.values()))
    on_cut = _cut(centers, cuts) & ~rim[:, None]
    masks |= {f"corner{i + 1}": on_cut[:, i] for i in np.flatnonzero((cuts > 0).all(1))}
    return {"outer": mesh.outer} | {name: mesh.outer[mask] for name, mask in masks.items()}
