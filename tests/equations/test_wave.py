"""Waves: d'Alembert's solution, sides that let them out, damping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geometries import Absorbing, Dirichlet, Neumann, Periodic, Robin
from geometries.expressions import Expression
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import Case, Wave, solve
from meshops.equations.transient import march
from tests.equations.manufactured import grid


def struck(mesh: Mesh, conditions: dict[str, Any], **given: Any) -> Case:
    return Case(mesh, Wave(), conditions=conditions, **given)


HUMP = "exp(-200*(x-0.5)**2)"


def hump(x: np.ndarray) -> np.ndarray:
    return np.exp(-200 * (x - 0.5) ** 2)


def test_dalemberts_solution() -> None:
    """From rest a hump parts into two of half its height, until they meet the ends."""
    mesh = grid("line", 2, 150)
    case = struck(
        mesh, {"*": Dirichlet(0)}, coefficients={"speed": 2.0}, initial={"displacement": HUMP}, times=(0, 0.15)
    )
    x = mesh.points[:, 0]
    found = march(case, steps=200)[0]["displacement"][-1, :, 0]
    np.testing.assert_allclose(found, (hump(x - 0.3) + hump(x + 0.3)) / 2, atol=3e-3)


@pytest.mark.parametrize(("condition", "sign"), [(Dirichlet(0), -1), (Neumann(0), 1)])
def test_held_ends_turn_a_wave_over_and_free_ends_do_not(condition: Any, sign: int) -> None:
    """After one passage each way, time 1 at speed 1, the hump is back."""
    mesh = grid("line", 2, 150)
    case = struck(mesh, {"*": condition}, initial={"displacement": HUMP}, times=(0, 1))
    found = march(case, steps=600)[0]["displacement"][-1, :, 0]
    np.testing.assert_allclose(found, sign * hump(mesh.points[:, 0]), atol=0.01)


def test_a_wave_runs_round_a_circle() -> None:
    mesh = grid("line", 2, 100)
    rate = f"400*(x-0.5)*{HUMP}"  # -c u': to the right
    start = {"displacement": HUMP, "displacement.rate": rate}
    case = struck(mesh, {"left": Periodic("right")}, initial=start, times=(0, 0.3, 1))
    found = march(case, steps=500)[0]["displacement"][:, :, 0]
    np.testing.assert_allclose(found[1], hump(mesh.points[:, 0] - 0.3), atol=0.01)
    np.testing.assert_allclose(found[2], hump(mesh.points[:, 0]), atol=0.02)


@pytest.mark.parametrize(("cell", "order"), [("line", 2), ("quad", 2)])
def test_little_comes_back_from_an_absorbing_side(cell: str, order: int) -> None:
    mesh = Grid(shape=(60,) if cell == "line" else (60, 2), cell=cell, order=order).mesh()
    case = struck(mesh, {"left": Absorbing(), "right": Absorbing()}, initial={"displacement": HUMP}, times=(0, 1.2))
    found = march(case, steps=300)[0]["displacement"][-1]
    assert np.abs(found).max() < 5e-3


def test_damping_takes_energy_at_its_rate() -> None:
    """The first mode of a string: e^(-dt/2) cos(ωt) + ..., ω² = π² - d²/4."""
    mesh, d = grid("line", 2, 20), 2.0
    case = struck(
        mesh, {"*": Dirichlet(0)}, coefficients={"damping": d}, initial={"displacement": "sin(pi*x)"}, times=(0, 1.3)
    )
    omega = np.sqrt(np.pi**2 - d**2 / 4)
    exact = np.exp(-d / 2 * 1.3) * (np.cos(1.3 * omega) + d / (2 * omega) * np.sin(1.3 * omega))
    found = march(case, steps=400)[0]["displacement"][-1, :, 0]
    np.testing.assert_allclose(found, exact * np.sin(np.pi * mesh.points[:, 0]), atol=1e-4)


def test_without_times_it_is_the_shape_at_rest() -> None:
    mesh = grid("line", 1, 10)
    found = solve(struck(mesh, {"*": Dirichlet(0)}, source=2)).values
    x = mesh.points[:, 0]
    np.testing.assert_allclose(found, x * (1 - x), atol=1e-12)


def test_adaptive_steps_follow_a_wave() -> None:
    mesh = grid("line", 2, 40)
    case = struck(mesh, {"*": Dirichlet(0)}, initial={"displacement": "sin(pi*x)"}, times=(0, 1, 2))
    found = march(case)[0]["displacement"][:, :, 0]
    np.testing.assert_allclose(found[1:], np.array([[-1.0], [1.0]]) * np.sin(np.pi * mesh.points[:, 0]), atol=0.03)


@pytest.mark.parametrize("motion", ["sin(3*t)", "min(t/0.2, 1)"])
def test_adaptive_steps_follow_an_end_that_is_moved(motion: str) -> None:
    """It starts with a jerk, and d'Alembert's wave u(x, 1) = g(x) runs from it."""
    mesh = grid("line", 2, 20)
    case = struck(mesh, {"left": Dirichlet(0), "right": Dirichlet(motion)}, times=(0, 1))
    fields, how = march(case)
    exact = Expression(motion)(mesh.points, mesh.points[:, 0])
    assert np.sqrt(np.mean((fields["displacement"][-1, :, 0] - exact) ** 2)) < 0.02
    assert how["iterations"] < 400


@pytest.mark.parametrize("steps", [0, 200])
@pytest.mark.parametrize(
    "motion", ["1", "(t>0)*1", "where(t<=1e-7, 0, 1)", "where(t<1e-3, 0, 1)", "min(t/1e-6, 1)", "min(t/1e-3, 1)"]
)
def test_fast_motions_at_the_start_do_as_a_jump_does(motion: str, steps: int) -> None:
    """The front of a jump is at x = 0.5, half a cell wide or a few; all are one within a step."""
    mesh = grid("line", 1, 40)
    case = struck(mesh, {"left": Dirichlet(0), "right": Dirichlet(motion)}, times=(0, 0.5))
    fields, how = march(case, steps=steps)
    found = fields["displacement"][-1, :, 0]
    assert np.sqrt(np.mean((found - (mesh.points[:, 0] > 0.5)) ** 2)) < 0.15
    assert np.abs(found).max() < 1.05 and how["iterations"] < 300


@pytest.mark.parametrize(("share", "least", "most"), [(0.5, 0, 0.05), (4, 0.4, 0.7)])
def test_a_spring_rings_by_what_it_is_to_the_cells_beside_it(share: float, least: float, most: float) -> None:
    """After a jump of its far end by 1, of h size/c² = `share`: at the end 1 - exp(-h t/c) until the echo is back."""
    h, times = share * 40, np.linspace(0, 0.5, 41)
    mesh = grid("line", 1, 40)
    fields, _ = march(struck(mesh, {"left": Dirichlet(0), "right": Robin(h, ambient=1)}, times=times), steps=20)
    off = np.abs(fields["displacement"][16:, -1, 0] - (1 - np.exp(-h * times[16:]))).max()
    assert least <= off <= most
