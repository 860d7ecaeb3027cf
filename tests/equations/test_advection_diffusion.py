"""Advection and diffusion: exact nodes, layers without ripples, mass, transport in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geometries import Dirichlet, Periodic, Robin
from geometries.errors import SpecError
from geometries.mesh import Mesh
from meshops.equations import AdvectionDiffusion, Case, solve
from meshops.equations.assembly import Assembler
from meshops.equations.transient import march
from tests.equations.manufactured import grid


def carried(mesh: Mesh, conditions: dict[str, Any], k: float, velocity: Any, **given: Any) -> Case:
    coefficients = {"diffusivity": k, "velocity": velocity, **given.pop("coefficients", {})}
    return Case(mesh, AdvectionDiffusion(), conditions=conditions, coefficients=coefficients, **given)


@pytest.mark.parametrize("k", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("velocity", [1.0, -1.0])
def test_nodes_of_a_line_are_exact(k: float, velocity: float) -> None:
    """A u' - k u'' = 0 between 0 and 1, whose layer at the outflow no cell resolves for small k."""
    mesh = grid("line", 1, 10)
    case = carried(mesh, {"left": Dirichlet(0), "right": Dirichlet(1)}, k, (velocity,))
    x = mesh.points[:, 0]
    if velocity > 0:
        exact = (np.exp((x - 1) / k) - np.exp(-1 / k)) / (1 - np.exp(-1 / k))
    else:
        exact = np.expm1(-x / k) / np.expm1(-1 / k)
    np.testing.assert_allclose(solve(case).values, exact, atol=1e-10)


@pytest.mark.parametrize(("cell", "order"), [("triangle", 1), ("quad", 1), ("triangle", 2), ("quad", 2), ("tetra", 1)])
def test_layers_do_not_ripple(cell: str, order: int) -> None:
    """Before the layer at the outflow, where Galerkin's method would swing by as much as the solution itself."""
    mesh = grid(cell, order, 8)
    velocity = (1.0, 0.0, 0.0)[: mesh.space_dim]
    conditions = {"left": Dirichlet(0), "right": Dirichlet(1)}
    found = solve(carried(mesh, conditions, 1e-4, velocity)).values
    before = mesh.points[:, 0] < 0.8
    assert np.abs(found[before]).max() < 0.15


def test_along_a_slanted_stream_the_field_is_carried_unchanged() -> None:
    """With k → 0, u is constant along streamlines: u = sin(2(x - y/2)), off the outflow."""
    mesh, exact = grid("triangle", 1, 32), "sin(2*(x-y/2))"
    case = carried(mesh, {"left": Dirichlet(exact), "bottom": Dirichlet(exact)}, 1e-6, (1.0, 2.0))
    x, y = mesh.points.T
    np.testing.assert_allclose(solve(case).values, np.sin(2 * (x - y / 2)), atol=2e-3)


def test_a_whole_inflow_is_carried_through() -> None:
    """Robin's condition with h = |a·n| lets in a u_a, and what flows in decays: a u' - k u'' + r u = 0."""
    mesh = grid("line", 1, 400)
    conditions = {"left": Robin(2, ambient=3)}
    case = carried(mesh, conditions, 0.01, (2.0,), coefficients={"decay": 1.0})
    found = solve(case).values
    mass = np.asarray(Assembler(case).layout.mesh.mass)
    assert 2 * 3 - 2 * found[mesh.nodes(mesh.sides("right"))[0]] == pytest.approx(mass @ found, rel=2e-3)


@pytest.mark.parametrize("scheme", ["bdf2", "theta"])
def test_a_hump_is_carried_round(scheme: str) -> None:
    """∂u/∂t + a u' = k u'' on a circle: u = e^(-kq²t) sin(q(x - at))."""
    mesh, q, k = grid("line", 1, 60), 2 * np.pi, 1e-3
    case = carried(
        mesh, {"left": Periodic("right")}, k, (1.0,), initial={"concentration": "sin(2*pi*x)"}, times=(0, 0.7)
    )
    found = march(case, scheme=scheme, steps=100)[0]["concentration"][-1, :, 0]
    exact = np.exp(-k * q**2 * 0.7) * np.sin(q * (mesh.points[:, 0] - 0.7))
    np.testing.assert_allclose(found, exact, atol=0.01)


def test_mass_on_a_torus_stays() -> None:
    mesh = grid("triangle", 1, 8)
    conditions = {"left": Periodic("right"), "bottom": Periodic("top")}
    start = {"concentration": "exp(-20*((x-0.5)**2+(y-0.5)**2))"}
    case = carried(mesh, conditions, 1e-3, (1.0, 0.5), initial=start, times=(0, 0.5))
    plain = Assembler(Case(mesh, AdvectionDiffusion(), conditions=conditions, times=(0, 1))).matrix("mass", None, 0)
    weights = np.asarray(plain.sum(0)).ravel()
    held = march(case)[0]["concentration"][..., 0] @ weights
    np.testing.assert_allclose(held, held[0], rtol=1e-9)


def test_a_transient_ends_in_the_steady_state() -> None:
    mesh, given = grid("triangle", 1, 8), {"source": 1}
    conditions = {"left": Dirichlet(0), "right": Dirichlet(0)}
    steady = solve(carried(mesh, conditions, 1e-2, (1.0, 0.2), **given)).values
    found = march(carried(mesh, conditions, 1e-2, (1.0, 0.2), **given, times=(0, 10)), steps=60)[0]
    np.testing.assert_allclose(found["concentration"][-1, :, 0], steady, atol=1e-6)


def test_a_velocity_that_changes_in_time_is_refused() -> None:
    with pytest.raises(SpecError, match="velocity depends on t"):
        carried(grid("line", 1, 3), {"left": Dirichlet(0)}, 1.0, ("1+t",), times=(0.0, 1.0))
