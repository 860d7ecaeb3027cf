"""Layers that are linear in a state, with weights that a context gives: a learned matrix, for any right-hand side.

A context says what the problem is (geometry, kinds of condition, coefficients), a state carries its data (sources,
values on the boundary). Whatever the context, layers here map sums to sums and multiples to multiples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from meshops.graph import gather, segment_sum
from meshops.nn.edgewise import blocks, degree, edge_rows
from meshops.nn.per_graph import outer_sum, read
from meshops.nn.tuned import tuned


def reference_gated_sum(gate: Tensor, rows: Tensor, edge_index: Tensor) -> Tensor:
    """Return the same, all edges at once."""
    return segment_sum(gate * gather(rows, edge_index[0]), edge_index[1], len(rows))


@tuned(reference_gated_sum)
def gated_sum(gate: Tensor, rows: Tensor, edge_index: Tensor) -> Tensor:
    """Return (N, C) Σ_j g_ij ⊙ h_j over each node's incoming edges; gate (E, C), rows (N, C), sources j in row 0.

    On a CPU a block of edges at a time, forward and again backward: gathered rows stay in its cache and are not kept.
    """
    plain = torch.compiler.is_compiling() or gate.device.type != "cpu" or gate.dtype != rows.dtype
    return (reference_gated_sum if plain else _GatedSum.apply)(gate, rows, edge_index)


class _GatedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, rows: Tensor, edge_index: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(gate, rows, edge_index)
        total = torch.zeros_like(rows)
        for at, j, i in blocks(edge_index, rows.shape[1]):
            total.index_add_(0, i, gate[at] * rows.index_select(0, j))
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        gate, rows, edge_index = ctx.saved_tensors
        d_gate, d_rows = torch.empty_like(gate), torch.zeros_like(rows)
        for at, j, i in blocks(edge_index, rows.shape[1]):
            given = grad.index_select(0, i)
            torch.mul(given, rows.index_select(0, j), out=d_gate[at])
            d_rows.index_add_(0, j, given.mul_(gate[at]))
        return d_gate, d_rows, None


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
        self.source = nn.Linear(context, width, bias=False)
        self.target = nn.Linear(context, width)
        self.edge = nn.Linear(edge_width, width, bias=False)
        self.rest = nn.SiLU()
        self.node = nn.Linear(context, width)

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
        self.source, self.value = nn.Linear(width, width, bias=False), halved(width)

    def forward(self, h: Tensor, gate: Gate, edge_index: Tensor) -> Tensor:
        """Return (N, width)."""
        x = self.source(h)
        around = gated_sum(gate.edge, x, edge_index) * gate.share
        return h + self.value(torch.addcmul(around, gate.node, x))


@dataclass(frozen=True, eq=False)
class Slices:
    """The weights of a `SliceMap` in each graph: of nodes into slices, among slices, and of slices at nodes."""

    into: Tensor
    among: Tensor
    out: Tensor


class SliceMap(nn.Module):
    """Global attention through a few tokens a graph, linear in what it moves; O(n slices).

    As Transolver (arXiv 2402.02366), but where nodes go, which tokens they read and how tokens attend to each other
    follow from the context alone; values come from the state. Tokens are means by mass.
    """

    def __init__(self, context: int, width: int, *, heads: int = 4, slices: int = 16) -> None:
        """Build for contexts and states of these widths."""
        super().__init__()
        self.heads, self.slices = heads, slices
        self.assign, self.recall = (nn.Linear(context, heads * slices) for _ in range(2))
        self.query_key = nn.Linear(context, 2 * width)
        self.value, self.back = nn.Linear(width, width, bias=False), halved(width)

    def weights(self, context: Tensor, mass: Tensor, batch: Tensor, graphs: int) -> Slices:
        """Return the weights from context (n, c), mass (n,), and the graph of each node (n,)."""
        shape = (len(context), self.heads, -1)
        into = self._softmax(self.assign(context)) * mass[:, None, None]
        query_key = outer_sum(into, self.query_key(context).view(shape), batch, graphs)
        total = segment_sum(into, batch, graphs).clamp_min(1e-12)[..., None]
        query, key = (query_key / total).chunk(2, dim=-1)
        among = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        return Slices(into, among / total.transpose(-1, -2), self._softmax(self.recall(context)))

    def forward(self, h: Tensor, slices: Slices, batch: Tensor, graphs: int) -> Tensor:
        """Return (n, width)."""
        tokens = outer_sum(slices.into, self.value(h).view(len(h), self.heads, -1), batch, graphs)
        return h + self.back(read(slices.out, slices.among @ tokens, batch).reshape(h.shape))

    def _softmax(self, rows: Tensor) -> Tensor:
        return (2 * rows.view(len(rows), self.heads, self.slices)).softmax(-1)


def halved(width: int) -> nn.Linear:
    """Return a linear map that begins with half the usual weights, so that sums of many layers begin small."""
    layer = nn.Linear(width, width, bias=False)
    with torch.no_grad():
        layer.weight.mul_(0.5)
    return layer
