"""Message passing whose edge work is elementwise: its linear maps act on nodes, before gathering and after reducing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.nn.edgewise import degree, messages
from meshops.nn.mlp import MLP
from meshops.nn.products import Linear
from meshops.nn.tuned import tuned


class MessagePassing(nn.Module):
    """h_i ← h_i + MLP(h_i, V mean_j silu(A h_j + B h_i + C e_ij)), on normalized h.

    A, B and V act on (N, width) and C on the few edge features, so that no (E, width)·(width, width) product is formed:
    the first layer of a message MLP is linear in its concatenated inputs, the last commutes with the mean. Equal to
    `reference`, which concatenates.
    """

    def __init__(self, width: int, edge_width: int) -> None:
        """Build for states of `width` and edge features of `edge_width`."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.source = Linear(width, width, bias=False)
        self.target = Linear(width, width)
        self.edge = Linear(edge_width, width, bias=False)
        self.rest = nn.SiLU()
        self.value = Linear(width, width, bias=False)
        self.update = MLP(2 * width, width, width)

    def reference(self, h: Tensor, edge_index: Tensor, edge: Tensor) -> Tensor:
        """Return the same by concatenation, as it is usually written."""
        x = self.norm(h)
        joined = torch.cat([x.index_select(0, edge_index[0]), x.index_select(0, edge_index[1]), edge], dim=1)
        weight = torch.cat([self.source.weight, self.target.weight, self.edge.weight], dim=1)
        message = self.value(nn.functional.silu(nn.functional.linear(joined, weight, self.target.bias)))
        mean = scatter(message, edge_index[1], 0, len(h), reduce="mean")
        return h + self.update(torch.cat([x, mean], dim=1))

    @tuned(reference)
    def forward(self, h: Tensor, edge_index: Tensor, edge: Tensor) -> Tensor:
        """Return (N, width) from h (N, width), edge_index (2, E) and edge features (E, edge_width)."""
        x = self.norm(h)
        ends = (self.source(x), self.target(x))
        total, _ = messages(ends, edge, edge_index, weight=self.edge.weight, rest=self.rest)
        return h + self.update(torch.cat([x, self.value(total / degree(edge_index, h))], dim=1))
