"""Solvers: a linear system directly when small, by conjugate gradients and multigrid when large; Newton's method."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from geometries.errors import MeshopsError
from meshops.equations.assembly import Assembler
from meshops.equations.case import Case
from meshops.equations.elevated import elevated
from meshops.equations.solution import Solution
from meshops.equations.system import LinearSystem

Floats = NDArray[np.float64]
DIRECT_BELOW = 4000  # unknowns: where a sparse factorisation stops being the quicker one, measured in 2-D and 3-D
DIRECT_AT_MOST = 100_000  # unknowns: where one is still tried after conjugate gradients have failed
SADDLE_DIRECT_BELOW = 500_000  # entries of Stokes's matrix: there it depends on how full the rows are
TOLERANCE = 1e-10
NEWTON_STEPS, HALVINGS = 40, 11
_LEAST_STEP = 1e-3  # of the way from an easy case to the one asked for


class SolverError(MeshopsError):
    """The solver did not reach its tolerance."""


@dataclass(frozen=True, eq=False)
class Solved:
    """Values of all unknowns (n,) and how they were found."""

    values: Floats
    solver: str
    iterations: int


def solve(case: Case) -> Solution:
    """Return the reference solution of `case`, with the seconds of assembly and of solving.

    A nonlinear case is solved by Newton's method from `case.initial`, one with times by time steps. Raises
    `SolverError` if a solver does not converge.
    """
    return solve_by(case, solve_system)


def solve_by(case: Case, linear: Callable[..., Solved]) -> Solution:
    """Return the solution of `case` as `solve` does, where `linear` is called for `solve_system`."""
    from meshops.equations.transient import march

    start, used = time.perf_counter(), elevated(case)
    if case.transient:
        fields, how = march(used)
        return _at_points(case, fields, **how, seconds={"solve": time.perf_counter() - start})
    assembler = Assembler(used)
    if not case.linear:
        solved = continued(assembler)
        seconds = {"solve": time.perf_counter() - start}
    else:
        system = assembler.system(None, case.start)
        assembled = time.perf_counter()
        solved = linear(system, definite=case.equation.definite)
        seconds = {"assemble": assembled - start, "solve": time.perf_counter() - assembled}
    fields = assembler.split(solved.values)
    return _at_points(case, fields, solver=solved.solver, iterations=solved.iterations, seconds=seconds)


def _at_points(case: Case, fields: Mapping[str, Floats], **made_by: object) -> Solution:
    """The solution at the points of the case, the first ones of those it was found on."""
    return case.solution({name: values[..., : case.mesh.num_points, :] for name, values in fields.items()}, **made_by)


def continued(assembler: Assembler) -> Solved:
    """Solve a nonlinear case by Newton's method; where that fails, by way of easier ones, if the equation has any.

    The shares of the way are halved at each failure and doubled at each success. Raises `SolverError` where a step of
    a thousandth fails.
    """
    case, taken = assembler.case, 0
    try:
        return newton(assembler)
    except SolverError:
        if case.equation.eased(case, 0.5) is None:
            raise
    state, reached, step = None, 0.0, 0.25
    while reached < 1:
        share = min(reached + step, 1.0)
        eased = case.equation.eased(case, share)
        assert eased is not None
        try:
            solved = newton(assembler if share == 1 else Assembler(eased), state)
        except SolverError as error:
            step /= 2
            if step < _LEAST_STEP:
                raise SolverError(f"a steady solution was followed to {reached:.3g} of the way only: {error}") from None
            continue
        state, reached, step, taken = solved.values, share, 2 * step, taken + solved.iterations
    assert state is not None
    return Solved(state, "newton by steps", taken)


def newton(assembler: Assembler, state: Floats | None = None) -> Solved:
    """Solve a nonlinear case by Newton's method, from `state` (n,) or the case's start, with halved steps.

    A step is halved until the residual of the free unknowns falls, or the next correction does by the same matrix
    (Deuflhard 2004, doi:10.1007/978-3-642-23899-4: what bends easily and stretches hardly, by force as by a change of
    units). The iteration ends when the residual is 1e-10 of its first value, or the step is lost in rounding. Raises
    `SolverError` after 40 steps.
    """
    case = assembler.case
    state = assembler.layout.join(case.start_values()) if state is None else state
    return newton_on(lambda u: assembler.system(u, case.start), state, definite=case.equation.definite)


def newton_on(
    linearised: Callable[[Floats], LinearSystem],
    state: Floats,
    *,
    definite: bool,
    near: float = 0.0,
    far: float = np.inf,
) -> Solved:
    """Solve by Newton's method, where `linearised` returns the system of the next iterate; see `newton`.

    With `near` it ends where the error left is about that share of the iterate, in the norm of the matrix: after a step
    the next correction by the same matrix, θ times as large, costs no assembly and no factorisation; it is added, and
    what further ones would add, their sum θ/(1 - θ) of it, is the error left (Deuflhard 2004).
    Raises `SolverError` after a first step of more than `far` of the iterate, and where `far` is given and that step
    cannot be taken whole: Newton's method is not at home there yet.

    `state` need not satisfy the essential conditions: a whole first step then spreads their values over the domain,
    where they alone would tear the cells beside them.
    """
    system = linearised(state)
    met = system.expand(system.restrict(state))
    first = residual = _residual(system, met)
    if np.abs(met - state).max() > 1e-9 * np.abs(met).max():
        state = solve_system(system, definite=definite).values
        system = linearised(state)
        residual = _residual(system, state)
        if not np.isfinite(residual):
            raise SolverError("Newton's first step leads out of what the equation can take; load in smaller steps.")
    if not np.isfinite(residual):
        raise SolverError("the equation cannot take the start; start nearer by `initial`.")
    for step in range(NEWTON_STEPS):
        if residual <= max(TOLERANCE * first, _rounding(system, state)):
            return _settled(system, state, step)
        before, prepared = state, Prepared(system, definite=definite)
        halvings = 0 if far < np.inf and not step else HALVINGS
        state, system, fell = _search(linearised, prepared, state, residual, halvings=halvings)
        if not fell:
            return _settled(system, state, step + 1)
        size, whole = _energy(system, state - before), _energy(system, state)
        if not step and size > far * whole:
            raise SolverError(f"the start is {size / whole:.2g} of the field away; start nearer.")
        if near:
            correction = _correction(prepared, system, state)
            left = _energy(system, correction)
            if left < size / 2 and left * left / (size - left) <= near * whole:
                return _settled(system, state + correction, step + 1)
        residual = _residual(system, state)
        first = max(first, residual) if step == 0 else first
    raise SolverError(
        f"Newton's method stopped at {residual / first:.2g} of the first residual after {NEWTON_STEPS} steps; load the "
        "case in smaller steps, or start nearer by `initial`."
    )


def _settled(system: LinearSystem, state: Floats, steps: int) -> Solved:
    if system.wrong:
        raise SolverError(f"Newton's method has ended at a wrong sign; start nearer by `initial`: {system.wrong}")
    return Solved(state, "newton", steps)


def _search(
    linearised: Callable[[Floats], LinearSystem], prepared: Prepared, state: Floats, residual: float, *, halvings: int
) -> tuple[Floats, LinearSystem, bool]:
    """Return the whole step, half of it, ... where the residual or the correction falls; False if it is converged.

    A step to where a coefficient gets the wrong sign is refused.
    """
    step = prepared.solve(prepared.system.rhs, prepared.system.fixed_value).values - state
    size, share, wrong = np.linalg.norm(step), 1.0, prepared.system.wrong
    for _ in range(halvings + 1):
        trial = state + share * step
        system = linearised(trial)
        found = _residual(system, trial)
        if np.isfinite(found) and (wrong or not system.wrong):
            if found < residual * (1 - 1e-4 * share):
                return trial, system, True
            if size <= 1e-9 * np.linalg.norm(state + step):
                return trial, system, False
            if np.linalg.norm(_correction(prepared, system, trial)) < size * (1 - share / 4):
                return trial, system, True
        share /= 2
    why = f": {system.wrong}" if system.wrong else "; load the case in smaller steps."
    raise SolverError(f"Newton's method cannot lower the residual any further{why}")


def _correction(prepared: Prepared, system: LinearSystem, state: Floats) -> Floats:
    """The next step from `state` by an earlier matrix: what is left of the equations in `system`, solved by it."""
    force = system.rhs - system.matrix @ state
    return prepared.solve(force, np.zeros_like(force)).values


def _residual(system: LinearSystem, state: Floats) -> float:
    gap = system.matrix @ state - system.rhs
    if system.ties is not None:
        return float(np.linalg.norm(system.ties.T @ gap))
    return float(np.linalg.norm(gap[system.free]))


def _energy(system: LinearSystem, values: Floats) -> float:
    """|vᵀ A v|^½, with A the matrix of the step."""
    return float(np.sqrt(abs(values @ (system.matrix @ values))))


def _rounding(system: LinearSystem, state: Floats) -> float:
    """The residual that rounding alone leaves: below it no step can tell better from worse."""
    sums = abs(system.matrix) @ np.abs(state) + np.abs(system.rhs)
    return 10 * float(np.finfo(float).eps * np.linalg.norm(sums[system.free])) + np.finfo(float).tiny


def solve_system(system: LinearSystem, *, definite: bool = True) -> Solved:
    """Solve for the unknowns that conditions leave: (n,) values, exact where they are fixed."""
    return Prepared(system, definite=definite).solve(system.rhs, system.fixed_value)


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """A system whose factorisation or multigrid hierarchy, made when first needed, serves many right-hand sides.

    Small systems are factorised. Large `definite` ones are solved by conjugate gradients, others by MINRES if the
    system names a definite matrix like theirs (see `LinearSystem`), both with a cycle of smoothed aggregation as the
    preconditioner. All others are factorised, and those where the iteration fails (thin parts, bad cells).
    """

    system: LinearSystem = field(kw_only=False)
    definite: bool = True

    def solve(self, rhs: Floats, fixed_value: Floats, start: Floats | None = None) -> Solved:
        """Return the solution for `rhs` (n,) and `fixed_value` (n,), perhaps from `start` (n,)."""
        right = self.system.reduced_rhs(rhs, fixed_value)
        if not len(right):
            return Solved(self.system.expand(right, fixed_value), "none", 0)
        if self._method != "direct":
            guess = None if start is None else self.system.restrict(start)
            method = multigrid if self.definite else saddle_point
            try:
                z, iterations = method(self._matrix, self._levels, right, guess)
                return Solved(self.system.expand(z, fixed_value), self._method, iterations)
            except SolverError:
                if len(right) > DIRECT_AT_MOST:
                    raise
        return Solved(self.system.expand(self._factorised(right), fixed_value), "direct", 1)

    @cached_property
    def _matrix(self) -> csr_array:
        return self.system.reduced()[0]

    @property
    def _method(self) -> str:
        if self.definite:
            return "direct" if self._matrix.shape[0] < DIRECT_BELOW else "cg+amg"
        return "direct" if self._matrix.nnz < SADDLE_DIRECT_BELOW or self.system.like is None else "minres+amg"

    @cached_property
    def _factorised(self) -> Callable[[Floats], Floats]:
        return factorised(self._matrix) if self.definite else factorised_with_pivots(self._matrix)

    @cached_property
    def _levels(self) -> Any:  # noqa: ANN401
        if self.system.like is not None:
            return hierarchy(self.system.left_of(self.system.like()))
        near = self.system.near_null
        return hierarchy(self._matrix, None if near is None else self.system.restrict(near))


def factorised(matrix: csr_array) -> Callable[[Floats], Floats]:
    """Return the solver of a symmetric matrix by a sparse factorisation (SuperLU, symmetric ordering)."""
    options = {"SymmetricMode": True}
    try:
        return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options).solve
    except RuntimeError as error:
        raise SolverError(f"the matrix cannot be factorised ({error}).") from None


def factorised_with_pivots(matrix: csr_array) -> Callable[[Floats], Floats]:
    """Return the solver of any matrix by a sparse factorisation; raises `SolverError` for a singular one."""
    try:
        factors = splu(matrix.tocsc(), permc_spec="COLAMD")
    except RuntimeError as error:
        raise SolverError(
            f"the matrix is singular ({error}); some field has no level: fix one of its values."
        ) from None
    return factors.solve


@contextmanager
def fixed_numpy_seed() -> Iterator[None]:
    """Make pyamg's spectral estimates, drawn from numpy's global generator, the same each time; restore it after."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def hierarchy(matrix: csr_array, near_null: Floats | None = None) -> Any:  # noqa: ANN401  (pyamg is untyped)
    """Return the multigrid hierarchy of smoothed aggregation.

    `near_null` (n, k) are the fields that aggregation keeps, by default constants.
    """
    import pyamg
    from scipy.sparse import csr_matrix

    with fixed_numpy_seed():
        return pyamg.smoothed_aggregation_solver(csr_matrix(matrix), B=near_null, max_coarse=200)


def multigrid(matrix: csr_array, levels: Any, rhs: Floats, start: Floats | None = None) -> tuple[Floats, int]:  # noqa: ANN401
    """Solve by conjugate gradients preconditioned with one V-cycle of `levels`; return values and iterations.

    By GMRES where the matrix is not symmetric, as in a Newton step where a coefficient varies with the field.
    """
    residuals: list[float] = []
    method = "cg" if symmetric(matrix) else "gmres"
    values = levels.solve(rhs, x0=start, tol=TOLERANCE, accel=method, maxiter=200, residuals=residuals)
    reached = np.linalg.norm(rhs - matrix @ values)
    if not reached <= 10 * TOLERANCE * max(np.linalg.norm(rhs), np.finfo(float).tiny):
        name = {"cg": "conjugate gradients", "gmres": "GMRES"}[method]
        raise SolverError(f"{name} stopped at residual {reached:.3g} after {len(residuals) - 1} iterations.")
    return values, len(residuals) - 1


def saddle_point(matrix: csr_array, levels: Any, rhs: Floats, start: Floats | None = None) -> tuple[Floats, int]:  # noqa: ANN401
    """Solve a symmetric system by MINRES, preconditioned with one W-cycle of `levels`; return values and iterations.

    Murphy, Golub and Wathen 2000, doi:10.1137/S1064827599355153; with a matrix that is as large as this one up to the
    signs of its eigenvalues, the iterations do not grow with the mesh.
    """
    from scipy.sparse.linalg import minres

    steps: list[None] = []
    options = {"M": levels.aspreconditioner(cycle="W"), "rtol": 1e-4 * TOLERANCE, "maxiter": 500}
    values, _ = minres(matrix, rhs, x0=start, callback=lambda _: steps.append(None), **options)
    reached = np.linalg.norm(rhs - matrix @ values)
    if not reached <= 10 * TOLERANCE * max(np.linalg.norm(rhs), np.finfo(float).tiny):
        raise SolverError(f"MINRES stopped at residual {reached:.3g} after {len(steps)} iterations.")
    return values, len(steps)


def symmetric(matrix: csr_array) -> bool:
    """Compare A x with Aᵀ x for one random x, which no asymmetry survives but by a chance of measure zero."""
    x = np.random.default_rng(0).standard_normal(matrix.shape[0])
    size = abs(matrix) @ np.abs(x)
    return not (np.abs(matrix @ x - matrix.T @ x) > 1e-10 * size.max(initial=0.0)).any()
