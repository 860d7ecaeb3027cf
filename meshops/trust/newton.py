"""Polishing what is no symmetric positive definite problem: Newton's method from the prediction, or a factorisation."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from meshops.equations import LinearSystem, Solution
from meshops.equations.assembly import Assembler
from meshops.equations.solvers import Solved, SolverError, continued, newton_on, solve_system
from meshops.trust.fields import unknowns, with_unknowns

Floats = NDArray[np.float64]


def solved(solution: Solution, *, tolerance: float, compare: bool = False) -> Solution:
    """Return the solution carried to the discrete one: an estimate says how near, nothing is proved.

    A nonlinear problem is solved by Newton's method until a step is at most `tolerance` of the field in energy. It
    starts from the prediction if its residual is the smaller one, else from the case's own start; where it fails from
    there, the reference solver takes over. A linear one is factorised, which takes no start. `made_by["polish"]` tells
    iterations, seconds and the start; with `compare`, those from zero in the same run too.

    Raises `TrustError` for a problem with times, `SolverError` where nothing converges.
    """
    case = solution.case
    guess = unknowns(solution)  # refuses times
    begun = time.perf_counter()
    assembler = Assembler(case)
    if case.linear:
        found = solve_system(assembler.system(None, case.start), definite=case.equation.definite)
        record: dict[str, object] = {"solver": found.solver, "iterations": found.iterations, "start": "none"}
        return with_unknowns(solution, found.values, polish=record | _seconds(begun))
    zero = assembler.layout.join(case.start_values())
    starts = {"prediction": guess, "zero": zero}
    size = {name: _force(assembler.system(state, case.start), state) for name, state in starts.items()}
    chosen = "prediction" if size["prediction"] <= size["zero"] else "zero"
    found, chosen = _newton(assembler, starts, chosen, tolerance)
    record = {"solver": found.solver, "iterations": found.iterations, "start": chosen} | _seconds(begun)
    if compare:
        begun = time.perf_counter()
        plain, _ = _newton(assembler, starts, "zero", tolerance)
        record["from_zero"] = {"iterations": plain.iterations, **_seconds(begun), "measured": True}
    return with_unknowns(solution, found.values, polish=record)


def _newton(assembler: Assembler, starts: dict[str, Floats], chosen: str, tolerance: float) -> tuple[Solved, str]:
    case = assembler.case
    try:
        found = newton_on(
            lambda u: assembler.system(u, case.start), starts[chosen], definite=case.equation.definite, near=tolerance
        )
    except SolverError:
        return continued(assembler), "zero"
    return found, chosen


def _force(system: LinearSystem, state: Floats) -> float:
    """(rᵀ D⁻¹ r)^½, D the matrix's diagonal: infinite where the equation cannot take the state."""
    met = system.expand(system.restrict(state))
    gap, diagonal = system.rhs - system.matrix @ met, np.abs(system.matrix.diagonal())
    diagonal = np.where(diagonal > 0, diagonal, diagonal.max())
    if system.ties is not None:
        gap, diagonal = system.ties.T @ gap, (system.ties.multiply(system.ties)).T @ diagonal
    else:
        gap, diagonal = gap[system.free], diagonal[system.free]
    size = float(gap**2 @ (1 / diagonal)) if len(gap) else 0.0
    return size if np.isfinite(size) else float("inf")


def _seconds(begun: float) -> dict[str, object]:
    return {"seconds": time.perf_counter() - begun}
