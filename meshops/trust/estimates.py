"""An estimate of a field's error where no bound is known: systems that are not symmetric positive definite.

Advection, Helmholtz, Stokes, Newton steps: the error is taken to be what a few steps of GMRES correct. Nothing is
proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import LinearOperator, gmres, spilu

from meshops.equations import LinearSystem
from meshops.equations.solvers import SolverError, factorised_with_pivots
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
STEPS = 20
FACTORISED = 50_000  # unknowns up to which the reference solver's own factorisation is tried
ENOUGH = 0.1  # the share of the residual at which the correction is taken for the error


@dataclass(frozen=True, eq=False)
class Estimate:
    """`error` and `relative` as [lower, upper]; the ends differ by what GMRES left of the residual.

    `better` (n,) is the corrected field.
    """

    error: tuple[float, float]
    relative: tuple[float, float]
    better: Floats


def estimate(system: LinearSystem, values: Floats) -> Estimate:
    """Return the estimated error of `values` (n,), in the norm of the matrix's symmetric part.

    GMRES, preconditioned by an incomplete factorisation, corrects the field until a tenth of the residual is left;
    where it does not get there on up to `FACTORISED` unknowns, a whole factorisation does. With s the share left, the
    error is estimated at ‖d‖/(1 + s) to ‖d‖/(1 - s), d the correction.
    """
    start = system.expand(system.restrict(values))
    correction, left = correct(system, start, tolerance=ENOUGH, steps=STEPS)
    size, whole = _norm(system, correction), _norm(system, start + correction)
    error = (size / (1 + left), size / (1 - left) if left < 1 else float("inf"))
    relative = tuple(e / whole if whole > 0 else float("inf") if e > 0 else 0.0 for e in error)
    return Estimate(error, relative, start + correction)


def correct(system: LinearSystem, values: Floats, *, tolerance: float, steps: int) -> tuple[Floats, float]:
    """Return the correction (n,) that GMRES finds for `values`, and the share of the residual that it leaves.

    Raises `TrustError` if the matrix cannot be factorised, and for a residual that is not finite.
    """
    matrix, residual = system.reduced()
    residual = residual - matrix @ system.restrict(values)
    size = float(np.linalg.norm(residual))
    if not np.isfinite(size):
        raise TrustError("the equation cannot take this field: its residual is not finite; nothing is known of it.")
    if size == 0:
        return np.zeros_like(values), 0.0
    found = _gmres(matrix, residual, tolerance, steps)
    left = float(np.linalg.norm(residual - matrix @ found)) / size
    if not left <= tolerance and len(residual) <= FACTORISED:
        found = _factorised(matrix)(residual)
        left = float(np.linalg.norm(residual - matrix @ found)) / size
    if not np.isfinite(left):
        raise TrustError("the matrix cannot be factorised, so the error cannot be estimated.")
    return system.expand(found, np.zeros_like(values)), left


def _gmres(matrix: csr_array, residual: Floats, tolerance: float, steps: int) -> Floats:
    try:
        factors = spilu(csc_array(matrix), drop_tol=1e-4, fill_factor=20)
    except RuntimeError:
        return np.zeros_like(residual)
    preconditioner = LinearOperator(matrix.shape, factors.solve)
    return gmres(matrix, residual, rtol=tolerance, restart=steps, maxiter=1, M=preconditioner)[0]


def _factorised(matrix: csr_array) -> Callable[[Floats], Floats]:
    try:
        return factorised_with_pivots(matrix)
    except SolverError as error:
        raise TrustError(f"the error cannot be estimated: {error}") from None


def _norm(system: LinearSystem, values: Floats) -> float:
    """(vᵀA v)^½, or that of the diagonal where the symmetric part is not positive along v."""
    size = float(values @ (system.matrix @ values))
    return float(np.sqrt(size if size > 0 else np.abs(system.matrix.diagonal()) @ values**2))
