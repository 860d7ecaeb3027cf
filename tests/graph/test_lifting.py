"""The lifting: the answer itself where nothing but the boundary's values drives the problem, and linear in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geometries import Dirichlet, Neumann
from geometries.families.grid import Grid
from meshops.equations import Case, Elasticity, Heat, solve
from meshops.graph import Schema, build_graph, harmonic_extension, lift, schema_of


def heat(left: float = 1.0, source: float = 0.0) -> Case:
    mesh = Grid(shape=(7, 6)).mesh()
    return Case(mesh, Heat(), conditions={"left": Dirichlet(left), "right": Dirichlet("2 + y")}, source=source)


def elastic() -> Case:
    conditions = {"left": Dirichlet([0.0, None]), "bottom": Dirichlet([None, 0.1]), "right": Neumann([1.0, 0.0])}
    mesh = Grid(shape=(4, 3)).mesh()
    return Case(mesh, Elasticity(), conditions=conditions, coefficients={"young": 2.0, "poisson": 0.3})


def test_where_only_the_boundary_drives_the_lifting_is_the_answer() -> None:
    case = heat()
    graph = build_graph(case, solve(case), torch.float64, schema=schema_of(Heat(), 2).lifted())
    torch.testing.assert_close(graph.x[:, -1:], graph.y, rtol=1e-6, atol=1e-6)
    warmed = heat(source=9.0)
    other = build_graph(warmed, solve(warmed), torch.float64, schema=schema_of(Heat(), 2).lifted())
    assert (other.x[:, -1:] - other.y).abs().max() > 0.05


def test_it_is_linear_in_the_values() -> None:
    mesh, rng = Grid(shape=(5, 4)).mesh(), np.random.default_rng(0)
    fixed = rng.random((mesh.num_points, 2)) < 0.2
    a, b = rng.normal(size=(2, *fixed.shape))
    found = harmonic_extension(mesh, fixed, 2 * a - b)
    expected = 2 * harmonic_extension(mesh, fixed, a) - harmonic_extension(mesh, fixed, b)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found[fixed], (2 * a - b)[fixed])


@pytest.mark.parametrize("case", [heat(), elastic()], ids=["heat", "elasticity"])
def test_a_graph_is_lifted_at_once_or_later(case: Case) -> None:
    plain = schema_of(case.equation, 2)
    schema = plain.lifted()
    assert schema.lifting == tuple(f"lifting.{name}" for name in plain.y)
    assert not plain.lifting
    assert set(schema.lifting) <= schema.data
    assert schema.coefficients == plain.coefficients
    assert schema.lifted() == schema == Schema.from_json(schema.to_json())
    at_once, graph = build_graph(case, schema=schema), build_graph(case)
    columns = graph.x.shape[1]
    later = lift(graph, case.mesh)
    torch.testing.assert_close(later.x, at_once.x)
    assert graph.x.shape[1] == columns == later.x.shape[1] - len(plain.y)
