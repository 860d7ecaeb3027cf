"""Newton's method: every nonlinear equation's derivative is the derivative of its residual."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from geometries import Dirichlet, Neumann, Radiation
from geometries.errors import SpecError
from meshops.equations import EQUATIONS, Case, Heat, solve
from meshops.equations.assembly import Assembler
from meshops.equations.solvers import SolverError, newton_on
from meshops.trust import polish
from tests.equations.manufactured import case_of, grid

SIZES = {1: ("line", 5), 2: ("triangle", 3), 3: ("tetra", 2)}


def residual(assembler: Assembler, state: np.ndarray) -> np.ndarray:
    system = assembler.system(state, assembler.case.start)
    return system.matrix @ state - system.rhs


def check(case: Case) -> None:
    assembler, rng = Assembler(case), np.random.default_rng(0)
    base = assembler.layout.join(case.start_values())
    state, step = base + 0.1 * rng.normal(size=base.shape), rng.normal(size=base.shape)
    slope = assembler.system(state, case.start).matrix @ step
    h = 1e-6
    found = (residual(assembler, state + h * step) - residual(assembler, state - h * step)) / (2 * h)
    np.testing.assert_allclose(found, slope, atol=2e-6 * np.abs(slope).max())


def nonlinear() -> list[Any]:
    found = []
    for name, equation in EQUATIONS.items():
        for dim in equation.dims:
            exact = equation.manufactured(dim)
            if exact is None:
                continue
            cell, n = SIZES[dim]
            order = 1 + any(field.lower for field in equation.fields)
            case = case_of(equation, exact, grid(cell, order, n))
            if not case.linear:
                found.append(pytest.param(case, id=f"{name}-{dim}"))
    return found


@pytest.mark.parametrize("case", nonlinear())
def test_the_matrix_is_the_derivative_of_the_residual(case: Case) -> None:
    check(case)


def test_heat_that_varies_with_temperature_has_its_derivative() -> None:
    mesh = grid("triangle", 1, 3)
    conditions = {"left": Dirichlet(1), "right": Radiation(0.3, ambient=2)}
    check(Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": "1+u**2"}, source="x"))


def test_steps_that_are_not_symmetric_are_solved_iteratively_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the conductivity varies with the field, the matrix of a step is not symmetric: GMRES takes it."""
    mesh = grid("triangle", 1, 24)
    conditions = {"left": Dirichlet(0.0), "right": Dirichlet("1 + y")}
    case = Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": "exp(2*u)"}, source=5.0)
    direct = solve(case)
    monkeypatch.setattr("meshops.equations.solvers.DIRECT_BELOW", 0)
    np.testing.assert_allclose(solve(case).values, direct.values, rtol=1e-7)


def test_newton_ends_near_enough_and_refuses_a_start_too_far() -> None:
    case = Case(
        grid("triangle", 1, 12),
        Heat(),
        conditions={"left": Dirichlet(0.0), "right": Dirichlet(2.0)},
        coefficients={"conductivity": "1 + u**2"},
    )
    assembler, exact = Assembler(case), solve(case).values
    zero = np.zeros_like(exact)
    steps = []
    for near in (1e-1, 1e-3, 1e-6):
        found = newton_on(lambda u: assembler.system(u, 0.0), zero, definite=True, near=near)
        matrix = assembler.system(exact, 0.0).matrix
        error = found.values - exact
        assert error @ (matrix @ error) <= near**2 * (exact @ (matrix @ exact))
        steps.append(found.iterations)
    assert steps == sorted(steps)
    assert steps[0] < steps[-1]
    with pytest.raises(SolverError, match="away"):
        newton_on(lambda u: assembler.system(u, 0.0), 30 * np.sin(50 * np.arange(len(exact))), definite=True, far=0.5)


def test_a_guess_from_which_no_whole_step_can_be_taken_is_refused() -> None:
    """Rough errors turn cells over: by ever shorter steps it takes longer than from zero."""
    case = Case(
        grid("triangle", 1, 6),
        EQUATIONS["hyperelasticity"],
        conditions={"bottom": Dirichlet(0), "top": Neumann((0.0, 0.3))},
        coefficients={"poisson": 0.4},
    )
    assembler, exact = Assembler(case), solve(case)
    rough = np.random.default_rng(0).standard_normal(exact.values.shape)
    rough[~np.isnan(case.fixed)] = 0.0
    guess = exact.values + 0.03 * rough

    def steps(**how: float) -> int:
        state = guess.ravel()
        return newton_on(lambda u: assembler.system(u, 0.0), state, definite=True, near=1e-3, **how).iterations

    assert steps() > exact.made_by["iterations"]
    with pytest.raises(SolverError):
        steps(far=1e9)
    record = polish(case.solution(guess), tolerance=1e-3).made_by["polish"]
    assert record["start"] == "zero"


def wire(to: float, source: float, conductivity: str) -> Case:
    conditions = {"left": Dirichlet(0), "right": Dirichlet(to)}
    return Case(grid("line", 1, 20), Heat(), conditions=conditions, coefficients={"conductivity": conductivity},
                source=source)  # fmt: skip


def test_a_step_to_a_wrong_sign_is_refused_and_a_shorter_one_taken() -> None:
    """From below, where the conductivity is small, Newton's first step goes beyond u = 1."""
    case = replace(wire(0, 4, "1-u**2"), initial={"temperature": "-3.6*x*(1-x)"})
    assembler, wrong, x = Assembler(case), [], case.mesh.points[:, 0]

    def linearised(state: np.ndarray) -> Any:
        wrong.append(assembler.system(state, 0).wrong)
        return assembler.system(state, 0)

    found = newton_on(linearised, assembler.layout.join(case.start_values()), definite=True).values
    np.testing.assert_allclose(found - found**3 / 3, 2 * x * (1 - x), atol=2e-3)
    assert any("conductivity is -" in said for said in wrong)


def test_a_state_with_a_wrong_sign_is_no_solution() -> None:
    with pytest.raises(SolverError, match=r"conductivity is -.* expected above 0"):
        solve(wire(3, 0, "2-u"))
    exact = 2 - np.sqrt(4 - 3.99 * np.linspace(0, 1, 21))
    np.testing.assert_allclose(solve(wire(1.9, 0, "2-u")).values, exact, atol=1e-2)


def test_a_coefficient_is_checked_where_it_is_integrated() -> None:
    """Above 0 at the points of the mesh and the cells' centres, and not between them."""
    with pytest.raises(SpecError, match=r"conductivity is -0\.5 somewhere; expected above 0"):
        solve(wire(0, 1, "where(abs(sin(40*pi*x))>0.5,-0.5,1)"))
