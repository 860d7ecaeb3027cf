"""`MeshGraph`: what the case says, dimensionless; another numbering is the same graph; a batch is its graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from geometries import Dirichlet, Mesh, Neumann, Periodic, Radiation, Robin
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, Heat, solve
from meshops.graph import MeshGraph, Schema, SchemaError, build_graph, coarse_batch, schema_of
from meshops.graph.levels import LEVELS
from tests.operators.graphs import renumbered


def case_on(mesh: Mesh) -> Case:
    conditions = {"left": Dirichlet("1 + y"), "right": Neumann(2), "*": Robin("1 + x", ambient=3)}
    return Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": "1 + x"}, source="x*y")


def graph_of(case: Case) -> MeshGraph:
    return build_graph(case, solve(case), dtype=torch.float64)


CASES = {
    "triangle": case_on(Grid(shape=(6, 5)).mesh()),
    "triangle-2": case_on(Grid(shape=(3, 4), order=2).mesh()),
    "quad": case_on(Grid(shape=(5, 4), cell="quad").mesh()),
    "tetra": case_on(Grid(shape=(3, 2, 4)).mesh()),
    "tetra-2": case_on(Grid(shape=(2, 2, 2), order=2).mesh()),
    "hexahedron": case_on(Grid(shape=(3, 3, 2), cell="hexahedron").mesh()),
}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def column(graph: MeshGraph, case: Case, name: str) -> np.ndarray:
    """(M,) one column of `boundary_x`."""
    return graph.boundary_x[:, schema_of(case.equation, case.mesh.space_dim).boundary_x.index(name)].numpy()


@every
def test_edges_go_both_ways_sorted_by_target(case: Case) -> None:
    source, target = graph_of(case).edge_index.numpy()
    assert len(source) == 2 * len(case.mesh.edges)
    assert np.array_equal(np.lexsort((source, target)), np.arange(len(source)))
    both = set(zip(source.tolist(), target.tolist(), strict=True))
    assert both == {(b, a) for a, b in both}
    assert {tuple(e) for e in case.mesh.edges.tolist()} == {e for e in both if e[0] < e[1]}


@every
def test_lengths_are_in_units_of_the_case(case: Case) -> None:
    graph, mesh = graph_of(case), case.mesh
    mass, pos = graph.mass.numpy(), graph.pos.numpy()
    assert mass.sum() == pytest.approx(mesh.measure.sum() / mesh.length**mesh.dim)
    np.testing.assert_allclose(mass @ pos, 0, atol=1e-12)
    assert mass @ (pos**2).sum(1) / mass.sum() == pytest.approx(1)


@every
def test_columns_are_what_the_schema_names(case: Case) -> None:
    graph, schema = graph_of(case), schema_of(case.equation, case.mesh.space_dim)
    widths = (graph.x.shape[1], graph.boundary_x.shape[1], graph.y.shape[1], graph.theta.shape[1])
    assert widths == (len(schema.x), len(schema.boundary_x), len(schema.y), len(schema.theta))
    assert Schema.from_json(schema.to_json()) == schema
    scaling = case.equation.scaling(case)
    k = np.exp(graph.x[:, schema.x.index("conductivity")].numpy())
    np.testing.assert_allclose(scaling.undo("conductivity", k), 1 + case.mesh.points[:, 0])
    f = graph.x[:, schema.x.index("source")].numpy()
    np.testing.assert_allclose(scaling.undo("source", f), case.loads, atol=1e-12)


def test_a_source_that_changes_in_time_has_a_column_for_each_time() -> None:
    mesh, times = Grid(shape=(4, 3)).mesh(), (1.0, 1.5, 2.0)
    case = Case(mesh, Heat(), conditions={"left": Dirichlet(0)}, source="t*(1 + x)", times=times)
    schema, scaling = schema_of(case.equation, 2, times=3), case.equation.scaling(case)
    graph = build_graph(case, dtype=torch.float64)
    for time, name in zip(times, ("source", "source@1", "source@2"), strict=True):
        found = scaling.undo("source", graph.x[:, schema.x.index(name)].numpy())
        np.testing.assert_allclose(found, time * case.loads, atol=1e-12)
    assert {"source@1", "source@2"} < schema.data
    assert not any("@" in name for name in schema.coefficients)
    steady = schema.restricted(schema.kinds, schema.coefficients)
    assert not steady.moving
    with pytest.raises(SchemaError, match="changes in time"):
        build_graph(case, schema=steady)
    still = replace(case, source="1 + x")
    graph = build_graph(still, dtype=torch.float64, schema=schema)
    assert torch.equal(graph.x[:, schema.x.index("source@2")], graph.x[:, schema.x.index("source")])


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"conditions": {"left": Robin(1, ambient="20 + t")}}, "ambient on 'left'"),
        ({"conditions": {"left": Neumann("t*y")}}, "value on 'left'"),
        ({"coefficients": {"conductivity": "1 + t"}}, "conductivity"),
    ],
)
def test_what_changes_in_time_unseen_is_refused(given: dict, what: str) -> None:
    case = Case(Grid(shape=(4, 3)).mesh(), Heat(), **{"conditions": {}, **given}, times=(0, 1))
    with pytest.raises(SchemaError, match=f"{what} changes in time"):
        build_graph(case)
    held = replace(case, conditions={"left": Dirichlet("t*y")}, coefficients={})
    assert build_graph(held).fixed_value.any()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"times": (0, 0.1, 1)}, "equal steps"),
        ({"coefficients": {"conductivity": [[10, 0], [0, 1]]}}, "conductivity is a tensor that differs by direction"),
        ({"coefficients": {"conductivity": [["1 + u", 0], [0, "1 + 9*u"]]}}, "or depends on the field"),
    ],
)
def test_what_graphs_cannot_tell_apart_is_refused(given: dict, what: str) -> None:
    case = Case(Grid(shape=(4, 3)).mesh(), Heat(), conditions={"left": Dirichlet(0)}, **given)
    with pytest.raises(SchemaError, match=what):
        build_graph(case)
    build_graph(replace(case, coefficients={"conductivity": [[2, 0], [0, 2]]}, times=()))
    build_graph(replace(case, coefficients={"conductivity": "1 + u"}, times=(0, 0.333333, 0.666667, 1)))


def test_conditions_on_inner_sides_are_told() -> None:
    mesh = Grid(shape=(6, 5)).mesh()
    row = {tuple(sorted(pair)) for pair in zip(range(7 * 2, 7 * 3 - 1), range(7 * 2 + 1, 7 * 3), strict=True)}
    inside = np.flatnonzero(np.abs(mesh.points[:, 1] - mesh.points[14, 1]) < 1e-9)
    assert row <= {tuple(sorted(e)) for e in mesh.edges.tolist()}
    cells = mesh.cells["triangle"]
    lower = [(c, k) for c, cell in enumerate(cells) for k in range(3) if {cell[k], cell[(k + 1) % 3]} <= set(inside)]
    _, once = np.unique(mesh.facet_ids(np.array(lower)), return_index=True)
    mesh = replace(mesh, boundaries={**mesh.boundaries, "line": np.array(lower)[once]})
    case = Case(mesh, Heat(), conditions={"left": Dirichlet(0), "line": Neumann(50)})
    graph = graph_of(case)
    at = case.mesh.nodes(mesh.sides("line"))
    assert set(at) <= set(graph.boundary_index.tolist())
    place = np.searchsorted(graph.boundary_index.numpy(), np.setdiff1d(at, case.mesh.nodes(mesh.outer)))
    assert (column(graph, case, "neumann")[place] == 1).all()
    assert (column(graph, case, "neumann.value")[place] != 0).all()


@pytest.mark.parametrize("shape", [(12,), (6, 5), (3, 3, 3)])
def test_periodic_images_are_joined_and_told(shape: tuple[int, ...]) -> None:
    pairs = {"left": Periodic("right"), "bottom": Periodic("top")} if len(shape) > 1 else {"left": Periodic("right")}
    case = Case(Grid(shape=shape).mesh(), Heat(), conditions=pairs, coefficients={"loss": 1.0}, source="sin(5*x)")
    graph, n = graph_of(case), case.mesh.num_points
    image, own = graph.image_index.numpy()
    assert not set(image) & set(own)
    assert len(set(image)) == len(image) == n - len(set(np.setdiff1d(np.arange(n), image)))
    torch.testing.assert_close(graph.y[image], graph.y[own])
    assert_joined(graph.edge_index, image, own)
    for level in graph.levels:
        image, own = level.cluster.numpy()[np.stack([image, own])]
        assert_joined(level.edge_index, image, own)
    held = column(graph, case, "periodic")
    outer = graph.boundary_index.numpy()
    points = case.mesh.points[outer]
    inner = np.abs(points[:, 0] - points[:, 0].mean()) < 0.49 * np.ptp(points[:, 0])
    assert (held[~inner] > 0).all()


def assert_joined(edge_index: torch.Tensor, image: np.ndarray, own: np.ndarray) -> None:
    edges = {tuple(e) for e in edge_index.T.tolist()}
    assert len(edges) == edge_index.shape[1]
    assert all(a == b or ((a, b) in edges and (b, a) in edges) for a, b in zip(image, own, strict=True))


def test_a_partner_is_periodic_whatever_else_it_has() -> None:
    mesh = Grid(shape=(3, 3)).mesh()
    case = Case(mesh, Heat(), conditions={"left": Periodic("right"), "right": Neumann(3), "top": Dirichlet(0)})
    graph = build_graph(case)
    held = dict(zip(graph.boundary_index.tolist(), column(graph, case, "periodic").tolist(), strict=True))
    left, right = ([held[i] for i in mesh.nodes(mesh.sides(name)).tolist()] for name in ("left", "right"))
    assert left == right == [0.5, 1.0, 1.0, 0.5]  # half of what a corner has is of another side


def test_a_partner_of_two_is_told_once() -> None:
    """Three ends of a line in the plane: two images of one."""
    points = np.array([[0.0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]])
    ends = {name: np.array([[cell, end]]) for name, cell, end in (("a", 0, 0), ("b", 1, 1), ("c", 2, 0))}
    mesh = Mesh(points=points, cells={"line": np.array([[0, 1], [1, 2], [3, 4], [4, 5]])}, boundaries=ends)
    conditions = {"a": Periodic("b"), "c": Periodic("b")}
    case = Case(mesh, Heat(), conditions=conditions, coefficients={"loss": 1.0})
    graph = build_graph(case)
    held = dict(zip(graph.boundary_index.tolist(), column(graph, case, "periodic").tolist(), strict=True))
    assert held == {0: 1.0, 2: 1.0, 3: 1.0, 5: 0.0}


@every
def test_the_boundary_has_its_size(case: Case) -> None:
    graph, mesh = graph_of(case), case.mesh
    total = mesh.side_geometry(mesh.outer)[2].sum() / mesh.length ** (mesh.dim - 1)
    assert (graph.boundary_mass > 0).all()
    assert graph.boundary_mass.sum().item() == pytest.approx(total)


def test_a_graph_in_float64_leaves_the_one_it_is_of() -> None:
    graph = build_graph(CASES["triangle"])
    assert graph.double().pos.dtype == torch.float64
    assert graph.pos.dtype == torch.float32


@every
def test_each_boundary_point_shares_its_area_among_its_conditions(case: Case) -> None:
    graph, mesh = graph_of(case), case.mesh
    shares = {kind: column(graph, case, kind) for kind in ("dirichlet", "neumann", "robin")}
    np.testing.assert_allclose(sum(shares.values()), 1)
    weight = column(graph, case, "weight") * mesh.length ** (mesh.dim - 1)
    for kind, sides in (("dirichlet", mesh.sides("left")), ("neumann", mesh.sides("right")), ("robin", None)):
        area = 1 if sides is not None else 2 * mesh.dim - 2  # of the unit box
        assert weight @ shares[kind] == pytest.approx(area)
        if sides is not None:
            held = graph.boundary_index.numpy()[shares[kind] > 0]
            assert set(held) == set(mesh.nodes(sides))


@every
def test_normals_are_unit_and_point_outwards(case: Case) -> None:
    graph, mesh = graph_of(case), case.mesh
    normals = np.stack([column(graph, case, f"normal.{axis}") for axis in "xyz"[: mesh.dim]], axis=1)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    outwards = mesh.points[graph.boundary_index.numpy()] - 0.5
    assert ((normals * outwards).sum(1) > 0).all()


@every
def test_condition_values_are_dimensionless(case: Case) -> None:
    graph, scaling = graph_of(case), case.equation.scaling(case)
    points = case.mesh.points[graph.boundary_index.numpy()]
    on = {kind: column(graph, case, kind) > 0 for kind in ("dirichlet", "neumann", "robin")}
    levels = scaling.undo("dirichlet.value", column(graph, case, "dirichlet.value"))
    np.testing.assert_allclose(levels[on["dirichlet"]], (1 + points[:, 1])[on["dirichlet"]])
    fluxes = scaling.undo("neumann.value", column(graph, case, "neumann.value"))
    np.testing.assert_allclose(fluxes[on["neumann"]], 2)
    assert not column(graph, case, "neumann.value")[~on["neumann"]].any()
    biot = scaling.apply("robin.coefficient", 1 + points[:, 0])
    np.testing.assert_allclose(column(graph, case, "robin.coefficient")[on["robin"]], np.log1p(biot)[on["robin"]])
    ambient = scaling.apply("robin.ambient", np.array(3.0)) * biot / (1 + biot)
    np.testing.assert_allclose(column(graph, case, "robin.ambient")[on["robin"]], ambient[on["robin"]])


def test_where_two_parts_of_a_kind_meet_their_values_are_averaged_by_area() -> None:
    grid = Grid(shape=(1, 1), cell="quad").mesh()
    mesh = Mesh(points=grid.points * [3, 1], cells=grid.cells, boundaries=grid.boundaries)
    case = Case(mesh, Heat(), conditions={"left": Neumann(8), "bottom": Neumann(4), "right": Dirichlet(0)})
    flux = case.equation.scaling(case).undo("neumann.value", column(graph_of(case), case, "neumann.value"))
    np.testing.assert_allclose(flux[0], (1 * 8 + 3 * 4) / 4)
    np.testing.assert_allclose(column(graph_of(case), case, "neumann")[[0, 2]], [1, 1 / 4])  # top has no condition


@every
def test_fixed_values_and_fields_go_back_to_the_case(case: Case) -> None:
    answer, scaling = solve(case), case.equation.scaling(case)
    graph = build_graph(case, answer, dtype=torch.float64)
    fixed = graph.fixed[:, 0].numpy()
    assert np.array_equal(fixed, ~np.isnan(case.fixed[:, 0]))
    np.testing.assert_allclose(scaling.undo("temperature", graph.y[:, 0].numpy()), answer.values)
    np.testing.assert_allclose(graph.fixed_value[fixed].numpy(), graph.y[fixed].numpy(), atol=1e-12)
    assert not graph.fixed_value[~fixed].any()
    assert "y" not in build_graph(case)


@every
def test_boundary_edges_are_edges_between_boundary_points(case: Case) -> None:
    graph, mesh = graph_of(case), case.mesh
    index = graph.boundary_index.numpy()
    assert np.array_equal(index, mesh.nodes(mesh.outer))
    source, target = index[graph.boundary_edge_index.numpy()]
    pairs = {(int(a), int(b)) for a, b in zip(source, target, strict=True)}
    assert len(pairs) == len(source)
    assert pairs == {(b, a) for a, b in pairs}
    assert {p for p in pairs if p[0] < p[1]} <= {tuple(e) for e in mesh.edges.tolist()}
    if mesh.dim == 2:
        assert (np.bincount(source)[index] == 2).all()  # a closed curve


@every
def test_another_numbering_is_the_same_graph(case: Case) -> None:
    order = np.random.default_rng(0).permutation(case.mesh.num_points)
    ours, theirs = graph_of(case), graph_of(renumbered(case, order))
    for name in ("pos", "x", "y", "mass", "fixed", "fixed_value"):
        np.testing.assert_allclose(theirs[name], ours[name][order], atol=1e-9, err_msg=name)
    there = np.argsort(order[theirs.boundary_index.numpy()])
    np.testing.assert_allclose(theirs.boundary_x[there], ours.boundary_x, atol=1e-9)
    edges = order[theirs.edge_index.numpy()]
    assert {tuple(e) for e in edges.T} == {tuple(e) for e in ours.edge_index.numpy().T}
    assert np.array_equal(theirs.cluster_1, ours.cluster_1[order])
    assert all(torch.equal(theirs[f"cluster_{i}"], ours[f"cluster_{i}"]) for i in range(2, LEVELS + 1))


def test_a_batch_is_its_graphs() -> None:
    graphs = [graph_of(CASES["triangle"]), graph_of(CASES["quad"]), graph_of(CASES["triangle-2"])]
    batch = Batch.from_data_list(graphs)
    assert batch.size == 3
    for again, graph in zip(batch.to_data_list(), graphs, strict=True):
        assert set(again.keys()) == set(graph.keys())
        assert all(torch.equal(again[name], graph[name]) for name in graph.keys())  # noqa: SIM118
    first, second = graphs[0], graphs[1]
    n = first.num_nodes
    assert torch.equal(batch.edge_index[:, first.num_edges :][:, : second.num_edges], second.edge_index + n)
    m = len(first.boundary_index)
    assert torch.equal(batch.boundary_index[m:][: len(second.boundary_index)], second.boundary_index + n)
    own = batch.graph_of_node
    for index, level in zip(coarse_batch(own, batch.levels), batch.levels, strict=True):
        assert torch.equal(own, index[level.cluster])  # a cluster lies in one graph
        assert torch.equal(index[level.edge_index[0]], index[level.edge_index[1]])
        assert torch.equal(index, index.sort().values)
        own = index


@every
def test_levels_are_those_of_the_graph(case: Case) -> None:
    graph = graph_of(case)
    assert len(graph.levels) == LEVELS
    assert graph.size == 1
    assert not graph.graph_of_node.any()
    for level in graph.levels:
        assert level.num_nodes == len(level.mass) == int(level.cluster.max()) + 1
        assert level.mass.sum().item() == pytest.approx(graph.mass.sum().item())


def test_floats_have_the_type_asked_for() -> None:
    case = CASES["triangle"]
    single = build_graph(case)
    assert {single.pos.dtype, single.x.dtype, single.boundary_x.dtype, single.mass_1.dtype} == {torch.float32}
    assert {single.double().pos.dtype, single.double().mass_2.dtype} == {torch.float64}
    assert single.edge_index.dtype == single.cluster_1.dtype == torch.int64
    assert single.fixed.dtype == torch.bool


# -- what a nonlinear problem's size changes ---------------------------------------------------------------------------
def test_the_size_of_loads_shows_where_the_answer_is_not_proportional_to_them() -> None:
    """Twice the load is the same scaled problem where it is linear; else only a number tells them apart."""
    mesh = Grid(shape=(4, 3)).mesh()
    found = {}
    for name in ("plane_stress", "hyperelasticity"):
        for load in (0.1, 0.2):
            conditions = {"left": Dirichlet(0), "right": Neumann((load, 0.0))}
            case = Case(mesh, EQUATIONS[name], conditions=conditions, coefficients={"poisson": 0.3})
            found[name, load] = build_graph(case, dtype=torch.float64)
    for name, expected in (("plane_stress", []), ("hyperelasticity", [np.log(2)])):
        once, twice = found[name, 0.1], found[name, 0.2]
        torch.testing.assert_close(once.boundary_x, twice.boundary_x)
        torch.testing.assert_close(once.x, twice.x)
        assert (twice.theta - once.theta).ravel().tolist() == pytest.approx(expected)


def heated(law: float | str, *, far: Robin | Radiation, by: float = 1.0) -> Case:
    """A strip between 300 and 300 + 100 `by` degrees."""
    conditions = {"left": Dirichlet(300.0), "right": Dirichlet(300.0 + 100 * by), "top": far}
    return Case(Grid(shape=(4, 3)).mesh(), Heat(), conditions=conditions, coefficients={"conductivity": law})


def test_the_numbers_of_heat_are_its_level_where_it_radiates_and_the_slope_of_its_conductivity() -> None:
    plain, air = Robin(2.0, ambient=300.0), Radiation(1e-9, ambient=300.0)
    linear, radiating = heated(9.0, far=plain), heated(9.0, far=air)
    falling = heated("9000/u", far=plain)
    numbers = [case.equation.scaling(case).numbers for case in (linear, radiating, falling)]
    assert list(numbers[0].values()) == [0, 0]
    level, scale = falling.equation.scaling(falling).quantities["temperature"]
    assert numbers[2]["conductivity.slope"] == pytest.approx(-scale / level)
    level, scale = radiating.equation.scaling(radiating).quantities["temperature"]
    assert np.sinh(numbers[1]["radiation.level"]) == pytest.approx(level / scale)


def test_graphs_without_a_column_for_it_refuse_a_coefficient_that_depends_on_the_field() -> None:
    case = heated("9000/u", far=Robin(2.0, ambient=300.0))
    schema = schema_of(case.equation, 2).restricted(("dirichlet", "robin"), ("conductivity",))
    assert schema.linear
    assert not schema_of(case.equation, 2).restricted(("dirichlet",), ("conductivity",), ("conductivity",)).linear
    with pytest.raises(SchemaError, match="conductivity depends on the field"):
        build_graph(case, schema=schema)


@pytest.mark.parametrize(
    "schema",
    [
        schema_of(Heat(), 2, times=3),
        schema_of(Heat(), 2),
        schema_of(Heat(), 3, times=5),
        schema_of(EQUATIONS["elasticity"], 2, times=5),
    ],
)
def test_a_schema_of_another_problem_is_refused(schema: Schema) -> None:
    times = (0.0, 0.25, 0.5, 0.75, 1.0)
    case = Case(Grid(shape=(4, 3)).mesh(), Heat(), conditions={"left": Dirichlet(0)}, times=times)
    assert build_graph(case, schema=schema_of(Heat(), 2, times=5)).fixed.shape[1] == 4
    with pytest.raises(SchemaError, match=r"are \('heat', 2, 5\); the schema is of") as caught:
        build_graph(case, schema=schema)
    assert "\n" not in str(caught.value)
