"""Solving many similar systems: one factorisation while the matrix stays, a recycled Krylov space where it varies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig, qr, solve_triangular
from scipy.sparse import csr_array

from meshops.equations.case import Case
from meshops.equations.solution import Solution
from meshops.equations.solvers import TOLERANCE, Prepared, Solved, SolverError, solve_by
from meshops.equations.system import LinearSystem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Apply = Callable[[Floats], Floats]
_ITERATIONS = 2000


class Repeated:
    """Solves cases one after the other; while the matrix stays, its factorisation or multigrid hierarchy is kept.

    The values are those of `solve`, to the last bit. What stays is compared, not guessed: sources, fluxes and given
    values may vary.
    """

    def __init__(self) -> None:
        """Start with nothing at hand."""
        self._last: tuple[LinearSystem, Prepared] | None = None

    def solve(self, case: Case) -> Solution:
        """Return the solution of a case; nothing is kept of a nonlinear or transient one."""
        return solve_by(case, self._linear)

    def _linear(self, system: LinearSystem, *, definite: bool) -> Solved:
        if self._last is None or not _alike(self._last[0], system):
            self._last = (system, Prepared(system, definite=definite))
        return self._last[1].solve(system.rhs, system.fixed_value)


def _alike(one: LinearSystem, other: LinearSystem) -> bool:
    if one.ties is not None or other.ties is not None or one.matrix.shape != other.matrix.shape:
        return False
    same = all(np.array_equal(getattr(one.matrix, k), getattr(other.matrix, k)) for k in ("indptr", "indices", "data"))
    return same and np.array_equal(one.fixed, other.fixed)


def sorted_sequence(features: Floats) -> Ints:
    """Return an order of (S, P) rows in which neighbours are alike: from row 0 always on to the nearest one left.

    The greedy sorting of SKR (arXiv 2401.09516, algorithm 1), which measures matrices by their parameters too.
    """
    left = np.ones(len(features), dtype=bool)
    order = np.zeros(len(features), dtype=np.int64)
    for step in range(1, len(features)):
        left[order[step - 1]] = False
        away = np.linalg.norm(features - features[order[step - 1]], axis=1)
        order[step] = np.argmin(np.where(left, away, np.inf))
    return order


class Recycling:
    """GCRO-DR: GMRES with deflated restarts that hands its best `kept` directions on from one system to the next.

    Parks et al. 2006 (doi:10.1137/040607277). In a cycle of `restart` directions the residual is minimised over the
    kept ones and a Krylov space orthogonal to their images; the harmonic Ritz vectors of the smallest values are kept.
    With `kept` = 0 this is restarted GMRES. Preconditioned from the right, so that the residual is the true one.
    """

    def __init__(self, *, restart: int = 40, kept: int = 10) -> None:
        """Start with nothing to recycle."""
        self.restart, self.kept = restart, kept
        self._space: Floats | None = None

    def solve(self, matrix: csr_array, rhs: Floats, precondition: Apply, *, tolerance: float = TOLERANCE) -> Solved:
        """Solve one system, and keep directions for the next; raises `SolverError` after 2000 products.

        The iterations are products with the matrix.
        """
        run = _Run(lambda v: matrix @ precondition(v), rhs, tolerance * float(np.linalg.norm(rhs)))
        if self._space is not None and len(self._space) == len(rhs):
            run.recycle(self._space)
        while run.unfinished:
            if run.products > _ITERATIONS:
                raise SolverError(f"GCRO-DR has not converged after {run.products} products with the matrix.")
            run.cycle(self.restart, self.kept)
        if run.directions.size:
            self._space = run.directions
        return Solved(precondition(run.solution), "gcro-dr", run.products)


class _Run:
    """One system A y = b: the iterate, its residual, and the kept `directions` U with orthonormal images C = A U."""

    def __init__(self, apply: Apply, rhs: Floats, goal: float) -> None:
        self.apply, self.goal, self.products = apply, goal, 0
        self.solution, self.residual = np.zeros_like(rhs), rhs.copy()
        self.directions = self.images = np.empty((len(rhs), 0))

    @property
    def unfinished(self) -> bool:
        """Whether the residual is above the goal."""
        return bool(np.linalg.norm(self.residual) > self.goal)

    def recycle(self, space: Floats) -> None:
        """Take over directions of another system: their images are made orthonormal, the residual is projected."""
        images, upper = qr(np.stack([self.apply(u) for u in space.T], axis=1), mode="economic")
        self.products += space.shape[1]
        self._keep(solve_triangular(upper.T, space.T, lower=True).T, images)
        along = images.T @ self.residual
        self.solution += self.directions @ along
        self.residual -= images @ along

    def cycle(self, restart: int, kept: int) -> None:
        """Minimise the residual over the kept directions and a fresh Krylov space; choose what to keep."""
        have = self.images.shape[1]
        basis, hessenberg, along = self._arnoldi(restart - have)
        size = np.linalg.norm(self.directions, axis=0)
        spanned = np.concatenate([self.directions / size, basis[:, :-1]], axis=1)
        tested = np.concatenate([self.images, basis], axis=1)
        middle = np.block([[np.diag(1 / size), along], [np.zeros((len(hessenberg), have)), hessenberg]])
        weights = np.linalg.lstsq(middle, tested.T @ self.residual, rcond=None)[0]
        self.solution += spanned @ weights
        self.residual -= tested @ (middle @ weights)
        if kept:
            ritz = _harmonic_ritz(middle, tested.T @ spanned, kept)
            images, upper = qr(middle @ ritz, mode="economic")
            self._keep(solve_triangular(upper.T, (spanned @ ritz).T, lower=True).T, tested @ images)

    def _arnoldi(self, steps: int) -> tuple[Floats, Floats, Floats]:
        """Return (n, j+1) an orthonormal basis, (j+1, j) the Hessenberg matrix, (k, j) the parts along the images."""
        basis = [self.residual / np.linalg.norm(self.residual)]
        hessenberg, along = np.zeros((steps + 1, steps)), np.zeros((self.images.shape[1], steps))
        least = np.linalg.norm(self.residual)
        for j in range(steps):
            w = self.apply(basis[-1])
            self.products += 1
            along[:, j] = self.images.T @ w
            w = w - self.images @ along[:, j]
            known = np.stack(basis, axis=1)
            for _ in range(2):  # twice is enough
                part = known.T @ w
                hessenberg[: j + 1, j] += part
                w = w - known @ part
            hessenberg[j + 1, j] = np.linalg.norm(w)
            basis.append(w / max(hessenberg[j + 1, j], np.finfo(float).tiny))
            left = hessenberg[: j + 2, : j + 1]
            first = least * np.eye(j + 2, 1)[:, 0]
            gap = first - left @ np.linalg.lstsq(left, first, rcond=None)[0]
            if np.linalg.norm(gap) <= 0.5 * self.goal:
                steps = j + 1
                break
        return np.stack(basis, axis=1), hessenberg[: steps + 1, :steps], along[:, :steps]

    def _keep(self, directions: Floats, images: Floats) -> None:
        self.directions, self.images = directions, images


def _harmonic_ritz(middle: Floats, overlap: Floats, kept: int) -> Floats:
    """Return (m, k) a real basis of the harmonic Ritz vectors with the smallest values; pairs stay together."""
    values, vectors = eig(middle.T @ middle, middle.T @ overlap)
    order = np.argsort(np.where(np.isfinite(values), np.abs(values), np.inf))[:kept]
    both = np.concatenate([vectors[:, order].real, vectors[:, order].imag], axis=1)
    basis, upper, _ = qr(both, mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(upper)) > 1e-10 * np.abs(upper[0, 0])).sum())
    return basis[:, : min(rank, kept)]
