"""Operators against what their papers say: sizes, and forms that can be written in one line."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import ChebConv as PyGChebConv

from meshops.equations import EQUATIONS
from meshops.graph import schema_of
from meshops.nn import Neighbors, node_features, symmetric_weights
from meshops.operators import OPERATORS, OperatorError, build
from meshops.operators.chebnet import ChebConv
from meshops.operators.gno import within
from meshops.operators.mgno import VCycle, _grids
from tests.operators.graphs import mixed_graph, schema, small

PARAMETERS = {"beno": 8.74e6, "transolver": 713_665, "chebnet": 280_835, "meshgraphnet": 2.33e6}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_default_has_the_papers_size(name: str) -> None:
    count = sum(p.numel() for p in OPERATORS[name](schema(2)).parameters())
    assert 0.9 * PARAMETERS[name] < count < 1.1 * PARAMETERS[name]


def test_chebyshev_convolutions_are_those_of_torch_geometric() -> None:
    graph = mixed_graph(6, 5, dtype=torch.float64)
    edge_index, n = graph.edge_index, len(graph.pos)
    length = (graph.pos[edge_index[0]] - graph.pos[edge_index[1]]).norm(dim=1)
    ours, theirs = ChebConv(4, 5).double(), PyGChebConv(4, 4, 5, normalization="sym").double()
    for k, lin in enumerate(theirs.lins):
        lin.weight.data = ours.mix.weight[:, 4 * k : 4 * k + 4].detach().clone()
    theirs.bias.data = ours.mix.bias.detach().clone()
    h = torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = ours(h, Neighbors.of(edge_index, n), -symmetric_weights(length, edge_index, n))
    assert torch.allclose(out, theirs(h, edge_index, length), rtol=1e-12, atol=1e-12)


def test_mp_pde_decodes_a_bundle_as_the_paper_does() -> None:
    given = schema_of(EQUATIONS["heat"], 2, times=26)
    decoder = build("mp_pde", given, {"steps": 1}).decode
    assert [(c.kernel_size, c.stride) for c in (decoder[0], decoder[2])] == [((16,), (3,)), ((14,), (1,))]
    with pytest.raises(OperatorError, match="width is 16 for 25 times; expected at least 82"):
        build("mp_pde", given, {"width": 16})


@pytest.mark.parametrize("times", [2, 3, 9, 10, 26, 101])
def test_mp_pde_tells_the_least_width_that_bundles_the_times(times: int) -> None:
    given = schema_of(EQUATIONS["heat"], 2, times=times + 1)
    with pytest.raises(OperatorError, match=f"for {times} times; expected at least") as caught:
        build("mp_pde", given, {"width": 1})
    least = int(str(caught.value).rstrip(".").split()[-1])
    assert build("mp_pde", given, {"width": least, "steps": 1})
    with pytest.raises(OperatorError, match=f"expected at least {least}"):
        build("mp_pde", given, {"width": least - 1})


@pytest.mark.parametrize("resolution", [2, 3])
def test_a_grid_without_a_cell_inside_is_refused(resolution: int) -> None:
    assert build("fno", schema(2), {"resolution": 4, "modes": 1})
    with pytest.raises(OperatorError, match=f"resolution is {resolution}; expected at least 4"):
        build("fno", schema(2), {"resolution": resolution, "modes": 1})


def test_mp_pde_starts_from_the_initial_field() -> None:
    """The columns are those of the schema: time after time, and near the start the start."""
    given = schema_of(EQUATIONS["heat"], 2, times=5)
    operator, graph = small("mp_pde", given), mixed_graph(6, 5)
    graph.x = torch.randn(len(graph.pos), len(given.x))
    graph.theta = torch.zeros(1, len(given.theta))
    graph.boundary_x = torch.randn(len(graph.boundary_index), len(given.boundary_x))
    graph.fixed_value = graph.fixed_value.expand(-1, 4)
    start = graph.x[:, [given.x.index("initial.temperature")]]
    for part in operator.decode[2].parameters():
        part.data.zero_()
    assert torch.equal(operator.predict(graph), start.expand(-1, 4))
    operator.decode[2].bias.data.fill_(1.0)
    assert torch.allclose(operator.predict(graph), start + torch.tensor([0.25, 0.5, 0.75, 1.0]))


def test_the_v_cycle_of_mgno_is_linear() -> None:
    graph = mixed_graph(6, 5, dtype=torch.float64)
    cycle, grids = VCycle(3, 4, edge=5, rank=2).double(), _grids(graph)
    f, g = torch.randn(2, len(graph.pos), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(cycle(2 * f - g, grids), 2 * cycle(f, grids) - cycle(g, grids), rtol=1e-10, atol=1e-12)


def test_more_iterations_come_to_rest_at_the_fixed_point_of_pign() -> None:
    graph = mixed_graph(6, 5, dtype=torch.float64)
    few, many = (small("pign", 2, steps=steps).double().predict(graph) for steps in (100, 101))
    assert (many - few).abs().max() < 1e-6 * many.abs().max()


def test_coral_finds_codes_that_fit_the_features() -> None:
    graph, operator = mixed_graph(6, 5), small("coral", 2)
    features = node_features(graph, operator.schema)

    def misfit(code: torch.Tensor) -> float:
        return (operator.input(graph.pos, code, graph.graph_of_node) - features).square().mean().item()

    assert misfit(operator.encode(graph)) < misfit(torch.zeros(1, 8))


def test_two_hops_reach_the_neighbours_of_neighbours() -> None:
    graph = mixed_graph(6, 5)
    n = len(graph.pos)
    near = torch.eye(n)
    near[graph.edge_index[1], graph.edge_index[0]] = 1
    target, source = (near @ near).fill_diagonal_(0).nonzero(as_tuple=True)
    assert torch.equal(within(graph.edge_index, n, 2), torch.stack([source, target]))
    assert small("gno", 2, hops=2).predict(graph).isfinite().all()


def test_coral_descends_in_bounded_steps() -> None:
    """Whatever the features: a code is at most the sum of its steps, each no longer than the rate."""
    operator, graph = build("coral", schema(2), {}), mixed_graph(6, 5)
    graph.x = 1e12 * torch.ones_like(graph.x)
    code = operator.encode(graph)
    assert code.isfinite().all()
    assert code.norm(dim=1).max() <= operator.steps * operator.rate.max() * (1 + 1e-5)
