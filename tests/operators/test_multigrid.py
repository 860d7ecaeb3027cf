"""The leading operator: affine in the data of linear problems, whatever its weights; gated sums as their plain form."""

from __future__ import annotations

import pytest
import torch

from geometries.conditions import Dirichlet, Radiation, Robin
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case
from meshops.graph import MeshGraph, Schema, build_graph, schema_of
from meshops.nn.features import Columns, data_features
from meshops.operators import Operator, OperatorError, build

LINEAR = schema_of(EQUATIONS["heat"], 2).restricted(("dirichlet", "robin"), ("conductivity",))
ROOM = {"left": Dirichlet("1 + y"), "right": Robin(2.0, "y")}


def graph_of(schema: Schema, **conditions) -> MeshGraph:
    mesh = Grid(shape=(9, 8)).mesh()
    case = Case(mesh, EQUATIONS["heat"], conditions={**ROOM, **conditions}, source="sin(5*x)")
    return build_graph(case, dtype=torch.float64, schema=schema)


def operator_of(schema: Schema) -> Operator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build("multigrid", schema, {"width": 16}).double()


def with_data(graph: MeshGraph, x: torch.Tensor, boundary_x: torch.Tensor, fixed_value: torch.Tensor) -> MeshGraph:
    """The graph with other values in the data's columns only."""
    columns, out = Columns.of(LINEAR), graph.clone()
    out.x[:, columns.x_data] = x[:, columns.x_data]
    out.boundary_x[:, columns.boundary_data] = boundary_x[:, columns.boundary_data]
    out.fixed_value = torch.where(graph.fixed, fixed_value, torch.zeros_like(fixed_value))
    return out


def parts(graph: MeshGraph) -> tuple[torch.Tensor, ...]:
    return graph.x, graph.boundary_x, graph.fixed_value


def test_the_output_is_affine_in_the_data_of_a_linear_problem() -> None:
    graph, operator, draw = graph_of(LINEAR), operator_of(LINEAR), torch.Generator().manual_seed(1)
    a, b = ([torch.randn(p.shape, generator=draw, dtype=p.dtype) for p in parts(graph)] for _ in range(2))
    mixed = [0.3 * p + 0.7 * q for p, q in zip(a, b, strict=True)]
    first, second, both = (operator(with_data(graph, *data)) for data in (a, b, mixed))
    assert not torch.allclose(first, second)
    torch.testing.assert_close(both, 0.3 * first + 0.7 * second, rtol=1e-10, atol=1e-10)


def test_it_is_not_where_a_condition_is_nonlinear() -> None:
    schema = schema_of(EQUATIONS["heat"], 2).restricted(("dirichlet", "robin", "radiation"), ("conductivity",))
    graph, operator = graph_of(schema, top=Radiation(1e-8, 300.0)), operator_of(schema)
    rows = graph.x.new_zeros(3, *graph.x.shape)
    rows[:] = graph.x
    source = schema.x.index("source")
    rows[1, :, source] += 1
    rows[2, :, source] += 2
    outs = []
    for x in rows:
        graph.x = x
        outs.append(operator(graph))
    assert (outs[0] - 2 * outs[1] + outs[2]).abs().max() > 1e-6


@pytest.mark.parametrize(("equation", "linear"), [("heat", True), ("elasticity", True), ("hyperelasticity", False)])
def test_it_knows_which_equations_are_linear(equation: str, linear: bool) -> None:
    schema = schema_of(EQUATIONS[equation], 2).restricted(("dirichlet",), ())
    assert build("multigrid", schema, {}).linear is linear


def test_loads_are_data_and_widths_fit_the_heads() -> None:
    schema = schema_of(EQUATIONS["elasticity"], 2).restricted(("dirichlet",), ("temperature_rise",))
    assert {"source.x", "source.y", "temperature_rise"} < schema.data
    for options in ({"width": 66}, {"context": 30}):
        with pytest.raises(OperatorError, match="heads"):
            build("multigrid", schema, options)


def test_every_column_is_data_or_says_what_the_problem_is() -> None:
    columns = Columns.of(LINEAR)
    data = {LINEAR.x[i] for i in columns.x_data} | {LINEAR.boundary_x[i] for i in columns.boundary_data}
    assert data == {"source", "dirichlet.value", "robin.ambient"}
    assert sorted((*columns.x_data, *columns.x_problem)) == list(range(len(LINEAR.x)))
    assert sorted((*columns.boundary_data, *columns.boundary_problem)) == list(range(len(LINEAR.boundary_x)))
    assert data_features(graph_of(LINEAR), columns).shape[1] == 4  # with the essential values
