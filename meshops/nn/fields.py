"""Nodal fields derived on the graph: smoothing, gradients, distance to the boundary."""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from meshops.graph import MeshGraph, segment_sum
from meshops.nn.tuned import tuned

PAIRS = 2**24  # distances held at once


def smooth(values: Tensor, mass: Tensor, edge_index: Tensor, rounds: int = 2) -> Tensor:
    """Return `values` (N, C), replaced `rounds` times by the mean by mass over a node and its neighbours."""
    source, target = edge_index
    weight = mass[:, None]
    total = (weight + segment_sum(weight[source], target, len(mass))).clamp_min(1e-12)
    for _ in range(rounds):
        own = weight * values
        values = (own + segment_sum(own[source], target, len(mass))) / total
    return values


def gradient(values: Tensor, pos: Tensor, edge_index: Tensor) -> Tensor:
    """Return the (N, d, C) gradients of `values` (N, C) at `pos` (N, d) by weighted least squares.

    At each node, g minimises Σ_j (g·r_j - Δu_j)² / |r_j|² over the neighbours at r_j: exact for linear fields. A small
    multiple of the identity makes it zero where no neighbour lies, as normal to a surface.
    """
    source, target = edge_index
    gap, rise = pos[source] - pos[target], values[source] - values[target]
    scaled = gap / gap.square().sum(1, keepdim=True).clamp_min(1e-12)
    matrix = segment_sum(scaled[:, :, None] * gap[:, None, :], target, len(pos))
    right = segment_sum(scaled[:, :, None] * rise[:, None, :], target, len(pos))
    shift = torch.finfo(pos.dtype).eps ** 0.5 * torch.eye(pos.shape[1], dtype=pos.dtype, device=pos.device)
    return torch.linalg.solve(matrix + shift, right)


@torch.compiler.disable
@torch.no_grad()
def boundary_distance(graph: MeshGraph) -> Tensor:
    """Return (N, 1) distances to the nearest boundary node of the same graph; 0 where a graph has none."""
    batch = graph.graph_of_node
    nodes = torch.bincount(batch, minlength=graph.size).tolist()
    surface = torch.bincount(batch[graph.boundary_index], minlength=graph.size).tolist()
    pairs = zip(graph.pos.split(nodes), graph.pos[graph.boundary_index].split(surface), strict=True)
    return torch.cat([_nearest(pos, others) if len(others) else pos.new_zeros(len(pos), 1) for pos, others in pairs])


def _compare_all(pos: Tensor, others: Tensor) -> Tensor:
    """Return (n, 1) distances from pos (n, d) to the nearest of others (m, d), in O(n m) time and bounded memory."""
    exact = "donot_use_mm_for_euclid_dist"  # the quick way cancels digits
    blocks = pos.split(max(1, PAIRS // len(others)))
    return torch.cat([torch.cdist(block, others, compute_mode=exact).amin(1, keepdim=True) for block in blocks])


@tuned(_compare_all)
def _nearest(pos: Tensor, others: Tensor) -> Tensor:
    """Return the same by a tree on the CPU, in O(n log m); elsewhere comparing all is quicker than a copy."""
    if pos.device.type != "cpu":
        return _compare_all(pos, others)
    found, _ = cKDTree(others.double().numpy()).query(pos.double().numpy())
    return torch.from_numpy(found).to(pos.dtype)[:, None]
