"""Carrying a predicted field to a tolerance, proved in the energy norm."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshops.equations import LinearSystem, Solution
from meshops.trust.bounds import energy_of, rounding
from meshops.trust.certificate import Certificate, certify, provable
from meshops.trust.diffusion import system_of
from meshops.trust.errors import TrustError
from meshops.trust.fields import unknowns, with_unknowns
from meshops.trust.newton import solved

Floats = NDArray[np.float64]
Direction = Callable[[Floats], Floats]
MOST_ITERATIONS = 1000
REMEMBERED = 3  # earlier steps that a new one is made conjugate to, where an operator's directions join
RATE = 0.3  # the fall of the error in an iteration where none was needed to measure it
PATIENCE = 3  # steps in a row in which the operator may fail to pay before it is dropped


@dataclass(frozen=True, eq=False)
class Polished:
    """`values` (n,) with ‖u_h - u‖_A ≤ `error`, proved, which is at most the share `relative` of ‖u_h‖_A.

    `history` has the bound on the error before each iteration and at the end; `operator_steps` counts the steps along
    an operator's directions.
    """

    values: Floats
    error: float
    relative: float
    history: tuple[float, ...]
    operator_steps: int = 0

    @property
    def iterations(self) -> int:
        """V-cycles, but for those that proved the result."""
        return len(self.history) - 1


def polish(
    solution: Solution,
    *,
    tolerance: float,
    certificate: Certificate | None = None,
    compare: bool = False,
    direction: Direction | None = None,
) -> Solution:
    """Return the solution with its error proved to be at most `tolerance` of ‖u_h‖_A, in the energy norm.

    Conjugate gradients with the certificate's V-cycle start from the best field on the line through zero and the
    prediction, so that a bad prediction costs one product with the matrix and no more. `made_by["polish"]` tells
    iterations, seconds and the proved error. `from_zero` tells the same of the same solver from zero: measured with
    `compare`, else by a model whose contraction is that of the iteration at hand. `direction`: see `descend`.

    What is not symmetric positive definite is carried there as `newton.solved` says, with nothing proved. Raises
    `TrustError` if the tolerance is not reached, and for problems with times.
    """
    if not tolerance > 0:
        raise TrustError(f"the tolerance is {tolerance!r}; expected a share of the solution above 0, such as 1e-3.")
    if certificate is None and not provable(solution.case):
        return solved(solution, tolerance=tolerance, compare=compare)
    start = time.perf_counter()
    certificate = certify(solution.case) if certificate is None else certificate
    if not certificate.contraction.proved:
        return solved(solution, tolerance=tolerance, compare=compare)
    system = system_of(solution.case, certificate.matrix)
    ready = time.perf_counter()
    guess = best_start(certificate, system, unknowns(solution))
    done = descend(certificate, system, guess, tolerance, direction=direction)
    end = time.perf_counter()
    record: dict[str, object] = {
        "solver": "conjugate gradients and multigrid",
        "iterations": done.iterations,
        "seconds": {"setup": ready - start, "iterate": end - ready},
        "relative_energy_error": done.relative,
        "operator_steps": done.operator_steps,
    }
    zero = np.zeros_like(done.values)
    if compare:
        begun = time.perf_counter()
        plain = descend(certificate, system, zero, tolerance)
        record["from_zero"] = {"iterations": plain.iterations, "seconds": time.perf_counter() - begun, "measured": True}
    else:
        record["from_zero"] = modelled(certificate, system, done, end - ready)
    return with_unknowns(solution, done.values, polish=record)


def modelled(certificate: Certificate, system: LinearSystem, done: Polished, seconds: float) -> dict[str, object]:
    """Return what the same iteration would take from zero, one cycle spent: each falls by the factor seen in `done`."""
    first = descend_once(certificate, system, np.zeros_like(done.values))
    last, begun = done.history[-1], done.history[0]
    rate = (last / begun) ** (1 / done.iterations) if done.iterations and 0 < last < begun else RATE
    count = int(np.ceil(np.log(last / first) / np.log(min(rate, 0.99)))) if 0 < last < first else 0
    return {"iterations": count, "seconds": seconds * (count + 1) / (done.iterations + 1), "measured": False}


def descend_once(certificate: Certificate, system: LinearSystem, values: Floats) -> float:
    """Return the bound on the error of a field, as the iteration counts it."""
    search = _Search(certificate, system, values, None)
    search.cycle()
    return search.history[0]


def best_start(certificate: Certificate, system: LinearSystem, values: Floats) -> Floats:
    """Return the field with the least energy error on the line through zero and `values`, fixed values set."""
    zero = certificate.imposed(np.zeros_like(values), system)
    line = certificate.imposed(values, system) - zero
    stiffness = float(line @ (certificate.matrix @ line))
    work = float(line @ (system.rhs - certificate.matrix @ zero))
    return zero + (work / stiffness) * line if stiffness > 0 else zero


def descend(
    certificate: Certificate,
    system: LinearSystem,
    values: Floats,
    tolerance: float,
    *,
    direction: Direction | None = None,
) -> Polished:
    """Run preconditioned conjugate gradients from `values` until the proved relative error is at most `tolerance`.

    The bound is ‖e‖²_A ≤ rᵀBr/(1 - δ), and conjugate gradients compute rᵀBr anyhow, of a residual that they carry
    along: one more V-cycle proves the result from its own residual.

    `direction` maps a residual (n,) to a search direction (n,): a trained operator, say. Each step then goes to the
    least error over the plane of B r and that direction, conjugate to the last steps: flexible conjugate gradients,
    as in the deep conjugate direction method (arXiv 2205.10763), except that B r stays in the plane. So a bad
    direction costs time but no error, and one that takes more time than it saves is dropped.

    Raises `TrustError` if the tolerance is not reached, or nothing can be proved.
    """
    if not certificate.contraction.proved:
        raise TrustError("the V-cycle is not proved to contract on this matrix, so no tolerance can be proved.")
    search = _Search(certificate, system, values, direction)
    for _ in range(MOST_ITERATIONS):
        search.cycle()
        if search.relative(tolerance) <= tolerance and search.renewed(tolerance) <= tolerance:
            return search.result()
        if search.history[-1] <= 1.01 * search.slack:
            break
        search.step()
    raise TrustError(
        f"the error is at most {search.relative():.3g} of the solution after {len(search.history)} cycles; "
        f"{tolerance:.3g} was asked for, which rounding or the matrix puts out of reach."
    )


class _Search:
    """The state of flexible conjugate gradients."""

    def __init__(
        self, certificate: Certificate, system: LinearSystem, values: Floats, direction: Direction | None
    ) -> None:
        self.certificate = certificate
        self.direction = direction if certificate.ties is None else None
        self.values = certificate.imposed(values, system)
        self.rhs = system.rhs
        self.residual = certificate.residual(self.values, self.rhs)
        self.slack = 0.0
        self.norm, self.off = 0.0, float("inf")  # ‖u‖ where it was last taken, and the bound on the error there
        self.past: list[tuple[Floats, Floats, float]] = []
        self.history: list[float] = []
        self.cycled = self.residual
        self.seconds, self.failures, self.operator_steps = 0.0, 0, 0

    def cycle(self) -> None:
        """Precondition the residual, and bound the error by it."""
        start = time.perf_counter()
        self.cycled = self.certificate.hierarchy.cycle(self.residual)
        self.slack = rounding(self.certificate, self.values)
        rho = energy_of(self.residual, self.cycled)
        self.history.append(float(np.sqrt(rho / (1.0 - self.certificate.contraction.bound))) + self.slack)
        self.seconds = time.perf_counter() - start

    def renewed(self, tolerance: float) -> float:
        """Return `relative` of the field's own residual, from which the iteration begins anew."""
        self.residual = self.certificate.residual(self.values, self.rhs)
        self.past = []
        del self.history[-1]
        self.cycle()
        return self.relative(tolerance)

    def relative(self, tolerance: float = np.inf) -> float:
        """Return the bound on ‖e‖/‖u_h‖, with ‖u_h‖ ≥ ‖u‖ - ‖e‖ taken anew where it may be within the tolerance.

        It may be only if the bound is within it of the last ‖u‖ and of the error there, which ‖u_h‖ does not exceed.
        """
        error = self.history[-1]
        if error <= tolerance * (self.norm + self.off):
            self.norm, self.off = self.certificate.energy_norm(self.values), error
        least = self.norm - error
        return error / least if least > 0 else float("inf") if error > 0 else 0.0

    def step(self) -> None:
        """Go to the least error along B r, then along the operator's direction."""
        gain = self._along(self.cycled)
        if self.direction is None:
            return
        start = time.perf_counter()
        free = ~self.certificate.hierarchy.fixed
        more = self._along(np.where(free, self.direction(self.residual), 0.0))
        spent = time.perf_counter() - start
        self.operator_steps += 1
        pays = more * self.seconds > gain * spent
        self.failures = 0 if pays else self.failures + 1
        if self.failures == PATIENCE:
            self.direction = None

    def _along(self, direction: Floats) -> float:
        """Minimise along `direction` made conjugate to the past; return by how much ‖e‖² fell."""
        image = self.certificate.hierarchy.matrix @ direction
        for old, old_image, size in self.past:
            share = float(direction @ old_image) / size
            direction, image = direction - share * old, image - share * old_image
        size, work = float(direction @ image), float(direction @ self.residual)
        if not (np.isfinite(size) and size > 0):
            return 0.0
        self.values = self.values + (work / size) * self.certificate.spread(direction)
        self.residual = self.residual - (work / size) * image
        self.past = [*self.past, (direction, image, size)][-(1 if self.direction is None else REMEMBERED) :]
        return work**2 / size

    def result(self) -> Polished:
        """Return the field with what is proved of it."""
        return Polished(self.values, self.history[-1], self.relative(), tuple(self.history), self.operator_steps)
