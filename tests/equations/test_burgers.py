"""Burgers' equation, and the combined one: steady fronts, what they conserve, solitons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geometries import Dirichlet, Periodic
from geometries.errors import SpecError
from geometries.mesh import Mesh
from meshops.equations import Burgers, Case, Combined, solve
from meshops.equations.assembly import Assembler
from meshops.equations.transient import march
from tests.equations.manufactured import grid
from tests.equations.test_newton import check

CIRCLE = {"left": Periodic("right")}


def front(viscosity: float, mesh: Mesh) -> tuple[str, np.ndarray]:
    x = mesh.points[:, 0]
    return f"-tanh((x-0.5)/{2 * viscosity})", -np.tanh((x - 0.5) / (2 * viscosity))


@pytest.mark.parametrize("viscosity", [0.05, 0.5])
def test_a_front_between_equal_streams_stands(viscosity: float) -> None:
    """U = -tanh((x - 1/2)/2ν) is steady."""
    mesh = grid("line", 2, 40)
    text, exact = front(viscosity, mesh)
    case = Case(
        mesh,
        Burgers(),
        conditions={"*": Dirichlet(text)},
        coefficients={"viscosity": viscosity},
        initial={"velocity": text},
    )
    np.testing.assert_allclose(solve(case).values[:, 0], exact, atol=2e-4)


def test_a_plane_front_in_two_dimensions_is_that_of_one() -> None:
    flat, line = grid("quad", 1, 8), grid("line", 1, 8)
    found = []
    for mesh, start in ((flat, ("sin(2*pi*x)", 0.0)), (line, ("sin(2*pi*x)",))):
        conditions = CIRCLE | ({"bottom": Periodic("top")} if mesh is flat else {})
        case = Case(
            mesh,
            Burgers(),
            conditions=conditions,
            coefficients={"viscosity": 0.1},
            initial={"velocity": start},
            times=(0, 0.2),
        )
        found.append(march(case, steps=8)[0]["velocity"][-1])
    order = np.round(flat.points[:, 0] * 8).astype(int)
    line_values = found[1][line.points[:, 0].argsort(), 0]
    np.testing.assert_allclose(found[0][:, 0], line_values[order], atol=1e-8)
    np.testing.assert_allclose(found[0][:, 1], 0, atol=1e-12)


def test_momentum_on_a_circle_stays_and_energy_falls() -> None:
    mesh = grid("line", 1, 40)
    case = Case(
        mesh,
        Burgers(),
        conditions=CIRCLE,
        coefficients={"viscosity": 0.02},
        initial={"velocity": ("1+sin(2*pi*x)",)},
        times=np.linspace(0, 0.5, 6).tolist(),
    )
    mass = Assembler(case).matrix("mass", None, 0)
    series = march(case)[0]["velocity"][..., 0]
    np.testing.assert_allclose(series @ np.asarray(mass.sum(0)).ravel(), 1, rtol=1e-8)
    assert (np.diff([u @ (mass @ u) for u in series]) < 0).all()


# -- the combined equation ---------------------------------------------------------------------------------------------
def combined(mesh: Mesh, alpha: float, beta: float, gamma: float, start: str, **given: Any) -> Case:
    return Case(
        mesh,
        Combined(),
        conditions=CIRCLE,
        coefficients={"advection": alpha, "diffusion": beta, "dispersion": gamma},
        initial={"velocity": start},
        **given,
    )


def test_the_derivative_is_that_of_the_residual() -> None:
    check(combined(grid("line", 1, 5), 1.5, 0.2, 0.3, "sin(2*pi*x)", times=(0, 1)))


@pytest.mark.parametrize("beta", [0.0, 0.01])
@pytest.mark.parametrize("order", [1, 2])
def test_linear_waves_disperse_as_they_should(beta: float, order: int) -> None:
    """With α = 0, sin(qx) becomes e^(-βq²t) sin(qx + γq³t), with error of second order in h at least."""
    q, gamma, gaps = 2 * np.pi, 1e-3, []
    for n in (12, 24):
        mesh = grid("line", order, n)
        case = combined(mesh, 0.0, beta, gamma, "sin(2*pi*x)", times=(0, 1))
        found = march(case, steps=48)[0]["velocity"][-1, :, 0]
        exact = np.exp(-beta * q**2) * np.sin(q * mesh.points[:, 0] + gamma * q**3)
        gaps.append(np.abs(found - exact).max())
    assert gaps[1] < 0.02 and (gaps[1] < gaps[0] / 3 or gaps[1] < 1e-3)


def test_the_curvature_is_that_of_the_velocity() -> None:
    mesh = grid("line", 1, 64)
    case = combined(mesh, 0.5, 0.05, 1e-3, "sin(2*pi*x)", times=(0, 1e-3))
    fields = march(case, steps=4)[0]
    curvature = -4 * np.pi**2 * np.sin(2 * np.pi * mesh.points[:, 0])
    np.testing.assert_allclose(fields["curvature"][-1, :, 0], curvature, atol=1.0)


def test_dispersion_keeps_both_invariants() -> None:
    """∫u exactly, and ∫u² but for what the scheme in time takes."""
    mesh = grid("line", 1, 30)
    case = combined(mesh, 3.0, 0.0, 1e-3, "0.1+0.1*sin(2*pi*x)", times=(0, 0.5, 1))
    mass = Assembler(case).matrix("mass", None, 0)
    numbers = Assembler(case).layout.numbers["velocity"][:, 0]
    mass = mass[numbers][:, numbers]
    series = march(case, steps=80)[0]["velocity"][..., 0]
    np.testing.assert_allclose(series @ np.asarray(mass.sum(0)).ravel(), 0.1, rtol=1e-8)
    squares = [u @ (mass @ u) for u in series]
    np.testing.assert_allclose(squares, squares[0], rtol=5e-3)


def test_diffusion_alone_is_burgers() -> None:
    mesh = grid("line", 1, 40)
    theirs = Case(
        mesh,
        Burgers(),
        conditions=CIRCLE,
        coefficients={"viscosity": 0.05},
        initial={"velocity": ("sin(2*pi*x)",)},
        times=(0, 0.2),
    )
    ours = combined(mesh, 0.5, 0.05, 0.0, "sin(2*pi*x)", times=(0, 0.2))
    a, b = (march(c, steps=20)[0]["velocity"][-1, :, 0] for c in (ours, theirs))
    np.testing.assert_allclose(a, b, atol=3e-3)


def test_a_force_of_travelling_waves_is_taken() -> None:
    case = combined(
        grid("line", 1, 40), 1.0, 0.05, 0.0, "0.2*sin(2*pi*x)", source="0.3*sin(0.4*t+4*pi*x+1)", times=(0, 1)
    )
    fields = solve(case).fields["velocity"]
    assert np.isfinite(fields).all() and np.abs(fields[-1]).max() > 0.01


@pytest.mark.parametrize(("change", "match"), [({"conditions": {}}, "free ends"), ({"times": ()}, "without times")])
def test_what_has_no_unique_solution_is_refused(change: dict[str, Any], match: str) -> None:
    given: dict[str, Any] = {"conditions": CIRCLE, "times": (0, 1)} | change
    with pytest.raises(SpecError, match=match):
        Case(grid("line", 1, 4), Combined(), **given)


@pytest.mark.parametrize(("alpha", "beta", "gamma"), [(0.5, 3e-3, 0.0), (3.0, 0.0, 1e-3)])
def test_fronts_and_solitons_are_of_order_one_in_both_fields(alpha: float, beta: float, gamma: float) -> None:
    """Scaled by the domain's length alone, their curvature would be above a hundred."""
    case = combined(grid("line", 1, 256), alpha, beta, gamma, "sin(2*pi*x)", times=(0, 0.2, 0.4))
    last, scaling = solve(case).at(-1), case.equation.scaling(case)
    for name in ("velocity", "curvature"):
        assert 0.3 < np.sqrt((scaling.apply(name, last[name]) ** 2).mean()) < 5
