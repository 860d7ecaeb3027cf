"""Any operator as a time stepper: it maps a state to the next few, again and again."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from math import inf, log
from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.operators.base import Normal, Operator, OperatorError, imposed, same_at_images, start_to_targets


class Rollout(Operator):
    """u_{k+1}, ..., u_{k+b} = u_k + step(u_k, problem), from the start to the last time, by one operator `step`.

    Temporal bundling, pushforward and noise after Brandstetter et al. (arXiv 2202.03376): `bundle` = b times a step;
    with `pushforward` no gradient flows from a step into those before it, so that each learns from the states that the
    operator itself leads to; `noise` is the standard deviation of what is added to the state u_k in training, where it
    is not held, over the start's own: steps learn to correct it. An operator that adds its start itself is taken as it
    is. Differs from the paper: all steps of a trajectory enter the loss, not the last alone.

    States are in the normalization of the start, which `prepare` relates to that of the targets. Of a source that
    changes in time a step is given the values from its start to its end. For problems of first order in time, with
    output times in equal steps. Raises `OperatorError` for others, and for a noise below 0.
    """

    name: ClassVar[str] = "rollout"
    reference: ClassVar[str] = "arXiv 2202.03376"
    cost: ClassVar[str] = "steps times the operator's"

    seen: Tensor
    scale: Tensor
    shift: Tensor
    x_scale: Tensor
    x_shift: Tensor

    def __init__(
        self, schema: Schema, step: type[Operator], *, bundle: int, pushforward: bool, noise: float, **options: object
    ) -> None:
        """Build around an operator `step` with its own options."""
        super().__init__(schema)
        moments = schema.times - 1
        if moments < 1 or any(name.endswith(".rate") for name in schema.x):
            raise OperatorError(f"{schema.equation!r} is here no problem of first order in time; leave out bundle.")
        if moments % bundle:
            raise OperatorError(f"bundle is {bundle} with {moments} times after the start; expected a divisor.")
        if not 0 <= noise < inf:
            raise OperatorError(f"noise is {noise}; expected a standard deviation: a number of at least 0.")
        self.bundle, self.pushforward, self.noise = bundle, pushforward, noise
        self.count, self.width = moments // bundle, len(schema.y) // moments
        seen = [i for i, name in enumerate(schema.x) if _moment(name) <= bundle]
        inner = replace(schema, x=tuple(schema.x[i] for i in seen), y=schema.y[: bundle * self.width], times=bundle + 1)
        self.step = step(inner, **options)
        names = [f"initial.{name.split('@')[0]}" for name in schema.y[: self.width]]
        self.columns = [inner.x.index(name) for name in names]
        columns = torch.tensor([[_later(schema, i, k * bundle) for i in seen] for k in range(self.count)])
        self.register_buffer("seen", columns, persistent=False)
        self.register_buffer("scale", torch.ones(len(schema.y)))
        self.register_buffer("shift", torch.zeros(len(schema.y)))
        self.register_buffer("x_scale", torch.ones(self.count, len(seen)))
        self.register_buffer("x_shift", torch.zeros(self.count, len(seen)))

    @property
    def pieces(self) -> list[nn.Module]:
        """Those of the operator that steps."""
        return self.step.pieces

    def prepare(self, normal: Normal) -> None:
        """Take the maps from the start's normalization to that of each target, and to the first step's from others'."""
        means, scales = normal.x_mean[self.seen], normal.x_scale[self.seen]
        self.x_scale.copy_(scales / scales[0])
        self.x_shift.copy_((means - means[0]) / scales[0])
        scale, shift = start_to_targets(normal, self.seen[0, self.columns])
        self.scale.copy_(scale)
        self.shift.copy_(shift)
        own = (rows[0, self.columns].repeat(self.bundle) for rows in (means, scales))
        self.step.prepare(_Start(means[0], scales[0], *own))

    @property
    def head(self) -> nn.Linear:
        """None: the output is of many calls. Raises `OperatorError`."""
        raise OperatorError("an operator that goes in steps has no last linear layer; it cannot be refined.")

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out), all times after the start."""
        state = graph.x[:, self.seen[0]][:, self.columns]
        given = (graph.fixed_value - self.shift) / self.scale
        found, size = [], self.bundle * self.width
        for k in range(self.count):
            own = slice(k * size, (k + 1) * size)
            if self.training and self.noise:
                free = ~graph.fixed[:, own][:, : self.width]
                state = state + self.noise * same_at_images(torch.randn_like(state), graph) * free
            part = self._part(graph, k, state, graph.fixed[:, own], given[:, own])
            moments = self.step.predict(part)
            if not self.step.from_start:
                moments = moments + state.repeat(1, self.bundle)
            found.append(imposed(moments, part))
            state = found[-1][:, -self.width :]
            state = state.detach() if self.pushforward else state
        return torch.cat(found, dim=1) * self.scale + self.shift

    def _part(self, graph: MeshGraph, k: int, state: Tensor, fixed: Tensor, given: Tensor) -> MeshGraph:
        """Return the graph of step k, from `state`."""
        part = copy(graph)
        part.x = graph.x[:, self.seen[k]] * self.x_scale[k] + self.x_shift[k]
        part.x[:, self.columns] = state
        part.fixed, part.fixed_value = fixed, torch.where(fixed, given, torch.zeros_like(given))
        part.theta = graph.theta.clone()
        part.theta[:, self.schema.theta.index("duration")] -= log(self.count)
        return part


@dataclass(frozen=True, eq=False)
class _Start:
    """The normalization of a step: that of the start, for its inputs and its outputs."""

    x_mean: Tensor
    x_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor


def _moment(name: str) -> int:
    """Return the number of the time that a column of `x` is of."""
    return int(name.partition("@")[2] or 0)


def _later(schema: Schema, i: int, moments: int) -> int:
    """Return the column of what column i is, so many times later; i itself of what does not change in time."""
    name, moment = schema.x[i].partition("@")[0], _moment(schema.x[i]) + moments
    return schema.x.index(f"{name}@{moment}") if moment and f"{name}@1" in schema.x else i
