"""Flow: what is exact, what balances, and what has no solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometries import Dirichlet, Neumann, Pressure, Roller
from geometries.errors import SpecError
from geometries.families.grid import Grid
from geometries.refine import second_order
from meshops.equations import EQUATIONS, Case, solve
from meshops.equations.reactions import reactions
from tests.equations.test_case import pieces

BOTH = pytest.mark.parametrize("name", ["stokes", "navier_stokes"])
PARABOLA = Dirichlet(("y*(1-y)", 0.0))
WALLS = {"bottom": Dirichlet(0), "top": Dirichlet(0)}


def case(name: str, cell: str = "triangle", order: int = 2, **given: object) -> Case:
    conditions = {"left": PARABOLA, **WALLS, **given}
    return Case(
        Grid(shape=(6, 5), cell=cell, order=order).mesh(),
        EQUATIONS[name],
        conditions=conditions,
        coefficients={"viscosity": 0.5, "density": 2.0},
    )


@BOTH
@pytest.mark.parametrize("cell", ["triangle", "quad"])
def test_flow_between_plates_is_exact(name: str, cell: str) -> None:
    """u = y (1 - y), p = 2 μ (1 - x): the parabola lies in the elements, and the outlet leaves it undisturbed."""
    flow = case(name, cell)
    found, (x, y) = solve(flow), flow.mesh.points.T
    np.testing.assert_allclose(found.fields["velocity"], np.stack([y * (1 - y), 0 * y], axis=1), atol=1e-10)
    np.testing.assert_allclose(found.fields["pressure"][:, 0], 1 - x, atol=1e-9)


@BOTH
def test_a_first_order_mesh_gets_the_second_order_answer_at_its_points(name: str) -> None:
    flow = case(name, order=1, right=Pressure("y"))
    fine = Case(second_order(flow.mesh), flow.equation, conditions=flow.conditions, coefficients=flow.coefficients)
    coarse_found, fine_found = solve(flow), solve(fine)
    for field, values in coarse_found.fields.items():
        np.testing.assert_allclose(values, fine_found.fields[field][: flow.mesh.num_points], atol=1e-9)


@BOTH
def test_a_constant_is_one_on_a_side_of_as_many_points_as_components(name: str) -> None:
    mesh, moved = Grid(shape=(1, 1)).mesh(), Dirichlet([1.0, 0.5])
    flow = solve(Case(mesh, EQUATIONS[name], conditions={"left": moved, "top": moved, "bottom": moved}))
    np.testing.assert_allclose(flow.fields["velocity"], np.broadcast_to([1.0, 0.5], (4, 2)), atol=1e-9)


@BOTH
def test_a_pressure_at_the_outlet_lifts_all_pressures(name: str) -> None:
    free, lifted = solve(case(name)), solve(case(name, right=Pressure(7)))
    np.testing.assert_allclose(lifted.fields["velocity"], free.fields["velocity"], atol=1e-9)
    np.testing.assert_allclose(lifted.fields["pressure"], free.fields["pressure"] + 7, atol=1e-8)


@BOTH
def test_without_an_outlet_the_mean_pressure_is_zero(name: str) -> None:
    flow = case(name, left=Dirichlet(0), right=Dirichlet(0), top=Dirichlet(("x*(1-x)", 0.0)))
    found = solve(flow)
    assert np.ptp(found.fields["pressure"]) > 0.1
    mean = flow.mesh.mass @ found.fields["pressure"][:, 0] / flow.mesh.mass.sum()
    assert abs(mean) < 1e-3 * np.ptp(found.fields["pressure"])


@BOTH
def test_closed_pieces_are_cases_of_their_own(name: str) -> None:
    """Each would have a level of its own pressure."""
    closed = {side: Dirichlet(0) for side in ("left", "right", "bottom", "top")}
    for shut, conditions in ((2, {"*": Dirichlet(0)}), (1, closed | {"left2": Dirichlet(0)})):
        with pytest.raises(SpecError, match=rf"{shut} of 2 connected pieces .* closed"):
            Case(pieces(), EQUATIONS[name], conditions=conditions)
    found = solve(
        Case(
            pieces(),
            EQUATIONS[name],
            conditions={s: Pressure(3) for s in ("right", "right2")}
            | {s: Dirichlet(0) for s in ("left", "left2", "bottom", "bottom2", "top", "top2")},
        )
    )
    np.testing.assert_allclose(found.fields["pressure"], 3, atol=1e-9)


@BOTH
@pytest.mark.parametrize("base", [0, 1])
def test_the_pressure_that_speeds_an_inlet_is_there_from_the_start(name: str, base: int) -> None:
    """A stream between planes of symmetry of which the speed is base + t: p = ρ (1 - x) at all times."""
    speed = (f"{base}+t", "0")
    steady = case(name, left=Dirichlet((str(base), "0")), bottom=Roller(), top=Roller())
    conditions = {**steady.conditions, "left": Dirichlet(speed)}
    flow = replace(steady, conditions=conditions, times=(0.0, 0.5, 2.0), initial={"velocity": speed})
    found = solve(flow)
    for pressure in found.fields["pressure"]:
        np.testing.assert_allclose(pressure[:, 0], 2 * (1 - flow.mesh.points[:, 0]), atol=1e-2)


@BOTH
def test_what_comes_in_must_go_out(name: str) -> None:
    with pytest.raises(SpecError, match=r"leaves|enters"):
        case(name, right=Dirichlet(0))


def test_the_walls_carry_the_pressure_drop() -> None:
    """Of Stokes flow between plates: the force on the walls is the pressure at the inlet, the area being 1."""
    flow = case("stokes", right=Neumann(0))
    force = reactions(flow, solve(flow).fields)
    total = sum(force.values())
    np.testing.assert_allclose(total, [0, 0], atol=1e-9)
    np.testing.assert_allclose(force["bottom"][0] + force["top"][0], -1.0, atol=0.05)


@BOTH
def test_a_flow_that_starts_at_once_becomes_the_steady_one(name: str) -> None:
    """From rest, with the inlet open at once: the start is made divergence-free, and its pressure stays finite."""
    flow = replace(case(name), times=(0.0, 0.5, 4.0))
    found, (x, y) = solve(flow), flow.mesh.points.T
    np.testing.assert_allclose(found.fields["velocity"][-1, :, 0], y * (1 - y), atol=1e-3)
    np.testing.assert_allclose(found.fields["pressure"][-1, :, 0], 1 - x, atol=1e-2)
    inflow = 1 / 6
    for moment in found.fields["velocity"][:, np.isclose(x, 1)]:
        across = y[np.isclose(x, 1)]
        order = np.argsort(across)
        assert np.trapezoid(moment[order, 0], across[order]) == pytest.approx(inflow, abs=0.02)
