"""The symmetries of space that a mesh's axes have: more samples out of each, for any operator."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from meshops.data.normalization import Normalization
from meshops.equations import EQUATIONS
from meshops.equations.base import AXES
from meshops.graph import MeshGraph, Schema

_COMPONENT = re.compile(r"(?<=[.:])[xyz](?=$|[.@])")  # of a column's name: displacement.x@2, dirichlet:y


@dataclass(frozen=True)
class Symmetry:
    """A signed permutation of the axes: component j of what is turned is `signs[j]` times component `axes[j]`."""

    axes: tuple[int, ...]
    signs: tuple[int, ...]

    @classmethod
    def draw(cls, dim: int) -> Symmetry:
        """Return one of the 2^d d! at random, by torch's generator."""
        signs = 2 * torch.randint(2, (dim,)) - 1
        return cls(tuple(torch.randperm(dim).tolist()), tuple(signs.tolist()))

    @property
    def inverse(self) -> Symmetry:
        """The one that turns back."""
        places = [self.axes.index(axis) for axis in range(len(self.axes))]
        return Symmetry(tuple(places), tuple(self.signs[j] for j in places))


def turns(schema: Schema) -> bool:
    """Return whether a turned solution solves the turned problem: not for each equation, and not known of imports."""
    known = EQUATIONS.get(schema.equation)
    return known is not None and known.mirrored


class Turning:
    """Turns normalized graphs of a schema, and fields, by a `Symmetry`.

    The solution of a turned problem is the turned solution where `turns` says so: those equations know no direction but
    those of their data (materials in graphs are isotropic). Positions, normals and components of vectors turn, and the
    flags of which components are held; all else stays. Turned and normalized by `normalization` is the same as
    normalized and turned here.
    """

    def __init__(self, schema: Schema, normalization: Normalization) -> None:
        """Find the columns that are components of vectors."""
        n = normalization
        self.dim = schema.dim
        self._x = _Columns(schema.x, n.x_mean, n.x_scale)
        self._boundary = _Columns(schema.boundary_x, n.boundary_mean, n.boundary_scale)
        self._y = _Columns(schema.y, n.y_mean, n.y_scale)

    def graph(self, graph: MeshGraph, by: Symmetry) -> MeshGraph:
        """Return the turned graph, without `y`; the one given stays as it is."""
        out = copy(graph)
        signs = graph.pos.new_tensor(by.signs)
        for name in [n for n in graph.keys() if n == "pos" or n.startswith("pos_")]:  # noqa: SIM118
            out[name] = graph[name][:, by.axes] * signs
        out.x, out.boundary_x = self._x.turned(graph.x, by), self._boundary.turned(graph.boundary_x, by)
        out.fixed = graph.fixed[:, self._y.sources(by)]
        values = self._y.turned(graph.fixed_value, by)
        out.fixed_value = torch.where(out.fixed, values, torch.zeros_like(values))
        out.y = None
        return out

    def field(self, values: Tensor, by: Symmetry) -> Tensor:
        """Return normalized fields (N, C), turned."""
        return self._y.turned(values, by)


class _Columns:
    """Columns of which some are components of vectors, as value -> (value - mean)/scale."""

    def __init__(self, names: tuple[str, ...], mean: Tensor, scale: Tensor) -> None:
        self._names, self._mean, self._scale = names, mean, scale
        self._axis = [AXES.index(found[0]) if (found := _COMPONENT.search(name)) else None for name in names]

    def sources(self, by: Symmetry) -> list[int]:
        """Return which column goes to each."""
        return [
            i if axis is None else self._names.index(_COMPONENT.sub(AXES[by.axes[axis]], name))
            for i, (name, axis) in enumerate(zip(self._names, self._axis, strict=True))
        ]

    def turned(self, rows: Tensor, by: Symmetry) -> Tensor:
        if all(axis is None for axis in self._axis):
            return rows
        places = self.sources(by)
        flags = [":" in name for name in self._names]  # a share has no sign
        signs = [1 if a is None or flag else by.signs[a] for a, flag in zip(self._axis, flags, strict=True)]
        sign = self._mean.new_tensor(signs)
        factor = sign * self._scale[places] / self._scale
        shift = (sign * self._mean[places] - self._mean) / self._scale
        return rows[:, places] * factor.to(rows) + shift.to(rows)
