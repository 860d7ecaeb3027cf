"""Layers that are linear in a state, with weights that a context gives: a learned matrix, for any right-hand side.

A context says what the problem is (geometry, kinds of condition, coefficients), a state carries its data (sources,
values on the boundary). Whatever the context, layers here map sums to sums and multiples to multiples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.graph import gather, segment_sum
from meshops.nn.chain import by_blocks
from meshops.nn.edgewise import blocks, degree, edge_rows
from meshops.nn.per_graph import outer_sum, read
from meshops.nn.products import Linear, add_sums, linear, times
from meshops.nn.tuned import tuned


@dataclass(frozen=True, eq=False)
class Gate:
    """The weights of a `Smoother` on one level: (E, C) of edges, (N, C) of nodes, and (N, 1) shares of a mean."""

    edge: Tensor
    node: Tensor
    share: Tensor


class Gates(nn.Module):
    """g_ij = silu(A c_j + B c_i + C e_ij) on edges and D c_i on nodes, of contexts c and edge features e."""

    def __init__(self, context: int, edge_width: int, width: int) -> None:
        """Build for contexts and edge features of these widths, and states of `width`."""
        super().__init__()
        self.source = Linear(context, width, bias=False)
        self.target = Linear(context, width)
        self.edge = Linear(edge_width, width, bias=False)
        self.rest = nn.SiLU()
        self.node = Linear(context, width)

    def reference(self, context: Tensor, edge_index: Tensor, edge: Tensor) -> Gate:
        """Return the same by concatenation."""
        joined = torch.cat([context.index_select(0, edge_index[0]), context.index_select(0, edge_index[1]), edge], 1)
        weight = torch.cat([self.source.weight, self.target.weight, self.edge.weight], 1)
        gate = self.rest(nn.functional.linear(joined, weight, self.target.bias))
        return Gate(gate, self.node(context), 1 / degree(edge_index, context))

    @tuned(reference)
    def forward(self, context: Tensor, edge_index: Tensor, edge: Tensor) -> Gate:
        """Return the gate of one level from context (N, c), edge_index (2, E) and edge features (E, edge_width)."""
        ends = (self.source(context), self.target(context))
        gate = edge_rows(ends, edge, edge_index, weight=self.edge.weight, rest=self.rest)
        return Gate(gate, self.node(context), 1 / degree(edge_index, context))


class Smoother(nn.Module):
    """h_i ← h_i + V (mean_j g_ij ⊙ (A h)_j + d_i ⊙ (A h)_i): linear in h, with `Gates`' g and d.

    A sparse matrix for each channel, g off its diagonal and d on it, between two matrices of channels.
    """

    def __init__(self, width: int) -> None:
        """Build for states of `width`."""
        super().__init__()
        self.source, self.value = Linear(width, width, bias=False), halved(width)

    def reference(self, h: Tensor, gate: Gate, edge_index: Tensor) -> Tensor:
        """Return the same by messages of gathered rows, as they are usually written."""
        message = gate.edge * self.source(h.index_select(0, edge_index[0]))
        mean = scatter(message, edge_index[1], 0, len(h), reduce="mean")
        return h + self.value(mean + gate.node * self.source(h))

    @tuned(reference)
    def forward(self, h: Tensor, gate: Gate, edge_index: Tensor) -> Tensor:
        """Return (N, width).

        On a CPU a block of edges at a time, forward and again backward: gathered rows stay in its cache and are not
        kept.
        """
        if not by_blocks(h) or gate.edge.dtype != h.dtype:
            x = self.source(h)
            around = segment_sum(gate.edge * gather(x, edge_index[0]), edge_index[1], len(h)) * gate.share
            return h + self.value(torch.addcmul(around, gate.node, x))
        return _Smooth.apply(h, self.source.weight, self.value.weight, gate.edge, gate.node, gate.share, edge_index)


class _Smooth(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:  # noqa: ANN401
        h, source, value, edge, node, share, edge_index = given
        x = times(h, source.t())
        y = torch.zeros_like(x)
        for at, j, i in blocks(edge_index, x.shape[1]):
            y.index_add_(0, i, edge[at] * x.index_select(0, j))
        y.mul_(share).addcmul_(node, x)
        ctx.save_for_backward(*given, x, y)
        return times(y, value.t(), h)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        h, source, value, edge, node, share, edge_index, x, y = ctx.saved_tensors
        d_y, d_value = times(grad, value), add_sums(torch.zeros_like(value), grad, y)
        d_edge, d_node, d_x = torch.empty_like(edge), d_y * x, d_y * node
        d_y.mul_(share)
        for at, j, i in blocks(edge_index, x.shape[1]):
            d_sum = d_y.index_select(0, i)
            torch.mul(d_sum, x.index_select(0, j), out=d_edge[at])
            d_x.index_add_(0, j, d_sum.mul_(edge[at]))
        d_source = add_sums(torch.zeros_like(source), d_x, h)
        return times(d_x, source, grad), d_source, d_value, d_edge, d_node, None, None


@dataclass(frozen=True, eq=False)
class Slices:
    """What a `SliceMap` weighs by: nodes into slices (n, heads slices), slices among each other, slices at nodes."""

    into: Tensor
    among: Tensor
    out: Tensor


class SliceMap(nn.Module):
    """Global attention through a few tokens a graph, linear in what it moves; O(n slices).

    As Transolver (arXiv 2402.02366), but where nodes go, which tokens they read and how tokens attend to each other
    follow from the context alone; values come from the state. Tokens are means by mass. All that is linear acts on
    tokens, of which there are few, and not on nodes: products are associative.
    """

    def __init__(self, context: int, width: int, *, heads: int = 4, slices: int = 16) -> None:
        """Build for contexts and states of these widths."""
        super().__init__()
        self.heads, self.slices = heads, slices
        self.assign, self.recall = (Linear(context, heads * slices) for _ in range(2))
        self.query_key = Linear(context, 2 * width)
        self.value, self.back = Linear(width, width, bias=False), halved(width)

    def reference_weights(self, context: Tensor, mass: Tensor, batch: Tensor, graphs: int) -> Slices:
        """Return the same by queries and keys of nodes, as attention is usually written."""
        into = self._softmax(self.assign, context) * mass[:, None]
        total = segment_sum(into, batch, graphs).clamp_min(1e-12).view(graphs, self.heads, -1, 1)
        rows = self._heads(self.query_key(context))
        query, key = (outer_sum(self._heads(into), rows, batch, graphs) / total).chunk(2, dim=-1)
        among = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)
        return Slices(into, among / total.mT, self._softmax(self.recall, context))

    @tuned(reference_weights)
    def weights(self, context: Tensor, mass: Tensor, batch: Tensor, graphs: int) -> Slices:
        """Return the weights from context (n, c), mass (n,), and the graph of each node (n,)."""
        into = self._softmax(self.assign, context) * mass[:, None]
        total = segment_sum(into, batch, graphs).clamp_min(1e-12).view(graphs, self.heads, -1, 1)
        mean = self._tokens(into, context, batch, graphs) / total
        rows = mean @ self.query_key.weight.unflatten(0, (self.heads, -1)).mT
        query, key = (rows + self.query_key.bias.view(self.heads, 1, -1)).chunk(2, dim=-1)
        among = (query @ (key / query.shape[-1] ** 0.5).mT).softmax(-1)
        return Slices(into, among / total.mT, self._softmax(self.recall, context))

    def reference(self, h: Tensor, slices: Slices, batch: Tensor, graphs: int) -> Tensor:
        """Return the same by values of nodes, as attention is usually written."""
        tokens = outer_sum(self._heads(slices.into), self._heads(self.value(h)), batch, graphs)
        return h + self.back(read(self._heads(slices.out), slices.among @ tokens, batch).reshape(h.shape))

    @tuned(reference)
    def forward(self, h: Tensor, slices: Slices, batch: Tensor, graphs: int) -> Tensor:
        """Return (n, width)."""
        values = self._tokens(slices.into, h, batch, graphs) @ self.value.weight.unflatten(0, (self.heads, -1)).mT
        tables = slices.among @ values @ self.back.weight.unflatten(1, (self.heads, -1)).permute(1, 2, 0)
        return h + read(slices.out[:, None], tables.flatten(1, 2)[:, None], batch)[:, 0]

    def _tokens(self, into: Tensor, rows: Tensor, batch: Tensor, graphs: int) -> Tensor:
        """Return (graphs, heads, slices, C) sums of rows (n, C) by `into`."""
        return outer_sum(into[:, None], rows[:, None], batch, graphs).view(graphs, self.heads, self.slices, -1)

    def _heads(self, rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (self.heads, -1))

    def _softmax(self, layer: Linear, rows: Tensor) -> Tensor:
        """Return (n, heads slices), twice the layer's result made to add up to 1 in each head."""
        return self._heads(linear(rows, 2 * layer.weight, 2 * layer.bias)).softmax(-1).flatten(1)


def halved(width: int) -> nn.Linear:
    """Return a linear map that begins with half the usual weights, so that sums of many layers begin small."""
    layer = Linear(width, width, bias=False)
    with torch.no_grad():
        layer.weight.mul_(0.5)
    return layer
