"""Fields derived on the graph: exact where the mathematics says so."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_geometric.data import Batch

from geometries.conditions import Periodic
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case
from meshops.graph import MeshGraph, build_graph
from meshops.nn import boundary_distance, edge_lengths, fields, gradient, plain_forms, smooth, weigh_images
from meshops.nn.features import centered
from tests.operators.graphs import mixed_graph


@pytest.fixture(params=[(40,), (6, 7), (4, 3, 5)], ids=lambda shape: f"{len(shape)}-D")
def graph(request: pytest.FixtureRequest) -> MeshGraph:
    return mixed_graph(*request.param, dtype=torch.float64)


def test_the_gradient_of_a_linear_field_is_exact(graph: MeshGraph) -> None:
    slope = torch.randn(graph.pos.shape[1], 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = gradient(graph.pos @ slope + 3.0, graph)
    assert torch.allclose(found, slope.expand_as(found), rtol=1e-6)


def test_the_gradient_on_a_flat_surface_has_no_normal_part() -> None:
    flat = mixed_graph(6, 7)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0][:, :2]
    values, flat.pos = flat.pos[:, :1], flat.pos @ turn.T
    found = gradient(values, flat)[..., 0]
    assert torch.allclose(found, turn[:, 0].expand_as(found), atol=5e-3)


def test_a_node_without_neighbours_has_no_gradient() -> None:
    found = gradient(torch.ones(1, 1), MeshGraph(pos=torch.zeros(1, 2), edge_index=torch.empty(2, 0, dtype=torch.long)))
    assert torch.equal(found, torch.zeros(1, 2, 1))


def test_a_device_without_float64_is_not_asked_for_it() -> None:
    with FakeTensorMode():
        found = fields._exact(torch.empty(9, 2, device="mps"))
    assert (found.device.type, found.dtype) == ("cpu", torch.float64)


@pytest.mark.parametrize("shape", [(12,), (6, 7)])
def test_the_length_of_an_edge_between_images_says_nothing(shape: tuple[int, ...]) -> None:
    conditions = {"left": Periodic("right")}
    case = Case(Grid(shape=shape).mesh(), EQUATIONS["heat"], conditions=conditions, coefficients={"loss": 1.0})
    graph = build_graph(case, dtype=torch.float64)
    ends, across = graph.image_index.flatten(), graph.pos[:, :1]
    assert torch.allclose(gradient(across.abs(), graph)[ends, :1, 0], across[ends].sign(), rtol=1e-6)
    between, length = graph.joins_images, edge_lengths(graph)
    assert between.sum() == 2 * graph.image_index.shape[1]
    assert torch.allclose(length[between], length.max())
    weight = weigh_images(1 / length, graph)
    assert torch.equal(weight[~between], (1 / length)[~between])
    assert torch.allclose(weight[between], weight[~between].max())


def test_smoothing_keeps_constants_and_bounds_and_reaches_its_rounds(graph: MeshGraph) -> None:
    constant = torch.full((len(graph.pos), 1), 3.0, dtype=torch.float64)
    assert torch.allclose(smooth(constant, graph.mass, graph.edge_index), constant)
    spike = torch.zeros_like(constant)
    spike[0] = 1.0
    seen = smooth(spike, graph.mass, graph.edge_index, rounds=1)
    neighbours = graph.edge_index[0][graph.edge_index[1] == 0]
    assert sorted(seen.nonzero()[:, 0].tolist()) == [0, *sorted(neighbours.tolist())]
    around = graph.mass[0] + graph.mass[neighbours].sum()
    assert torch.allclose(seen[0, 0], graph.mass[0] / around)


def test_the_distance_is_that_of_the_nearest_boundary_node_of_the_same_graph(
    graph: MeshGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = graph.clone()
    moved.pos = graph.pos * 0.5 + 0.3
    surface = graph.pos[graph.boundary_index]
    expected = (graph.pos[:, None] - surface[None]).norm(dim=2).amin(1, keepdim=True)
    monkeypatch.setattr(fields, "PAIRS", 3 * len(surface))  # several blocks
    found = boundary_distance(Batch.from_data_list([graph, moved]))
    assert torch.allclose(found, torch.cat([expected, 0.5 * expected]))
    with plain_forms():
        assert torch.allclose(boundary_distance(Batch.from_data_list([graph, moved])), found)
    assert not found[graph.boundary_index].any()


def test_without_a_boundary_the_distance_is_zero(graph: MeshGraph) -> None:
    graph.boundary_index = graph.boundary_index[:0]
    assert torch.equal(boundary_distance(graph), torch.zeros_like(graph.pos[:, :1]))


def test_places_are_about_each_graphs_center_of_mass(graph: MeshGraph) -> None:
    moved = graph.clone()
    moved.pos = graph.pos + 7.0
    found = centered(Batch.from_data_list([graph, moved]))
    own, other = found.split(len(graph.pos))
    assert torch.allclose(own, other)
    assert torch.allclose(graph.mass @ own, torch.zeros(graph.pos.shape[1], dtype=torch.float64))
    assert torch.allclose(own - own[0], graph.pos - graph.pos[0])
