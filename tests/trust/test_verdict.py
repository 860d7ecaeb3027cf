"""Verdicts say what the numbers mean; polishing keeps its promise; an operator's directions never hurt."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from geometries.conditions import Dirichlet, Neumann, Periodic, Robin, Roller
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, assemble, solve
from meshops.trust import (
    Discretisation,
    TrustError,
    Verdict,
    assess,
    bounds,
    certify,
    descend,
    equilibrate,
    estimate,
    judge,
    polish,
    system_of,
)
from meshops.trust.polish import best_start
from tests.trust.cases import SHAPES, discrete_solution, random_case, random_field, true_error

EVERY = range(len(SHAPES))


def verdict(high: float, *, guaranteed: bool = True, unusual: tuple[str, ...] = ()) -> Verdict:
    return Verdict((0.0, high), (0.0, high), guaranteed, 1e-6, 0.1, None, unusual)


def test_words() -> None:
    assert verdict(0.09).word == "within tolerance"
    assert verdict(0.3).word == "indicative"
    assert verdict(0.6).word == "do not use"
    assert verdict(float("inf")).word == "do not use"
    assert verdict(0.09, guaranteed=False).word == "indicative"
    assert verdict(0.09, guaranteed=False, unusual=("volume",)).word == "do not use"
    assert verdict(0.09, unusual=("volume",)).word == "within tolerance"
    assert [verdict(x).exit_code for x in (0.09, 0.3, 0.6)] == [0, 0, 3]


def test_a_verdict_is_plain_json() -> None:
    plain = json.loads(json.dumps(verdict(float("inf")).to_json(), allow_nan=False))
    assert plain["energy_error"] == [0.0, None]
    assert plain["word"] == "do not use"
    assert "do not use" in str(verdict(float("inf")))


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_is_above_zero(tolerance: float) -> None:
    with pytest.raises(TrustError, match="tolerance"):
        replace(verdict(0.1), tolerance=tolerance)


@pytest.mark.parametrize("seed", EVERY)
def test_a_polished_field_is_within_its_tolerance(seed: int) -> None:
    case = random_case(seed)
    system = assemble(case)
    exact = discrete_solution(system)
    certificate = certify(case, system)
    for tolerance in (1e-1, 1e-3, 1e-6):
        done = polish(case.solution(random_field(case, exact, seed)), tolerance=tolerance)
        assert true_error(system, done.values, exact) <= tolerance * certificate.energy_norm(exact) * (1 + 1e-9)
        assert judge(done, tolerance=1.01 * tolerance, cycles=3).word == "within tolerance"


@pytest.mark.parametrize("seed", EVERY)
def test_the_start_is_never_worse_than_zero_or_the_prediction(seed: int) -> None:
    case = random_case(seed)
    system, certificate = assemble(case), certify(case)
    exact = discrete_solution(system)
    for number in range(4):
        values = random_field(case, exact, 100 * seed + number)
        found = true_error(system, best_start(certificate, system, values), exact)
        others = [true_error(system, v, exact) for v in (values, np.zeros_like(values))]
        assert found <= min(others) * (1 + 1e-9)


def test_a_good_prediction_saves_iterations() -> None:
    case = random_case(0)
    exact = discrete_solution(assemble(case))
    near = exact * (1 + 1e-3 * np.sin(case.mesh.points[:, 0]))
    record = polish(case.solution(near), tolerance=1e-5, compare=True).made_by["polish"]
    assert record["iterations"] < record["from_zero"]["iterations"]


@pytest.mark.parametrize("seed", [0, 4])
def test_an_operators_directions_never_hurt(seed: int) -> None:
    """A perfect one ends at once; noise, NaN and zeros cost no error."""
    case = random_case(seed)
    system, certificate = assemble(case), certify(case)
    exact, zero = discrete_solution(system), np.zeros(len(system.rhs))
    plain = descend(certificate, system, zero, 1e-6)
    rng = np.random.default_rng(0)
    homogeneous = replace(system, fixed_value=zero)
    perfect = descend(
        certificate, system, zero, 1e-6, direction=lambda r: discrete_solution(replace(homogeneous, rhs=r))
    )
    assert perfect.iterations == 1
    for useless in (lambda r: rng.standard_normal(len(r)), lambda r: np.full(len(r), np.nan), np.zeros_like):
        done = descend(certificate, system, zero, 1e-6, direction=useless)
        assert done.operator_steps <= plain.iterations
        assert done.iterations <= plain.iterations + 1
        assert true_error(system, done.values, exact) <= 1e-6 * certificate.energy_norm(exact) * (1 + 1e-6)


def test_from_zero_it_stops_where_the_tolerance_is_met() -> None:
    """Not later, as where the norm of zero is what counts; and what is said of the end is said of its own residual."""
    case = Case(Grid(shape=(24, 24)).mesh(), EQUATIONS["heat"], conditions={"left": Dirichlet(0.0)}, source=1.0)
    system, certificate = assemble(case), certify(case)
    exact, zero = discrete_solution(system), np.zeros(len(system.rhs))
    size = certificate.energy_norm(exact)
    for tolerance in (1e-2, 1e-6):
        done = descend(certificate, system, zero, tolerance)
        assert all(bound > 0.5 * tolerance * size for bound in done.history[:-1])
        assert done.iterations < 40
        assert 0 < true_error(system, done.values, exact) <= done.error <= tolerance * size * (1 + 1e-6)
    record = polish(case.solution(zero), tolerance=1e-3).made_by["polish"]
    assert abs(record["from_zero"]["iterations"] - record["iterations"]) <= 2


def test_a_tolerance_out_of_reach_is_refused() -> None:
    case = random_case(0)
    with pytest.raises(TrustError, match="out of reach"):
        polish(case.solution(np.zeros(case.mesh.num_points)), tolerance=1e-18)


def test_what_is_not_symmetric_is_estimated() -> None:
    """Advection: an estimate near the truth, and never called a bound."""
    case = random_case(0)
    system = assemble(case)
    n = len(system.rhs)
    step = np.arange(n - 1)
    wind = csr_array((np.full(n - 1, 0.2 * system.matrix.diagonal().mean()), (step, step + 1)), shape=(n, n))
    blown = replace(system, matrix=csr_array(system.matrix + wind - wind.T))
    exact = discrete_solution(blown)
    for size in (1e-1, 1e-3):
        values = np.where(blown.fixed, exact, exact + size * np.random.default_rng(0).standard_normal(n))
        error = exact - values
        true = np.sqrt(error @ (blown.matrix @ error))
        low, high = estimate(blown, values).error
        assert 0.8 * low <= true <= 1.25 * high


@pytest.mark.parametrize("seed", range(4 * len(SHAPES)))
def test_the_quick_assembly_is_the_slow_one(seed: int) -> None:
    case = random_case(seed)
    slow, quick = assemble(case), system_of(case)
    assert abs(slow.matrix - quick.matrix).max() <= 1e-12 * abs(slow.matrix).max()
    assert np.abs(slow.rhs - quick.rhs).max() <= 1e-12 * (np.abs(slow.rhs).max() + abs(slow.matrix).max())
    load = system_of(case, quick.matrix)
    assert load.matrix is quick.matrix
    assert np.array_equal(load.rhs, quick.rhs)


def test_what_has_no_proof_is_estimated() -> None:
    """Nonlinear: near the truth at the field at hand, and not called proved."""
    case = Case(
        Grid(shape=(20, 20)).mesh(),
        EQUATIONS["heat"],
        conditions={"left": Dirichlet(0.0), "right": Dirichlet(3.0)},
        source=2.0,
        coefficients={"conductivity": "1 + 0.1*u"},
    )
    exact = solve(case)
    x, y = case.mesh.points.T
    near = case.solution(exact.values + 0.01 * np.sin(np.pi * x) * np.sin(2 * np.pi * y))
    found = judge(near, tolerance=0.1)
    error = near.values - exact.values
    system = assemble(case, exact.fields)
    true = np.sqrt(error @ (system.matrix @ error))
    assert not found.guaranteed
    assert found.word in ("indicative", "do not use")
    assert 0.8 * found.energy_error[0] <= true <= 1.25 * found.energy_error[1]


@pytest.mark.parametrize("wavenumber", [1.0, 5.5, 7.5, 12.0])
def test_waves_are_judged_by_a_norm(wavenumber: float) -> None:
    """Also beyond the first resonance, where ∫ |∇u|² - k² u² is of either sign."""
    mesh = Grid(shape=(21, 21)).mesh()
    held = dict.fromkeys(mesh.boundaries, Dirichlet(0.0))
    pulse = "exp(-20*((x-0.3)**2+(y-0.4)**2))"
    case = Case(mesh, EQUATIONS["helmholtz"], conditions=held, source=pulse, coefficients={"wavenumber": wavenumber})
    exact = solve(case).values
    x, y = np.pi * mesh.points.T
    for error in (np.sin(3 * x) * np.sin(2 * y), np.where(np.isnan(case.fixed[:, 0]), np.cos(40 * (x + 2 * y)), 0.0)):
        share = 2 * np.linalg.norm(exact) / np.linalg.norm(error)
        found = judge(case.solution(exact + share * error), tolerance=0.1)
        assert found.relative_energy_error[1] > 1 and found.word == "do not use"


@pytest.mark.parametrize("name", ["stokes", "navier_stokes"])
@pytest.mark.parametrize("length", [1.0, 50.0])
def test_neither_a_wrong_pressure_nor_a_wrong_velocity_is_overlooked(name: str, length: float) -> None:
    """Nor is one lost beside the other: in a long channel the pressure is by far the larger."""
    mesh = Grid(shape=(7, 7), order=2).mesh()
    mesh = replace(mesh, points=mesh.points * (length, 1.0))
    walls = {"left": Dirichlet(("y*(1-y)", 0.0)), "top": Dirichlet((0.0, 0.0)), "bottom": Dirichlet((0.0, 0.0))}
    case = Case(mesh, EQUATIONS[name], conditions=walls)
    exact = solve(case)
    for field in ("velocity", "pressure"):
        for share, low, high in ((2.0, 0.5, 2.0), (1.01, 0.005, 0.02), (1.0, 0.0, 1e-9)):
            off = case.solution({**exact.fields, field: share * exact.fields[field]})
            found = judge(off, tolerance=0.1).relative_energy_error
            assert low <= found[0] <= found[1] <= high


def test_the_level_of_a_pressure_that_has_none_is_no_error() -> None:
    mesh = Grid(shape=(7, 7), order=2).mesh()
    case = Case(mesh, EQUATIONS["stokes"], conditions=dict.fromkeys(mesh.boundaries, Dirichlet(("y", "x"))))
    exact = solve(case)

    x = mesh.points[:, :1]
    for error, relative in ((0 * x + 1e3, 0.0), (x, np.sqrt(1 / 24)), (x + 1e3, np.sqrt(1 / 24))):  # (var x/2)^½
        off = case.solution({**exact.fields, "pressure": exact.fields["pressure"] + error})
        found = judge(off, tolerance=0.1).relative_energy_error
        assert found == pytest.approx((relative, relative), rel=0.02, abs=1e-9)


def tied_cases() -> dict[str, Case]:
    """Periodic sides, and rollers on a turned block."""
    ring = Case(
        Grid(shape=(20, 20)).mesh(),
        EQUATIONS["heat"],
        conditions={"bottom": Periodic("top"), "left": Dirichlet("y"), "right": Robin(2.0, 1.0)},
        source=2.0,
    )
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    block = Grid(shape=(16, 16)).mesh()
    block = replace(block, points=block.points @ turn.T)
    held = {"left": Roller(), "bottom": Roller(), "right": Neumann((1.0, 0.3))}
    solid = Case(block, EQUATIONS["elasticity"], conditions=held, coefficients={"young": "2 + x", "poisson": 0.3})
    return {"periodic": ring, "rollers": solid}


@pytest.mark.parametrize("name", tied_cases())
@pytest.mark.parametrize("size", [1e-1, 1e-3, 1e-6])
def test_tied_unknowns_have_bounds(name: str, size: float) -> None:
    """And are polished to a tolerance that is proved."""
    case = tied_cases()[name]
    system, certificate = assemble(case), certify(case)
    exact = discrete_solution(system)
    rng = np.random.default_rng(0)
    for rough in (rng.standard_normal(len(exact)), np.sin(3 * np.arange(len(exact)) / len(exact))):
        values = exact + size * np.abs(exact).max() * system.expand(system.restrict(rough), np.zeros_like(exact))
        error = exact - system.expand(system.restrict(values))
        true = np.sqrt(error @ (system.matrix @ error))
        found = bounds(certificate, system, values, cycles=2)
        assert found.lower <= true <= found.upper < 3 * found.lower
        assert found.energy[0] <= certificate.energy_norm(exact) * (1 + 1e-9) <= found.energy[1] * (1 + 2e-9)
        start = case.solution(values.reshape(case.mesh.num_points, -1))
        done = polish(start, tolerance=1e-5).values.ravel() - exact
        assert np.sqrt(done @ (system.matrix @ done)) <= 1e-5 * certificate.energy_norm(exact) * (1 + 1e-6)


def test_newton_starts_from_a_prediction_that_is_near() -> None:
    """Fewer iterations from near the solution; from nonsense the case's own start is taken; the tolerance is met."""
    case = Case(
        Grid(shape=(20, 20)).mesh(),
        EQUATIONS["heat"],
        conditions={"left": Dirichlet(0.0), "right": Dirichlet(3.0)},
        source=2.0,
        coefficients={"conductivity": "exp(u)"},
    )
    exact = solve(case)
    x, y = case.mesh.points.T
    bump = np.sin(np.pi * x) * np.sin(np.pi * y)
    near = polish(case.solution(exact.values + 1e-3 * bump), tolerance=1e-6, compare=True)
    record = near.made_by["polish"]
    assert record["start"] == "prediction"
    assert record["iterations"] < record["from_zero"]["iterations"]
    far = polish(case.solution(exact.values + 50 * np.random.default_rng(0).standard_normal(len(x))), tolerance=1e-6)
    assert far.made_by["polish"]["start"] == "zero"
    for found in (near, far):
        assert np.allclose(found.values, exact.values, atol=1e-5)


def test_the_model_of_the_start_from_zero_is_near_what_is_measured() -> None:
    case = random_case(0)
    exact = discrete_solution(assemble(case))
    near = case.solution(exact * (1 + 1e-2 * np.sin(case.mesh.points[:, 0])))
    records = [polish(near, tolerance=1e-6, compare=c).made_by["polish"]["from_zero"] for c in (False, True)]
    assert [r["measured"] for r in records] == [False, True]
    assert abs(records[0]["iterations"] - records[1]["iterations"]) <= 3


def test_a_mesh_too_coarse_is_indicative_and_no_worse() -> None:
    """No better answer can be had on this mesh, so it is not refused; but nor is it within the tolerance."""
    coarse = Discretisation(1.0, 0.9, True, "", np.ones(1))
    given = replace(verdict(0.09), discretisation=coarse)
    assert (given.word, given.exit_code) == ("indicative", 0)


@pytest.mark.parametrize(
    "coefficients", [{"loss": 3.0}, {"conductivity": [[2.0, 0.5], [0.5, 1.0]]}, {"loss": "x", "conductivity": "1 + y"}]
)
def test_losses_and_tensors_have_bounds(coefficients) -> None:
    case = Case(
        Grid(shape=(20, 20)).mesh(),
        EQUATIONS["heat"],
        conditions={"left": (Neumann(1.0), Robin(2.0, 1.0)), "right": Dirichlet(3.0)},
        coefficients=coefficients,
    )
    exact = solve(case)
    values = exact.values + 0.01 * np.sin(4 * case.mesh.points[:, 0])
    found = judge(case.solution(values), tolerance=0.1)
    low, high = found.energy_error
    assert found.guaranteed
    assert low <= true_error(assemble(case), values, exact.values) <= high


def test_several_conditions_on_one_side_add_up() -> None:
    case = Case(
        Grid(shape=(6, 5)).mesh(),
        EQUATIONS["heat"],
        conditions={"left": (Neumann("y"), Robin(2.0, 1.0)), "right": Dirichlet(3.0)},
    )
    slow, quick = assemble(case), system_of(case)
    assert abs(slow.matrix - quick.matrix).max() < 1e-12
    assert np.abs(slow.rhs - quick.rhs).max() < 1e-12
    assert equilibrate(case, solve(case).values).guaranteed


def test_judging_uses_the_shared_matrix() -> None:
    case = random_case(0)
    system = assemble(case)
    values = discrete_solution(system) + 0.01
    shared = judge(case.solution(values), tolerance=0.1)
    given = bounds(certify(case), system, values)
    assert shared.energy_error == pytest.approx((given.lower, given.upper))


def test_where_the_contraction_is_not_proved_the_error_is_estimated() -> None:
    """And polishing still gives an answer that is not refused."""
    case = random_case(0)
    certificate = certify(case)
    doubtful = replace(certificate, contraction=replace(certificate.contraction, bound=1.01))
    exact = discrete_solution(assemble(case))
    values = exact + 0.01 * np.sin(4 * case.mesh.points[:, 0])
    found = judge(case.solution(values), tolerance=0.1, certificate=doubtful)
    low, high = found.energy_error
    assert not found.guaranteed
    assert 0.8 * low <= true_error(assemble(case), values, exact) <= 1.25 * high
    done = polish(case.solution(values), tolerance=1e-6, certificate=doubtful)
    assert judge(done, tolerance=1e-6, certificate=doubtful).word == "indicative"


def nearly_incompressible(equation: str, cell: str, order: int, poisson: float) -> Case:
    """A square held on the left and pulled along the right side, by little."""
    mesh = Grid(shape=(6, 6), cell=cell, order=order).mesh()
    held = {"left": Dirichlet((0.0, 0.0)), "right": Neumann((0.0, 1e-3))}
    return Case(mesh, EQUATIONS[equation], conditions=held, coefficients={"poisson": poisson})


@pytest.mark.parametrize("cell", ["triangle", "quad"])
@pytest.mark.parametrize("equation", ["elasticity", "hyperelasticity"])
def test_a_part_that_may_be_locked_is_never_within_tolerance(equation: str, cell: str) -> None:
    """Whatever the estimate says: it is far below the truth."""
    found = assess(solve(nearly_incompressible(equation, cell, 1, 0.4999)), tolerance=100.0)
    assert found.total < 1 and (found.word, found.exit_code) == ("indicative", 0)
    assert "first-order cells lock at poisson 0.4999" in str(found) and "`order: 2`" in str(found)
    assert found.discretisation is not None and set(found.doubts) <= set(found.discretisation.because)
    assert found.to_json()["doubts"] == list(found.doubts)


@pytest.mark.parametrize(
    ("equation", "order", "poisson"),
    [("elasticity", 2, 0.49), ("hyperelasticity", 2, 0.4999), ("elasticity", 1, 0.45), ("plane_stress", 1, 0.4999)],
)
def test_what_does_not_lock_is_not_doubted(equation: str, order: int, poisson: float) -> None:
    case = nearly_incompressible(equation, "triangle", order, poisson)
    assert case.equation.doubts(case) == ()
    if EQUATIONS[equation].definite and case.linear:
        assert assess(solve(case), tolerance=100.0).word == "within tolerance"
