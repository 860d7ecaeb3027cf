"""Structured meshes of the unit interval, square and cube."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.families.base import Family, Shape
from geometries.mesh import Mesh
from geometries.refine import second_order

Ints = NDArray[np.int64]
_NAMES = (("left", "right"), ("bottom", "top"), ("front", "back"))
TYPES = {1: ("line",), 2: ("triangle", "quad"), 3: ("tetra", "hexahedron")}  # the simplex, the block


@dataclass(frozen=True)
class Grid(Family):
    """The unit interval, square or cube in `shape` cells along the axes; the same mesh each time.

    `cell` is line, triangle, quad, tetra or hexahedron; the simplex of the dimension if it is empty. `order` is 1 or 2.
    Squares are cut into two triangles, cubes into six tetrahedra. Boundaries: left, right (x = 0, 1), bottom, top
    (y = 0, 1), front, back (z = 0, 1).
    """

    name: ClassVar[str] = "grid"
    shape: tuple[int, ...] = (16, 16)
    cell: str = ""
    order: int = 1

    def __post_init__(self) -> None:
        """Check the parameters."""
        sizes = self.shape if isinstance(self.shape, tuple | list) else ()
        whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes)
        self.require("shape", len(sizes) in TYPES and whole, "one to three whole numbers above 0")
        object.__setattr__(self, "shape", tuple(sizes))
        object.__setattr__(self, "cell", self.cell or TYPES[self.dim][0])
        self.require("cell", self.cell in TYPES[self.dim], f"{' or '.join(TYPES[self.dim])} in {self.dim}-D")
        self.require("order", self.order in (1, 2), "1 or 2")

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of axes."""
        return len(self.shape)

    def draw(self, rng: np.random.Generator) -> Shape:
        """Return the one shape there is."""
        return {"shape": list(self.shape)}

    def mesh(self, shape: Shape | None = None) -> Mesh:
        """Return the mesh; a shape may be left out."""
        sizes = tuple(shape["shape"]) if shape else self.shape
        points, blocks = lattice(sizes)
        mesh = name_sides(Mesh(points=points / sizes, cells={self.cell: split(blocks, self.cell)}))
        return second_order(mesh) if self.order == 2 else mesh


def lattice(sizes: tuple[int, ...]) -> tuple[NDArray[np.float64], Ints]:
    """Return the whole-number points (N, d) and the lines, quads or hexahedra (C, 2^d) of a grid; x runs fastest."""
    axes = [np.arange(n + 1) for n in reversed(sizes)]
    points = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1).reshape(-1, len(sizes))
    number = np.arange(len(points)).reshape([n + 1 for n in reversed(sizes)])
    low = number[tuple(slice(n) for n in reversed(sizes))].reshape(-1, 1)
    right, up, back = (*np.cumprod([1, *(n + 1 for n in sizes)]), 0, 0)[:3]
    quad = [0, right, right + up, up] if len(sizes) > 1 else [0, right]
    steps = [*quad, *(back + q for q in quad)] if len(sizes) == 3 else quad
    return points.astype(np.float64), low + np.array(steps, dtype=np.int64)


def split(blocks: Ints, cell: str) -> Ints:
    """Cut lines, quads or hexahedra into cells of type `cell`, those of one block next to each other."""
    kind = TYPES[CELLS[cell].dim][-1]
    if cell == kind:
        return blocks
    return blocks[:, np.array(CELLS[kind].simplices)].reshape(-1, CELLS[cell].corners)


def name_sides(mesh: Mesh) -> Mesh:
    """Name the outer sides on the faces of the bounding box [0, 1]^d."""
    centers, _, _ = mesh.side_geometry(mesh.outer)
    named = {
        name: mesh.outer[np.abs(centers[:, axis] - end) < 1e-9]
        for axis in range(mesh.dim)
        for end, name in enumerate(_NAMES[axis])
    }
    return mesh.named(boundaries=named)
