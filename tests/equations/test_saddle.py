"""Large Stokes problems: MINRES gives what the factorisation does, in steps whose number the mesh hardly changes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from geometries import Condition, Dirichlet, Periodic, Pressure, Roller
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, solve, solvers

INFLOW = Dirichlet(("y*(1-y)", 0))
LID = Dirichlet(("x*(1-x)", 0))
CASES: dict[str, tuple[str, dict[str, Condition]]] = {
    "channel": ("triangle", {"left": INFLOW, "right": Pressure(2), "*": Dirichlet(0)}),
    "symmetric": ("quad", {"left": INFLOW, "bottom": Dirichlet(0), "top": Roller()}),
    "closed": ("triangle", {"top": LID, "*": Dirichlet(0)}),
    "periodic": ("triangle", {"left": Periodic("right"), "bottom": Dirichlet(0), "top": Dirichlet((1, 0))}),
    "in space": ("tetra", {"left": Dirichlet(("y*(1-y)", 0, 0)), "right": Pressure(1), "*": Dirichlet(0)}),
}


def stokes(cell: str, conditions: dict[str, Condition], n: int, **more: object) -> Case:
    mesh = Grid(shape=(n,) * (3 if cell == "tetra" else 2), cell=cell, order=2).mesh()
    coefficients = {"viscosity": 3.0, "density": 2.0}
    return Case(mesh, EQUATIONS["stokes"], conditions=conditions, coefficients=coefficients, **more)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every matrix taken for a large one."""
    monkeypatch.setattr(solvers, "SADDLE_DIRECT_BELOW", 0)


@pytest.mark.parametrize("name", CASES)
def test_minres_gives_what_the_factorisation_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, conditions = CASES[name]
    case = stokes(cell, conditions, 3 if cell == "tetra" else 8, source=("y", "x", 1)[: 3 if cell == "tetra" else 2])
    direct = solve(case)
    monkeypatch.setattr(solvers, "SADDLE_DIRECT_BELOW", 0)
    found = solve(case)
    assert (direct.made_by["solver"], found.made_by["solver"]) == ("direct", "minres+amg")
    for field, values in direct.fields.items():
        np.testing.assert_allclose(found.fields[field], values, atol=1e-8 * np.abs(values).max())


def test_steps_hardly_grow_with_the_mesh(large: None) -> None:
    steps = [solve(stokes(*CASES["channel"], n)).made_by["iterations"] for n in (12, 24, 48)]
    assert max(steps) < 200
    growth = [after / before for before, after in pairwise(steps)]
    assert growth[1] < min(growth[0], 1.2)


def test_the_viscosity_does_not_change_the_steps(large: None) -> None:
    """The pressure's block carries 1/μ; with another one the iteration would slow down."""
    case = stokes(*CASES["channel"], 12)
    found = [
        solve(Case(case.mesh, case.equation, conditions=case.conditions, coefficients={"viscosity": mu}))
        for mu in (1e-3, 1.0, 1e3)
    ]
    steps = [int(s.made_by["iterations"]) for s in found]  # type: ignore[call-overload]
    assert max(steps) <= min(steps) + 40


def test_a_march_is_factorised(large: None) -> None:
    cell, conditions = CASES["closed"]
    found = solve(stokes(cell, conditions, 4, times=(0.0, 0.1)))
    assert found.made_by["solver"] == "bdf2"
