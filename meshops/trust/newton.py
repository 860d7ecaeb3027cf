"""Polishing what is no symmetric positive definite problem: Newton's method from the prediction, or a factorisation."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from geometries.errors import MeshopsError
from meshops.equations import Solution
from meshops.equations.assembly import Assembler
from meshops.equations.solvers import Solved, SolverError, continued, newton_on, solve_system
from meshops.trust.fields import unknowns, with_unknowns

Floats = NDArray[np.float64]


FAR = 0.7  # of the field in energy, that a prediction may be away: one from zero is 1 away


def solved(solution: Solution, *, tolerance: float, compare: bool = False) -> Solution:
    """Return the solution carried to the discrete one: an estimate says how near, nothing is proved.

    A nonlinear problem is solved by Newton's method until the error left is about `tolerance` of the field in energy.
    Its first step tells how far the prediction is: where that is hardly nearer than zero, or Newton's method fails, it
    starts again from the case's own start, one step lost. A linear problem is factorised, which takes no start.
    `made_by["polish"]` tells iterations, seconds and the start; with `compare`, those from zero in the same run too.

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
    try:
        found, start = _newton(assembler, guess, near=tolerance, far=FAR), "prediction"
    except MeshopsError:  # or a coefficient that is not finite there
        found, start = _from_zero(assembler, tolerance), "zero"
    record = {"solver": found.solver, "iterations": found.iterations, "start": start} | _seconds(begun)
    if compare:
        begun, plain = time.perf_counter(), Assembler(case)
        iterations = _from_zero(plain, tolerance).iterations
        record["from_zero"] = {"iterations": iterations, **_seconds(begun), "measured": True}
    return with_unknowns(solution, found.values, polish=record)


def _from_zero(assembler: Assembler, tolerance: float) -> Solved:
    try:
        return _newton(assembler, assembler.layout.join(assembler.case.start_values()), near=tolerance)
    except SolverError:
        return continued(assembler)


def _newton(assembler: Assembler, start: Floats, **how: float) -> Solved:
    case = assembler.case
    return newton_on(lambda u: assembler.system(u, case.start), start, definite=case.equation.definite, **how)


def _seconds(begun: float) -> dict[str, object]:
    return {"seconds": time.perf_counter() - begun}
