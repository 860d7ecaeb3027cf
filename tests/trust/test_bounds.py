"""The error lies within its bounds, in every case; the contraction is what dense algebra says; the cache is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from geometries.conditions import Dirichlet, Robin
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, LinearSystem, assemble
from meshops.equations.base import Field
from meshops.equations.layout import Layout
from meshops.trust import Certificate, Hierarchy, TrustError, bounds, certify, measure, system_of
from meshops.trust.contraction import bound
from meshops.trust.hierarchy import to_linear
from tests.trust.cases import (
    PROVED,
    SHAPES,
    discrete_solution,
    elasticity,
    random_case,
    random_case_of,
    random_field,
    true_error,
)

FIELDS = 3  # for each case


def violations(name: str, seeds: range) -> list[str]:
    """Which random fields have an error outside their bounds; what the bounds were is printed (`pytest -s`)."""
    found, sharp, unproved = [], [], 0
    for seed in seeds:
        case = random_case_of(name, seed)
        system = assemble(case)
        certificate, exact = certify(case, system), discrete_solution(system)
        size = certificate.energy_norm(exact)
        unproved += not certificate.contraction.proved
        for number in range(FIELDS):
            values = random_field(case, exact, FIELDS * seed + number)
            cycles = 1 + (seed + number) % 3
            given = bounds(certificate, system, values, cycles=cycles)
            true = true_error(system, values, exact)
            inside = given.lower <= true <= given.upper and given.energy[0] <= size * (1 + 1e-9) + 1e-12
            if not (inside and size <= given.energy[1] * (1 + 1e-9)):
                found.append(f"seed {seed}, field {number}: {true} not in [{given.lower}, {given.upper}]")
            if cycles == 1 and true > 0 and certificate.contraction.proved:
                sharp.append((given.lower / true, given.upper / true))
    shares = [np.percentile(side, (5, 50, 95)).round(2).tolist() for side in zip(*sharp, strict=True)]
    print(f"{name}: {len(seeds)} cases, {unproved} not proved; 5, 50, 95 % of lower, upper/true: {shares}")  # noqa: T201
    return found


@pytest.mark.parametrize("name", PROVED)
def test_the_error_is_within_the_bounds(name: str) -> None:
    assert violations(name, range(28)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVED)
def test_the_error_is_within_the_bounds_in_a_thousand_cases(name: str) -> None:
    assert violations(name, range(1000, 2050)) == []


def test_all_provable_equations_are_tested() -> None:
    steady = {n for n, e in EQUATIONS.items() if e.definite and e.time_order < 2 and e.residual is None}
    assert steady == set(PROVED)


@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_one_cycle_is_sharp_and_more_are_sharper(seed: int) -> None:
    case = random_case(seed)
    system = assemble(case)
    certificate, exact = certify(case, system), discrete_solution(system)
    values = exact + 0.01 * np.sin(3 * case.mesh.points[:, 0])
    ratios = []
    for cycles in (1, 2, 4):
        given = bounds(certificate, system, values, cycles=cycles)
        ratios.append(given.upper / given.lower)
    assert ratios[0] < 3
    assert ratios[0] >= ratios[1] >= ratios[2] >= 1
    assert ratios[2] < 1.2


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_displacements_have_the_same_bounds(dim: int, seed: int) -> None:
    rng = np.random.default_rng([dim, seed])
    system, mesh = elasticity((14, 12) if dim == 2 else (5, 4, 5), rng)
    certificate = Certificate.of(system, components=dim, mesh=mesh)
    assert certificate.contraction.proved
    exact = discrete_solution(system)
    for scale in (1.0, 1e-4, 1e-8):
        values = exact + scale * np.abs(exact).max() * rng.standard_normal(len(exact))
        given = bounds(certificate, system, values)
        assert given.lower <= true_error(system, values, exact) <= given.upper < 3 * given.lower


def dense(hierarchy: Hierarchy) -> tuple[np.ndarray, np.ndarray]:
    """A and B of the free unknowns."""
    free = np.flatnonzero(~hierarchy.fixed)
    unit = np.eye(len(hierarchy.fixed))
    cycle = np.column_stack([hierarchy.cycle(unit[i]) for i in free])[free]
    return hierarchy.matrix.toarray()[np.ix_(free, free)], cycle


@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_the_contraction_is_bounded_from_both_sides(seed: int) -> None:
    case = random_case(seed)
    hierarchy = Hierarchy.build(assemble(case), mesh=case.mesh)
    matrix, cycle = dense(hierarchy)
    assert np.abs(cycle - cycle.T).max() < 1e-10 * np.abs(cycle).max()
    lower = np.linalg.cholesky(matrix)
    eigenvalues = np.linalg.eigvalsh(lower.T @ (cycle + cycle.T) @ lower / 2)
    assert eigenvalues[0] > 0
    assert eigenvalues[-1] < 1 + 1e-9
    found = measure(hierarchy)
    assert found.found - 1e-9 <= 1 - eigenvalues[0] <= found.bound < 1


@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_the_random_start_is_rough_enough(seed: int) -> None:
    """Its covariance M D⁻¹ Mᵀ is at least B⁻¹: no direction is left out."""
    case = random_case(seed)
    hierarchy = Hierarchy.build(assemble(case), mesh=case.mesh)
    matrix, cycle = dense(hierarchy)
    lower = np.tril(matrix)
    covariance = lower @ np.diag(1 / matrix.diagonal()) @ lower.T
    root = np.linalg.cholesky((cycle + cycle.T) / 2)
    assert np.linalg.eigvalsh(root.T @ covariance @ root)[0] > 1 - 1e-8
    draws = np.stack([hierarchy.rough(np.random.default_rng(i)) for i in range(50)])[:, ~hierarchy.fixed]
    assert np.isclose((draws**2).sum() / 50, np.trace(covariance), rtol=0.2)


def test_the_failure_probability_is_kept() -> None:
    """With a failure of 1/4 asked for and few steps, fewer than 1 in 4 random starts give a bound below δ."""
    hierarchy = Hierarchy.build(assemble(random_case(0)))
    matrix, cycle = dense(hierarchy)
    delta = 1 - np.linalg.eigvals(cycle @ matrix).real.min()
    for steps in (1, 2, 3, 5):
        tries = [measure(hierarchy, failure=0.25, seed=seed, most_steps=steps) for seed in range(40)]
        assert sum(t.bound < delta for t in tries) <= 10
        assert all(t.found <= delta + 1e-12 for t in tries)


def test_the_bound_falls_with_steps_to_what_was_found() -> None:
    values = [bound(0.4, steps, 1e5, 1e-6) for steps in (5, 10, 20, 40, 1000)]
    assert values == sorted(values, reverse=True)
    assert 0.4 < values[-1] < 0.4001


def test_verdicts_do_not_depend_on_offset_or_units() -> None:
    """All temperatures 273.15 higher, or lengths in millimetres: the same relative error."""
    case = random_case(3)
    warm = {
        name: replace(c, ambient=c.ambient + 273.15) if isinstance(c, Robin) else c
        for name, c in case.conditions.items()
    }
    warm = {n: Dirichlet("276.15 + y") if isinstance(c, Dirichlet) and n == "left" else c for n, c in warm.items()}
    only = {n: c for n, c in case.conditions.items() if n == "left"}
    base = Case(case.mesh, case.equation, conditions=only, source=2.0, coefficients=case.coefficients)
    hot = replace(base, conditions={"left": warm["left"]})
    noise = np.random.default_rng(0).standard_normal(case.mesh.num_points)
    relative = []
    for one in (base, hot):
        system = assemble(one)
        relative.append(bounds(certify(one, system), system, discrete_solution(system) + 0.01 * noise).relative)
    assert np.allclose(relative[0], relative[1], rtol=1e-5)


def test_a_certificate_is_shared_over_loads_and_not_over_matrices() -> None:
    case = random_case(0)
    base = Case(case.mesh, case.equation, conditions={"left": Dirichlet(1.0), "right": Robin(2.0, 3.0)})
    first = certify(base)
    assert certify(replace(base, source=4.0)) is first
    assert certify(replace(base, conditions={"left": Dirichlet("y"), "right": Robin(2.0, 7.0)})) is first
    assert certify(replace(base, conditions={"left": Dirichlet(1.0), "right": Robin(2.5, 3.0)})) is not first
    assert certify(replace(base, coefficients={"conductivity": 2.0})) is not first
    assert certify(replace(base, conditions={"left": Dirichlet(1.0)})) is not first
    assert certify(replace(base, mesh=base.mesh.scaled(2.0))) is not first
    assert certify(replace(base, coefficients={**base.coefficients, "capacity": 9.0})) is first


def test_thermal_loads_share_a_certificate() -> None:
    """And its bounds hold for each."""
    warm = {"poisson": 0.2, "expansion": 0.1}
    cases = [
        Case(
            Grid(shape=(9, 8)).mesh(), EQUATIONS["elasticity"], conditions={"left": Dirichlet(0.0)}, coefficients=given
        )
        for given in ({**warm, "temperature_rise": "x"}, {**warm, "temperature_rise": 3.0}, {**warm, "poisson": 0.3})
    ]
    first = certify(cases[0])
    assert certify(cases[1]) is first and certify(cases[2]) is not first
    system = assemble(cases[1])
    exact = discrete_solution(system)
    values = np.where(system.fixed, exact, exact + 0.01 * np.sin(np.arange(len(exact))))
    found = bounds(first, system, values)
    assert found.lower <= true_error(system, values, exact) <= found.upper


def test_what_is_not_symmetric_positive_definite_is_refused() -> None:
    case = random_case(0)
    system = assemble(case)
    n = len(system.rhs)
    skew = csr_array((np.ones(n - 1), (np.arange(n - 1), np.arange(1, n))), shape=(n, n))
    with pytest.raises(TrustError, match="not symmetric"):
        Certificate.of(replace(system, matrix=csr_array(system.matrix + skew)))
    shift = csr_array((np.full(n, 0.3 * system.matrix.diagonal().max()), (np.arange(n), np.arange(n))), shape=(n, n))
    with pytest.raises(TrustError, match=r"positive|above 0"):
        Certificate.of(replace(system, matrix=csr_array(system.matrix - shift)))


def test_a_point_of_no_cell_does_not_matter() -> None:
    case = random_case(0)
    points = np.vstack([case.mesh.points, [[7.0, 7.0]]])
    mesh = replace(case.mesh, points=points)
    lone = Case(mesh, EQUATIONS["heat"], conditions={"left": Dirichlet(1.0), "right": Dirichlet(2.0)})
    system = assemble(lone)
    assert isinstance(system, LinearSystem)
    given = bounds(certify(lone, system), system, np.ones(mesh.num_points))
    assert 0 < given.lower <= given.upper < np.inf


@pytest.mark.parametrize("jump", [1e10, 1e14, 1e16])
def test_a_jump_that_rounding_could_hide_is_not_hidden(jump: float) -> None:
    """On a mesh of one level, solved at once: an error in the soft half is seen, however stiff the other is."""
    mesh = Grid(shape=(8, 8)).mesh()
    soft = mesh.cell_centers[:, 0] < 0.5
    mesh = replace(mesh, regions={"soft": np.flatnonzero(soft), "stiff": np.flatnonzero(~soft)})
    case = Case(
        mesh,
        EQUATIONS["heat"],
        conditions={"left": Dirichlet(0.0), "right": Dirichlet(1.0)},
        source=1.0,
        coefficients={"conductivity": {"soft": 1.0, "stiff": jump}},
    )
    system = system_of(case)
    certificate = certify(case, system)
    inside = (mesh.points[:, 0] > 0.05) & (mesh.points[:, 0] < 0.45)
    error = np.where(inside, np.random.default_rng(0).standard_normal(len(inside)), 0.0)
    true = np.sqrt(error @ (system.matrix @ error))
    found = bounds(certificate, system, discrete_solution(system) + error)
    assert certificate.contraction.proved
    assert 0.5 * true < found.lower <= true * (1 + 1e-3)
    assert found.upper >= true * (1 - 1e-3)


def test_a_matrix_singular_to_rounding_proves_nothing() -> None:
    near = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-15]])
    system = LinearSystem(csr_array(near), np.ones(2), np.zeros(2, bool), np.zeros(2))
    assert not Certificate.of(system).contraction.proved
    with pytest.raises(TrustError, match="not positive definite"):
        Certificate.of(replace(system, matrix=csr_array([[1.0, 2.0], [2.0, 1.0]])))


def test_a_direction_of_negative_energy_is_refused() -> None:
    """Whatever the certificate promised: one of another matrix, here with a loss that is a gain."""
    case = random_case(0)
    system = assemble(case)
    certificate = Certificate.of(system)
    wrong = replace(certificate, hierarchy=replace(certificate.hierarchy, matrix=-1.0 * certificate.hierarchy.matrix))
    with pytest.raises(TrustError, match="energy"):
        bounds(wrong, system, np.ones(len(system.rhs)))


@pytest.mark.parametrize("far", [0.0, 1e-9])
def test_rounding_is_in_the_bounds_of_a_slender_part(far: float) -> None:
    """A cantilever 50 times as long as high, where the rounding of the residual bends it: the truth by refinement."""
    grid = Grid(shape=(16, 16)).mesh()
    mesh = replace(grid, points=grid.points * [50.0, 1.0])
    case = Case(
        mesh,
        EQUATIONS["elasticity"],
        conditions={"left": Dirichlet(0.0)},
        source=(0.0, 1e-3),
        coefficients={"young": 1.0, "poisson": 0.3},
    )
    system = assemble(case)
    exact = refined(system)
    found = bounds(certify(case, system), system, (1 + far) * exact)
    assert found.lower <= true_error(system, (1 + far) * exact, exact) <= found.upper


@pytest.mark.parametrize("cycles", [1, 2, 3])
@pytest.mark.parametrize("exchange", [1e-6, 1e-8, 1e-9])
def test_rounding_is_in_the_bounds_of_a_weakly_held_part(exchange: float, cycles: int) -> None:
    """Its error is near a constant, whose energy is small beside the rounding of a product; of a zero field, uᵀb."""
    case = Case(Grid(shape=(8, 8)).mesh(), EQUATIONS["heat"], conditions={"*": Robin(exchange)}, source=1.0)
    system = system_of(case)
    certificate, true = certify(case, system), np.sqrt(refined(system) @ system.rhs)
    found = bounds(certificate, system, np.zeros(len(system.rhs)), cycles=cycles)
    assert certificate.contraction.proved
    assert true * (1 - 1e-4) < found.lower <= true <= found.upper < true * (1 + 1e-4)


def refined(system: LinearSystem) -> np.ndarray:
    """The discrete solution to rounding, by residuals in extended precision."""
    matrix, load = system.reduced()
    entries, solved, found = matrix.tocoo(), splu(matrix.tocsc()), np.zeros(len(load), np.longdouble)
    for _ in range(6):
        rest = load.astype(np.longdouble)
        np.subtract.at(rest, entries.row, entries.data.astype(np.longdouble) * found[entries.col])
        found = found + solved.solve(rest.astype(float))
    return system.expand(found.astype(float))


@pytest.mark.parametrize("cycles", [0, -1])
def test_no_cycle_gives_no_bounds(cycles: int) -> None:
    case = random_case(0)
    with pytest.raises(TrustError, match=f"found {cycles} cycles; expected 1 or more"):
        bounds(certify(case), assemble(case), np.zeros(case.mesh.num_points), cycles=cycles)


@pytest.mark.parametrize(
    ("cell", "shape"),
    [("line", (3,)), ("triangle", (3, 2)), ("quad", (2, 3)), ("tetra", (2, 1, 2)), ("hexahedron", (1, 2, 1))],
)
def test_corners_give_mid_nodes_the_values_of_linear_fields(cell: str, shape: tuple[int, ...]) -> None:
    """In the hierarchy's linear fields as where a field of lower order is reported."""
    mesh = Grid(shape=shape, cell=cell, order=2).mesh()
    field = 1 + mesh.points @ np.arange(1.0, mesh.dim + 1)
    found = to_linear(mesh, 1)
    assert found is not None
    fields, corners = found
    np.testing.assert_allclose(fields @ field[corners], field)
    layout = Layout(mesh, (Field("pressure", "Pa", lower=True),))
    values = layout.split(layout.join({"pressure": field[:, None]}))["pressure"]
    np.testing.assert_allclose(values[:, 0], field)
