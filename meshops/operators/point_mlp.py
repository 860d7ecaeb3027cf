"""A multilayer perceptron at every node: the floor."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, boundary_distance, node_features, node_width
from meshops.operators.base import Operator


class PointMLP(Operator):
    """Each node by itself, as no operator for an elliptic equation can afford.

        u_i = MLP(x_i, distance of i to the boundary, features of i)

    Shapes: (N, d + 1 + C_in + C_b + P + 2), in time C_out columns more → (N, width), `layers` times → (N, C_out). It
    learns the mean answer at a place; whatever another operator gains over it, it gains by letting nodes know of each
    other.
    """

    name: ClassVar[str] = "point_mlp"
    reference: ClassVar[str] = "a floor for comparison; PointNet without pooling, arXiv 1612.00593"
    cost: ClassVar[str] = "O(N)"

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 4) -> None:
        """`layers` is the number of hidden layers."""
        super().__init__(schema)
        self.mlp = MLP(schema.dim + 1 + node_width(schema), *[width] * layers, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        return self.mlp(torch.cat([graph.pos, boundary_distance(graph), node_features(graph, self.schema)], 1))
