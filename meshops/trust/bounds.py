"""Two-sided bounds on the energy-norm error of a field against the discrete solution, without computing it.

With e = u_h - u, r = b - A u = A e, and a V-cycle B whose BA has eigenvalues in [μ, 1], μ = 1 - δ:

    z = B r,  ρ = rᵀz,  ω = zᵀA z:      ρ²/ω  ≤  ‖e‖²_A  ≤  ρ (1 + μ - ω/ρ) / μ.

Left: Cauchy-Schwarz, whatever B is; at least ρ, since ω ≤ ρ. Right: ‖e‖² = Σ c_i²/λ_i, ρ = Σ c_i², ω = Σ c_i² λ_i
over the eigenvalues of BA, and on [μ, 1] the chord (1 + μ - λ)/μ lies above 1/λ; at most ρ/μ, since ω ≥ μ ρ. Each
further cycle is a step s along a direction d of preconditioned conjugate gradients, which takes 2 s dᵀr - s² dᵀA d
of ‖e‖², and bounds the rest. Where rounding may hide a part of dᵀA d, that is known from both sides only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshops.equations import LinearSystem
from meshops.trust.certificate import Certificate
from meshops.trust.contraction import INDEFINITE
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
RELATIVE_SLACK = 1e-8
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Bounds:
    """`lower` ≤ ‖u_h - u‖_A ≤ `upper`, and `energy` [lower, upper] of ‖u_h‖_A as `Certificate.energy_norm` counts it.

    `upper` is infinite where the contraction is not proved. `failure` is the probability that the upper bounds are
    wrong, one for all fields judged with one certificate. Slack for rounding is in the bounds: a share of 1e-8, and
    what `rounding` says.
    """

    lower: float
    upper: float
    energy: tuple[float, float]
    cycles: int
    failure: float

    @property
    def relative(self) -> tuple[float, float]:
        """Bounds on the error over ‖u_h‖_A; infinite above where ‖u_h‖_A may be 0."""
        least, most = self.energy
        low = self.lower / most if most > 0 else 0.0
        return low, self.upper / least if least > 0 else float("inf") if self.upper > 0 else 0.0


def bounds(certificate: Certificate, system: LinearSystem, values: Floats, *, cycles: int = 1) -> Bounds:
    """Return the bounds for a field `values` (n,), its fixed values set first; more `cycles` make them sharper.

    `system` gives the load; its matrix must be that of the certificate.
    """
    start = certificate.imposed(values, system)
    residual = certificate.residual(start, system.rhs)
    gain, top, better = corrected(certificate, residual, cycles)
    slack = rounding(certificate, start)
    lower = max(np.sqrt(gain) * (1 - RELATIVE_SLACK) - slack, 0.0)
    upper = np.sqrt(top) * (1 + RELATIVE_SLACK) + slack
    middle, rest = certificate.energy_norm(start + certificate.spread(better)), np.sqrt(max(top - gain, 0.0)) + slack
    return Bounds(
        float(lower),
        float(upper),
        (float(max(middle - rest, 0.0)), float(middle + rest)),
        cycles,
        certificate.contraction.failure,
    )


def corrected(certificate: Certificate, residual: Floats, cycles: int) -> tuple[float, float, Floats]:
    """Return bounds on ‖e‖² for A e = `residual`, and e as `cycles` find it, but for their difference in ‖·‖².

    Raises `TrustError` where a direction of negative energy is met, and for `cycles` below 1.
    """
    if cycles < 1:
        raise TrustError(f"found {cycles} cycles; expected 1 or more.")
    hierarchy, least = certificate.hierarchy, 1.0 - certificate.contraction.bound
    better, direction, last = np.zeros_like(residual), np.zeros_like(residual), np.inf
    image, gain, most = direction, 0.0, 0.0  # of what ‖e‖² fell by: at least and at most
    for number in range(cycles):
        cycled = hierarchy.cycle(residual)
        rho = energy_of(residual, cycled)
        if rho == 0:
            return gain, most, better
        cycled_image = hierarchy.matrix @ cycled
        omega = max(energy_of(cycled, cycled_image) - unseen(certificate, cycled), 0.0)
        rest = rho * (1 + least - omega / rho) / least if least > 0 else np.inf
        direction, image = cycled + (rho / last) * direction, cycled_image + (rho / last) * image
        size, lost, work = float(direction @ image), unseen(certificate, direction), float(direction @ residual)
        step = work / (size + lost)
        top = most + max(rest, step * work)
        # a step s falls by 2 s dᵀr - s² dᵀA d, with dᵀA d between size - lost and size + lost
        gain, most = gain + step * work, most + step * (2 * work - step * (size - lost))
        better, last = better + step * direction, rho
        if number < cycles - 1:
            residual = residual - step * image
    return gain, top, better


def unseen(certificate: Certificate, correction: Floats) -> float:
    """Return how far rounding may move the energy of a correction."""
    return 4 * EPS * float(certificate.hierarchy.diagonal @ correction**2)


def energy_of(one: Floats, other: Floats) -> float:
    """Return rᵀB r or zᵀA z from its two factors, 0 where rounding made it negative; raises `TrustError` below that."""
    found = float(one @ other)
    if not found >= -1e-12 * float(np.abs(one) @ np.abs(other)):
        raise TrustError(f"a correction has the energy {found:.3g}, expected at least 0; {INDEFINITE}")
    return max(found, 0.0)


def rounding(certificate: Certificate, values: Floats) -> float:
    """Return how far rounding in the residual of `values` (n,) may move an error in the energy norm."""
    return float(np.abs(values).max(initial=0.0) * certificate.rounding)
