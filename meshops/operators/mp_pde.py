"""MP-PDE: message passing that bundles the times of its answer."""

from __future__ import annotations

from itertools import count
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.graph import MeshGraph, Schema
from meshops.nn import (
    MLP,
    Linear,
    degree,
    instance_norm,
    linear,
    messages,
    node_features,
    node_width,
    theta_of_nodes,
    tuned,
)
from meshops.operators.base import Normal, Operator, OperatorError, start_to_targets

CHANNELS, STRIDE = 8, 3  # of the decoder's convolution


class MPPDE(Operator):
    """Encode, `steps` of message passing with differences of inputs, decode all times by convolution.

        f_i = MLP(a_i, x_i),  a_i the features of i with theta
        m_ij = MLP(f_i, f_j, a_i - a_j, x_i - x_j, theta);  f_i ← norm(f_i + MLP(f_i, mean_j m_ij, theta))
        d_i = conv(silu(conv(f_i))), along the channels of f_i
        u_i(t_k) = u_i(0) + k/K d_i(t_k), or u_i = d_i if steady

    Shapes: f (N, width), m (E, width), d (N, fields, K). MLPs have two layers with SiLU after each; norm is over each
    graph, by mass. The decoder slides over the width of f as over time, so that neighbouring times come from
    neighbouring channels: all K times of `y` in one pass, the paper's temporal bundling. A steady field is a bundle
    of one.

    The first layer of a message is linear in f, a and x at both ends: it acts on nodes. Differs from the paper: of the
    history of u it sees the start. Pushforward is a way to train, and is not of the operator. The start is put into the
    normalization of each time, which `prepare` takes.
    """

    name: ClassVar[str] = "mp_pde"
    reference: ClassVar[str] = "arXiv 2202.03376"
    cost: ClassVar[str] = "O(N)"
    from_start: ClassVar[bool] = True

    scale: Tensor
    shift: Tensor

    def __init__(self, schema: Schema, *, width: int = 128, steps: int = 6) -> None:
        """`steps` is that of message passing. Raises `OperatorError` for more times than `width` can bundle."""
        super().__init__(schema)
        given = node_width(schema) + schema.dim
        self.encode = nn.Sequential(MLP(given, width, width), nn.SiLU())
        self.steps = nn.ModuleList(_Step(width, given, len(schema.theta)) for _ in range(steps))
        self.times = max(1, schema.times - 1)
        fields = [name.split("@")[0] for name in schema.y[: len(schema.y) // self.times]]
        self.start = [schema.x.index(f"initial.{name}") for name in fields] if schema.times else []
        self.decode = _decoder(width, len(fields), self.times)
        self.register_buffer("scale", torch.ones(len(schema.y)))
        self.register_buffer("shift", torch.zeros(len(schema.y)))

    def prepare(self, normal: Normal) -> None:
        """Take the map from the start's normalization to that of each time."""
        if self.start:
            scale, shift = start_to_targets(normal, self.start)
            self.scale.copy_(scale)
            self.shift.copy_(shift)

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        given, theta = torch.cat([node_features(graph, self.schema), graph.pos], 1), theta_of_nodes(graph)
        f = self.encode(given)
        for step in self.steps:
            f = f + step(f, given, theta, graph.edge_index)
            f = instance_norm(f, graph.graph_of_node, graph.size, graph.mass)
        out = self.decode(f[:, None]).transpose(1, 2)
        if not self.start:
            return out.flatten(1)
        time = torch.arange(1, self.times + 1, device=out.device, dtype=graph.x.dtype) / self.times
        start = graph.x[:, self.start].repeat(1, self.times) * self.scale + self.shift
        return start + (time[:, None] * out).flatten(1)


class _Step(nn.Module):
    """MLP(f_i, mean_j MLP(f_i, f_j, a_i - a_j, theta), theta), with the coordinates among a."""

    def __init__(self, width: int, given: int, theta: int) -> None:
        super().__init__()
        self.first = Linear(2 * width + given + theta, width)
        self.rest = nn.Sequential(nn.SiLU(), Linear(width, width), nn.SiLU())
        self.update = nn.Sequential(MLP(2 * width + theta, width, width), nn.SiLU())
        self.widths = [width, width, given, theta]

    def reference(self, f: Tensor, given: Tensor, theta: Tensor, edge_index: Tensor) -> Tensor:
        """Return the same by concatenation, as it is usually written."""
        source, target = edge_index
        gap = given.index_select(0, target) - given.index_select(0, source)
        ends = [f.index_select(0, target), f.index_select(0, source)]
        message = self.rest(self.first(torch.cat([*ends, gap, theta.index_select(0, target)], 1)))
        return self.update(torch.cat([f, scatter(message, target, 0, len(f), reduce="mean"), theta], 1))

    @tuned(reference)
    def forward(self, f: Tensor, given: Tensor, theta: Tensor, edge_index: Tensor) -> Tensor:
        """Return (N, width) from f (N, width), given (N, ·) and theta (N, P)."""
        to_target, to_source, to_gap, to_theta = self.first.weight.split(self.widths, 1)
        target = linear(torch.cat([f, given, theta], 1), torch.cat([to_target, to_gap, to_theta], 1), self.first.bias)
        source = linear(torch.cat([f, -given], 1), torch.cat([to_source, to_gap], 1))
        none = f.new_empty(edge_index.shape[1], 0)
        total, _ = messages((source, target), none, edge_index, weight=none.new_empty(len(to_gap), 0), rest=self.rest)
        return self.update(torch.cat([f, total / degree(edge_index, f), theta], 1))


def _decoder(width: int, fields: int, times: int) -> nn.Module:
    """Two convolutions from (N, 1, width) to (N, fields, times): for 128 and 25 those of the paper, 16 and 14 wide."""
    first, between = _sizes(width)
    if between < times:
        least = next(more for more in count(width) if _sizes(more)[1] >= times)
        raise OperatorError(f"width is {width} for {times} times; expected at least {least}.")
    second = nn.Conv1d(CHANNELS, fields, between - times + 1)
    return nn.Sequential(nn.Conv1d(1, CHANNELS, first, STRIDE), nn.SiLU(), second)


def _sizes(width: int) -> tuple[int, int]:
    """Return how wide the first convolution is, and how many places it leaves."""
    first = max(1, width // 8)
    return first, (width - first) // STRIDE + 1
