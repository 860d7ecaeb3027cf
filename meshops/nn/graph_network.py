"""The message passing steps of graph networks; only what must be is computed once an edge."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.nn.edgewise import degree, messages
from meshops.nn.mlp import MLP
from meshops.nn.products import Linear, linear
from meshops.nn.tuned import tuned


class EdgeMLP(nn.Module):
    """m_ij = MLP([h_j, h_i, e_ij]) with `hidden` hidden layers and a LayerNorm at the end.

    The first layer is linear in what it concatenates, so its node parts act on the (N, width) nodes before gathering
    and the (E, 3 width) concatenation is never formed. Equal to `reference`, which forms it.
    """

    def __init__(
        self,
        width: int,
        *,
        hidden: int,
        edge: int | None = None,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        """`width` is that of h and of the result, `edge` that of e, by default the same."""
        super().__init__()
        edge = width if edge is None else edge
        self.source = Linear(width, width, bias=False)
        self.target = Linear(width, width, bias=False)
        self.edge = Linear(edge, width)
        self.rest = nn.Sequential(activation(), MLP(*[width] * (hidden + 1), norm=True, activation=activation))
        bound = (2 * width + edge) ** -0.5  # as one layer of all inputs would start
        for part in (self.source, self.target, self.edge):
            nn.init.uniform_(part.weight, -bound, bound)

    def reference(
        self, h: Tensor, edge: Tensor, edge_index: Tensor, *, keep: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return the same by concatenation, as it is usually written."""
        joined = torch.cat([h.index_select(0, edge_index[0]), h.index_select(0, edge_index[1]), edge], dim=1)
        weight = torch.cat([self.source.weight, self.target.weight, self.edge.weight], dim=1)
        message = self.rest(nn.functional.linear(joined, weight, self.edge.bias))
        return scatter(message, edge_index[1], 0, len(h), reduce="sum"), edge + message if keep else None

    @tuned(reference)
    def forward(
        self, h: Tensor, edge: Tensor, edge_index: Tensor, *, keep: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return the sums (N, width) of the messages to each node and, where `keep`, the edges e_ij + m_ij (E, width).

        h is (N, width), edge (E, ·) and edge_index (2, E), row 0 the sources j.
        """
        ends = (self.source(h), linear(h, self.target.weight, self.edge.bias))
        return messages(ends, edge, edge_index, weight=self.edge.weight, rest=self.rest, keep=keep)


class GraphNetwork(nn.Module):
    """m_ij = MLP(h_j, h_i, e_ij);  h_i ← h_i + MLP(h_i, Σ_j m_ij, c_i);  e_ij ← e_ij + m_ij.

    With `mean`, the sum over j is a mean. c_i is an optional context of `context` columns. Graph networks: arXiv
    1806.01261.
    """

    def __init__(
        self,
        width: int,
        *,
        hidden: int = 2,
        mean: bool = False,
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        """`hidden` is the number of hidden layers of each MLP, `context` the number of columns of c."""
        super().__init__()
        self.mean = mean
        self.message = EdgeMLP(width, hidden=hidden, activation=activation)
        self.update = MLP(2 * width + context, *[width] * (hidden + 1), norm=True, activation=activation)

    def forward(
        self, h: Tensor, edge: Tensor, edge_index: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the new h (N, width) and edge (E, width); `context` is (N, context)."""
        total, new = self.message(h, edge, edge_index)
        total = total / degree(edge_index, h) if self.mean else total
        inputs = [h, total] + ([] if context is None else [context])
        return h + self.update(torch.cat(inputs, dim=1)), new
