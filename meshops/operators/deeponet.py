"""DeepONet with branches for the domain, its boundary and the parameters."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, segment_max, segment_mean
from meshops.nn import MLP, node_features, node_width
from meshops.operators.base import Operator


class DeepONet(Operator):
    """u(x) = Σ_k t_k(x) Π_branches b_k: a basis of functions of place, with coefficients from the inputs.

        trunk     t = MLP(x_i),                                    (N, C_out basis)
        domain    b = MLP(pool over nodes of MLP(x_i, features)),  (B, C_out basis), and so are all branches
        boundary  b = MLP(pool over boundary nodes of MLP(x_i, conditions))
        theta     b = MLP(theta), where there are parameters
        u_c(x_i)  = Σ_k t_ck(x_i) Π b_ck + bias_c

    Pooling is the mean, by mass or by boundary area, joined with the maximum: it knows neither order nor number of the
    nodes. Differs from the paper, whose branch reads values at fixed sensors on one domain: here the branches pool over
    any nodes (deep sets, arXiv 1703.06114), so that the geometry is an input as well, and several branches are
    multiplied as in MIONet (arXiv 2202.06137). What a pool forgets is lost: expect smooth answers.
    """

    name: ClassVar[str] = "deeponet"
    reference: ClassVar[str] = "arXiv 1910.03193"
    cost: ClassVar[str] = "O(N)"

    def __init__(self, schema: Schema, *, width: int = 128, basis: int = 128, layers: int = 4) -> None:
        """`basis` is the number of basis functions of each field, `layers` that of each MLP's hidden layers."""
        super().__init__(schema)
        out, hidden = len(schema.y) * basis, [width] * layers
        self.trunk = MLP(schema.dim, *hidden, out)
        self.domain = _Branch(schema.dim + node_width(schema), hidden, out)
        self.boundary = _Branch(schema.dim + len(schema.boundary_x), hidden, out)
        self.theta = MLP(len(schema.theta), *hidden, out) if schema.theta else None
        self.bias = nn.Parameter(torch.zeros(len(schema.y)))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        batch, at = graph.graph_of_node, graph.boundary_index
        nodes = torch.cat([graph.pos, node_features(graph, self.schema)], 1)
        tokens = torch.cat([graph.pos.index_select(0, at), graph.boundary_x], 1)
        branch = self.domain(nodes, graph.mass, batch, graph.size)
        branch = branch * self.boundary(tokens, graph.boundary_mass, batch.index_select(0, at), graph.size)
        if self.theta is not None:
            branch = branch * self.theta(graph.theta)
        trunk = self.trunk(graph.pos).unflatten(1, (len(self.bias), -1))
        return (trunk * branch.unflatten(1, (len(self.bias), -1)).index_select(0, batch)).sum(2) + self.bias


class _Branch(nn.Module):
    def __init__(self, tokens: int, hidden: list[int], out: int) -> None:
        super().__init__()
        self.embed = MLP(tokens, *hidden)
        self.read = MLP(2 * hidden[-1], *hidden, out)

    def forward(self, tokens: Tensor, weight: Tensor, batch: Tensor, graphs: int) -> Tensor:
        """Return (B, out) from tokens (n, C)."""
        x = self.embed(tokens)
        return self.read(torch.cat([segment_mean(x, batch, graphs, weight), segment_max(x, batch, graphs)], 1))
