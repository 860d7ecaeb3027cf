"""MeshGraphNets."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, GraphNetwork, edge_features, edge_width, node_features, node_width
from meshops.operators.base import Operator

HIDDEN = 2  # hidden layers of every MLP


class MeshGraphNet(Operator):
    """Encode, `steps` of message passing on the mesh, decode.

        h_i = MLP(features of i),  e_ij = MLP(x_j - x_i, its direction, log of its length)
        m_ij = MLP(h_j, h_i, e_ij);  h_i ← h_i + MLP(h_i, Σ_j m_ij);  e_ij ← e_ij + m_ij,  each step its own weights
        u_i = MLP(h_i)

    MLPs have two hidden layers, ReLU, and a LayerNorm at the end but for the decoder's. Information travels one edge a
    step. Differs from the paper in its inputs: a steady problem has no previous state and no noise to train
    with, and the length of an edge comes as direction and logarithm in place of statistics over the data set.
    """

    name: ClassVar[str] = "meshgraphnet"
    reference: ClassVar[str] = "arXiv 2010.03409"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, schema: Schema, *, width: int = 128, steps: int = 15) -> None:
        """`width` is that of every layer, `steps` the number of message passing steps."""
        super().__init__(schema)
        hidden = [width] * HIDDEN
        self.encode_node = MLP(node_width(schema), *hidden, width, norm=True, activation=nn.ReLU)
        self.encode_edge = MLP(edge_width(schema.dim), *hidden, width, norm=True, activation=nn.ReLU)
        self.steps = nn.ModuleList(GraphNetwork(width, hidden=HIDDEN, activation=nn.ReLU) for _ in range(steps))
        self.decode = MLP(width, *hidden, len(schema.y), activation=nn.ReLU)

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        h = self.encode_node(node_features(graph, self.schema))
        edge = self.encode_edge(edge_features(graph.pos, graph.edge_index))
        for step in self.steps:
            h, edge = step(h, edge, graph.edge_index)
        return self.decode(h)
