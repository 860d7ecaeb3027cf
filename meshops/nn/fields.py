"""Nodal fields derived on the graph: smoothing, gradients, distance to the boundary."""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from meshops.graph import MeshGraph, segment_sum
from meshops.nn.tuned import tuned

PAIRS = 2**24  # distances held at once
FLAT = 1e-3  # of the sum of squared directions to the neighbours: a share below which there are none


def smooth(values: Tensor, mass: Tensor, edge_index: Tensor, rounds: int = 2) -> Tensor:
    """Return `values` (N, C), replaced `rounds` times by the mean by mass over a node and its neighbours."""
    source, target = edge_index
    weight = mass[:, None]
    total = (weight + segment_sum(weight[source], target, len(mass))).clamp_min(1e-12)
    for _ in range(rounds):
        own = weight * values
        values = (own + segment_sum(own[source], target, len(mass))) / total
    return values


def gradient(values: Tensor, graph: MeshGraph) -> Tensor:
    """Return the (N, d, C) gradients of `values` (N, C) at the nodes of `graph` by weighted least squares.

    At each node, g minimises Σ_j (g·r_j - Δu_j)² / |r_j|² over the neighbours at r_j, images of it left out: exact, to
    about 1e-8, for linear fields. Directions in which hardly any neighbour lies (below 1e-3 of all), as normal to a
    surface, are damped out. Computed in float64, on the CPU where the device has none.
    """
    pos, (source, target) = graph.pos, graph.edge_index[:, ~graph.joins_images]
    gap, rise = (_exact(v.index_select(0, source) - v.index_select(0, target)) for v in (pos, values))
    target = target.to(gap.device)
    scaled = (gap / gap.square().sum(1, keepdim=True).clamp_min(1e-12))[:, :, None]
    matrix = segment_sum(scaled * gap[:, None, :], target, len(pos))
    right = segment_sum(scaled * rise[:, None, :], target, len(pos))
    value, vector = torch.linalg.eigh(matrix)
    least = FLAT * value.sum(1, keepdim=True) + 1e-12
    inverse = value**3 / (value**4 + least**4)
    return (vector @ (inverse[:, :, None] * (vector.mT @ right))).to(values)


def _exact(values: Tensor) -> Tensor:
    """Return the values in float64, which Apple's MPS does not have: from there on the CPU."""
    return (values.cpu() if values.device.type == "mps" else values).double()


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
