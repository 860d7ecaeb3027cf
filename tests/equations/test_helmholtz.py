"""Waves of one frequency: plane waves, resonances, damping, open sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geometries import Absorbing, Dirichlet, Neumann, Periodic
from geometries.mesh import Mesh
from meshops.equations import Case, DampedHelmholtz, Helmholtz, solve
from tests.equations.manufactured import grid


def damped(mesh: Mesh, conditions: dict[str, Any], k: float, loss: float = 0.0, **given: Any) -> Case:
    coefficients = {"wavenumber": k, "loss_factor": loss}
    return Case(mesh, DampedHelmholtz(), conditions=conditions, coefficients=coefficients, **given)


def amplitude(case: Case) -> np.ndarray:
    real, imag = solve(case).values.T
    return real + 1j * imag


@pytest.mark.parametrize(("cell", "order"), [("line", 2), ("triangle", 2), ("quad", 2), ("tetra", 2)])
def test_a_wave_let_in_leaves(cell: str, order: int) -> None:
    """E^(ikx) from the left, where q = -2ik, to the right: no reflection, the same amplitude everywhere."""
    k = 6.0 if cell == "tetra" else 15.0
    mesh = grid(cell, order, 5 if cell == "tetra" else 20)
    conditions = {"left": (Absorbing(), Neumann((0.0, -2 * k))), "right": Absorbing()}
    found = amplitude(damped(mesh, conditions, k))
    np.testing.assert_allclose(found, np.exp(1j * k * mesh.points[:, 0]), atol=0.04)


def test_a_closed_end_reflects_all() -> None:
    """E^(ik(x-1)) + e^(-ik(x-1)) before a rigid end: a standing wave of twice the amplitude."""
    k, mesh = 10.0, grid("line", 2, 40)
    found = amplitude(damped(mesh, {"left": (Absorbing(), Neumann((0.0, -2 * k)))}, k))
    np.testing.assert_allclose(np.abs(found), np.abs(2 * np.cos(k * (mesh.points[:, 0] - 1))), atol=1e-3)


@pytest.mark.parametrize("loss", [0.05, 0.5])
def test_damped_waves_fade(loss: float) -> None:
    """From a wall that moves, u = e^(iKx) with K² = k²(1 + iη); the far end is held to it."""
    k, mesh = 40.0, grid("line", 2, 200)
    wave = k * np.sqrt(1 + 1j * loss)
    ends = np.exp(1j * wave)
    case = damped(mesh, {"left": Dirichlet((1.0, 0.0)), "right": Dirichlet((ends.real, ends.imag))}, k, loss)
    exact = np.exp(1j * wave * mesh.points[:, 0])
    np.testing.assert_allclose(amplitude(case), exact, atol=2e-3)


def test_without_loss_the_two_equations_agree() -> None:
    mesh, conditions = grid("triangle", 1, 8), {"left": Neumann("y"), "right": Dirichlet("x")}
    plain = Case(mesh, Helmholtz(), conditions=conditions, coefficients={"wavenumber": 3.0}, source="x*y")
    pairs = {"left": Neumann(("y", 0.0)), "right": Dirichlet(("x", 0.0))}
    found = amplitude(damped(mesh, pairs, 3.0, source=("x*y", 0.0)))
    np.testing.assert_allclose(found, solve(plain).values, atol=1e-10)


def test_power_in_is_power_lost() -> None:
    """Im ∫ ū ∂u/∂n = -∫ k² η |u|²: what sides let in, the inside takes."""
    k, loss, mesh = 8.0, 0.2, grid("line", 2, 200)
    found = amplitude(damped(mesh, {"left": (Absorbing(), Neumann((0.0, -2 * k))), "right": Absorbing()}, k, loss))
    left, right = (mesh.nodes(mesh.sides(n))[0] for n in ("left", "right"))
    flux_in = np.conj(found[left]) * (1j * k * found[left] - 2j * k) + np.conj(found[right]) * (1j * k * found[right])
    assert -flux_in.imag == pytest.approx(k**2 * loss * (mesh.mass @ np.abs(found) ** 2), rel=1e-3)


def test_beyond_its_first_resonance_the_sign_turns() -> None:
    """Between fixed ends with f = 1 the mean is positive for k < π and negative just above."""
    means = []
    for k in (3.0, 3.3):
        mesh = grid("line", 1, 40)
        case = Case(mesh, Helmholtz(), conditions={"*": Dirichlet(0)}, coefficients={"wavenumber": k}, source=1)
        means.append(mesh.mass @ solve(case).values)
    assert means[0] > 0 > means[1]


def test_periodic_sides_carry_both_parts() -> None:
    mesh = grid("triangle", 1, 6)
    case = damped(mesh, {"bottom": Periodic("top"), "left": Dirichlet((1.0, 0.5)), "right": Absorbing()}, 3.0)
    found = amplitude(case)
    bottom, top = (mesh.nodes(mesh.sides(n)) for n in ("bottom", "top"))
    np.testing.assert_allclose(
        found[bottom][mesh.points[bottom, 0].argsort()], found[top][mesh.points[top, 0].argsort()]
    )
