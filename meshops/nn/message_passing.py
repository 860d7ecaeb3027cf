"""Message passing whose edge work is elementwise: its linear maps act on nodes, before gathering and after reducing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meshops.graph import gather, segment_mean
from meshops.nn.mlp import MLP


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
        self.source = nn.Linear(width, width, bias=False)
        self.target = nn.Linear(width, width)
        self.edge = nn.Linear(edge_width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.update = MLP(2 * width, width, width)

    def forward(self, h: Tensor, edge_index: Tensor, edge: Tensor) -> Tensor:
        """Return (N, width) from h (N, width), edge_index (2, E) and edge features (E, edge_width)."""
        x = self.norm(h)
        message = gather(self.source(x), edge_index[0]) + gather(self.target(x), edge_index[1]) + self.edge(edge)
        mean = segment_mean(nn.functional.silu(message), edge_index[1], h.shape[0])
        return h + self.update(torch.cat([x, self.value(mean)], dim=1))

    def reference(self, h: Tensor, edge_index: Tensor, edge: Tensor) -> Tensor:
        """Return the same by concatenation, as it is usually written."""
        x = self.norm(h)
        joined = torch.cat([x[edge_index[0]], x[edge_index[1]], edge], dim=1)
        weight = torch.cat([self.source.weight, self.target.weight, self.edge.weight], dim=1)
        message = self.value(nn.functional.silu(nn.functional.linear(joined, weight, self.target.bias)))
        mean = torch.zeros_like(h).index_reduce(0, edge_index[1], message, "mean", include_self=False)
        return h + self.update(torch.cat([x, mean], dim=1))
