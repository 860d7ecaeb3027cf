"""What training minimises, and the error that validation tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from meshops.graph import MeshGraph, segment_sum

Undo = Callable[[Tensor], Tensor]
FLOOR = 1e-3  # of the root mean square of y: a field of zeros has no relative error


class Loss(Protocol):
    """What training minimises, the mean over graphs of one number each.

    Called with the normalized fields (N, C) of a batch that an operator predicts, the normalized batch, and `undo`,
    which makes fields dimensionless, it gives (B,). Losses are relative, so that samples weigh equally and losses can
    be added. `labels` tells whether it reads `y`: where it does not, nothing of training does. A batch has the numbers
    of its graphs in `sample`.
    """

    @property
    def name(self) -> str:
        """What a run is told apart by."""

    @property
    def labels(self) -> bool:
        """Whether it reads `y`."""

    def __call__(self, prediction: Tensor, graph: MeshGraph, undo: Undo) -> Tensor:
        """Return (B,)."""


@dataclass(frozen=True)
class FromLabels:
    """A relative error of the normalized field against the reference's, which any equation has."""

    name: str
    error: Callable[[Tensor, Tensor, MeshGraph], Tensor]
    labels: ClassVar[bool] = True

    def __call__(self, prediction: Tensor, graph: MeshGraph, undo: Undo) -> Tensor:
        """Return (B,)."""
        return self.error(prediction, graph.y, graph)


@dataclass(frozen=True)
class Total:
    """The sum of several losses."""

    parts: tuple[Loss, ...]

    @property
    def name(self) -> str:
        """Their names with commas between."""
        return ",".join(part.name for part in self.parts)

    @property
    def labels(self) -> bool:
        """Whether one of them reads `y`."""
        return any(part.labels for part in self.parts)

    def __call__(self, prediction: Tensor, graph: MeshGraph, undo: Undo) -> Tensor:
        """Return (B,)."""
        return torch.stack([part(prediction, graph, undo) for part in self.parts]).sum(0)


def relative_l2(prediction: Tensor, target: Tensor, graph: MeshGraph) -> Tensor:
    """Return (B,) ||prediction - target||_m / max(||target||_m, 1e-3 ||1||_m) of (N, C) fields, one for each graph.

    ||u||_m² = Σ m |u|² with the nodes' mass m, so that a refined mesh gives the same norm. The gradient is 0, not NaN,
    where the error is 0.
    """
    error = (prediction.to(target.dtype) - target).square().sum(1)
    ones = torch.ones_like(error)
    return _ratio(graph.mass, error, target.square().sum(1), ones, graph.graph_of_node, graph.size)


def relative_h1(prediction: Tensor, target: Tensor, graph: MeshGraph) -> Tensor:
    """Return (B,) |prediction - target|₁ / max(|target|₁, 1e-3 |1|₁) of (N, C) fields, one for each graph.

    |u|₁² = Σ (m_i + m_j) |u_i - u_j|²/|x_i - x_j|² over the edges, about ∫ |∇u|² up to a factor; |1|₁ is that of a
    field with slope 1 along every edge.
    """
    source, at = graph.edge_index
    gap = graph.pos.index_select(0, source) - graph.pos.index_select(0, at)
    weight = graph.mass.index_select(0, source) + graph.mass.index_select(0, at)
    inverse = 1 / gap.square().sum(1).clamp_min(1e-12)

    def slopes(values: Tensor) -> Tensor:
        return (values.index_select(0, source) - values.index_select(0, at)).square().sum(1) * inverse

    error = slopes(prediction.to(target.dtype) - target)
    return _ratio(weight, error, slopes(target), torch.ones_like(error), graph.graph_of_node[at], graph.size)


def _ratio(weight: Tensor, error: Tensor, size: Tensor, one: Tensor, place: Tensor, graphs: int) -> Tensor:
    """Return (B,) the root of the sums of `error` over those of `size`, at least 1e-6 of those of `one`."""
    rows = weight[:, None] * torch.stack([error, size, one], dim=1)
    error, size, total = segment_sum(rows, place, graphs).unbind(1)
    tiny = torch.finfo(error.dtype).tiny
    return (error.clamp_min(tiny) / torch.maximum(size, FLOOR**2 * total).clamp_min(tiny)).sqrt()


LABELS = FromLabels("labels", relative_l2)
GRADIENT = FromLabels("gradient", relative_h1)  # what solvers go on from: L2 hardly sees a rough error, energy does
DATA_LOSSES: dict[str, Loss] = {loss.name: loss for loss in (LABELS, GRADIENT)}
