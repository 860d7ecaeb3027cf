"""`Verdict`: how wrong an answer is, in numbers and in a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np
from numpy.typing import NDArray

from meshops.equations import Case, LinearSystem, Solution, assemble
from meshops.graph import MeshGraph
from meshops.trust.bounds import bounds
from meshops.trust.certificate import Certificate, certify, remembered
from meshops.trust.diffusion import system_of
from meshops.trust.discretisation import Discretisation
from meshops.trust.equilibrated import equilibrate
from meshops.trust.errors import TrustError
from meshops.trust.estimates import estimate, norms_of
from meshops.trust.fields import unknowns
from meshops.trust.guard import Guard
from meshops.trust.polish import best_start, descend
from meshops.trust.recovery import recover

Floats = NDArray[np.float64]
Interval = tuple[float, float]
WITHIN, INDICATIVE, DO_NOT_USE = "within tolerance", "indicative", "do not use"
INDICATIVE_UP_TO = 5.0  # tolerances
SAID = 3  # of what is unusual; the JSON has all
NEAR = 1e-3  # the share of its energy to which a field is polished before its discretisation error is bounded
QUICK_CELLS = 20_000  # above which `assess` estimates what it could bound: a bound takes 20 to 30 µs a cell


@dataclass(frozen=True)
class Verdict:
    """How far a field is from the discrete solution, in the energy norm, and how far that is from the exact one.

    - `energy_error`, `relative_energy_error`: [lower, upper] of ‖u_h - u‖_A and of its share of ‖u_h‖_A.
    - `guaranteed`: whether they are proved, but for `failure_probability`; an estimate otherwise.
    - `discretisation`: what is known of ‖u_exact - u_h‖, None where it was not asked for.
    - `unusual`: the inputs unlike the training data, named; None where nobody looked.
    - `tolerance`: the share of ‖u_h‖_A that the user accepts.
    - `doubts`: why the discrete solution may be far from the exact one where no estimate sees it.
    """

    energy_error: Interval
    relative_energy_error: Interval
    guaranteed: bool
    failure_probability: float
    tolerance: float
    discretisation: Discretisation | None = None
    unusual: tuple[str, ...] | None = None
    doubts: tuple[str, ...] = ()

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

        The discretisation error, where it is known, must be within the tolerance too for the first word; for the second
        it need not, for no better answer can be had on this mesh; nor does a doubt forbid that. An estimate about an
        input unlike the training data is worth nothing; a proof holds for any input. What is proved is the error
        against the discrete solution; the discretisation error is most often an estimate.
        """
        if self.total <= self.tolerance and self.guaranteed and not self.doubts:
            return WITHIN
        trusted = self.guaranteed or not self.unusual
        near = self.relative_energy_error[1] <= INDICATIVE_UP_TO * self.tolerance
        return INDICATIVE if trusted and near else DO_NOT_USE

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
            "unusual": None if self.unusual is None else list(self.unusual),
            "doubts": list(self.doubts),
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
        parts += [f"tolerance {self.tolerance:.3g}", *self.doubts]
        if self.unusual:
            more = len(self.unusual) - SAID
            rest = f" and {more} more" if more > 0 else ""
            parts.append(f"unlike the training data: {', '.join(self.unusual[:SAID])}{rest}")
        if self.unusual is None:
            parts.append("not compared with the training data")
        return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of a field against the discrete solution, and a field nearer to it."""

    error: Interval
    relative: Interval
    guaranteed: bool
    failure: float
    nearer: Callable[[], Floats]


def judge(
    solution: Solution,
    *,
    tolerance: float,
    cycles: int = 1,
    certificate: Certificate | None = None,
    system: LinearSystem | None = None,
    guard: Guard | None = None,
    graph: MeshGraph | None = None,
) -> Verdict:
    """Return the verdict on a solution's field; `tolerance` is a share of the solution's energy norm.

    `cycles` more than 1 sharpen the bounds. `certificate` (else that of `certify`) and `system` spare their making,
    where they are at hand. `guard` names what is unusual about `graph`. Symmetric positive definite systems get a
    bound, others an estimate. Raises `TrustError` where neither is known, as of a problem with times.
    """
    unusual = guard.unusual(graph) if guard is not None and graph is not None else None
    known = _known(solution, cycles, certificate, system)
    return _verdict(solution.case, known, tolerance, None, unusual)


def assess(solution: Solution, *, tolerance: float, cycles: int = 1, unusual: tuple[str, ...] | None = None) -> Verdict:
    """Return `judge`'s verdict with the discretisation error, by what is quick at the mesh's size: `discretised`."""
    known = _known(solution, cycles, None, None)
    try:
        discretisation = discretised(solution.case, known.nearer())
    except TrustError:
        discretisation = None
    return _verdict(solution.case, known, tolerance, discretisation, unusual)


def _verdict(
    case: Case, known: _Known, tolerance: float, discretisation: Discretisation | None, unusual: tuple[str, ...] | None
) -> Verdict:
    doubts = case.equation.doubts(case)
    proof = (known.guaranteed, known.failure)
    return Verdict(known.error, known.relative, *proof, tolerance, discretisation, unusual, doubts)


def _known(solution: Solution, cycles: int, certificate: Certificate | None, system: LinearSystem | None) -> _Known:
    case, values = solution.case, unknowns(solution)
    try:
        found = remembered(case) if certificate is None else certificate
        if system is None and case.linear:
            system = system_of(case, found.matrix if found else None)
        found = certify(case, system) if found is None else found
    except TrustError:
        found = None
    if system is None:
        system = assemble(case, solution.fields)
    if found is None or not found.contraction.proved:
        rough = estimate(system, values, norms_of(case))
        return _Known(rough.error, rough.relative, False, 1.0, lambda: rough.better)
    limits = bounds(found, system, values, cycles=cycles)
    return _Known(
        (limits.lower, limits.upper), limits.relative, True, limits.failure, lambda: _nearer(found, system, values)
    )


def _nearer(certificate: Certificate, system: LinearSystem, values: Floats) -> Floats:
    return descend(certificate, system, best_start(certificate, system, values), NEAR).values


def discretise(
    solution: Solution, *, certificate: Certificate | None = None, system: LinearSystem | None = None
) -> Discretisation:
    """Return the discretisation error of the discrete solution that a field is near, polished first to be nearer.

    A bound by equilibrated fluxes on straight triangles and tetrahedra, an estimate by recovered gradients on other
    meshes and for other equations. The polished field's own error is far below, and counted in the bound.
    """
    known = _known(solution, 1, certificate, system)
    return discretised(solution.case, known.nearer(), most_cells=None)


def discretised(case: Case, values: Floats, *, most_cells: int | None = QUICK_CELLS) -> Discretisation:
    """Return the discretisation error of the unknowns `values` (n,), which are those of the discrete solution or near.

    Equilibrated fluxes give a bound where they can, up to `most_cells`; recovered gradients an estimate elsewhere.
    """
    if most_cells is None or case.mesh.num_cells <= most_cells:
        try:
            return equilibrate(case, values)
        except TrustError:
            pass
    return recover(case, values)


def _plain(interval: Interval) -> list[float | None]:
    return [x if isfinite(x) else None for x in interval]
