"""Weighted sums over neighbours: a sparse matrix times nodal rows, without a row for each edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.graph import MeshGraph, segment_max, segment_sum
from meshops.nn.tuned import tuned

# (E,) inner products of the rows at both ends of each edge; what `embedding_bag` differentiates its weights by
_products = torch.ops.aten._embedding_bag_per_sample_weights_backward


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The edges of a graph, from `sources` to `targets` nodes, sorted for sums over either end.

    `edge_index` (2, E) has them by target, as `order` sorts the given ones, and weights are in that order; `back` sorts
    them by source; `first` and `back_first` are where each node's edges begin in the two.
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
        return scatter(weight[:, None] * rows.index_select(0, source), target, 0, len(self.first), reduce="sum")

    @tuned(_plain_sum)
    def sum(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Return (targets, C), Σ_j w_ij rows_j, of rows (sources, C) and weights (E,) of the edges of `edge_index`."""
        kind = torch.promote_types(torch.promote_types(rows.dtype, weight.dtype), torch.float32)
        return _Sum.apply(self, rows.to(kind), weight.to(kind))


def symmetric_weights(weight: Tensor, edge_index: Tensor, nodes: int) -> Tensor:
    """Return (E,) w_ij / √(d_i d_j), with d the sums of the weights (E,) of a symmetric graph at each node."""
    total = segment_sum(weight, edge_index[1], nodes)
    scale = torch.where(total > 0, total, torch.ones_like(total)).rsqrt()
    return weight * scale[edge_index[0]] * scale[edge_index[1]]


def edge_lengths(graph: MeshGraph) -> Tensor:
    """Return (E,) the lengths of a graph's edges."""
    source, target = graph.edge_index
    return (graph.pos.index_select(0, source) - graph.pos.index_select(0, target)).norm(dim=1)


def weigh_images(weight: Tensor, graph: MeshGraph) -> Tensor:
    """Return weights (E,) of edges by length, but between images of one point the largest that either has elsewhere."""
    between, (source, target) = graph.joins_images, graph.edge_index
    most = segment_max(weight.masked_fill(between, 0)[:, None], target, len(graph.pos))[:, 0]
    return torch.where(between, torch.maximum(most[source], most[target]), weight)


def _first(ends: Tensor, n: int) -> Tensor:
    counts = segment_sum(torch.ones_like(ends), ends, n)
    return counts.cumsum(0) - counts


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, by: Neighbors, rows: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401
        ctx.by = by
        ctx.save_for_backward(rows, weight)
        return _bags(by.edge_index[0], rows, by.first, weight)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:  # noqa: ANN401
        (rows, weight), by, grad = ctx.saved_tensors, ctx.by, grad.contiguous()
        (source, target), d_rows, d_weight = by.edge_index, None, None
        if ctx.needs_input_grad[1]:
            d_rows = _bags(target.index_select(0, by.back), grad, by.back_first, weight.index_select(0, by.back))
        if ctx.needs_input_grad[2]:
            d_weight = _products(grad, rows, source, by.first, target, mode=0)
        return None, d_rows, d_weight


def _bags(index: Tensor, rows: Tensor, first: Tensor, weight: Tensor) -> Tensor:
    return nn.functional.embedding_bag(index, rows, first, mode="sum", per_sample_weights=weight)
