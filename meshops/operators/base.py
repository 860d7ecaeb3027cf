"""`Operator`: a network from a `MeshGraph` to nodal fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from meshops.graph import MeshGraph, MeshopsError, Schema


class OperatorError(MeshopsError):
    """An operator is unknown, or cannot be built with the options given."""


def require_heads(width: int, heads: int, name: str = "width") -> None:
    """Raise `OperatorError` unless `heads` divides the option `name`."""
    if width % heads:
        raise OperatorError(f"{name} is {width} with {heads} heads; expected a multiple of the heads.")


class Normal(Protocol):
    """What an operator is told of a normalization: value -> (value - mean)/scale of each column of `x` and `y`."""

    x_mean: Tensor
    x_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor


def start_to_targets(normal: Normal, columns: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
    """Return (C_out,) factors and shifts from the start, `columns` of `x`, to the same value at each time of `y`."""
    mean, scale = (rows[columns].repeat(len(normal.y_mean) // len(columns)) for rows in (normal.x_mean, normal.x_scale))
    return scale / normal.y_scale, (mean - normal.y_mean) / normal.y_scale


class Operator(nn.Module, ABC):
    """A network from a graph to (N, C_out) fields, with essential values imposed exactly.

    Subclasses state `name`, `reference` and `cost`, take the `Schema` first and their options by keyword, and implement
    `predict`. `cost` is the growth of time with N nodes and M boundary nodes, at fixed options; memory grows as N but
    where it says otherwise. `invariances` names what holds by construction beyond the laws that every operator obeys;
    the contract tests check each name. Known names: `translation`. One operator is `leading`: the one to begin with.
    One that is `from_start` adds the start of a problem in time itself.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    cost: ClassVar[str]
    invariances: ClassVar[tuple[str, ...]] = ()
    leading: ClassVar[bool] = False
    from_start: ClassVar[bool] = False

    def __init__(self, schema: Schema) -> None:
        """`schema` says what the columns of the graphs are."""
        super().__init__()
        self.schema = schema

    def prepare(self, normal: Normal) -> None:
        """Take from the normalization of the training data what is needed; called once, before training."""

    @property
    def head(self) -> nn.Linear:
        """The layer whose last call gives the output, or a part of it, from features (N, F).

        By default the last one with parameters. Raises `OperatorError` where it is not linear with the output's
        columns.
        """
        last = [m for m in self.modules() if next(m.parameters(recurse=False), None) is not None][-1]
        if not isinstance(last, nn.Linear) or last.out_features != len(self.schema.y):
            raise OperatorError(f"{self.name} has no last linear layer; it cannot be refined.")
        return last

    @property
    def pieces(self) -> list[nn.Module]:
        """What `recompute` goes by: the modules it is made of, of a list each item."""
        parts = [list(m) if isinstance(m, nn.ModuleList) else [m] for m in self.children()]
        return [piece for part in parts for piece in part]

    def recompute(self) -> None:
        """From now on, let each piece keep what it is given alone, and compute the rest again for the backward pass.

        Activation checkpointing (arXiv 1604.06174): values and gradients are the same, a step takes up to half as
        much time again, and memory is that of one piece and of what goes from piece to piece.
        """
        for piece in self.pieces:
            piece.forward = partial(checkpoint, piece.forward, use_reentrant=False)  # type: ignore[method-assign]

    @abstractmethod
    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out) fields; what it gives at fixed nodes is replaced."""

    def forward(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out) fields, equal to `fixed_value` where `fixed`, and at images to the node they are of."""
        return imposed(self.predict(graph), graph)


def imposed(values: Tensor, graph: MeshGraph) -> Tensor:
    """Return (N, C_out) values with what `graph` says of them: those of images, and of fixed nodes."""
    return torch.where(graph.fixed, graph.fixed_value, same_at_images(values, graph))


def same_at_images(values: Tensor, graph: MeshGraph) -> Tensor:
    """Return (N, C) values, at images those of the node that they are of."""
    images = graph.get("image_index")
    if images is None or not images.shape[1]:
        return values
    return values.index_copy(0, images[0], values.index_select(0, images[1]))
