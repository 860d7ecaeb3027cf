"""ωGNN: learned weights of smoothing and sharpening."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, Linear, Neighbors, edge_lengths, node_features, node_width, symmetric_weights, weigh_images
from meshops.operators.base import Operator


class Omega(Operator):
    """Propagation whose weight ω is learned for each layer and channel: it smooths where ω > 0, sharpens where ω < 0.

        h_i = MLP(features of i)
        h ← h + σ(S_ω LN(h) K),  S_ω = (1 - ω) + ω D^-½ W D^-½, `layers` times;  u_i = MLP(h_i)

    Shapes: h (N, width), ω (width,), K (width, width). W holds 1/length of each mesh edge and, on its diagonal, the
    largest weight at that node, D its row sums: with ω = 1 a layer is a graph convolution whose near neighbours
    count most. Differs from the paper (its ωGCN) in W, where the paper has ones, and in the residual and the LayerNorm,
    with which depth trains. σ is SiLU, ω starts at 1.
    """

    name: ClassVar[str] = "omega"
    reference: ClassVar[str] = "arXiv 2210.17224"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 16) -> None:
        """`layers` is the number of propagations."""
        super().__init__(schema)
        self.encode = MLP(node_width(schema), width, width)
        self.layers = nn.ModuleList(_Layer(width) for _ in range(layers))
        self.decode = MLP(width, width, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        h = self.encode(node_features(graph, self.schema))
        neighbors, weight = _laplacian(graph)
        for layer in self.layers:
            h = h + layer(h, neighbors, weight)
        return self.decode(h)


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(width), Linear(width, width)
        self.omega = nn.Parameter(torch.ones(width))

    def forward(self, h: Tensor, neighbors: Neighbors, weight: Tensor) -> Tensor:
        x = self.norm(h)
        return nn.functional.silu(self.mix(torch.addcmul(x, self.omega, neighbors.sum(x, weight))))


def _laplacian(graph: MeshGraph) -> tuple[Neighbors, Tensor]:
    """Return the edges with a loop at every node, (2, E + N), and D^-½ W D^-½ - 1 on them."""
    edge_index, n = graph.edge_index, len(graph.pos)
    near = weigh_images(1 / edge_lengths(graph).clamp_min(1e-6), graph)
    own = near.new_zeros(n).scatter_reduce(0, edge_index[1], near, "amax")
    own = torch.where(own > 0, own, torch.ones_like(own))
    loops = torch.arange(n, device=edge_index.device).expand(2, -1)
    joined = torch.cat([edge_index, loops], 1)
    weight = symmetric_weights(torch.cat([near, own]), joined, n)
    weight = torch.cat([weight[: len(near)], weight[len(near) :] - 1])
    neighbors = Neighbors.of(joined, n)
    return neighbors, weight.index_select(0, neighbors.order)
