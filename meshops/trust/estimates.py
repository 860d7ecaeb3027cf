"""An estimate of a field's error where no bound is known: systems that are not symmetric positive definite.

Advection, Helmholtz, Stokes, Newton steps: the error is taken to be what a few steps of GMRES correct. Nothing is
proved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, gmres, spilu

from meshops.equations import Case, LinearSystem
from meshops.equations.assembly import Assembler
from meshops.equations.solvers import SolverError, factorised_with_pivots
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
Norm = Callable[[Floats], float]
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


def estimate(system: LinearSystem, values: Floats, norms: Sequence[Norm] = ()) -> Estimate:
    """Return the estimated error of `values` (n,) in the first of `norms`, relative in that of them where it is most.

    Without any it is the norm of the matrix's symmetric part, or that of the diagonal where the symmetric part is not
    positive along error and field.

    GMRES, preconditioned by an incomplete factorisation, corrects the field until a tenth of the residual is left;
    where it does not get there on up to `FACTORISED` unknowns, a whole factorisation does. With s the share left, the
    error is estimated at ‖d‖/(1 + s) to ‖d‖/(1 - s), d the correction.
    """
    start = system.expand(system.restrict(values))
    correction, left = correct(system, start, tolerance=ENOUGH, steps=STEPS)
    better = start + correction
    measured = norms or (_energy(system, correction, better),)
    shares = [_share(norm(correction), norm(better)) for norm in measured]
    size, share = measured[0](correction), max(shares)
    least, most = 1 / (1 + left), 1 / (1 - left) if left < 1 else float("inf")
    relative = (share * least, share * most if share > 0 else 0.0)
    return Estimate((size * least, size * most if size > 0 else 0.0), relative, better)


def norms_of(case: Case) -> tuple[Norm, ...]:
    """Return the norms for an equation that states a form for them; of several fields also that of the first alone.

    One field's error is then not lost beside the others' size. A field that has no level is measured from its mean.
    """
    if case.equation.norm is None:
        return ()
    assembler = Assembler(case)
    matrix, level = assembler.matrix("norm", None, case.start), assembler.level
    numbers = assembler.layout.numbers[case.equation.field]
    first = np.zeros(assembler.layout.size)
    first[numbers[numbers >= 0]] = 1.0
    alone = diags_array(first) @ matrix @ diags_array(first)

    def norm(of: csr_array) -> Norm:
        return lambda values: _root(of, values if level is None else level.settled(values))

    return (norm(matrix),) if first.all() else (norm(matrix), norm(csr_array(alone)))


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


def _energy(system: LinearSystem, *fields: Floats) -> Norm:
    """(vᵀA v)^½, or that of the diagonal where the symmetric part is not positive along one of the fields."""
    matrix = system.matrix
    if min(float(v @ (matrix @ v)) for v in fields) < 0:
        matrix = csr_array(diags_array(np.abs(matrix.diagonal())))
    return lambda values: _root(matrix, values)


def _root(matrix: csr_array, values: Floats) -> float:
    return float(np.sqrt(max(values @ (matrix @ values), 0.0)))


def _share(size: float, whole: float) -> float:
    return size / whole if whole > 0 else float("inf") if size > 0 else 0.0
