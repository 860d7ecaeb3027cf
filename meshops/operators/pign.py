"""An implicit graph network: the fixed point of one message passing step."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, Linear, MessagePassing, edge_features, edge_width, node_features, node_width
from meshops.operators.base import Operator

LAST = 5  # iterations that the gradient goes through
DAMPING = 0.5


class PIGN(Operator):
    """h = F(h, data): one step with one set of weights, iterated, as a relaxation iterates on a linear system.

        c_i = MLP(features of i);  h⁰ = c
        h ← (1 - γ) h + γ LN(MP(A h + B c)), `steps` times with γ = 1/2;  h_i ← c_i where all fields are given
        u_i = MLP(h_i)

    MP is message passing on the mesh (`MessagePassing`); shapes: h, c (N, width). Its parameters do not grow with the
    steps, and more steps may be taken on larger meshes than in training. Nodes with essential values hold their state,
    so that conditions enter by design as in the paper.

    Differs from the paper (Ψ-GNN): the iteration is damped and of fixed length, where the paper finds the root by
    Broyden's method (with one tolerance for a batch, a sample would depend on its batch); the gradient goes through the
    last five iterations (Jacobian-free, arXiv 2103.12803), where the paper solves the adjoint; the spectral radius is
    not penalised; it learns from solutions and not from residuals, and starts at c and not at a given solution.
    """

    name: ClassVar[str] = "pign"
    reference: ClassVar[str] = "arXiv 2302.10891"
    cost: ClassVar[str] = "O(N steps)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, schema: Schema, *, width: int = 64, steps: int = 40) -> None:
        """`steps` is the number of iterations."""
        super().__init__(schema)
        self.steps = steps
        self.encode = MLP(node_width(schema), width, width)
        self.own, self.data = Linear(width, width), Linear(width, width, bias=False)
        self.step, self.norm = MessagePassing(width, edge_width(schema.dim)), nn.LayerNorm(width)
        self.decode = MLP(width, width, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        edge, held = edge_features(graph.pos, graph.edge_index), graph.fixed.all(1, keepdim=True)
        c = self.encode(node_features(graph, self.schema))
        data = self.data(c)

        def iterate(h: Tensor, data: Tensor, c: Tensor) -> Tensor:
            new = self.norm(self.step(self.own(h) + data, graph.edge_index, edge))
            return torch.where(held, c, (1 - DAMPING) * h + DAMPING * new)

        h = c
        with torch.no_grad():
            for _ in range(self.steps - LAST):
                h = iterate(h, data, c)
        for _ in range(min(self.steps, LAST)):
            h = iterate(h, data, c)
        return self.decode(h)
