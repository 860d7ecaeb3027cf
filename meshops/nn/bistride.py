"""Bi-stride coarsening: every other front of a breadth-first search (arXiv 2210.02573)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity
from scipy.sparse.csgraph import connected_components, dijkstra
from torch import Tensor

NEAR = 1 + 1e-6  # nodes as near to the centre as the nearest, up to rounding, all begin the search


@dataclass(frozen=True, eq=False)
class Stride:
    """A coarser graph, and how the finer nodes share themselves among its nodes.

    `transfer` (2, n) are pairs of a finer and a coarser node, `weight` (n,) sums to 1 at each finer node; `pos`, `mass`
    and `edge_index` are those of the coarser nodes.
    """

    transfer: Tensor
    weight: Tensor
    pos: Tensor
    mass: Tensor
    edge_index: Tensor


@torch.compiler.disable
@torch.no_grad()
def bistride(pos: Tensor, mass: Tensor, edge_index: Tensor) -> Stride:
    """Keep the nodes at an even distance, in edges, from the middle of their connected part.

    Kept nodes are joined where at most two edges lie between them. A node that is not kept has kept neighbours and
    shares itself equally among them; so does a kept one among itself and its kept neighbours. On the CPU, in O(E).
    """
    n, where = len(pos), pos.device
    points, (source, target) = pos.double().cpu().numpy(), edge_index.cpu().numpy()
    ones = np.ones(len(source), np.float32)
    near = csr_matrix((ones, (target, source)), shape=(n, n)) + identity(n, np.float32, "csr")
    near.data[:] = 1
    kept = np.flatnonzero(_distance(points, near) % 2 == 0)
    reach = near[kept]
    joined = (reach @ near[:, kept]).tocsr()
    joined.setdiag(0)
    joined.eliminate_zeros()
    joined.sort_indices()
    coarse, fine = reach.nonzero()
    weight = 1 / np.bincount(fine, minlength=n)[fine]
    shared = torch.from_numpy(np.bincount(coarse, weight * mass.double().cpu().numpy()[fine], len(kept)))
    target, source = joined.nonzero()
    return Stride(
        transfer=torch.from_numpy(np.stack([fine, coarse]).astype(np.int64)).to(where),
        weight=torch.from_numpy(weight).to(where, pos.dtype),
        pos=pos[torch.from_numpy(kept).to(where)],
        mass=shared.to(where, mass.dtype),
        edge_index=torch.from_numpy(np.stack([source, target]).astype(np.int64)).to(where),
    )


def _distance(points: NDArray[np.float64], near: csr_matrix) -> NDArray[np.float64]:
    """Return (n,) numbers of edges to the nearest node in the middle of the connected part."""
    parts, part = connected_components(near, directed=False)
    count = np.bincount(part, minlength=parts)
    center = np.stack([np.bincount(part, p, parts) / count for p in points.T], 1)
    away = np.linalg.norm(points - center[part], axis=1)
    least = np.full(parts, np.inf)
    np.minimum.at(least, part, away)
    seeds = np.flatnonzero(away <= NEAR * least[part] + 1e-12)
    return dijkstra(near, directed=False, indices=seeds, unweighted=True, min_only=True)
