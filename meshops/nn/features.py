"""Inputs that operators share: node features with the boundary's scattered in, and relative edge features."""

from __future__ import annotations

import torch
from torch import Tensor

from meshops.graph import MeshGraph, Schema, gather


def node_width(schema: Schema) -> int:
    """Number of columns of `node_features`."""
    return len(schema.x) + len(schema.boundary_x) + len(schema.theta) + 2


def node_features(graph: MeshGraph) -> Tensor:
    """Return (N, node_width): `x`, `boundary_x` and a flag on boundary nodes and 0 inside, log of mass, `theta`."""
    boundary = graph.x.new_zeros(graph.x.shape[0], graph.boundary_x.shape[1] + 1)
    ones = graph.boundary_x.new_ones(graph.boundary_x.shape[0], 1)
    boundary = boundary.index_copy(0, graph.boundary_index, torch.cat([graph.boundary_x, ones], dim=1))
    return torch.cat([graph.x, boundary, log_mass(graph.mass), parameters(graph)], dim=1)


def parameters(graph: MeshGraph) -> Tensor:
    """Return (N, P) `theta` of each node's graph."""
    return gather(graph.theta, graph.graph_of_node)


def boundary_mass(graph: MeshGraph) -> Tensor:
    """Return (M,) sizes of the boundary about its nodes, up to a factor: mass^((d - 1)/d).

    Positive, where the column `weight` of `boundary_x` may have been normalized.
    """
    d = graph.pos.shape[1]
    return graph.mass.index_select(0, graph.boundary_index).clamp_min(1e-12) ** ((d - 1) / d)


def log_mass(mass: Tensor) -> Tensor:
    """Return (N, 1) logarithms of the masses, about -1 to 1 on meshes of a thousand nodes."""
    return (mass.clamp_min(1e-12).log()[:, None] + 6.0) / 3.0


def edge_width(dim: int) -> int:
    """Number of columns of `edge_features`."""
    return 2 * dim + 1


def edge_features(pos: Tensor, edge_index: Tensor) -> Tensor:
    """Return (E, 2 d + 1): x_source - x_target, its direction, and the log of its length; translation invariant."""
    gap = pos.index_select(0, edge_index[0]) - pos.index_select(0, edge_index[1])
    return relative(gap)


def relative(gap: Tensor) -> Tensor:
    """Return (n, 2 d + 1) the vector, its direction and the log of its length, of (n, d) vectors."""
    length = gap.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return torch.cat([gap, gap / length, (length.log() + 2.0) / 2.0], dim=1)
