"""Guaranteed bounds against exact solutions: never below the error, near it under refinement, whatever the field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skfem

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.expressions import Expression
from geometries.families.grid import Grid
from geometries.tags import Box
from meshops.equations import EQUATIONS, Case, Solution, solve
from meshops.equations.assembly import Assembler, blocks
from meshops.equations.elevated import elevated
from meshops.equations.layout import Layout
from meshops.trust import TrustError, discretise, equilibrate, on_own_mesh, recover
from meshops.trust.fields import unknowns
from meshops.trust.recovery import _Gradients
from tests.equations.manufactured import case_of as manufactured_case
from tests.equations.manufactured import exactly
from tests.trust.cases import warped

AXES = "xyz"
KINDS = [(2, 1, 12), (2, 2, 6), (3, 1, 4), (3, 2, 2)]


class Known:
    """u = exp(0.8 x) sin(2 y) (1 + z²), which no side sees as a polynomial but where it is 0."""

    field = ("exp(0.8*x)", "*sin(2*y)", "*(1 + z**2)")
    slopes = ("0.8*exp(0.8*x)*sin(2*y)", "exp(0.8*x)*2*cos(2*y)", "exp(0.8*x)*sin(2*y)*2*z")

    def __init__(self, dim: int, k: float = 1.0) -> None:
        self.dim, self.k = dim, k
        self.u = "".join(self.field[:dim])
        self.gradient = [s + ("*(1 + z**2)" if dim == 3 and i < 2 else "") for i, s in enumerate(self.slopes[:dim])]
        extra = " + exp(0.8*x)*sin(2*y)*2" if dim == 3 else ""
        self.source = f"-{k}*((0.64 - 4)*{self.u}{extra})"


def case_of(known: Known, n: int, order: int, *, robin: bool = True) -> Case:
    """The unit cube; Dirichlet where u = 0 (y = 0), Robin on the right, the exact flux elsewhere."""
    mesh = Grid(shape=(n,) * known.dim, order=order).mesh()
    sign = {"left": "-", "top": "", "front": "-", "back": "", "right": ""}
    axis = {"left": 0, "right": 0, "top": 1, "front": 2, "back": 2}
    conditions = {
        name: Neumann(f"{sign[name]}{known.k}*({known.gradient[axis[name]]})")
        for name in mesh.boundaries
        if name != "bottom"
    }
    conditions["bottom"] = Dirichlet(0.0)
    if robin:
        conditions["right"] = Robin(2.0, f"({known.u}) + {known.k}*({known.gradient[0]})/2")
    return Case(
        mesh, EQUATIONS["heat"], conditions=conditions, source=known.source, coefficients={"conductivity": known.k}
    )


def true_error(case: Case, values: np.ndarray, known: Known) -> float:
    """(∫ k |∇u - ∇u_exact|² + ∫ h |u - u_exact|²)^½."""
    total = 0.0
    for block in blocks(case.mesh):
        basis = skfem.Basis(block.mesh, block.element, intorder=8)
        where = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
        for axis, slope in enumerate(known.gradient):
            error = np.asarray(basis.interpolate(values[block.points]).grad)[axis] - Expression(slope)(where)
            total += known.k * float((error**2 * basis.dx).sum())
        for part in case.parts:
            if isinstance(part.condition, Robin):
                basis_ = block.facet_basis(part.sides)
                where = np.moveaxis(np.asarray(basis_.global_coordinates()), 0, -1)
                error = np.asarray(basis_.interpolate(values[block.points])) - Expression(known.u)(where)
                total += 2.0 * float((error**2 * basis_.dx).sum())
    return float(np.sqrt(total))


@pytest.mark.parametrize(("dim", "order", "n"), KINDS)
@pytest.mark.parametrize("k", [1.0, 3.0])
def test_the_error_is_at_most_the_bound(dim: int, order: int, n: int, k: float) -> None:
    known = Known(dim, k)
    case = case_of(known, n, order)
    values = solve(case).values
    found = equilibrate(case, values)
    assert len(found.because) == 1
    assert "quadrature points only" in found.because[0]
    assert true_error(case, values, known) <= found.error
    assert np.sqrt((found.per_cell**2).sum()) <= found.error * (1 + 1e-12)


@pytest.mark.parametrize(("dim", "order", "n"), KINDS)
@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0])
def test_any_field_has_the_bound(dim: int, order: int, n: int, size: float) -> None:
    """Noise, and a smooth error whose load must be led a long way: neither is a discrete solution."""
    known = Known(dim)
    case = case_of(known, n, order)
    points, values = case.mesh.points, solve(case).values
    rng = np.random.default_rng(0)
    for error in (rng.standard_normal(len(values)), points[:, 1] * np.sin(3 * points[:, 0])):
        field = np.where(np.isnan(case.fixed[:, 0]), values + size * error, values)
        assert true_error(case, field, known) <= equilibrate(case, field).error


@pytest.mark.parametrize(("order", "sizes", "most"), [(1, (8, 16, 32), 1.5), (2, (4, 8, 16), 1.5)])
def test_the_bound_is_sharp_under_refinement(order: int, sizes: tuple[int, ...], most: float) -> None:
    known = Known(2)
    ratios = []
    for n in sizes:
        case = case_of(known, n, order)
        values = solve(case).values
        ratios.append(equilibrate(case, values).error / true_error(case, values, known))
    assert ratios == sorted(ratios, reverse=True)
    assert 1 <= ratios[-1] <= most


@pytest.mark.parametrize("h", [10.0, 1e7])
@pytest.mark.parametrize("shape", [(6, 6), (4, 4, 4)])
def test_strong_exchange_has_a_bound_as_sharp_as_that_of_a_given_value(shape: tuple[int, ...], h: float) -> None:
    mesh = Grid(shape=shape).mesh()
    held, cooled = (
        equilibrate(case, solve(case).values)
        for case in (Case(mesh, EQUATIONS["heat"], conditions={"*": c}, source=1.0) for c in (Dirichlet(0.0), Robin(h)))
    )
    assert cooled.guaranteed
    assert cooled.error < 1.5 * held.error


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dim", [2, 3])
def test_a_polynomial_has_no_error(dim: int, order: int) -> None:
    """Linear for P1, quadratic for P2; cells of any shape; the flux is found exactly."""
    mesh = warped(Grid(shape=(4, 3, 2)[:dim], order=order).mesh(), np.random.default_rng(1))
    field, source = ("1 + 2*x - y", 0.0) if order == 1 else ("x**2 + x*y", -2.0)
    case = Case(mesh, EQUATIONS["heat"], conditions={"*": Dirichlet(field)}, source=source)
    found = equilibrate(case, solve(case).values)
    assert found.error < 1e-8
    assert found.guaranteed


def test_corners_are_where_the_picture_shows_them() -> None:
    """At a re-entrant corner the indicators are largest."""
    mesh = Grid(shape=(16, 16)).mesh()
    kept = ~((mesh.cell_centers > 0.5).all(1))
    cells = mesh.cells["triangle"][kept]
    used, numbers = np.unique(cells, return_inverse=True)
    part = replace(mesh, points=mesh.points[used], cells={"triangle": numbers.reshape(-1, 3)}, boundaries={})
    case = Case(part, EQUATIONS["heat"], conditions={"*": Dirichlet(0.0)}, source=1.0)
    found = equilibrate(case, solve(case).values)
    worst = part.cell_centers[np.argsort(-found.per_cell)[:4]]
    assert (np.linalg.norm(worst - 0.5, axis=1) < 0.1).all()


def test_parts_that_touch_in_a_point_have_a_bound() -> None:
    """Two squares, corner to corner: what one of them lacks there cannot come from the other."""
    one = Grid(shape=(4, 4)).mesh()
    points = np.vstack([one.points, one.points + 1.0])
    used, numbers = np.unique(points.round(9), axis=0, return_inverse=True)
    cells = numbers.reshape(2, -1)[:, one.cells["triangle"]].reshape(-1, 3)
    mesh = replace(one, points=used, cells={"triangle": cells}, boundaries={})
    mesh = mesh.with_boundary("left", Box((-0.01, -0.01), (0.01, 1.01)))
    mesh = mesh.with_boundary("far", Box((1.99, 0.99), (2.01, 2.01)))
    case = Case(mesh, EQUATIONS["heat"], conditions={"left": Dirichlet(0.0), "far": Dirichlet(0.0)}, source="x")
    found = equilibrate(case, solve(case).values)
    assert found.guaranteed
    assert 0.01 < found.relative < 1.0


def test_what_is_not_guaranteed_is_said() -> None:
    mesh = Grid(shape=(4, 4)).mesh()
    curved = Case(
        mesh, EQUATIONS["heat"], conditions={"*": Dirichlet("sin(5*x)")}, coefficients={"conductivity": "1+x"}
    )
    found = equilibrate(curved, solve(curved).values)
    assert not found.guaranteed
    assert len(found.because) == 3
    spot = Case(
        mesh,
        EQUATIONS["heat"],
        conditions={"left": Dirichlet("y"), "right": Neumann("exp(y)"), "top": Robin("1+x", "y")},
        source="where(hypot(x-0.3125, y-0.2812) < 0.004, 1e5, 0)",
        coefficients={"conductivity": "where(x < 0.503, 1, 1000)"},
    )
    found = equilibrate(spot, solve(spot).values)
    assert "the source, the neumann value on right: no polynomial" in " ".join(found.because)
    assert "varies inside cells" in " ".join(found.because)
    quads = Case(Grid(shape=(4, 4), cell="quad").mesh(), EQUATIONS["heat"], conditions={"*": Dirichlet(0.0)})
    with pytest.raises(TrustError, match="quad"):
        equilibrate(quads, np.zeros(25))
    inside = replace(mesh, boundaries={"cut": np.array([[5, 0]])})
    cut = Case(inside, EQUATIONS["heat"], conditions={"cut": Neumann(1.0), "*": Dirichlet(0.0)})
    with pytest.raises(TrustError, match="inside"):
        equilibrate(cut, np.zeros(25))


@pytest.mark.parametrize(("cell", "order"), [("quad", 1), ("triangle", 1), ("hexahedron", 1)])
def test_recovered_fluxes_estimate_smooth_errors(cell: str, order: int) -> None:
    dim = 3 if cell == "hexahedron" else 2
    known, n = Known(dim), 6 if dim == 3 else 16
    case = case_of(known, n, order, robin=False)
    case = replace(case, mesh=Grid(shape=(n,) * dim, cell=cell, order=order).mesh())
    values = solve(case).values
    found = recover(case, values)
    assert not found.guaranteed
    assert 0.7 < found.error / true_error(case, values, known) < 1.3


@pytest.mark.parametrize("name", sorted(n for n, e in EQUATIONS.items() if e.time_order < 2))
@pytest.mark.parametrize("order", [1, 2])
def test_recovered_gradients_estimate_the_error_of_any_equation(name: str, order: int) -> None:
    """Against the exact gradient in the equation's own energy, by the same form at more quadrature points."""
    equation = EQUATIONS[name]
    exact = equation.manufactured(2)
    if exact is None or exact.times:
        pytest.skip(f"{name} has no steady manufactured solution")
    case = manufactured_case(equation, exact, Grid(shape=(16 // order,) * 2, order=order).mesh())
    fine = elevated(case)
    values = unknowns(on_own_mesh(solve(case))) if fine is case else solve_values(fine)
    found = recover(fine, values)
    true = energy_error(fine, values, exact.fields[equation.field])
    assert not found.guaranteed
    assert 0.6 < found.error / true < 1.5


def solve_values(case: Case) -> np.ndarray:
    return Layout(case.mesh, case.equation.fields).join(solve(case).fields)


def energy_error(case: Case, values: np.ndarray, exact: str | tuple[str, ...]) -> float:
    """The energy of the gradient's error, by the form that `recover` uses, with the exact gradient in place of G."""
    assembler, total = Assembler(case), 0.0
    for block, basis, numbers in assembler.blocks:
        regions = np.zeros(block.count, int)
        part = _Gradients(case, block, basis, regions, assembler.inside(block, basis, values[numbers], 0.0))
        where = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
        total += part.energy(exactly(exact, where, 0.0)[1] - part.gradient).sum()
    return float(np.sqrt(total))


def test_a_gradient_that_jumps_between_regions_is_no_error() -> None:
    """Piecewise linear, with k 1 and 10: found exactly, so its estimate is zero; without the names it is not."""
    mesh = Grid(shape=(8, 8)).mesh()
    right = mesh.cell_centers[:, 0] > 0.5
    mesh = replace(mesh, regions={"one": np.flatnonzero(~right), "ten": np.flatnonzero(right)})
    case = Case(
        mesh,
        EQUATIONS["heat"],
        conditions={"left": Dirichlet(0.0), "right": Dirichlet(1.0)},
        coefficients={"conductivity": {"one": 1.0, "ten": 10.0}},
    )
    assert recover(case, solve(case).values).error < 1e-6


def test_gradients_of_a_single_cell_tell_nothing() -> None:
    case = Case(Grid(shape=(1,)).mesh(), EQUATIONS["heat"], conditions={"left": Dirichlet(0.0)}, source=1.0)
    with pytest.raises(TrustError, match="no two cells of a region meet"):
        recover(case, solve(case).values)


def test_a_prediction_is_carried_near_the_discrete_solution_first() -> None:
    known = Known(2)
    case = case_of(known, 20, 1)
    exact = solve(case)
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(exact.values))
    assert isinstance(exact, Solution)
    rough, fine = discretise(case.solution(exact.values + noise)), discretise(exact)
    assert rough.error == pytest.approx(fine.error, rel=1e-3)
