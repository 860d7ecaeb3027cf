"""Marching in time: the schemes' orders, what they conserve, and steps that keep a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import erf

from geometries import Dirichlet, Neumann, Robin
from geometries.errors import MeshopsError, SpecError
from geometries.expressions import Expression
from geometries.mesh import Mesh
from meshops.equations import Case, Heat, Wave, solve
from meshops.equations.assembly import Assembler
from meshops.equations.base import Equation
from meshops.equations.moving import field_scale
from meshops.equations.schemes import KEPT, Euler, Newmark
from meshops.equations.solvers import Prepared, SolverError
from meshops.equations.transient import march
from tests.equations.manufactured import grid

FIRST = {"bdf2": 2, "theta": 2, "euler": 1}
LINE = grid("line", 1, 8)


def heat(mesh: Mesh, conditions: dict[str, Any], **given: Any) -> Case:
    return Case(mesh, Heat(), conditions=conditions, **given)


def ends(case: Case, scheme: str, steps: int) -> np.ndarray:
    fields, _ = march(case, scheme=scheme, steps=steps)
    return fields[case.equation.field][-1]


def rate(case: Case, scheme: str, exact: np.ndarray, steps: tuple[int, int] = (16, 64)) -> float:
    """The order in time, against the exact solution of the semi-discrete problem."""
    coarse, fine = (np.abs(ends(case, scheme, n) - exact).max() for n in steps)
    return float(np.log(coarse / fine) / np.log(steps[1] / steps[0]))


# -- orders ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("scheme", "order"), FIRST.items())
def test_schemes_have_their_order(scheme: str, order: int) -> None:
    """M u' + K u = 0 with exchange, against the exponential of the matrix."""
    case = heat(LINE, {"*": Robin(1)}, initial={"temperature": "cos(pi*x)+1"}, times=(0, 0.3))
    assembler = Assembler(case)
    mass, system = assembler.matrix("mass", None, 0), assembler.system(None, 0)
    start = case.start_values()["temperature"]
    exact = expm(-0.3 * np.linalg.solve(mass.toarray(), system.matrix.toarray())) @ start
    assert rate(case, scheme, exact, (64, 256)) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("scheme", "order"), FIRST.items())
@pytest.mark.parametrize("varying", [False, True])
def test_values_that_move_keep_the_order(scheme: str, order: int, varying: bool) -> None:
    """U = x + x² e^t, whose boundary values, fluxes and source all move; quadratic in x, so exact on line3 cells."""
    mesh = grid("line", 2, 3)
    k, source = ("1", "x**2*exp(t) - 2*exp(t)") if not varying else ("1+u", _with_k_of_u())
    conditions = {"left": Dirichlet("0*t"), "right": Dirichlet("1+exp(t)")}
    case = heat(
        mesh,
        conditions,
        coefficients={"conductivity": k},
        source=source,
        initial={"temperature": "x+x**2"},
        times=(0, 1),
    )
    x = mesh.points
    assert rate(case, scheme, x + x**2 * np.e, (8, 24)) == pytest.approx(order, abs=0.2)


def _with_k_of_u() -> str:
    """∂u/∂t - ((1 + u) u')' of u = x + x² e^t."""
    u, slope, bend = "(x+x**2*exp(t))", "(1+2*x*exp(t))", "(2*exp(t))"
    return f"x**2*exp(t) - (1+{u})*{bend} - {slope}**2"


@pytest.mark.parametrize(
    ("law", "name", "said"),
    [
        (Heat(), "conductivity", "0 somewhere at time 0.5; expected above 0"),
        (Heat(), "capacity", "0 somewhere at time 0.5; expected above 0"),
        (Wave(), "damping", "-0.25 somewhere at time 0.625; expected at least 0"),
    ],
)
def test_a_coefficient_whose_sign_turns_wrong_in_time_is_refused(law: Equation, name: str, said: str) -> None:
    case = Case(LINE, law, conditions={"left": Dirichlet(1)}, coefficients={name: "1-2*t"}, times=(0, 1))
    with pytest.raises(SpecError, match=f"{name} is {said}"):
        march(case, steps=8)


@pytest.mark.parametrize("given", [{"steps": -1}, {"tolerance": 0.0}, {"tolerance": -1e-4}, {"tolerance": np.nan}])
def test_steps_and_tolerances_that_are_none_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(MeshopsError, match=r"found .*; expected 0 or more, and a number above 0"):
        march(heat(LINE, {"left": Dirichlet(1)}, times=(0, 1)), **given)


def test_the_fields_scale_is_seen_by_few_looks_however_many_output_times_there_are(monkeypatch: Any) -> None:
    looks: list[float] = []
    scaling = Heat.scaling
    monkeypatch.setattr(Heat, "scaling", lambda self, case: (looks.append(case.start), scaling(self, case))[1])
    for source in ("where(t<1,0,5)", "where(t>0,0,5)", "sin(pi*t)"):
        few, many = (
            field_scale(heat(LINE, {"left": Dirichlet(0)}, source=source, times=np.linspace(0, 1, n)))
            for n in (9, 1000)
        )
        assert many == pytest.approx(few, rel=0.01)
    assert len(looks) == 3 * (9 + 8 + 24 + 8)


def test_an_exchange_that_moves_is_assembled_anew() -> None:
    """A body of great conductivity: c u' V = -h(t) A u."""
    case = heat(
        LINE, {"right": Robin("1+t")}, coefficients={"conductivity": 1e6}, initial={"temperature": 1}, times=(0, 1)
    )
    np.testing.assert_allclose(ends(case, "theta", 64), np.exp(-1.5), rtol=1e-3)


@pytest.mark.parametrize(("scheme", "order"), FIRST.items())
def test_a_capacity_that_moves_is_assembled_anew(scheme: str, order: int) -> None:
    """(1 + t) u' = 1: u = ln(1 + t)."""
    case = heat(LINE, {}, coefficients={"capacity": "1+t"}, source=1, times=(0, 1))
    assert rate(case, scheme, np.full((9, 1), np.log(2))) == pytest.approx(order, abs=0.15)


# -- adaptive steps ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", FIRST)
def test_adaptive_steps_keep_close_to_the_tolerance(scheme: str) -> None:
    case = heat(LINE, {"*": Dirichlet(0)}, initial={"temperature": "sin(pi*x)"}, times=(0, 0.05, 0.3))
    fine = march(case, scheme="theta", steps=2000)[0]["temperature"]
    for tolerance in (1e-3, 1e-4):
        found = march(case, scheme=scheme, tolerance=tolerance)[0]["temperature"]
        assert np.abs(found - fine).max() < 40 * tolerance


def test_a_finer_tolerance_takes_more_steps_and_errs_less() -> None:
    case = heat(LINE, {"*": Dirichlet(0)}, initial={"temperature": "sin(pi*x)"}, times=(0, 0.3))
    fine = march(case, scheme="theta", steps=2000)[0]["temperature"]
    found = [march(case, tolerance=tolerance) for tolerance in (1e-2, 1e-3, 1e-4)]
    steps = [how["iterations"] for _, how in found]
    gaps = [np.abs(fields["temperature"] - fine).max() for fields, _ in found]
    assert steps == sorted(steps) and gaps == sorted(gaps, reverse=True)


def test_steps_grow_as_a_transient_fades() -> None:
    case = heat(LINE, {"left": Dirichlet(1)}, times=(0, 100))
    fields, how = march(case)
    np.testing.assert_allclose(fields["temperature"][-1], 1, atol=1e-3)
    assert isinstance(how["iterations"], int) and how["iterations"] < 400


@pytest.mark.parametrize(("scheme", "ambient"), [("bdf2", "1"), ("bdf2", "where(t<0.37, 0, 1)"), ("euler", "1")])
def test_strong_exchange_tends_to_a_held_value(scheme: str, ambient: str) -> None:
    """However fast a node relaxes: steps need not follow it."""
    limit, steps = _held_at_the_end(scheme, Dirichlet(ambient))
    for exchange in (1e4, 1e7, 1e9, 1e12):
        found, own = _held_at_the_end(scheme, Robin(exchange, ambient=ambient))
        assert np.abs(found - limit).max() < 1 / exchange + 1e-3
        assert own < 2 * steps


def test_strong_exchange_starts_where_conductivity_varies_with_the_field() -> None:
    given = {"conductivity": "1+u"}
    limit, steps = _held_at_the_end("bdf2", Dirichlet(1), given)
    found, own = _held_at_the_end("bdf2", Robin(1e12, ambient=1), given)
    assert np.abs(found - limit).max() < 1e-3 and own < 2 * steps


def test_a_scheme_under_which_strong_exchange_would_swing_refuses_it() -> None:
    with pytest.raises(SolverError, match="cannot be made small enough"):
        _held_at_the_end("theta", Robin(1e12, ambient=1))


def _held_at_the_end(scheme: str, right: Any, coefficients: Any = None) -> tuple[np.ndarray, int]:
    """The temperatures of a bar, held at 0 on the left, at its times, and the number of steps."""
    conditions = {"left": Dirichlet(0), "right": right}
    case = heat(grid("line", 1, 40), conditions, coefficients=coefficients or {}, times=(0, 1))
    fields, how = march(case, scheme=scheme)
    assert isinstance(how["iterations"], int)
    return fields["temperature"][1:], how["iterations"]


def test_output_times_that_differ_by_rounding_share_a_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("meshops.equations.schemes.Prepared", lambda *a, **k: made.append(1) or Prepared(*a, **k))
    case = heat(LINE, {"*": Dirichlet(0)}, initial={"temperature": "x"}, times=np.linspace(0, 4e-3, 101).tolist())
    march(case, scheme="euler", steps=1)
    assert len(made) == 1


@pytest.mark.parametrize(("equation", "scheme"), [*((Heat(), scheme) for scheme in FIRST), (Wave(), "newmark")])
def test_steps_start_anew_where_a_held_value_jumps(equation: Equation, scheme: str) -> None:
    """From rest, a jump at 0.3 and one at the start, 0.3 earlier, do the same."""
    ends = {"left": Dirichlet(0)}
    jumping = Case(LINE, equation, conditions=ends | {"right": Dirichlet("step(t-0.3)")}, times=(0, 0.2, 1))
    started = Case(LINE, equation, conditions=ends | {"right": Dirichlet(1)}, times=(0, 0.7))
    (found, how), (expected, direct) = march(jumping, scheme=scheme), march(started, scheme=scheme)
    np.testing.assert_allclose(found[equation.field][-1], expected[equation.field][-1], atol=3e-3)
    assert how["iterations"] < 1.5 * direct["iterations"]


@pytest.mark.parametrize("equation", [Heat(), Wave()])
@pytest.mark.parametrize(
    ("end", "source"), [("sin(3*t)", 0), ("sin(2*pi*t)", 0), ("step(t-0.93)", 0), ("0", "sin(20*t)")]
)
def test_adaptive_steps_do_not_depend_on_the_unit(equation: Equation, end: str, source: Any) -> None:
    """All is zero at the start, so that only what comes later has a size."""

    def found(unit: float) -> tuple[np.ndarray, object]:
        held = {"left": Dirichlet(0), "right": Dirichlet(f"{unit}*({end})")}
        fields, how = march(Case(LINE, equation, conditions=held, source=f"{unit}*({source})", times=(0, 1)))
        return fields[equation.field][-1] / unit, how["iterations"]

    expected, steps = found(1.0)
    for unit in (2.0**-20, 2.0**20):
        values, own = found(unit)
        np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)
        assert own == steps


@pytest.mark.parametrize("equation", [Heat(), Wave()])
@pytest.mark.parametrize(
    "value", ["where(t<=0.4, 0, 1)", "where(t<0.4, 0, 1)", "where(t<=0.4, 0, 1)+where(t<0.4, 0, 2)"]
)
def test_an_output_time_at_a_jump_has_what_is_held_then(equation: Equation, value: str) -> None:
    times = np.linspace(0, 1, 11)
    held = {"left": Dirichlet(0), "right": Dirichlet(value)}
    found = march(Case(LINE, equation, conditions=held, times=times.tolist()))[0][equation.field][:, -1, 0]
    np.testing.assert_array_equal(found, Expression(value)(np.ones((11, 1)), times))


def test_an_output_time_in_a_pulse_of_a_few_units_of_rounding_has_what_is_held_then() -> None:
    held = {"right": Dirichlet("where(t<100000.39161900051, 0, where(t<100000.39161900061, 1, 0))")}
    case = Case(LINE, Wave(), conditions=held, times=(1e5, 100000.391619000559, 100001))
    np.testing.assert_array_equal(march(case)[0]["displacement"][:, -1, 0], [0, 1, 0])


@pytest.mark.parametrize("equation", [Heat(), Wave()])
def test_what_changes_too_fast_for_any_step_is_refused(equation: Equation) -> None:
    """A pulse so great, and unseen at the output times, that the scale is of the source: it would jump ever again."""
    held = {"left": Dirichlet(0), "right": Dirichlet("1e12*where(t<0.51, 0, where(t<0.52, sin(3*t), 0))")}
    with pytest.raises(SolverError, match=r"jump 9 times|cannot be made small enough"):
        march(Case(LINE, equation, conditions=held, source="sin(20*t)", times=(0, 1)))


@pytest.mark.parametrize("level", [20.1, 1 / 3, 293.15])
def test_what_rests_at_a_level_stays(level: float) -> None:
    """The levels' mean is theirs but for rounding, which is no scale."""
    conditions = {"left": Dirichlet(level), "right": Robin(3, ambient=level)}
    case = heat(grid("line", 1, 40), conditions, initial={"temperature": level}, times=(0, 1))
    fields, how = march(case)
    np.testing.assert_allclose(fields["temperature"], level, rtol=1e-12)
    assert how["iterations"] == 3


# -- laws --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", FIRST)
def test_insulated_bodies_keep_their_heat(scheme: str) -> None:
    mesh = grid("triangle", 1, 5)
    case = heat(mesh, {}, coefficients={"capacity": "1+x"}, initial={"temperature": "x*y**2"}, times=(0, 0.1, 1))
    mass = np.asarray(Assembler(case).matrix("mass", None, 0).sum(0)).ravel()
    held = march(case, scheme=scheme)[0]["temperature"][..., 0] @ mass
    np.testing.assert_allclose(held, held[0], rtol=1e-10)


@pytest.mark.parametrize("scheme", FIRST)
def test_heat_changes_by_what_is_put_in(scheme: str) -> None:
    case = heat(LINE, {"right": Neumann(2)}, source=1, initial={"temperature": "x"}, times=(0, 0.5))
    mass = np.asarray(Assembler(case).matrix("mass", None, 0).sum(0)).ravel()
    held = march(case, scheme=scheme)[0]["temperature"][..., 0] @ mass
    assert held[-1] - held[0] == pytest.approx(0.5 * 3, rel=1e-10)


@pytest.mark.parametrize("scheme", FIRST)
def test_energy_falls_where_sides_are_cold(scheme: str) -> None:
    mesh = grid("triangle", 1, 5)
    case = heat(mesh, {"*": Dirichlet(0)}, initial={"temperature": "x*(1-x)*y*(1-y)"}, times=np.linspace(0, 0.2, 9))
    mass = Assembler(case).matrix("mass", None, 0)
    series = march(case, scheme=scheme)[0]["temperature"][..., 0]
    assert (np.diff([u @ (mass @ u) for u in series]) < 0).all()


def test_implicit_euler_invents_no_extremes() -> None:
    """With steps beyond h²/6 the matrix is of a kind whose inverse has no negative entries."""
    mesh = grid("line", 1, 20)
    case = heat(mesh, {"*": Dirichlet("x")}, initial={"temperature": "where(x < 0.5, 1, 0)"}, times=(0, 1))
    series = march(case, scheme="euler", steps=100)[0]["temperature"]
    assert series.min() >= -1e-12 and series.max() <= 1 + 1e-12


@pytest.mark.parametrize("scheme", ["bdf2", "euler"])  # of theta the stiffest parts fade slowly
def test_a_transient_ends_in_the_steady_state(scheme: str) -> None:
    mesh = grid("triangle", 1, 4)
    given: dict[str, Any] = {"coefficients": {"conductivity": "1+u"}, "source": "x"}
    conditions = {"left": Dirichlet(0), "right": Robin(1, ambient=1)}
    steady = solve(heat(mesh, conditions, **given)).values
    found = march(heat(mesh, conditions, **given, times=(0, 12)), scheme=scheme, steps=60)[0]["temperature"]
    np.testing.assert_allclose(found[-1, :, 0], steady, atol=1e-5)


def test_a_nonlinear_case_takes_its_boundary_values_from_a_state_at_rest() -> None:
    """At u = 0 nothing moves but the boundary: the residual of the rest is 0 there, which is not convergence."""
    case = heat(
        LINE, {"left": Dirichlet("t"), "right": Dirichlet(0)}, coefficients={"conductivity": "1+u"}, times=(0, 1)
    )
    assert ends(case, "euler", 4)[0, 0] == 1.0


def test_schemes_of_another_order_are_refused_by_name() -> None:
    case = heat(LINE, {"*": Dirichlet(0)}, times=(0, 1))
    with pytest.raises(MeshopsError, match="no scheme of heat is called 'newmark'"):
        march(case, scheme="newmark")


# -- second order ------------------------------------------------------------------------------------------------------
def test_newmarks_order_is_two_with_ends_that_are_moved() -> None:
    """U = x² cos(2t) + x: the ends' acceleration is not 0 at the start."""
    mesh = grid("line", 2, 3)
    case = Case(
        mesh,
        Wave(),
        conditions={"*": Dirichlet("x**2*cos(2*t)+x")},
        source="-4*x**2*cos(2*t) - 2*cos(2*t)",
        initial={"displacement": "x**2+x"},
        times=(0, 1.0),
    )
    exact = mesh.points**2 * np.cos(2) + mesh.points
    assert rate(case, "newmark", exact, (16, 64)) == pytest.approx(2, abs=0.15)


def test_newmarks_order_is_two_with_an_end_that_starts_with_a_jerk() -> None:
    case = Case(LINE, Wave(), conditions={"left": Dirichlet(0), "right": Dirichlet("sin(3*t)")}, times=(0, 1))
    assert rate(case, "newmark", ends(case, "newmark", 1024), (32, 128)) == pytest.approx(2, abs=0.15)


def test_a_damping_that_moves_is_assembled_anew() -> None:
    """U'' + 2t u' = 0 from u' = 1: u is the integral of e^(-t²)."""
    start = {"displacement.rate": 1.0}
    case = Case(LINE, Wave(), coefficients={"damping": "2*t"}, initial=start, times=(0, 1))
    exact = np.full((9, 1), np.sqrt(np.pi) / 2 * erf(1))
    assert rate(case, "newmark", exact) == pytest.approx(2, abs=0.15)


def test_newmark_conserves_energy() -> None:
    case = Case(
        grid("triangle", 1, 5),
        Wave(),
        conditions={"left": Dirichlet(0)},
        coefficients={"speed": "1+x"},
        initial={"displacement": "x*y", "displacement.rate": "sin(3*x)"},
        times=(0, 3),
    )
    method, assembler = Newmark(case), Assembler(case)
    stiffness, mass = assembler.system(None, 0).matrix, assembler.matrix("mass", None, 0)
    moment = method.start()
    energy = []
    for i in range(50):
        assert moment.rate is not None
        u, v = moment.values, moment.rate
        energy.append(v @ (mass @ v) + u @ (stiffness @ u))
        moment, _ = method.step(moment, 0.06 * (i + 1))
    np.testing.assert_allclose(energy, energy[0], rtol=1e-10)


def test_few_factorisations_are_kept() -> None:
    case = heat(LINE, {"*": Dirichlet(0)}, initial={"temperature": "x"}, times=(np.arange(20) ** 2 / 10).tolist())
    method = Euler(case)
    moment = method.start()
    for time in case.times[1:]:
        moment, _ = method.step(moment, time)
    assert len(method._prepared) == KEPT
