"""Heat: tensors, losses, conductivities that depend on temperature, radiation, periodic sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from geometries import Dirichlet, Neumann, Periodic, Radiation, Robin
from geometries.errors import SpecError
from geometries.mesh import Mesh
from meshops.equations import Case, Heat, solve
from meshops.equations.transient import march
from tests.equations.manufactured import grid

SIGMA = 5.670374419e-8


def heat(mesh: Mesh, conditions: dict[str, Any], **given: Any) -> Case:
    return Case(mesh, Heat(), conditions=conditions, **given)


# -- tensors -----------------------------------------------------------------------------------------------------------
@settings(max_examples=20)
@given(angle=st.floats(0, np.pi), ratio=st.floats(0.1, 10))
def test_a_tensor_turned_with_the_part_gives_the_same_field(angle: float, ratio: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mesh = grid("triangle", 1, 4)
    turned = Mesh(points=mesh.points @ turn.T, cells=mesh.cells, boundaries=mesh.boundaries)
    k = np.diag([1.0, ratio])
    conditions = {"left": Dirichlet(0), "top": Robin(2, ambient=1)}
    plain = solve(heat(mesh, conditions, coefficients={"conductivity": k}, source=1))
    other = solve(heat(turned, conditions, coefficients={"conductivity": turn @ k @ turn.T}, source=1))
    np.testing.assert_allclose(other.values, plain.values, atol=1e-10)


@pytest.mark.parametrize("cell", ["triangle", "quad", "tetra", "hexahedron"])
def test_a_linear_field_is_exact_under_any_tensor(cell: str) -> None:
    mesh = grid(cell, 1, 3)
    d = mesh.space_dim
    k = 0.3 * np.ones((d, d)) + np.diag(np.arange(1.0, d + 1))
    slope = np.array([1.0, -2.0, 0.5])[:d]
    field = mesh.points @ slope
    conditions = {
        "left": Dirichlet(field[mesh.nodes(mesh.sides("left"))]),
        "right": Neumann(float((k @ slope)[0])),
        "bottom": Neumann(-float((k @ slope)[1])),
        "top": Neumann(float((k @ slope)[1])),
    }
    if d == 3:
        conditions |= {"front": Neumann(-float((k @ slope)[2])), "back": Neumann(float((k @ slope)[2]))}
    np.testing.assert_allclose(solve(heat(mesh, conditions, coefficients={"conductivity": k})).values, field, atol=1e-9)


def test_a_diagonal_is_a_tensor() -> None:
    mesh, conditions = grid("triangle", 1, 4), {"*": Dirichlet("x**2")}
    diagonal = solve(heat(mesh, conditions, coefficients={"conductivity": (1.0, "1+x")}))
    tensor = solve(heat(mesh, conditions, coefficients={"conductivity": ((1.0, 0.0), (0.0, "1+x"))}))
    np.testing.assert_allclose(diagonal.values, tensor.values, rtol=1e-12)


def test_a_tensor_that_is_not_positive_is_refused() -> None:
    with pytest.raises(SpecError, match="eigenvalue of -1"):
        heat(grid("triangle", 1, 2), {"*": Dirichlet(0)}, coefficients={"conductivity": [[1, 2], [2, 1]]})


@pytest.mark.parametrize("tensor", [[[1, 5], [0, 1]], ((1, 0), ("0.1*x", 1))])
def test_a_tensor_that_is_not_symmetric_is_refused(tensor: Any) -> None:
    with pytest.raises(SpecError, match="somewhere; expected a symmetric tensor"):
        heat(grid("triangle", 1, 2), {"*": Dirichlet(0)}, coefficients={"conductivity": tensor})


# -- losses and dependence on temperature ------------------------------------------------------------------------------
def test_a_loss_alone_gives_a_level() -> None:
    case = heat(grid("triangle", 1, 4), {}, coefficients={"loss": 2.0}, source=6)
    np.testing.assert_allclose(solve(case).values, 3, rtol=1e-9)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_kirchhoffs_transformation_makes_it_linear(power: int) -> None:
    """With k = u^p, u^(p + 1) is linear between two levels."""
    mesh = grid("line", 2, 40)
    given = {"coefficients": {"conductivity": f"u**{power}"}, "initial": {"temperature": "1+x"}}
    case = heat(mesh, {"left": Dirichlet(1), "right": Dirichlet(2)}, **given)
    exact = (1 + mesh.points[:, 0] * (2 ** (power + 1) - 1)) ** (1 / (power + 1))
    np.testing.assert_allclose(solve(case).values, exact, atol=2e-6)


def test_newton_converges_quadratically() -> None:
    """The slope of k(u) is exact, so that few steps suffice to the last digits."""
    case = heat(grid("triangle", 1, 8), {"*": Dirichlet("x")}, coefficients={"conductivity": "1+u**2"}, source=5)
    assert solve(case).made_by["iterations"] <= 6


@settings(max_examples=20)
@given(hot=st.floats(400, 1500), cold=st.floats(0, 400))
def test_radiation_balances_conduction(hot: float, cold: float) -> None:
    """A bar held at one end and radiating at the other: k (u₀ - u₁) = εσ (u₁⁴ - u_a⁴)."""
    mesh = grid("line", 1, 4)
    conditions = {"left": Dirichlet(hot), "right": Radiation(0.8 * SIGMA, ambient=cold)}
    case = heat(mesh, conditions, coefficients={"conductivity": 20.0}, initial={"temperature": hot})
    end = brentq(lambda u: 20 * (hot - u) - 0.8 * SIGMA * (u**4 - cold**4), 0, hot, xtol=1e-12)
    right = mesh.nodes(mesh.sides("right"))
    np.testing.assert_allclose(solve(case).values[right], end, rtol=1e-9)


# -- periodic sides ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("cell", "order"), [("triangle", 1), ("quad", 2), ("tetra", 1)])
def test_a_periodic_problem_moved_is_its_solution_moved(cell: str, order: int) -> None:
    mesh = grid(cell, order, 4)
    conditions = {"left": Periodic("right"), "bottom": Dirichlet(0)}
    first, other = (solve(heat(mesh, conditions, source=f"sin(2*pi*(x-{s}))+1")).values for s in (0.0, 0.25))
    place = {tuple(p): i for i, p in enumerate(np.round(mesh.points, 9))}
    moved = mesh.points + np.eye(mesh.space_dim)[0] / 4
    moved[:, 0] = np.where(moved[:, 0] > 1 + 1e-9, moved[:, 0] - 1, moved[:, 0])
    index = [place[tuple(p)] for p in np.round(moved, 9)]
    np.testing.assert_allclose(other[index], first, atol=1e-9)


def test_periodic_sides_hold_the_same_values_and_pass_their_flux() -> None:
    mesh = grid("triangle", 1, 24)
    conditions = {"left": Periodic("right"), "bottom": Periodic("top")}
    case = heat(mesh, conditions, coefficients={"loss": 1.0}, source="(1+8*pi**2)*sin(2*pi*x)*cos(2*pi*y)")
    exact = np.sin(2 * np.pi * mesh.points[:, 0]) * np.cos(2 * np.pi * mesh.points[:, 1])
    found = solve(case).values
    np.testing.assert_allclose(found, exact, atol=0.03)
    left, right = (mesh.nodes(mesh.sides(n)) for n in ("left", "right"))
    np.testing.assert_array_equal(
        found[left[mesh.points[left, 1].argsort()]], found[right[mesh.points[right, 1].argsort()]]
    )


def test_where_values_of_periodic_images_differ_the_mean_holds() -> None:
    mesh = grid("triangle", 1, 4)
    found = solve(heat(mesh, {"left": Periodic("right"), "bottom": Dirichlet("x"), "top": Dirichlet(0)})).values
    np.testing.assert_allclose(found[mesh.nodes(mesh.sides("bottom"))], [0.5, 0.25, 0.5, 0.75, 0.5])


def test_periodic_sides_alone_leave_no_level() -> None:
    with pytest.raises(SpecError, match="not unique"):
        heat(grid("triangle", 1, 3), {"left": Periodic("right"), "bottom": Periodic("top")})


def test_periodic_sides_serve_in_time() -> None:
    mesh = grid("line", 1, 64)
    case = heat(mesh, {"left": Periodic("right")}, initial={"temperature": "sin(2*pi*x)"}, times=(0, 0.02))
    fields, _ = march(case, scheme="theta", steps=40)
    exact = np.exp(-4 * np.pi**2 * 0.02) * np.sin(2 * np.pi * mesh.points[:, 0])
    np.testing.assert_allclose(fields["temperature"][-1, :, 0], exact, atol=1e-3)
