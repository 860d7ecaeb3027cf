"""Quantities of interest lie in their intervals; the corrected value is nearer than the field's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometries.conditions import Condition, Dirichlet, Neumann, Robin
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, assemble, solve
from meshops.trust import TrustError, certify, flux_through, mean_over, quantity, value_at
from tests.trust.cases import SHAPES, discrete_solution, random_case, random_field

GOALS = (mean_over("near"), mean_over(), value_at([0.5, 0.5, 0.5]), flux_through("left"))
STEEL = {"young": 1.0, "poisson": 0.3}


@pytest.mark.parametrize("seed", range(2 * len(SHAPES)))
def test_the_discrete_quantity_is_in_its_interval(seed: int) -> None:
    case = random_case(seed)
    exact = discrete_solution(assemble(case))
    values = random_field(case, exact, seed)
    goals = [*GOALS[:2], value_at(case.mesh.centroid), GOALS[3]]
    for goal in goals:
        truth = quantity(case.solution(exact), goal)
        found = quantity(case.solution(values), goal)
        low, high = found.interval
        slack = 1e-9 * (abs(truth.of_field) + np.abs(exact).max())
        assert low - slack <= truth.of_field <= high + slack
        assert abs(truth.corrected - truth.of_field) <= 1e-6 * (abs(truth.of_field) + np.abs(exact).max())


def test_the_correction_helps() -> None:
    case = random_case(0)
    exact = discrete_solution(assemble(case))
    values = exact * (1 + 0.05 * np.sin(3 * case.mesh.points[:, 1]))
    for goal in (mean_over("near"), flux_through("left")):
        truth = quantity(case.solution(exact), goal).of_field
        found = quantity(case.solution(values), goal)
        assert abs(found.corrected - truth) < 0.05 * abs(found.of_field - truth)


def rod(right: Condition | tuple[Condition, ...]) -> Case:
    """Heat through a square from left to right, one-dimensional: fluxes known."""
    mesh = Grid(shape=(16, 16)).mesh()
    conditions = {"left": Dirichlet(1.0), "right": right}
    return Case(mesh, EQUATIONS["heat"], conditions=conditions, coefficients={"conductivity": 2.0})


def test_fluxes_balance_and_are_those_of_the_exact_solution() -> None:
    solution = solve(rod(Dirichlet(0.0)))
    assert quantity(solution, flux_through("left")).corrected == pytest.approx(2.0, rel=1e-6)
    assert quantity(solution, flux_through("right")).corrected == pytest.approx(-2.0, rel=1e-6)
    cooled = solve(rod(Robin(2.0, 0.0)))  # resistances 1/2 and 1/2
    assert quantity(cooled, flux_through("left")).corrected == pytest.approx(1.0, rel=1e-6)
    assert quantity(cooled, flux_through("right")).corrected == pytest.approx(-1.0, rel=1e-6)
    assert quantity(cooled, mean_over()).corrected == pytest.approx(0.75, rel=1e-6)
    assert quantity(cooled, value_at([0.5, 0.5])).corrected == pytest.approx(0.75, rel=1e-6)


def test_a_flux_is_found_beside_one_that_is_given() -> None:
    """Whichever stands first."""
    both = (Robin(2.0, 0.0), Neumann(3.0))
    for conditions in (both, both[::-1]):
        solution = solve(rod(conditions))
        out, back = (quantity(solution, flux_through(name)).corrected for name in ("right", "left"))
        assert (out, back) == (pytest.approx(-2.5), pytest.approx(-0.5))


def test_a_value_that_is_given_is_known_though_nothing_is_proved() -> None:
    solution = solve(rod(Dirichlet(2.0)))
    certificate = certify(solution.case)
    doubtful = replace(certificate, contraction=replace(certificate.contraction, bound=1.01))
    assert quantity(solution, value_at([1.0, 0.5]), certificate=doubtful).interval == (2.0, 2.0)
    assert quantity(solution, value_at([0.5, 0.5]), certificate=doubtful).interval == (-np.inf, np.inf)


def test_a_point_of_no_cell_has_no_value() -> None:
    case = rod(Dirichlet(1.0))
    center = np.vstack([case.mesh.points, [[0.5, 0.48]]])
    lonely = replace(case, mesh=replace(case.mesh, points=center))
    assert quantity(solve(lonely), value_at([0.5, 0.48])).corrected == pytest.approx(1.0)


@pytest.mark.parametrize(("cell", "order"), [("triangle", 1), ("triangle", 2), ("quad", 1), ("tetra", 1)])
def test_boundaries_that_meet_share_the_flux_between_them(cell: str, order: int) -> None:
    """u = x + 2 y: each side's flux is exact; and with a source, what goes out is what is put in."""
    mesh = Grid(shape=(4, 3, 2)[: 3 if cell == "tetra" else 2], cell=cell, order=order).mesh()
    held = {name: Dirichlet("x + 2*y") for name in mesh.boundaries if name != "right"}
    linear = Case(mesh, EQUATIONS["heat"], conditions={**held, "right": Neumann(3.0)}, coefficients={"conductivity": 3})
    solution = solve(linear)
    for name in held:
        exact = {"left": -3.0, "bottom": -6.0, "top": 6.0}.get(name, 0.0)
        assert quantity(solution, flux_through(name)).corrected == pytest.approx(exact, abs=1e-9)
    heated = solve(replace(linear, source="1 + x"))
    total = sum(quantity(heated, flux_through(name)).corrected for name in held)
    assert total == pytest.approx(-3.0 - 1.5, abs=1e-9)


@pytest.mark.parametrize("cell", ["triangle", "quad"])
def test_the_mean_of_a_constant_on_curved_cells_is_the_constant(cell: str) -> None:
    grid = Grid(shape=(2, 2), cell=cell, order=2).mesh()
    radius, angle = 1 + grid.points[:, 0], np.pi / 2 * grid.points[:, 1]
    mesh = replace(grid, points=np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
    found = quantity(solve(Case(mesh, EQUATIONS["heat"], conditions={"*": Dirichlet(5.0)})), mean_over())
    assert found.interval == pytest.approx((5.0, 5.0))


def test_what_is_not_there_is_refused() -> None:
    case = rod(Dirichlet(0.0))
    solution = solve(case)
    for goal, text in ((mean_over("core"), "region"), (flux_through("lft"), "left")):
        with pytest.raises(TrustError, match=text):
            quantity(solution, goal)
    ends = (
        (value_at([0.5] * 3), "expected 2 finite"),
        (value_at([np.nan] * 2), "finite"),
        (value_at([0] * 2, 1), "0 to 0"),
    )
    for goal, text in ends:
        with pytest.raises(TrustError, match=text):
            quantity(solution, goal)
    given = replace(case, conditions={"left": Dirichlet(1.0), "right": Neumann(1.0)})
    with pytest.raises(TrustError, match="given"):
        quantity(solve(given), flux_through("right"))
    beam = Case(case.mesh, EQUATIONS["elasticity"], conditions={"left": Dirichlet(0.0)}, coefficients=STEEL)
    with pytest.raises(TrustError, match="vector"):
        quantity(solve(beam), flux_through("left"))
