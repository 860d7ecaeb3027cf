"""`Verdict`: how wrong an answer is, in numbers and in a word."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite

from meshops.equations import LinearSystem, Solution, assemble
from meshops.graph import MeshGraph
from meshops.trust.bounds import bounds
from meshops.trust.certificate import Certificate, certify, remembered
from meshops.trust.diffusion import system_of
from meshops.trust.discretisation import Discretisation
from meshops.trust.equilibrated import equilibrate
from meshops.trust.errors import TrustError
from meshops.trust.estimates import estimate
from meshops.trust.fields import unknowns
from meshops.trust.guard import Guard
from meshops.trust.polish import best_start, descend
from meshops.trust.recovery import recover

Interval = tuple[float, float]
WITHIN, INDICATIVE, DO_NOT_USE = "within tolerance", "indicative", "do not use"
INDICATIVE_UP_TO = 5.0  # tolerances
NEAR = 1e-6  # the share of its energy to which a field is polished before its discretisation error is bounded


@dataclass(frozen=True)
class Verdict:
    """How far a field is from the discrete solution, in the energy norm, and how far that is from the exact one.

    - `energy_error`, `relative_energy_error`: [lower, upper] of ‖u_h - u‖_A and of its share of ‖u_h‖_A.
    - `guaranteed`: whether they are proved, but for `failure_probability`; an estimate otherwise.
    - `discretisation`: what is known of ‖u_exact - u_h‖, None where it was not asked for.
    - `unusual`: the inputs unlike the training data, named.
    - `tolerance`: the share of ‖u_h‖_A that the user accepts.
    """

    energy_error: Interval
    relative_energy_error: Interval
    guaranteed: bool
    failure_probability: float
    tolerance: float
    discretisation: Discretisation | None = None
    unusual: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the tolerance and the intervals."""
        if not self.tolerance > 0:
            raise TrustError(f"the tolerance is {self.tolerance!r}; expected a share above 0, such as 0.05.")
        for low, high in (self.energy_error, self.relative_energy_error):
            if not 0 <= low <= high:
                raise TrustError(f"the error is said to lie in [{low:.3g}, {high:.3g}]; expected 0 ≤ lower ≤ upper.")

    @property
    def total(self) -> float:
        """The upper end of the relative error, the discretisation's included where it is known."""
        part = self.discretisation.relative if self.discretisation else 0.0
        return hypot(self.relative_energy_error[1], part)

    @property
    def word(self) -> str:
        """`within tolerance` if proved; `indicative` up to 5 tolerances, proved or estimated; else `do not use`.

        An estimate about an input unlike the training data is worth nothing; a proof holds for any input.
        """
        if self.total <= self.tolerance and self.guaranteed:
            return WITHIN
        trusted = self.guaranteed or not self.unusual
        return INDICATIVE if trusted and self.total <= INDICATIVE_UP_TO * self.tolerance else DO_NOT_USE

    @property
    def exit_code(self) -> int:
        """0, or 3 for `do not use`."""
        return 3 if self.word == DO_NOT_USE else 0

    def to_json(self) -> dict[str, object]:
        """Return the plain form; an infinite number is None."""
        return {
            "energy_error": _plain(self.energy_error),
            "relative_energy_error": _plain(self.relative_energy_error),
            "guaranteed": self.guaranteed,
            "failure_probability": self.failure_probability,
            "discretisation": self.discretisation.to_json() if self.discretisation else None,
            "unusual": list(self.unusual),
            "tolerance": self.tolerance,
            "word": self.word,
        }

    def __str__(self) -> str:
        """One line a person reads."""
        low, high = self.relative_energy_error
        how = "proved" if self.guaranteed else "estimated"
        if self.guaranteed and self.failure_probability > 0:
            how += f", but for a probability of {self.failure_probability:.0e}"
        parts = [f"{self.word}: error {low:.3g} to {high:.3g} of the discrete solution in energy ({how})"]
        parts.append(str(self.discretisation) if self.discretisation else "discretisation error not assessed")
        parts.append(f"tolerance {self.tolerance:.3g}")
        if self.unusual:
            parts.append(f"unlike the training data: {', '.join(self.unusual)}")
        return "; ".join(parts)


def judge(
    solution: Solution,
    *,
    tolerance: float,
    cycles: int = 1,
    certificate: Certificate | None = None,
    system: LinearSystem | None = None,
    discretisation: Discretisation | None = None,
    guard: Guard | None = None,
    graph: MeshGraph | None = None,
) -> Verdict:
    """Return the verdict on a solution's field; `tolerance` is a share of the solution's energy norm.

    `cycles` more than 1 sharpen the bounds. `certificate` (else that of `certify`) and `system` spare their making,
    where they are at hand. `guard` names what is unusual about `graph`. Symmetric positive definite systems get a
    bound, others an estimate.
    """
    unusual = guard.unusual(graph) if guard is not None and graph is not None else ()
    case = solution.case
    try:
        known = remembered(case) if certificate is None else certificate
        if system is None and case.linear:
            system = system_of(case, known.matrix if known else None)
        certificate = certify(case, system) if known is None else known
    except TrustError:
        system = assemble(case, solution.fields) if system is None else system
        rough = estimate(system, unknowns(solution))
        return Verdict(rough.error, rough.relative, False, 1.0, tolerance, discretisation, unusual)
    found = bounds(certificate, system, unknowns(solution), cycles=cycles)
    proved = certificate.contraction.proved
    return Verdict(
        (found.lower, found.upper), found.relative, proved, found.failure, tolerance, discretisation, unusual
    )


def discretise(
    solution: Solution, *, certificate: Certificate | None = None, system: LinearSystem | None = None
) -> Discretisation:
    """Return the discretisation error of the discrete solution that a field is near, polished first to be nearer.

    A bound by equilibrated fluxes on straight triangles and tetrahedra, an estimate by recovered fluxes on other
    meshes. The polished field's own error is far below, and counted in the bound.
    """
    certificate = certify(solution.case, system) if certificate is None else certificate
    system = system_of(solution.case, certificate.matrix) if system is None else system
    near = descend(certificate, system, best_start(certificate, system, unknowns(solution)), NEAR).values
    try:
        return equilibrate(solution.case, near)
    except TrustError:
        return recover(solution.case, near)


def _plain(interval: Interval) -> list[float | None]:
    return [x if isfinite(x) else None for x in interval]
