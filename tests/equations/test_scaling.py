"""Scaling: one problem in two systems of units is one graph, and dimensionless values go back to their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometries import Dirichlet, Neumann, Robin
from geometries.conditions import Condition
from geometries.families.grid import Grid
from meshops.equations import Case, Heat, solve
from meshops.graph import build_graph

MESH = Grid(shape=(3, 4, 2)).mesh()
FACTORS = st.floats(1e-4, 1e4)


def in_units(length: float = 1.0, degree: float = 1.0, zero: float = 0.0, watt: float = 1.0) -> Case:
    """One problem: lengths, temperature differences and powers in units that much smaller; temperatures from `zero`."""
    mesh = MESH.scaled(length)
    field = 3 + MESH.points[:, 1] ** 2
    conditions: Mapping[str, Condition] = {
        "left": Dirichlet(zero + degree * field[MESH.nodes(MESH.sides("left"))]),
        "right": Neumann(5 * watt / length**2),
        "top": Robin(4 * watt / degree / length**2, ambient=zero + degree * 7),
    }
    k = (1 + MESH.points[:, 0]) * watt / degree / length
    return Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": k}, source=-2 * watt / length**3)


def graph(case: Case) -> dict[str, np.ndarray]:
    found = build_graph(case, solve(case), dtype=torch.float64)
    return {name: found[name].numpy() for name in found.keys()}  # noqa: SIM118  (Data iterates over pairs)


@settings(max_examples=25)
@given(length=FACTORS, degree=FACTORS, zero=st.floats(-500, 500), watt=FACTORS)
def test_one_problem_in_other_units_is_one_graph(length: float, degree: float, zero: float, watt: float) -> None:
    ours, theirs = graph(in_units()), graph(in_units(length, degree, zero, watt))
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_allclose(
            theirs[name], values, rtol=1e-6, atol=1e-6 * max(1.0, abs(zero) / degree), err_msg=name
        )


def test_millimeters_and_meters_give_one_answer() -> None:
    meters, millimeters = in_units(), in_units(length=1000.0)
    np.testing.assert_allclose(solve(meters).values, solve(millimeters).values, rtol=1e-10)


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4))
def test_undo_undoes_apply(values: list[float]) -> None:
    case = in_units()
    scaling = case.equation.scaling(case)
    for name in scaling.quantities:
        again = scaling.undo(name, scaling.apply(name, np.array(values)))
        np.testing.assert_allclose(again, values, rtol=1e-9, atol=1e-9)


def test_scaled_fields_are_of_order_one() -> None:
    y = graph(in_units(length=1000.0, degree=1e-3, zero=293.0))["y"]
    assert 0.05 < np.sqrt((y**2).mean()) < 5


@pytest.mark.parametrize(
    "conditions",
    [{"*": Dirichlet(5)}, {"left": Dirichlet(5), "*": Robin(0)}, {"*": Robin(1e12, ambient=5)}, {"left": Robin(1e-9)}],
)
def test_a_case_without_contrast_has_a_finite_graph(conditions: Mapping[str, Condition]) -> None:
    for name, values in graph(Case(MESH, Heat(), conditions=conditions)).items():
        assert np.isfinite(values).all(), name
