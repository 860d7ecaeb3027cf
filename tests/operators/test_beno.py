"""BENO: what each branch sees."""

from __future__ import annotations

import pytest
import torch

from meshops.graph import MeshGraph
from meshops.operators import BENO
from tests.operators.graphs import mixed_graph, schema


@pytest.fixture
def graph() -> MeshGraph:
    return mixed_graph(6, 5, dtype=torch.float64)


@pytest.fixture(params=[False, True], ids=["tokens", "local"])
def beno(request: pytest.FixtureRequest) -> BENO:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BENO(schema(2), width=16, steps=2, layers=1, local=request.param).double()


def changed(graph: MeshGraph, **columns: list[int]) -> MeshGraph:
    out = graph.clone()
    for key, which in columns.items():
        out[key] = graph[key].clone()
        out[key][:, which] += 1.0
    return out


def test_the_branches_share_neither_source_nor_values(beno: BENO, graph: MeshGraph) -> None:
    """u(f, g) = u₁(f) + u₂(g), so the change that a new source makes does not depend on the values."""
    source, values = {"x": beno.source}, {"boundary_x": beno.values}
    both, none = beno.predict(changed(graph, **source, **values)), beno.predict(graph)
    only_source, only_values = beno.predict(changed(graph, **source)), beno.predict(changed(graph, **values))
    assert torch.allclose(both - only_values, only_source - none, rtol=1e-10, atol=1e-12)
    for change in (only_source - none, only_values - none):  # not nil: far above the rounding allowed before
        assert change.abs().max() > 1e-6


def test_no_input_of_a_branch_holds_what_is_the_others(beno: BENO, graph: MeshGraph) -> None:
    new_source, new_values = changed(graph, x=beno.source), changed(graph, boundary_x=beno.values)
    for part in ("node", "edge", "token"):
        second = [getattr(beno.inputs(g)[1], part) for g in (graph, new_source)]
        first = [getattr(beno.inputs(g)[0], part) for g in (graph, new_values)]
        assert torch.equal(*second)
        assert torch.equal(*first)


def test_a_lifting_is_of_the_conditions_alone(graph: MeshGraph) -> None:
    operator = BENO(schema(2).lifted(), width=8, steps=1).double()
    graph.x = torch.cat([graph.x, graph.y], 1)
    again = changed(graph, x=operator.lifting)
    for part in ("node", "edge", "token"):
        assert torch.equal(*(getattr(operator.inputs(g)[0], part) for g in (graph, again)))
    assert not torch.equal(*(operator.inputs(g)[1].node for g in (graph, again)))
    assert not torch.equal(operator.predict(graph), operator.predict(again))


def test_the_columns_are_told_apart_by_name() -> None:
    operator = BENO(schema(2), width=8, steps=1)
    names = operator.schema.boundary_x
    assert [names[i] for i in operator.values] == [
        "dirichlet.value", "neumann.value", "robin.ambient", "radiation.ambient",
    ]  # fmt: skip
    assert [operator.schema.x[i] for i in operator.source] == ["source"]


def test_a_boundary_may_be_missing(graph: MeshGraph) -> None:
    graph.boundary_index, graph.boundary_x = graph.boundary_index[:0], graph.boundary_x[:0]
    graph.boundary_edge_index = graph.boundary_edge_index[:, :0]
    assert BENO(schema(2), width=8, steps=1).double().predict(graph).isfinite().all()
