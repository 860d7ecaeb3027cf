"""Levels: clusters partition the nodes; masses, centers and connected pieces are kept at every level."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.graph.levels import LEVELS, CoarseGraph, coarsen, directed

Graph = tuple[np.ndarray, np.ndarray, np.ndarray]


def of_mesh(mesh: Mesh) -> Graph:
    return mesh.points, mesh.mass, directed(mesh.edges)


MESHES = {
    "line": of_mesh(Grid(shape=(33,)).mesh()),
    "triangle": of_mesh(Grid(shape=(9, 7)).mesh()),
    "quad-2": of_mesh(Grid(shape=(5, 4), cell="quad", order=2).mesh()),
    "tetra": of_mesh(Grid(shape=(4, 3, 5)).mesh()),
    "hexahedron": of_mesh(Grid(shape=(4, 5, 3), cell="hexahedron").mesh()),
    "tetra-2": of_mesh(Grid(shape=(3, 2, 2), order=2).mesh()),
}


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any points and edges: in pieces, with nodes alone, even at one place."""
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pairs = rng.integers(0, n, (draw(st.integers(0, 60)), 2))
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0).reshape(-1, 2)
    pos = rng.normal(size=(n, 2)).round(draw(st.integers(0, 3)))
    return pos, rng.random(n) + 0.1, directed(pairs)


def pieces(size: int, edge_index: np.ndarray) -> np.ndarray:
    ones = np.ones(edge_index.shape[1])
    return connected_components(coo_array((ones, tuple(edge_index)), shape=(size, size)), directed=False)[1]


def check_level(finer: Graph, level: CoarseGraph) -> None:
    pos, mass, edge_index = finer
    size = len(level.pos)
    assert np.array_equal(np.unique(level.cluster), np.arange(size))  # every node in one cluster, none empty
    assert level.cluster.shape == mass.shape
    np.testing.assert_allclose(level.mass, np.bincount(level.cluster, mass))
    np.testing.assert_allclose(level.mass @ level.pos, mass @ pos, atol=1e-12)
    assert (pos.min(0) - 1e-12 <= level.pos).all()
    assert (level.pos <= pos.max(0) + 1e-12).all()
    ends = level.cluster[edge_index]
    wanted = {(int(a), int(b)) for a, b in ends.T if a != b}
    found = [(int(a), int(b)) for a, b in level.edge_index.T]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert found == sorted(found, key=lambda e: (e[1], e[0]))


def check(graph: Graph) -> list[CoarseGraph]:
    levels, finer = coarsen(*graph), graph
    assert len(levels) == LEVELS
    for level in levels:
        check_level(finer, level)
        above, below = pieces(len(finer[0]), finer[2]), pieces(len(level.pos), level.edge_index)
        for cluster in range(len(level.pos)):  # a cluster lies in one piece, and no piece is split or joined
            assert len(set(above[level.cluster == cluster])) == 1
        assert above.max() == below.max()
        finer = level.pos, level.mass, level.edge_index
    return levels


@pytest.mark.parametrize("graph", MESHES.values(), ids=MESHES)
def test_levels_keep_what_the_mesh_has(graph: Graph) -> None:
    sizes = [len(graph[0]), *(len(level.pos) for level in check(graph))]
    assert all(coarse <= max(2, 0.4 * fine) for fine, coarse in itertools.pairwise(sizes))


@given(graph=graphs())
def test_levels_keep_what_any_graph_has(graph: Graph) -> None:
    check(graph)


@pytest.mark.parametrize("graph", MESHES.values(), ids=MESHES)
def test_levels_depend_on_where_nodes_are_and_not_on_their_numbers(graph: Graph) -> None:
    pos, mass, edge_index = graph
    order = np.random.default_rng(0).permutation(len(pos))
    pairs = np.argsort(order)[edge_index.T[edge_index[0] < edge_index[1]]]
    ours, theirs = coarsen(*graph), check((pos[order], mass[order], directed(pairs)))
    assert np.array_equal(theirs[0].cluster, ours[0].cluster[order])
    assert all(np.array_equal(theirs[i].cluster, ours[i].cluster) for i in range(1, LEVELS))
    assert all(np.array_equal(theirs[i].edge_index, ours[i].edge_index) for i in range(LEVELS))


@pytest.mark.parametrize("factor", [1e-3, 1024])
@pytest.mark.parametrize("offset", [0, 31.7])
@pytest.mark.parametrize("graph", MESHES.values(), ids=MESHES)
def test_scaling_and_moving_change_no_cluster(graph: Graph, factor: float, offset: float) -> None:
    pos, mass, edge_index = graph
    moved = coarsen((pos + offset) * factor, mass, edge_index)
    for ours, theirs in zip(coarsen(*graph), moved, strict=True):
        assert np.array_equal(ours.cluster, theirs.cluster)
        np.testing.assert_allclose(theirs.pos, (ours.pos + offset) * factor)


def test_directed_edges_go_both_ways_sorted_by_target() -> None:
    assert directed(np.array([[0, 2], [0, 1]])).tolist() == [[1, 2, 0, 0], [0, 0, 1, 2]]
    assert directed(np.empty((0, 2), np.int64)).shape == (2, 0)


def test_a_graph_without_edges_repeats_itself() -> None:
    pos = np.arange(6.0).reshape(3, 2)
    for level in coarsen(pos, np.ones(3), np.empty((2, 0), np.int64)):
        assert np.array_equal(level.cluster, np.arange(3))
        assert np.array_equal(level.pos, pos)
        assert level.edge_index.shape == (2, 0)
