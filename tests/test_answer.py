"""A surrogate's answer to a case of every kind ends with a verdict or with words why not; polishing makes it right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometries.conditions import Dirichlet, Neumann, Periodic, Robin, Roller
from geometries.errors import MeshopsError
from geometries.families.grid import Grid
from meshops.answer import Answer, Demand, in_words, predicted, referenced, report
from meshops.data import Normalization
from meshops.equations import EQUATIONS, Case, solve
from meshops.graph import build_graph, schema_of
from meshops.operators import build
from meshops.training import Surrogate
from meshops.training.seeds import seeded
from tests.equations.manufactured import case_of


def untrained(case: Case) -> Surrogate:
    """An operator that has learned nothing, for the case's equation."""
    schema = schema_of(case.equation, case.mesh.space_dim, times=len(case.times))
    graph = build_graph(case, solve(case), schema=schema)
    options = {"width": 8, "cycles": 1}
    with seeded(0):
        operator = build("multigrid", schema, options)
    return Surrogate(operator, Normalization.fit([graph], schema), "multigrid", options)


def manufactured() -> dict[str, Case]:
    """A case of every equation that has a manufactured solution."""
    out = {}
    for name, equation in EQUATIONS.items():
        exact = equation.manufactured(2) if 2 in equation.dims else None
        if exact is not None:
            out[name] = case_of(equation, exact, Grid(shape=(6, 6)).mesh())
    return out


def special() -> dict[str, Case]:
    """Ties of both kinds, a nonlinear coefficient, quads, and times, of a flow too."""
    square, heat = Grid(shape=(6, 6)).mesh(), EQUATIONS["heat"]
    turned = replace(square, points=square.points @ np.array([[0.8, 0.6], [-0.6, 0.8]]))
    held = {"left": Dirichlet(0.0), "right": Robin(2.0, 3.0)}
    return {
        "periodic": Case(square, heat, conditions={"bottom": Periodic("top"), "left": Dirichlet("y")}, source=1.0),
        "rollers": Case(
            turned,
            EQUATIONS["elasticity"],
            conditions={"left": Roller(), "bottom": Roller(), "right": Neumann((1.0, 0.0))},
            coefficients={"young": 1.0, "poisson": 0.3},
        ),
        "nonlinear": Case(square, heat, conditions=held, coefficients={"conductivity": "1 + u**2"}, source=1.0),
        "quads": Case(Grid(shape=(6, 6), cell="quad").mesh(), heat, conditions=held, source=1.0),
        "times": Case(square, heat, conditions=held, source=1.0, times=(0.0, 0.1)),
        "flow in times": Case(square, EQUATIONS["stokes"], conditions={"left": Dirichlet(0.0)}, times=(0.0, 0.1)),
    }


CASES = manufactured() | special()


def asked(case: Case, **demand: object) -> Answer:
    return predicted(untrained(case), None, case, Demand(**demand), {})


@pytest.mark.parametrize("name", CASES)
def test_every_answer_ends_with_a_verdict_or_a_reason(name: str, tmp_path: Path) -> None:
    """Whatever the equation: in JSON, in words, and as an exit code; the true error is where a bound says."""
    case = CASES[name]
    found = asked(case)
    plain = json.loads(json.dumps(report(found), allow_nan=False))
    assert (plain["verdict"] is None) == bool(found.doubt) == case.transient
    assert any(line.startswith(("verdict: ", "no verdict: ")) for line in in_words(found))
    assert found.exit_code in (0, 3)
    found.save(tmp_path / "answer.vtu")
    if found.verdict is None:
        return
    definite = case.equation.definite and case.linear and len(case.equation.fields) == 1
    assert found.verdict.guaranteed == definite
    assert found.verdict.discretisation is not None


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if not c.transient])
def test_polishing_makes_any_answer_right(name: str) -> None:
    case = CASES[name]
    found, exact = asked(case, tolerance=1e-7, compare=True), solve(case)
    for field, values in exact.fields.items():
        assert np.abs(found.solution.fields[field] - values).max() <= 1e-4 * max(np.abs(values).max(), 1e-9), field
    assert found.verdict is not None
    assert found.verdict.word != "do not use"
    assert "polished by" in in_words(found)[0]


def test_what_has_times_is_not_polished() -> None:
    with pytest.raises(MeshopsError, match="times"):
        asked(CASES["times"], tolerance=1e-3)


def test_an_operators_directions_are_tried_and_cost_no_error() -> None:
    found = asked(CASES["quads"], tolerance=1e-8, accelerate=True)
    assert found.solution.made_by["polish"]["operator_steps"] >= 1
    assert np.allclose(found.solution.values, solve(CASES["quads"]).values, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_reference_tells_its_discretisation_error_or_why_not(name: str, tmp_path: Path) -> None:
    """Of flows on first-order meshes too; the fields are those of `solve`."""
    case = CASES[name]
    found = referenced(case, {})
    plain = json.loads(json.dumps(report(found), allow_nan=False))
    assert (plain["discretisation"] is None) == ("no_discretisation" in plain) == case.transient
    assert in_words(found)[0].startswith("discretisation error")
    for field, values in solve(case).fields.items():
        assert np.array_equal(found.solution.fields[field], values), field
    found.save(tmp_path / "answer.vtu")


@pytest.mark.parametrize("name", ["stokes", "navier_stokes"])
def test_a_channels_flow_has_no_discretisation_error_on_first_order_cells(name: str) -> None:
    """Poiseuille's parabola is one that velocities of second order hold."""
    walls = {"bottom": Dirichlet(0.0), "top": Dirichlet(0.0)}
    case = Case(Grid(shape=(6, 6)).mesh(), EQUATIONS[name], conditions={"left": Dirichlet(("y*(1-y)", 0.0)), **walls})
    found = referenced(case, {}).discretisation
    assert found is not None
    assert not found.guaranteed
    assert found.relative < 1e-4


@pytest.mark.parametrize(
    ("demand", "hint"),
    [
        ({"accelerate": True}, "--tol"),
        ({"cycles": 0}, "--sharpen"),
        ({"tolerance": 0.0}, "--tol"),
        ({"tolerance": float("nan")}, "--tol"),
    ],
)
def test_demands_that_do_not_fit_are_refused(demand: dict[str, object], hint: str) -> None:
    with pytest.raises(MeshopsError, match=hint):
        Demand(**demand)
