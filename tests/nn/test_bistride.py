"""Bi-stride coarsening: means and interpolation that keep constants and mass, on every kind of graph."""

from __future__ import annotations

import pytest
import torch

from meshops.nn import Stride, bistride
from tests.operators.graphs import mixed_graph


@pytest.fixture(params=[{"shape": (9,)}, {"shape": (8, 7)}, {"shape": (4, 5, 3), "cell": "hexahedron"}], ids=str)
def graph(request: pytest.FixtureRequest):
    given = dict(request.param)
    return mixed_graph(*given.pop("shape"), **given, dtype=torch.float64)


@pytest.fixture
def coarse(graph) -> Stride:
    return bistride(graph.pos, graph.mass, graph.edge_index)


def test_every_fine_node_is_shared_out_whole(graph, coarse: Stride) -> None:
    shares = torch.zeros(len(graph.pos), dtype=torch.float64).index_add(0, coarse.transfer[0], coarse.weight)
    assert torch.allclose(shares, torch.ones_like(shares))
    assert torch.allclose(coarse.mass.sum(), graph.mass.sum())
    assert (coarse.mass > 0).all()


def test_about_half_of_the_nodes_stay_and_are_joined_both_ways(graph, coarse: Stride) -> None:
    assert 0.3 < len(coarse.pos) / len(graph.pos) < 0.7
    pairs = {tuple(pair) for pair in coarse.edge_index.T.tolist()}
    assert pairs == {(b, a) for a, b in pairs}
    assert all(a != b for a, b in pairs)


def test_a_line_keeps_every_other_node() -> None:
    pos = torch.arange(7.0)[:, None]
    edges = torch.stack([torch.arange(6), torch.arange(1, 7)])
    coarse = bistride(pos, torch.ones(7), torch.cat([edges, edges.flip(0)], 1))
    assert coarse.pos[:, 0].tolist() == [1.0, 3.0, 5.0]
    assert coarse.mass.tolist() == [2.5, 2.0, 2.5]
    assert coarse.edge_index.T.tolist() == [[1, 0], [0, 1], [2, 1], [1, 2]]


def test_a_node_without_edges_stays() -> None:
    coarse = bistride(torch.zeros(2, 2), torch.ones(2), torch.empty(2, 0, dtype=torch.long))
    assert len(coarse.pos) == 2
    assert coarse.edge_index.shape == (2, 0)
