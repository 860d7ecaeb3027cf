"""How fast a V-cycle contracts, measured on the matrix at hand, with a bound that fails with a stated probability.

The error after one cycle is E e with E = I - BA, self-adjoint in the energy inner product with eigenvalues in [0, δ].
Lanczos from a random start gives a Ritz value ξ ≤ δ, so ξ alone proves nothing. The argument of Kuczyński and
Woźniakowski (1992, doi:10.1137/0613066), for a start that need not be uniform on the sphere: let c_i be the start's
coefficients in an orthonormal eigenbasis, Σ c_i² = ρ, c_1 that of δ, and k the number of Lanczos vectors. For every
polynomial q of degree below k, Σ c_i² q(x_i)² (x_i - ξ) ≤ 0. With q(x) √(ξ - x) a Chebyshev polynomial T_{2k-1} of
√(1 - x/ξ) this says

    c_1² sinh²((2k - 1) artanh √(1 - ξ/δ)) ≤ ρ,

an upper bound on δ as soon as |c_1| is bounded from below. `Hierarchy.rough` draws a start with c_1 normal of variance
at least 1, whatever the eigenvector, so that |c_1| ≥ τ = p √(π/2) but for a probability p. Hence

    δ ≤ ξ cosh²( arsinh(√ρ/τ) / (2k - 1) ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigvalsh, eigvalsh_tridiagonal

from meshops.trust.errors import TrustError
from meshops.trust.hierarchy import Hierarchy, backward_error, scaled

FAILURE = 1e-6
SHARP = 2.0  # stop where the bound on an error is at most this factor above what ξ itself would give
MOST_STEPS = 200
ROUNDING = 1e-13  # the least contraction that is told from an exact solve
INDEFINITE = "the matrix is not positive definite; bounds hold for positive definite systems only."


@dataclass(frozen=True)
class Contraction:
    """`found` = ξ ≤ δ ≤ `bound`, but for a probability `failure`; `steps` Lanczos vectors, one V-cycle each."""

    found: float
    bound: float
    failure: float
    steps: int

    @property
    def proved(self) -> bool:
        """Whether the bound is below 1, so that it bounds errors."""
        return self.bound < 1.0


def measure(
    hierarchy: Hierarchy, *, failure: float = FAILURE, seed: int = 0, most_steps: int = MOST_STEPS
) -> Contraction:
    """Return the contraction of a hierarchy's V-cycle, in as few Lanczos steps as make its bound sharp.

    Raises `TrustError` where the matrix is not positive definite.
    """
    if hierarchy.direct:
        return _factorised(hierarchy)
    residual = hierarchy.rough(np.random.default_rng(seed))
    cycled = hierarchy.cycle(residual)
    size = rho = float(residual @ cycled)
    if size < 0:
        raise TrustError(INDEFINITE)
    if not size > 0:  # nothing is free
        return Contraction(0.0, 0.0, 0.0, 0)
    direction = cycled
    alphas: list[float] = []
    betas: list[float] = []
    while True:  # conjugate gradients are the Lanczos process of BA
        image = hierarchy.matrix @ direction
        stiffness = float(direction @ image)
        if not stiffness > 0:
            raise TrustError(INDEFINITE)
        alphas.append(rho / stiffness)
        residual = residual - alphas[-1] * image
        cycled = hierarchy.cycle(residual)
        rho, last = float(residual @ cycled), rho
        found = max(1.0 - _smallest(np.array(alphas), np.array(betas)), ROUNDING)
        result = Contraction(found, bound(found, len(alphas), size, failure), failure, len(alphas))
        if _sharp(result) or len(alphas) == most_steps or not rho > 1e-28 * size:
            return result
        betas.append(rho / last)
        direction = cycled + betas[-1] * direction


def _factorised(hierarchy: Hierarchy) -> Contraction:
    """What rounding leaves of an error after one Cholesky solve: the backward error over the least eigenvalue."""
    rounded = backward_error(len(hierarchy.fixed))
    least = float(eigvalsh(scaled(hierarchy.matrix)[0], subset_by_index=(0, 0))[0])
    if least < -rounded:
        raise TrustError(INDEFINITE)
    return Contraction(0.0, rounded / (least - rounded) if least > rounded else float("inf"), 0.0, 0)


def bound(found: float, steps: int, size: float, failure: float) -> float:
    """Return the upper bound on δ from the Ritz value `found` after `steps`, for a start of squared norm `size`."""
    least = failure * np.sqrt(np.pi / 2)
    return float(found * np.cosh(np.arcsinh(np.sqrt(size) / least) / (2 * steps - 1)) ** 2)


def _sharp(result: Contraction) -> bool:
    return result.proved and 1.0 - result.found <= SHARP**2 * (1.0 - result.bound)


def _smallest(alphas: np.ndarray, betas: np.ndarray) -> float:
    """The smallest eigenvalue of the tridiagonal matrix that conjugate gradients with these coefficients span."""
    diagonal = 1.0 / alphas
    diagonal[1:] += betas / alphas[:-1]
    off = np.sqrt(betas) / alphas[:-1]
    return float(eigvalsh_tridiagonal(diagonal, off, select="i", select_range=(0, 0))[0])
