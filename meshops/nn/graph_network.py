"""The message passing step of graph networks, with states on edges; only what must be is computed once an edge."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from meshops.graph import gather, segment_sum
from meshops.nn.mlp import MLP

Reduce = Callable[[Tensor, Tensor, int], Tensor]


class EdgeMLP(nn.Module):
    """MLP([h_j, h_i, e_ij]) with `hidden` hidden layers and a LayerNorm at the end.

    The first layer is linear in what it concatenates, so its node parts act on the (N, width) nodes before gathering
    and the (E, 3 width) concatenation is never formed. Equal to `reference`, which forms it.
    """

    def __init__(self, width: int, hidden: int, activation: type[nn.Module] = nn.SiLU) -> None:
        """`width` is that of h, of e and of the result."""
        super().__init__()
        self.source = nn.Linear(width, width, bias=False)
        self.target = nn.Linear(width, width, bias=False)
        self.edge = nn.Linear(width, width)
        self.rest = nn.Sequential(activation(), MLP(*[width] * (hidden + 1), norm=True, activation=activation))
        for part in (self.source, self.target, self.edge):  # as one layer of 3 width inputs would start
            nn.init.uniform_(part.weight, -((3 * width) ** -0.5), (3 * width) ** -0.5)

    def forward(self, h: Tensor, edge: Tensor, edge_index: Tensor) -> Tensor:
        """Return (E, width) from h (N, width), edge (E, width) and edge_index (2, E), row 0 the sources j."""
        ends = gather(self.source(h), edge_index[0]) + gather(self.target(h), edge_index[1])
        return self.rest(ends + self.edge(edge))

    def reference(self, h: Tensor, edge: Tensor, edge_index: Tensor) -> Tensor:
        """Return the same by concatenation, as it is usually written."""
        joined = torch.cat([h[edge_index[0]], h[edge_index[1]], edge], dim=1)
        weight = torch.cat([self.source.weight, self.target.weight, self.edge.weight], dim=1)
        return self.rest(nn.functional.linear(joined, weight, self.edge.bias))


class GraphNetwork(nn.Module):
    """m_ij = MLP(h_j, h_i, e_ij);  h_i ← h_i + MLP(h_i, R_j m_ij, c_i);  e_ij ← e_ij + m_ij.

    R is `reduce`, `segment_sum` or `segment_mean`; c_i is an optional context of `context` columns. Graph networks:
    arXiv 1806.01261.
    """

    def __init__(
        self,
        width: int,
        *,
        hidden: int = 2,
        reduce: Reduce = segment_sum,
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        """`hidden` is the number of hidden layers of each MLP, `context` the number of columns of c."""
        super().__init__()
        self.reduce = reduce
        self.message = EdgeMLP(width, hidden, activation)
        self.update = MLP(2 * width + context, *[width] * (hidden + 1), norm=True, activation=activation)

    def forward(
        self, h: Tensor, edge: Tensor, edge_index: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the new h (N, width) and edge (E, width); `context` is (N, context)."""
        message = self.message(h, edge, edge_index)
        inputs = [h, self.reduce(message, edge_index[1], h.shape[0])] + ([] if context is None else [context])
        return h + self.update(torch.cat(inputs, dim=1)), edge + message
