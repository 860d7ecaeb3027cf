"""Transolver."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, Linear, node_features, node_width, through_slices
from meshops.operators.base import Operator, require_heads


class Transolver(Operator):
    """Attention among a few tokens, each the mean of a learned slice of the domain.

        h_i = MLP(x_i, features of i) + a learned vector
        h ← h + attention(LN h);  h ← h + MLP(LN h), `layers` times;  u_i = linear(LN h_i)

        per head:  w_i = softmax(W a_i / τ) over slices,  a, b = two linear maps of h
                   token_s = Σ_i m_i w_is b_i / Σ_i m_i w_is;  tokens ← softmax attention(tokens)
                   z_i = Σ_s w_is token_s

    Shapes: h (N, width), w (N, heads, slices), tokens (B, heads, slices, width/heads). W and the maps to queries, keys
    and values are shared by the heads, as in the paper's code for irregular meshes. Differs in that tokens are means
    by mass, so that refining a part of the mesh does not pull them there, and in that τ is kept above 0.1.
    """

    name: ClassVar[str] = "transolver"
    reference: ClassVar[str] = "arXiv 2402.02366"
    cost: ClassVar[str] = "O(N slices)"

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 8, heads: int = 8, slices: int = 64) -> None:
        """`layers` is the number of blocks. Raises `OperatorError` unless `heads` divides `width`."""
        super().__init__(schema)
        require_heads(width, heads)
        self.encode = MLP(schema.dim + node_width(schema), 2 * width, width, activation=nn.GELU)
        self.start = nn.Parameter(torch.rand(width) / width)
        self.blocks = nn.ModuleList(_Block(width, heads, slices) for _ in range(layers))
        self.decode = nn.Sequential(nn.LayerNorm(width), Linear(width, len(schema.y)))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        h = self.encode(torch.cat([graph.pos, node_features(graph, self.schema)], 1)) + self.start
        batch = graph.graph_of_node
        for block in self.blocks:
            h = block(h, graph.mass, batch, graph.size)
        return self.decode(h)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, slices: int) -> None:
        super().__init__()
        self.heads, part = heads, width // heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.slice, self.value = Linear(width, width), Linear(width, width)
        self.assign = Linear(part, slices)
        nn.init.orthogonal_(self.assign.weight)
        self.temperature = nn.Parameter(torch.full((heads,), 0.5))
        self.qkv = Linear(part, 3 * part, bias=False)
        self.out = Linear(width, width)
        self.mlp = MLP(width, width, width, activation=nn.GELU)

    def forward(self, h: Tensor, mass: Tensor, batch: Tensor, graphs: int) -> Tensor:
        x = self.norms[0](h)
        logits = self.assign(self.slice(x).unflatten(1, (self.heads, -1)))
        weight = (logits / self.temperature[:, None].clamp_min(0.1)).softmax(-1)
        value = self.value(x).unflatten(1, (self.heads, -1))
        h = h + self.out(through_slices(weight, value, mass, batch, graphs, self._mix).flatten(1))
        return h + self.mlp(self.norms[1](h))

    def _mix(self, tokens: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(*self.qkv(tokens).chunk(3, dim=-1))
