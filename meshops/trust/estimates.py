"""An estimate of a field's error where no bound is known: systems that are not symmetric positive definite.

Advection, Helmholtz, Stokes, Newton steps: the error is taken to be what a few steps of GMRES correct. Nothing is
proved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import LinearOperator, gmres, spilu

from meshops.equations import LinearSystem
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
STEPS = 20
ENOUGH = 0.1  # the share of the residual at which the correction is taken for the error


@dataclass(frozen=True)
class Estimate:
    """`error` and `relative` as [lower, upper]; the ends differ by what GMRES left of the residual."""

    error: tuple[float, float]
    relative: tuple[float, float]


def estimate(system: LinearSystem, values: Floats) -> Estimate:
    """Return the estimated error of `values` (n,), in the norm of the matrix's symmetric part.

    GMRES, preconditioned by an incomplete factorisation, corrects the field until a tenth of the residual is left.
    With s that share, the error is estimated at ‖d‖/(1 + s) to ‖d‖/(1 - s), d the correction.
    """
    start = np.where(system.fixed, system.fixed_value, values)
    correction, left = correct(system, start, tolerance=ENOUGH, steps=STEPS)
    size, whole = _norm(system, correction), _norm(system, start + correction)
    error = (size / (1 + left), size / (1 - left) if left < 1 else float("inf"))
    return Estimate(error, tuple(e / whole if whole > 0 else float(e > 0) for e in error))


def correct(system: LinearSystem, values: Floats, *, tolerance: float, steps: int) -> tuple[Floats, float]:
    """Return the correction (n,) that GMRES finds for `values`, and the share of the residual that it leaves.

    Raises `TrustError` if the matrix cannot be factorised even incompletely.
    """
    free = np.flatnonzero(~system.fixed)
    matrix = csr_array(system.matrix)[free][:, free]
    residual = (system.rhs - system.matrix @ values)[free]
    out, size = np.zeros_like(values), float(np.linalg.norm(residual))
    if not size > 0:
        return out, 0.0
    try:
        factors = spilu(csc_array(matrix), drop_tol=1e-4, fill_factor=20)
    except RuntimeError as error:
        raise TrustError(f"the matrix cannot be factorised ({error}), so its error cannot be estimated.") from None
    preconditioner = LinearOperator(matrix.shape, factors.solve)
    out[free], _ = gmres(matrix, residual, rtol=tolerance, restart=steps, maxiter=1, M=preconditioner)
    return out, float(np.linalg.norm(residual - matrix @ out[free])) / size


def _norm(system: LinearSystem, values: Floats) -> float:
    """(vᵀA v)^½, or that of the diagonal where the symmetric part is not positive along v."""
    size = float(values @ (system.matrix @ values))
    return float(np.sqrt(size if size > 0 else np.abs(system.matrix.diagonal()) @ values**2))
