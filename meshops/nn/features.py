"""Inputs that operators share: node features with the boundary's scattered in, and relative edge features."""

from __future__ import annotations

import torch
from torch import Tensor

from meshops.graph import MeshGraph, Schema


def node_width(schema: Schema) -> int:
    """Number of columns of `node_features`."""
    return len(schema.x) + len(schema.boundary_x) + 2


def node_features(graph: MeshGraph) -> Tensor:
    """Return (N, node_width): `x`, `boundary_x` on boundary nodes and 0 inside, a boundary flag, the log of mass."""
    boundary = graph.x.new_zeros(graph.x.shape[0], graph.boundary_x.shape[1] + 1)
    ones = graph.boundary_x.new_ones(graph.boundary_x.shape[0], 1)
    boundary = boundary.index_copy(0, graph.boundary_index, torch.cat([graph.boundary_x, ones], dim=1))
    return torch.cat([graph.x, boundary, log_mass(graph.mass)], dim=1)


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
