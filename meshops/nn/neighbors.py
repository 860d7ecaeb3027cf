"""Weighted sums over neighbours: a sparse matrix times nodal rows, without a row for each edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.graph import segment_sum
from meshops.nn.tuned import tuned

BLOCK = 4096  # edges whose products are held at once on a CPU


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The edges of a graph, from `sources` to `targets` nodes, sorted for sums over either end.

    `order` sorts the edges by target, `back` the edges in that order by source; `first` and `back_first` are where each
    node's edges begin in the two.
    """

    edge_index: Tensor
    order: Tensor
    first: Tensor
    back: Tensor
    back_first: Tensor

    @classmethod
    def of(cls, edge_index: Tensor, targets: int, sources: int | None = None) -> Neighbors:
        """Sort `edge_index` (2, E), the sources in row 0. In O(E log E)."""
        order = torch.argsort(edge_index[1], stable=True)
        source, target = edge_index[:, order]
        back = torch.argsort(source, stable=True)
        sizes = (targets, targets if sources is None else sources)
        first = [_first(ends, n) for ends, n in zip((target, source), sizes, strict=True)]
        return cls(torch.stack([source, target]), order, first[0], back, first[1])

    @staticmethod
    def _plain_sum(self: Neighbors, rows: Tensor, weight: Tensor) -> Tensor:
        source, target = self.edge_index
        ordered, near = weight.index_select(0, self.order), rows.index_select(0, source)
        message = ordered[:, None] * near if weight.dim() == 1 else ordered[:, :, None] * near[:, None]
        return scatter(message, target, 0, len(self.first), reduce="sum")

    @tuned(_plain_sum)
    def sum(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Return (targets, C), Σ_j w_ij rows_j, of rows (sources, C) and weights (E,) in the order of `edge_index`.

        Of weights (E, R) the sums are (targets, R, C).
        """
        kind = torch.promote_types(torch.promote_types(rows.dtype, weight.dtype), torch.float32)
        ordered = weight.to(kind).index_select(0, self.order)
        total = _Sum.apply(self, rows.to(kind), ordered if weight.dim() == 2 else ordered[:, None])
        return total if weight.dim() == 2 else total[:, 0]


def symmetric_weights(weight: Tensor, edge_index: Tensor, nodes: int) -> Tensor:
    """Return (E,) w_ij / √(d_i d_j), with d the sums of the weights (E,) of a symmetric graph at each node."""
    total = segment_sum(weight, edge_index[1], nodes)
    scale = torch.where(total > 0, total, torch.ones_like(total)).rsqrt()
    return weight * scale[edge_index[0]] * scale[edge_index[1]]


def _first(ends: Tensor, n: int) -> Tensor:
    counts = segment_sum(torch.ones_like(ends), ends, n)
    return counts.cumsum(0) - counts


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, by: Neighbors, rows: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401
        ctx.by = by
        ctx.save_for_backward(rows, weight)
        parts = [_bags(by.edge_index[0], rows, by.first, w) for w in weight.t().contiguous()]
        return torch.stack(parts, 1) if len(parts) > 1 else parts[0][:, None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:  # noqa: ANN401
        (rows, weight), by, grad = ctx.saved_tensors, ctx.by, grad.contiguous()
        d_rows = d_weight = None
        if ctx.needs_input_grad[1]:
            sums = torch.arange(weight.shape[1], device=weight.device)
            index = by.edge_index[1].index_select(0, by.back)[:, None] * len(sums) + sums  # of rows (targets R, C)
            spread = weight.index_select(0, by.back).flatten()
            d_rows = _bags(index.flatten(), grad.flatten(0, 1), by.back_first * len(sums), spread)
        if ctx.needs_input_grad[2]:
            d_weight = _products(rows, grad, by.edge_index)
        return None, d_rows, d_weight


def _bags(index: Tensor, rows: Tensor, first: Tensor, weight: Tensor) -> Tensor:
    return nn.functional.embedding_bag(index, rows, first, mode="sum", per_sample_weights=weight)


def _products(rows: Tensor, grad: Tensor, edge_index: Tensor) -> Tensor:
    """Return (E, R) inner products of the source's row (C,) and the target's gradients (R, C)."""
    blocks = edge_index.split(BLOCK if rows.device.type == "cpu" else max(1, edge_index.shape[1]), 1)
    ones = rows.new_ones(rows.shape[1])  # a product with it is quicker than a sum over so few
    return torch.cat([(rows.index_select(0, j)[:, None] * grad.index_select(0, i)) @ ones for j, i in blocks])
