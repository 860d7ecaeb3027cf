"""The low-rank neural operator."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, Linear, node_features, node_width, outer_sum, read, share
from meshops.operators.base import Operator

HIDDEN = 2  # hidden layers of φ and ψ


class LowRank(Operator):
    """Integral layers whose kernel is a sum of products: κ(x, y) = Σ_k φ_k(x) ψ_k(y) C.

        v_i = MLP(x_i, features of i)
        v ← act(W v + Σ_k φ_k <ψ_k, C v>),  <ψ, v> = Σ_j w_j ψ(x_j) v_j,  w_j = m_j / Σ m, `layers` times
        u_i = MLP(v_i)

    φ and ψ are MLPs of place and features, with `rank` values each; C (width, width) mixes channels. Shapes: v (N,
    width), φ and ψ (N, rank). The inner product is by mass. Differs from the paper (4.2 there) in C: its code has a
    matrix of channels in each φ_k and ψ_k at each point, of width² rank numbers a node; here a node has rank numbers
    and the rank is larger. The last layer has no activation, as there.
    """

    name: ClassVar[str] = "low_rank"
    reference: ClassVar[str] = "arXiv 2108.08481"
    cost: ClassVar[str] = "O(N rank)"

    def __init__(self, schema: Schema, *, width: int = 64, layers: int = 4, rank: int = 64) -> None:
        """`layers` is the number of integral layers, `rank` that of terms in each kernel."""
        super().__init__(schema)
        given = schema.dim + node_width(schema)
        self.encode = MLP(given, width, width)
        self.layers = nn.ModuleList(_Layer(given, width, rank) for _ in range(layers))
        self.decode = MLP(width, width, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        given, batch = torch.cat([graph.pos, node_features(graph, self.schema)], 1), graph.graph_of_node
        weight, v = share(graph.mass, batch, graph.size), self.encode(given)
        for number, layer in enumerate(self.layers, start=1):
            v = layer(v, given, weight, batch, graph.size)
            v = nn.functional.gelu(v) if number < len(self.layers) else v
        return self.decode(v)


class _Layer(nn.Module):
    def __init__(self, given: int, width: int, rank: int) -> None:
        super().__init__()
        self.left, self.right = (MLP(given, *[width] * HIDDEN, rank) for _ in range(2))
        self.mix, self.local = Linear(width, width, bias=False), Linear(width, width)

    def forward(self, v: Tensor, given: Tensor, weight: Tensor, batch: Tensor, graphs: int) -> Tensor:
        right = (self.right(given) * weight[:, None])[:, None]
        table = outer_sum(right, self.mix(v)[:, None], batch, graphs)
        return self.local(v) + read(self.left(given)[:, None], table, batch)[:, 0]
