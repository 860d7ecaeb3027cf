"""The Galerkin transformer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, LinearAttention, node_features, node_width
from meshops.operators.base import Operator, require_heads


class Galerkin(Operator):
    """Attention without softmax: values projected on keys as on test functions, in a space spanned by the queries.

        h_i = MLP(x_i, features of i)
        h ← h + attention(h);  h ← h + MLP(h), `layers` times
        attention: z_i = Σ_j w_j (q_i · k_j) v_j,  w_j = m_j / Σ m,  k and v normalized in each head
        u_i = MLP(h_i)

    Shapes: h (N, width); q, k, v (N, heads, width/heads + d), coordinates joined. Evaluated as Q (Kᵀ W V). Differs from
    the paper in that the mean over grid points, 1/n, is one by mass, as its Galerkin projection means on a mesh that is
    not uniform, and in that it decodes by an MLP at each node, where the paper convolves on a grid.
    """

    name: ClassVar[str] = "galerkin"
    reference: ClassVar[str] = "arXiv 2105.14995"
    cost: ClassVar[str] = "O(N)"
    normalized: ClassVar[tuple[str, str]] = ("key", "value")

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 6, heads: int = 4) -> None:
        """`layers` is the number of blocks. Raises `OperatorError` unless `heads` divides `width`."""
        super().__init__(schema)
        require_heads(width, heads)
        self.encode = MLP(schema.dim + node_width(schema), width, width)
        self.attention = nn.ModuleList(
            LinearAttention(width, schema.dim, heads=heads, normalized=self.normalized) for _ in range(layers)
        )
        self.mlp = nn.ModuleList(MLP(width, 2 * width, width, activation=nn.ReLU) for _ in range(layers))
        self.decode = MLP(width, width, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        h, batch = self.encode(torch.cat([graph.pos, node_features(graph, self.schema)], 1)), graph.graph_of_node
        for attention, mlp in zip(self.attention, self.mlp, strict=True):
            h = h + attention(h, graph.pos, graph.mass, batch, graph.size)
            h = h + mlp(h)
        return self.decode(h)
