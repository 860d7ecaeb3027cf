"""`Normalization`: every feature column and the field with mean 0 and standard deviation 1 over the training set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from geometries.conditions import CONDITIONS
from geometries.errors import MeshopsError
from meshops.equations import EQUATIONS
from meshops.graph import MeshGraph, Schema

_NEVER = 1e-6  # of its mean, and of 1 where columns are dimensionless: a deviation below which one does not vary


class NormalizationError(MeshopsError):
    """A normalization does not fit the graphs."""


@dataclass(frozen=True, eq=False)
class Normalization:
    """value -> (value - mean)/scale for each column of `x`, `boundary_x` and `y`; float64, (C,) each.

    Columns that never vary get scale 1, and without labels so do all of `y`, with mean 0: the equation's own scaling
    leaves fields of order one. In `boundary_x` the shares of the kinds and the normals stay as they are.
    """

    x_mean: Tensor
    x_scale: Tensor
    boundary_mean: Tensor
    boundary_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor

    @classmethod
    def fit(cls, graphs: Iterable[MeshGraph], schema: Schema, *, labels: bool = True) -> Normalization:
        """Return the normalization of `graphs`, the training ones only; without `labels` no `y` is read.

        Nodes count by their mass, boundary nodes by their weight; each graph counts as much as any other. Raises
        `NormalizationError` naming the sample where a value is not finite.
        """
        x, boundary, y = (_Moments() for _ in range(3))
        for number, graph in enumerate(graphs):
            _require_finite(graph, schema, int(graph.get("sample", number)), labels=labels)
            x.add(graph.x, graph.mass)
            boundary.add(graph.boundary_x, graph.boundary_x[:, schema.boundary_x.index("weight")])
            if labels:
                y.add(graph.y, graph.mass)
        if not x.count:
            raise NormalizationError("no graphs to fit a normalization to; expected at least one.")
        kept = torch.tensor([n.split(":")[0] in CONDITIONS or n.startswith("normal.") for n in schema.boundary_x])
        order = 1.0 if schema.equation in EQUATIONS else 0.0  # imported fields come in any unit
        mean, scale = boundary.result(1.0)
        inside, edge = x.result(order), (mean.masked_fill(kept, 0.0), scale.masked_fill(kept, 1.0))
        own = torch.zeros(len(schema.y)).double(), torch.ones(len(schema.y)).double()
        return cls(*inside, *edge, *(y.result(order) if labels else own))

    def apply(self, graph: MeshGraph) -> MeshGraph:
        """Return the graph, or batch, with normalised columns; `fixed_value` as `y`. The one given stays as it is."""
        out = copy(graph)
        out.x = _map(graph.x, self.x_mean, self.x_scale)
        out.boundary_x = _map(graph.boundary_x, self.boundary_mean, self.boundary_scale)
        fixed = _map(graph.fixed_value, self.y_mean, self.y_scale)
        out.fixed_value = torch.where(graph.fixed, fixed, torch.zeros_like(fixed))
        if graph.get("y") is not None:
            out.y = _map(graph.y, self.y_mean, self.y_scale)
        return out

    def undo(self, values: Tensor) -> Tensor:
        """Return a normalised field (N, C) in the graph's units."""
        return values * self.y_scale.to(values) + self.y_mean.to(values)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name; `from_tensors` gives the normalization back."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Normalization:
        """Read what `to_tensors` gives; raises `NormalizationError` for missing names."""
        missing = [f.name for f in fields(cls) if f.name not in tensors]
        if missing:
            raise NormalizationError(f"the normalization lacks {missing[0]!r}; save it again.")
        return cls(**{f.name: tensors[f.name] for f in fields(cls)})


class _Moments:
    """Sums of columns and of their squares, graph by graph."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, values: Tensor, weight: Tensor) -> None:
        """Add the weighted means of (n, C) values with (n,) weights."""
        shares = (weight / weight.sum()).double()
        self.count += 1
        self.sums = self.sums + shares @ values.double()
        self.squares = self.squares + shares @ values.double() ** 2

    def result(self, order: float) -> tuple[Tensor, Tensor]:
        """Return the (C,) means and standard deviations, 1 of what varies by less than rounding beside `order`."""
        mean, square = torch.as_tensor(self.sums) / self.count, torch.as_tensor(self.squares) / self.count
        std = (square - mean**2).clamp(min=0).sqrt()
        return mean, torch.where(std > _NEVER * (order + mean.abs()), std, torch.ones_like(std))


def _require_finite(graph: MeshGraph, schema: Schema, sample: int, *, labels: bool) -> None:
    for part in ("x", "boundary_x", *(["y"] if labels else [])):
        bad = (~graph[part].isfinite()).any(0).nonzero().flatten().tolist()
        if bad:
            name = getattr(schema, part)[bad[0]]
            raise NormalizationError(
                f"sample {sample} has a {name!r} that is not finite; leave it out, or make it again."
            )


def _map(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return (values - mean.to(values)) / scale.to(values)
