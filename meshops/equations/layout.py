"""Where the unknowns of a case's fields stand in one vector, and back to values at the mesh's points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh
from meshops.equations.base import Field

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """The unknowns: field by field, point by point, component by component. With one field it is point c + component.

    A field of lower order has unknowns at the corners of cells only.
    """

    mesh: Mesh
    fields: tuple[Field, ...]

    @cached_property
    def numbers(self) -> dict[str, Ints]:
        """{field: (N, c)} the number of each unknown, -1 where a point carries none."""
        out, start = {}, 0
        for field in self.fields:
            carriers = _corners(self.mesh) if field.lower else np.arange(self.mesh.num_points)
            count = len(field.parts(self.mesh.space_dim))
            numbers = np.full((self.mesh.num_points, count), -1)
            numbers[carriers] = start + np.arange(len(carriers) * count).reshape(-1, count)
            out[field.name] = numbers
            start += len(carriers) * count
        return out

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return int(max(numbers.max() for numbers in self.numbers.values())) + 1

    @cached_property
    def lower(self) -> NDArray[np.bool_]:
        """(n,) which unknowns are of fields of lower order."""
        out = np.zeros(self.size, bool)
        for field in self.fields:
            out[self.numbers[field.name][self.numbers[field.name] >= 0]] = field.lower
        return out

    def split(self, vector: Floats) -> dict[str, Floats]:
        """Return {field: (N, c)} values at points, 0 at those of no cell; of lower order interpolated at mid-nodes."""
        out = {}
        for field in self.fields:
            numbers = self.numbers[field.name]
            values = np.where(numbers >= 0, vector[numbers], 0.0)
            out[field.name] = _interpolated(self.mesh, values) if field.lower else values
        return out

    def join(self, values: Mapping[str, Floats]) -> Floats:
        """Return the vector of {field: (N, c)} values; `split` gives them back."""
        vector = np.zeros(self.size)
        for name, numbers in self.numbers.items():
            carried = numbers[:, 0] >= 0
            vector[numbers[carried]] = np.reshape(values[name], numbers.shape)[carried]
        return vector


def _corners(mesh: Mesh) -> Ints:
    return np.unique(np.concatenate([cells[:, : kind.corners].ravel() for kind, cells, _ in mesh.blocks()]))


def _interpolated(mesh: Mesh, values: Floats) -> Floats:
    """(N, c) values at corners carried to the mid-nodes of edges, quads and cells: the means of their corners."""
    values = values.copy()
    for kind, cells, _ in mesh.blocks():
        for node, corners in enumerate(kind.middles, kind.corners):
            values[cells[:, node]] = values[cells[:, list(corners)]].mean(1)
    return values
