"""Manufactured samples: the reference solver, given the new data, finds the new solution; for every condition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from geometries import Dirichlet, MeshopsError, Neumann, Robin
from geometries.families.grid import Grid
from meshops.data import Manufactured, Normalization
from meshops.equations import EQUATIONS, Case, Elasticity, Heat, assemble, solve
from meshops.equations.solvers import solve_system
from meshops.graph import MeshGraph, build_graph, schema_of
from meshops.training import Settings, TrainingError
from meshops.training.losses import DATA_LOSSES, Total


def heat(seed: int) -> Case:
    conditions = {"left": Dirichlet(f"{seed} + y"), "right": Neumann(2.0), "top": Robin(3.0, ambient="10 + x")}
    given = {"conductivity": "1 + x*y"}
    return Case(Grid(shape=(5 + seed, 4)).mesh(), Heat(), conditions=conditions, coefficients=given, source="x - y")


def squares(seed: int) -> Case:
    mesh = Grid(shape=(4, 3 + seed), cell="quad").mesh()
    conditions = {"*": Dirichlet("x + y")}
    return Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": [[2, 0], [0, 2]]}, source=1.0)


def elastic(seed: int) -> Case:
    conditions = {"left": Dirichlet([0.1, None]), "bottom": Dirichlet([0.0, 0.2]), "right": Neumann([1.0, 0.0])}
    given = {"young": 2.0 + seed, "poisson": 0.3}
    mesh = Grid(shape=(4, 3)).mesh()
    return Case(mesh, Elasticity(), conditions=conditions, coefficients=given, source=["x", "-1"])


def made(problem) -> tuple[list[Case], Normalization, MeshGraph, MeshGraph]:
    """Two cases, their normalization, their batch, and the batch of manufactured ones; normalized."""
    cases = [problem(seed) for seed in range(2)]
    schema = schema_of(cases[0].equation, 2)
    schema = schema.restricted(("dirichlet", "neumann", "robin"), schema.coefficients)
    plain = [build_graph(case, solve(case), torch.float64, schema=schema) for case in cases]
    for i, graph in enumerate(plain):
        graph.sample = torch.tensor([i])
    normal = Normalization.fit(plain, schema)
    batch = normal.apply(Batch.from_data_list(plain))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return cases, normal, batch, Manufactured(schema, cases.__getitem__)(batch, normal)


@pytest.mark.parametrize("problem", [heat, squares, elastic])
def test_the_reference_solves_it(problem) -> None:
    cases, normal, before, after = made(problem)
    source = [i for i in range(before.x.shape[1]) if not torch.equal(before.x[:, i], after.x[:, i])]
    assert len(source) == after.y.shape[1]
    assert (after.y - before.y).abs().max() > 0.1
    more = (after.x - before.x)[:, source] * normal.x_scale[source]
    assert not more[after.fixed].any()
    given, wanted = normal.undo(after.fixed_value), normal.undo(after.y)
    sizes = [case.mesh.num_points for case in cases]
    for case, *parts in zip(cases, *(rows.split(sizes) for rows in (more, given, after.fixed, wanted)), strict=True):
        load, values, fixed, expected = (part.numpy() for part in parts)
        system, scaling = assemble(case), case.equation.scaling(case)
        field = case.equation.fields[0].name
        weight = np.repeat(case.mesh.mass, load.shape[1]) * scaling.quantities["source"][1]
        rhs = system.rhs + weight * load.ravel()
        held = np.where(fixed, scaling.undo(field, values), 0.0).ravel()
        found = solve_system(replace(system, rhs=rhs, fixed_value=held)).values
        np.testing.assert_allclose(scaling.apply(field, found.reshape(expected.shape)), expected, atol=1e-5)


def test_values_on_the_boundary_follow() -> None:
    _, normal, before, after = made(squares)
    values = torch.nonzero((before.boundary_x - after.boundary_x).abs().amax(0))
    assert len(values) == 1
    own = after.boundary_x[:, values[0]] * normal.boundary_scale[values[0]] + normal.boundary_mean[values[0]]
    torch.testing.assert_close(own, normal.undo(after.y)[after.boundary_index], rtol=0, atol=1e-6)
    torch.testing.assert_close(after.fixed_value[after.fixed], after.y[after.fixed])
    assert torch.equal(before.pos, after.pos)


def test_each_graph_gets_a_field_of_its_own() -> None:
    _, _, before, after = made(heat)
    first, second = ((after.y - before.y)[after.batch == i] for i in range(2))
    assert (first.mean() - second.mean()).abs() > 1e-3


@pytest.mark.parametrize("name", ["hyperelasticity", "stokes", "burgers"])
def test_other_problems_are_refused(name: str) -> None:
    with pytest.raises(MeshopsError, match="train it without manufactured"):
        Manufactured(schema_of(EQUATIONS[name], EQUATIONS[name].dims[0]), heat)


def test_upwind_tests_are_refused() -> None:
    schema = schema_of(EQUATIONS["advection_diffusion"], 2)
    with pytest.raises(MeshopsError, match="upwind tests"):
        Manufactured(schema.restricted(("dirichlet",), schema.coefficients), heat)


def test_imported_data_are_refused() -> None:
    schema = replace(schema_of(Heat(), 2), equation="imported")
    assert not schema.linear
    assert {"source", "dirichlet.value"} <= schema.data
    with pytest.raises(MeshopsError, match="'imported'"):
        Manufactured(schema, heat)


def test_hybrids_are_refused() -> None:
    with pytest.raises(MeshopsError, match="one of lifting and manufactured"):
        Manufactured(schema_of(Heat(), 2).restricted(("dirichlet",), ()).lifted(), heat)


def test_beyond_its_room_a_matrix_is_assembled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshops.data.manufactured.ROOM", 0)
    read: list[int] = []
    cases, normal, before, _ = made(heat)
    schema = schema_of(Heat(), 2)
    schema = schema.restricted(("dirichlet", "neumann", "robin"), schema.coefficients)
    augmentation = Manufactured(schema, lambda i: (read.append(i), cases[i])[1])
    for _ in range(2):
        augmentation(before, normal)
    assert read == [0, 1, 0, 1]


def test_cells_of_second_order_are_refused() -> None:
    case = Case(Grid(shape=(3, 3), order=2).mesh(), Heat(), conditions={"*": Dirichlet(1.0)})
    schema = schema_of(Heat(), 2).restricted(("dirichlet",), ())
    graph = build_graph(case, solve(case), schema=schema)
    graph.sample = torch.tensor([0])
    normal = Normalization.fit([graph], schema)
    with pytest.raises(MeshopsError, match="second order"):
        Manufactured(schema, lambda _: case)(normal.apply(graph), normal)


def test_losses_that_read_the_case_are_refused() -> None:
    class Other:
        name, labels = "ritz", False

    schema = schema_of(Heat(), 2).restricted(("dirichlet",), ())
    augmentation = Manufactured(schema, heat)
    assert Settings(epochs=1, augmentation=augmentation).to_json()["augmentation"] == "manufactured"
    with pytest.raises(TrainingError, match="losses from labels"):
        Settings(epochs=1, augmentation=augmentation, loss=Total((DATA_LOSSES["labels"], Other())))
