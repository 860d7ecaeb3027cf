"""What recycling a Krylov space gains over independent solves, on families of Darcy problems: `make bench-recycling`.

-∇·(k ∇u) = 1 on an n x n grid, log k a Matérn field about a mean that varies slowly from sample to sample (similar), or
anew each time (independent). Three solvers to a relative residual of 1e-10: restarted GMRES from nothing, GCRO-DR in a
sorted sequence (SKR, arXiv 2401.09516), and what `solve` takes (a factorisation, or CG with algebraic multigrid).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import spilu

from geometries.conditions import Dirichlet
from geometries.families import Grid
from meshops.data.distributions import Place, read_distribution
from meshops.equations import Case, Heat, assemble
from meshops.equations.recycling import Recycling, sorted_sequence
from meshops.equations.solvers import Solved, solve_system
from meshops.equations.system import LinearSystem

Floats = NDArray[np.float64]
Apply = Callable[[Floats], Floats]
_SAMPLES = 24
_SPREADS = {"similar": 0.1, "different": 1.0}


def cases(n: int, spread: float) -> list[Case]:
    """Return problems whose log k is one field plus `spread` times another one each."""
    mesh, rng = Grid(shape=(n, n)).mesh(), np.random.default_rng(0)
    field = read_distribution({"matern": {"length": 0.3}})
    drawn = [np.asarray(field.draw(rng, Place(mesh))) for _ in range(1 + _SAMPLES)]
    fields = [np.exp(drawn[0] + spread * each) for each in drawn[1:]]
    return [
        Case(mesh, Heat(), conditions={"*": Dirichlet(0.0)}, coefficients={"conductivity": k}, source=1.0)
        for k in fields
    ]


def jacobi(matrix: csr_array) -> Apply:
    """Return the division by the diagonal."""
    diagonal = matrix.diagonal()
    return lambda v: v / diagonal


def ilu(matrix: csr_array) -> Apply:
    """Return an incomplete factorisation."""
    return spilu(csc_array(matrix), drop_tol=1e-3, fill_factor=5).solve


def by_krylov(
    systems: Sequence[LinearSystem], order: Sequence[int], precondition: Callable[[csr_array], Apply], kept: int
) -> tuple[float, float, Floats]:
    """Return seconds a system, products a system, and the last system's values."""
    start, products, recycling = time.perf_counter(), 0, Recycling(kept=kept)
    solved = Solved(np.empty(0), "", 0)
    for i in order:
        matrix, rhs = systems[i].reduced()
        solved = recycling.solve(matrix, rhs, precondition(matrix))
        products += solved.iterations
    return (time.perf_counter() - start) / len(order), products / len(order), systems[order[-1]].expand(solved.values)


def by_default(systems: Sequence[LinearSystem], order: Sequence[int]) -> tuple[float, Floats]:
    """Return seconds a system, and the last system's values."""
    start = time.perf_counter()
    values = [solve_system(systems[i]).values for i in order]
    return (time.perf_counter() - start) / len(order), values[-1]


def lines(n: int, kind: str) -> list[str]:
    """Return the table of one size and kind of family."""
    given = cases(n, _SPREADS[kind])
    order = sorted_sequence(np.stack([case.nodal("conductivity") for case in given])).tolist()
    systems = [assemble(case) for case in given]
    seconds, reference = by_default(systems, order)
    out = [f"{len(systems[0].free)} unknowns, {kind}", f"  {'solve':34}{1e3 * seconds:10.1f} ms"]
    for name, precondition in (("Jacobi", jacobi), ("ILU", ilu)):
        alone, steps, _ = by_krylov(systems, order, precondition, 0)
        again, fewer, values = by_krylov(systems, order, precondition, 10)
        if not np.linalg.norm(values - reference) <= 1e-6 * np.linalg.norm(reference):
            raise ValueError("recycling gave another solution.")
        out.append(f"  {f'GMRES(40), {name}':34}{1e3 * alone:10.1f} ms {steps:8.1f} products")
        out.append(
            f"  {f'SKR, {name}':34}{1e3 * again:10.1f} ms {fewer:8.1f} products, {alone / again:.2f} times as fast"
        )
    return out


def main(sizes: tuple[int, ...] = (32, 64, 128)) -> None:
    """Write the tables."""
    for n in sizes:
        for kind in _SPREADS:
            sys.stdout.write("\n".join(lines(n, kind)) + "\n\n")


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or (32, 64, 128))
