"""Coarser levels of a mesh graph, by aggregation as in algebraic multigrid. O(N), any cell type, any dimension."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVELS = 3  # of every graph, so that graphs of any size batch together


@dataclass(frozen=True, eq=False)
class CoarseGraph:
    """One level as arrays: the cluster of each finer node, positions, masses and directed edges sorted by target."""

    cluster: Ints
    pos: Floats
    mass: Floats
    edge_index: Ints


def coarsen(pos: Floats, mass: Floats, edge_index: Ints, images: Ints | None = None) -> list[CoarseGraph]:
    """Return `LEVELS` coarser graphs; where nothing is left to merge, a level repeats the one before.

    A cluster is a pair of neighbours merged with another pair (two passes of pairwise matching, Notay 2010), so sizes
    fall about fourfold in any dimension. A cluster's position is its centre of mass; two clusters are joined where an
    edge joins their members. `images` (n, 2) are nodes that are one point: their clusters are joined too, but never
    merged for it, since they lie apart. Clusters follow from where the nodes are, not from how they are numbered, but
    for nodes at one place.
    """
    levels: list[CoarseGraph] = []
    for _ in range(LEVELS):
        levels.append(_level(_aggregate(pos, edge_index), pos, mass, edge_index))
        pos, mass, edge_index = levels[-1].pos, levels[-1].mass, levels[-1].edge_index
    if images is None or not len(images):
        return levels
    return [replace(level, edge_index=edges) for level, edges in zip(levels, _with_images(levels, images), strict=True)]


def joined(pairs: Ints, more: Ints) -> Ints:
    """Return (n, 2) undirected pairs with others, each once and none of a node with itself."""
    if not len(more):
        return pairs
    both = np.sort(np.concatenate([pairs, more]), axis=1)
    return np.unique(both[both[:, 0] != both[:, 1]], axis=0)


def _with_images(levels: list[CoarseGraph], images: Ints) -> Iterator[Ints]:
    """Yield the edges of each level with those between images."""
    for level in levels:
        images = level.cluster[images]
        yield directed(joined(level.edge_index.T, images))


def level_arrays(levels: list[CoarseGraph]) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of coarser levels, under their names in a graph."""
    names = ("cluster", "pos", "mass", "edge_index")
    return {f"{name}_{number}": getattr(level, name) for number, level in enumerate(levels, 1) for name in names}


def directed(pairs: Ints) -> Ints:
    """Return the (2, E) both directions of undirected pairs (n, 2), sorted by target, then source."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return np.ascontiguousarray(both[np.lexsort((both[:, 0], both[:, 1]))].T)


def _aggregate(pos: Floats, edge_index: Ints) -> Ints:
    """Return (n,) clusters: pairs of pairs along the shortest edges; a node without neighbours stays alone."""
    from pyamg.aggregation.aggregate import pairwise_aggregation

    n = len(pos)
    if not edge_index.size:
        return np.arange(n)
    length = np.linalg.norm(pos[edge_index[0]] - pos[edge_index[1]], axis=1)
    # Rounded, so that edges of one length in millimetres are of one length in metres too: ties decide alike.
    weight = np.round(length.max() / np.maximum(length, 1e-9 * length.max()), 6)
    rank = _ranks(pos)
    source, target = rank[edge_index]
    diagonal = np.bincount(target, weight, n)
    loops = np.arange(n)
    rows, cols = np.concatenate([target, loops]), np.concatenate([source, loops])
    laplacian = csr_matrix((np.concatenate([-weight, diagonal]), (rows, cols)), shape=(n, n))
    members = pairwise_aggregation(laplacian, matchings=2)[0].tocoo()
    return members.col[np.argsort(members.row)].astype(np.int64)[rank]


def _ranks(pos: Floats) -> Ints:
    """Return (n,) the place of each node in the order of their last coordinates, then those before.

    Rounded, so that rows of a grid stay rows wherever it lies.
    """
    extent = np.ptp(pos, axis=0).max() or 1.0
    rank = np.empty(len(pos), np.int64)
    rank[np.lexsort(np.round((pos - pos.min(axis=0)) / extent, 9).T)] = np.arange(len(pos))
    return rank


def _level(cluster: Ints, pos: Floats, mass: Floats, edge_index: Ints) -> CoarseGraph:
    n = int(cluster.max()) + 1
    total = np.bincount(cluster, mass, n)
    safe = np.where(total > 0, total, 1.0)
    center = np.stack([np.bincount(cluster, mass * p, n) / safe for p in pos.T], axis=1)
    ends = cluster[edge_index]
    between = ends[:, ends[0] != ends[1]]
    adjacency = csr_matrix((np.ones(between.shape[1], bool), (between[1], between[0])), shape=(n, n))
    adjacency.sum_duplicates()
    adjacency.sort_indices()
    edges = adjacency.tocoo()
    return CoarseGraph(cluster, center, total, np.stack([edges.col, edges.row]).astype(np.int64))
