"""Linear solvers: direct when small, conjugate gradients with algebraic multigrid when large."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from geometries.errors import MeshopsError
from meshops.equations.assembly import LinearSystem, assemble
from meshops.equations.case import Case
from meshops.equations.solution import Solution

Floats = NDArray[np.float64]
DIRECT_BELOW = 4000  # unknowns: where a sparse factorisation stops being the quicker one, measured in 2-D and 3-D
TOLERANCE = 1e-10


class SolverError(MeshopsError):
    """The linear solver did not reach its tolerance."""


@dataclass(frozen=True, eq=False)
class Solved:
    """Values (N,) and how they were found."""

    values: Floats
    solver: str
    iterations: int


def solve(case: Case) -> Solution:
    """Return the reference solution of `case`, with the seconds of assembly and of solving.

    Raises `SolverError` if conjugate gradients do not converge.
    """
    start = time.perf_counter()
    system = assemble(case)
    assembled = time.perf_counter()
    solved = solve_system(system)
    seconds = {"assemble": assembled - start, "solve": time.perf_counter() - assembled}
    return case.solution(solved.values, solver=solved.solver, iterations=solved.iterations, seconds=seconds)


def solve_system(system: LinearSystem) -> Solved:
    """Eliminate the fixed points and solve for the rest: (N,) values, exact at fixed points."""
    values = np.where(system.fixed, system.fixed_value, 0.0)
    free = np.flatnonzero(~system.fixed)
    if not len(free):
        return Solved(values, "none", 0)
    rows = system.matrix[free]
    matrix = csr_array(rows[:, free])
    rhs = system.rhs[free] - rows @ values
    name, solver = ("direct", direct) if len(free) < DIRECT_BELOW else ("cg+amg", conjugate_gradients)
    values[free], iterations = solver(matrix, rhs)
    return Solved(values, name, iterations)


def direct(matrix: csr_array, rhs: Floats) -> tuple[Floats, int]:
    """Solve by a sparse factorisation (SuperLU, symmetric ordering)."""
    factors = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return factors.solve(rhs), 1


@contextmanager
def fixed_numpy_seed() -> Iterator[None]:
    """Make pyamg's spectral estimates, drawn from numpy's global generator, the same each time; restore it after."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def conjugate_gradients(matrix: csr_array, rhs: Floats) -> tuple[Floats, int]:
    """Solve by conjugate gradients preconditioned with one V-cycle of smoothed aggregation."""
    import pyamg
    from scipy.sparse import csr_matrix

    with fixed_numpy_seed():
        levels = pyamg.smoothed_aggregation_solver(csr_matrix(matrix), max_coarse=200)
    residuals: list[float] = []
    values = levels.solve(rhs, tol=TOLERANCE, accel="cg", maxiter=200, residuals=residuals)
    reached = np.linalg.norm(rhs - matrix @ values)
    if not reached <= 10 * TOLERANCE * max(np.linalg.norm(rhs), np.finfo(float).tiny):
        raise SolverError(
            f"conjugate gradients stopped at residual {reached:.3g} after {len(residuals) - 1} iterations."
        )
    return values, len(residuals) - 1
