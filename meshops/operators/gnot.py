"""GNOT: general neural operator transformer."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, gather, segment_sum
from meshops.nn import MLP, Linear, node_features, node_width, outer_sum, read
from meshops.operators.base import Operator, require_heads

HIDDEN = 4  # width of an expert's hidden layer over that of h


class Tokens(NamedTuple):
    """Tokens (n, width) of one input function, their quadrature weights (n,) and graphs (n,)."""

    rows: Tensor
    weight: Tensor
    batch: Tensor


class GNOT(Operator):
    """Queries attend to each input function by its own keys and values; experts are gated by place.

        queries    h_i = MLP(x_i, features of i, theta)
        inputs     z = MLP(x_j, features of j) at nodes; MLP(x_j, conditions) at boundary nodes; MLP(theta), one a graph
        h ← h + cross(LN h, LN z);  h ← h + experts₁(LN h);  h ← h + self(LN h);  h ← h + experts₂(LN h), `layers` times
        u_i = MLP(h_i)

        cross, per head:  q_i + Σ_inputs Σ_j w_j (q_i · k_j) v_j / Σ_j w_j (q_i · k_j),  q, k softmax over channels
        experts(h_i) = Σ_e softmax(MLP(x_i))_e MLP_e(h_i), one gate for both of a block

    Shapes: h (N, width); q, k, v (N or M or B, heads, width/heads). Sums over j are sums within a graph, without
    padding, in O(N + M). `self` is the same attention with the queries as the only input.

    Differs from the paper: the sums are quadratures, w_j by mass or boundary area, so that refining a part of the mesh
    does not weigh it more; a query is a node, and its own features are among its inputs, where the paper gives it
    place and theta alone; the LayerNorm of an expert layer acts on its input and not on its output. The paper's code
    sums over its padding too.
    """

    name: ClassVar[str] = "gnot"
    reference: ClassVar[str] = "arXiv 2302.14376"
    cost: ClassVar[str] = "O(N)"

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 3, heads: int = 4, experts: int = 3) -> None:
        """`layers` is the number of blocks. Raises `OperatorError` unless `heads` divides `width`."""
        super().__init__(schema)
        require_heads(width, heads)
        d, theta = schema.dim, len(schema.theta)
        self.query = MLP(d + node_width(schema), width, width, width, activation=nn.GELU)
        inputs = [d + node_width(schema), d + len(schema.boundary_x), *([theta] if theta else [])]
        self.inputs = nn.ModuleList(MLP(n, width, width, width, activation=nn.GELU) for n in inputs)
        self.blocks = nn.ModuleList(
            _Block(width, d, heads=heads, experts=experts, inputs=len(inputs)) for _ in range(layers)
        )
        self.decode = MLP(width, width, len(schema.y), activation=nn.GELU)

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        batch, nodes = graph.graph_of_node, torch.cat([graph.pos, node_features(graph, self.schema)], 1)
        h = self.query(nodes)
        tokens = self._tokens(graph, nodes)
        for block in self.blocks:
            h = block(h, graph, tokens, Tokens(h, graph.mass, batch))
        return self.decode(h)

    def _tokens(self, graph: MeshGraph, nodes: Tensor) -> list[Tokens]:
        batch, at = graph.graph_of_node, graph.boundary_index
        boundary = torch.cat([graph.pos.index_select(0, at), graph.boundary_x], 1)
        graphs = torch.arange(graph.size, device=batch.device)
        given = [
            Tokens(nodes, graph.mass, batch),
            Tokens(boundary, graph.boundary_mass, batch.index_select(0, at)),
            Tokens(graph.theta, graph.theta.new_ones(graph.size), graphs),
        ]
        return [t._replace(rows=embed(t.rows)) for t, embed in zip(given, self.inputs, strict=False)]


class NormalizedAttention(nn.Module):
    """q_i + Σ_inputs Σ_j w_j (q_i · k_j) v_j / Σ_j w_j (q_i · k_j) per head, then a linear map; see `GNOT`."""

    def __init__(self, width: int, *, heads: int, inputs: int) -> None:
        """Build for queries and `inputs` sets of tokens of `width` channels."""
        super().__init__()
        self.heads = heads
        self.query, self.out = Linear(width, width), Linear(width, width)
        self.key = nn.ModuleList(Linear(width, width) for _ in range(inputs))
        self.value = nn.ModuleList(Linear(width, width) for _ in range(inputs))

    def forward(self, h: Tensor, batch: Tensor, graphs: int, inputs: list[Tokens]) -> Tensor:
        """Return (n, width) from queries h (n, width) of the graphs `batch` (n,)."""
        query = self._heads(self.query(h)).softmax(-1)
        out = query
        for tokens, to_key, to_value in zip(inputs, self.key, self.value, strict=True):
            key = self._heads(to_key(tokens.rows)).softmax(-1) * tokens.weight[:, None, None]
            table = outer_sum(key, self._heads(to_value(tokens.rows)), tokens.batch, graphs)
            total = gather(segment_sum(key, tokens.batch, graphs), batch)
            out = out + read(query, table, batch) / (query * total).sum(-1, keepdim=True).clamp_min(1e-12)
        return self.out(out.flatten(1))

    def _heads(self, rows: Tensor) -> Tensor:
        return rows.unflatten(1, (self.heads, -1))


class Experts(nn.Module):
    """Σ_e g_ie MLP_e(h_i)."""

    def __init__(self, width: int, experts: int) -> None:
        """Each expert has one hidden layer of 4 `width`."""
        super().__init__()
        self.experts = nn.ModuleList(MLP(width, HIDDEN * width, width, activation=nn.GELU) for _ in range(experts))

    def forward(self, h: Tensor, gate: Tensor) -> Tensor:
        """Return (n, width) from h (n, width) and gate (n, experts)."""
        out = torch.zeros_like(h)
        for expert, own in zip(self.experts, gate.unbind(1), strict=True):
            out = torch.addcmul(out, expert(h), own[:, None])
        return out


class _Block(nn.Module):
    def __init__(self, width: int, dim: int, *, heads: int, experts: int, inputs: int) -> None:
        super().__init__()
        self.cross = NormalizedAttention(width, heads=heads, inputs=inputs)
        self.own = NormalizedAttention(width, heads=heads, inputs=1)
        self.gate = MLP(dim, width, width, experts, activation=nn.GELU)
        self.experts = nn.ModuleList([Experts(width, experts), Experts(width, experts)])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.token_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(inputs))

    def forward(self, h: Tensor, graph: MeshGraph, inputs: list[Tokens], own: Tokens) -> Tensor:
        batch, gate = own.batch, self.gate(graph.pos).softmax(-1)
        inputs = [t._replace(rows=norm(t.rows)) for t, norm in zip(inputs, self.token_norms, strict=True)]
        h = h + self.cross(self.norms[0](h), batch, graph.size, inputs)
        h = h + self.experts[0](self.norms[1](h), gate)
        x = self.norms[2](h)
        h = h + self.own(x, batch, graph.size, [own._replace(rows=x)])
        return h + self.experts[1](self.norms[3](h), gate)
