"""Chebyshev graph convolutions for boundary value problems."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import (
    MLP,
    Linear,
    Neighbors,
    boundary_distance,
    edge_lengths,
    gradient,
    linear,
    node_features,
    node_width,
    symmetric_weights,
    tuned,
    weigh_images,
)
from meshops.operators.base import Operator


class ChebNet(Operator):
    """MLP, `layers` polynomials of the graph's Laplacian, MLP.

        h_i = MLP(features of i, distance to the boundary and its gradient)
        h ← relu(Σ_{k<K} T_k(L̂) h Θ_k), `layers` times;  u_i = MLP(h_i)
        T_0 h = h,  T_1 h = L̂ h,  T_k h = 2 L̂ T_{k-1} h - T_{k-2} h,  L̂ = 2 L/λ - 1,  L = 1 - D^-½ W D^-½,  λ = 2

    W holds the lengths of the edges, D its row sums, K = `order`. Shapes: h (N, width), Θ (order, width, width). So
    L̂ = -D^-½ W D^-½, and a product with it is a weighted sum over neighbours. Coordinates enter through lengths and
    distances only. Differs from the paper in the vector to the nearest boundary node, here the gradient of the
    distance, and in that all of the boundary has conditions, so that the nearest node with one is not told apart. The
    paper's code merges double edges in training only; mesh edges are never double.
    """

    name: ClassVar[str] = "chebnet"
    reference: ClassVar[str] = "arXiv 2206.14092; arXiv 1606.09375"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 3, order: int = 5) -> None:
        """`order` is the number of Chebyshev polynomials of each layer."""
        super().__init__(schema)
        self.encode = MLP(node_width(schema) + 1 + schema.dim, width, width, activation=nn.ReLU)
        self.layers = nn.ModuleList(ChebConv(width, order) for _ in range(layers))
        self.decode = MLP(width, width, len(schema.y), activation=nn.ReLU)

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        distance = boundary_distance(graph)
        away = gradient(distance, graph).flatten(1)
        h = self.encode(torch.cat([node_features(graph, self.schema), distance, away], 1))
        neighbors = Neighbors.of(graph.edge_index, len(h))
        weight = weigh_images(edge_lengths(graph), graph)
        weight = -symmetric_weights(weight, graph.edge_index, len(h))[neighbors.order]
        for layer in self.layers:
            h = layer(h, neighbors, weight).relu()
        return self.decode(h)


class ChebConv(nn.Module):
    """Σ_k T_k(L̂) h Θ_k + b, with L̂ given as weights of edges; see `ChebNet`."""

    def __init__(self, width: int, order: int) -> None:
        """`order` is the number of polynomials."""
        super().__init__()
        self.order, self.mix = order, Linear(order * width, width)

    def reference(self, h: Tensor, neighbors: Neighbors, weight: Tensor) -> Tensor:
        """Return the same by the recurrence as it is written."""
        terms = [h, neighbors.sum(h, weight)][: self.order]
        while len(terms) < self.order:
            terms.append(2 * neighbors.sum(terms[-1], weight) - terms[-2])
        return self._mixed(terms)

    @tuned(reference)
    def forward(self, h: Tensor, neighbors: Neighbors, weight: Tensor) -> Tensor:
        """Return (N, width) from h (N, width) and the weights (E,) of L̂; the 2 is in the weights, not in the rows."""
        terms, twice = [h, neighbors.sum(h, weight)][: self.order], 2 * weight
        while len(terms) < self.order:
            terms.append(neighbors.sum(terms[-1], twice) - terms[-2])
        return self._mixed(terms)

    def _mixed(self, terms: list[Tensor]) -> Tensor:
        total, parts = self.mix.bias, self.mix.weight.split(terms[0].shape[1], dim=1)
        for term, part in zip(terms, parts, strict=True):
            total = linear(term, part, total)
        return total
