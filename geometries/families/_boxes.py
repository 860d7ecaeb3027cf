"""Shapes made of boxes along the axes, in structured cells that follow their faces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.families.base import Family, Shape
from geometries.families.grid import TYPES, lattice, split
from geometries.mesh import Mesh
from geometries.refine import second_order

Floats = NDArray[np.float64]
Masks = dict[str, NDArray[np.bool_]]
SLACK = 1e-9


@dataclass(frozen=True)
class Boxes(Family):
    """A family in structured cells of `order` 1 or 2.

    `cell` is triangle or quad, tetra or hexahedron; the simplex if it is empty.
    """

    cell: str = ""
    order: int = 1

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        known = TYPES[self.dim]
        object.__setattr__(self, "cell", self.cell or known[0])
        self.require("cell", self.cell in known, " or ".join(known))
        self.require("order", self.order in (1, 2), "1 or 2")

    @abstractmethod
    def build(self, shape: Shape) -> Mesh:
        """Return the cells of order 1 of a shape."""

    def mesh(self, shape: Shape) -> Mesh:
        """Return the cells of a shape."""
        mesh = self.build(shape)
        return second_order(mesh) if self.order == 2 else mesh


def steps(stops: Sequence[float], size: float, *, least: int = 1, crowd: float = 0.0) -> Floats:
    """Return coordinates through all `stops`, at most `size` apart on average, at least `least` cells between two.

    Steps between two stops are even, or 1 - `crowd` of the mean at either end and 1 + `crowd` in the middle.
    """
    parts = [np.array(stops[:1], dtype=np.float64)]
    for low, high in pairwise(stops):
        t = np.linspace(0, 1, max(int(np.ceil((high - low) / size - SLACK)), least) + 1)[1:]
        parts.append(low + (high - low) * (t - crowd * np.sin(2 * np.pi * t) / (2 * np.pi)))
        parts[-1][-1] = high
    return np.concatenate(parts)


def fill(axes: Sequence[Floats], cell: str, inside: Callable[[Floats], NDArray[np.bool_]] | None = None) -> Mesh:
    """Return the boxes between the coordinates `axes` whose centres (n, d) are `inside`, in cells of type `cell`."""
    points, blocks = lattice(tuple(len(axis) - 1 for axis in axes))
    points = np.stack([axis[points[:, i].astype(np.int64)] for i, axis in enumerate(axes)], axis=1)
    if inside is not None:
        blocks = blocks[inside(points[blocks].mean(1))]
    used, cells = np.unique(split(blocks, cell), return_inverse=True)
    return Mesh(points=points[used], cells={cell: cells.reshape(-1, CELLS[cell].nodes)})


def named(mesh: Mesh, masks: Callable[[Floats], Masks], rest: str) -> Mesh:
    """Name the outer sides by masks of their centres (n, d), the first that holds; `rest` are the others."""
    left = np.ones(len(mesh.outer), dtype=bool)
    boundaries = {}
    for name, mask in masks(mesh.side_geometry(mesh.outer)[0]).items():
        boundaries[name], left = mesh.outer[mask & left], left & ~mask
    return mesh.named(boundaries=boundaries | {rest: mesh.outer[left]})
