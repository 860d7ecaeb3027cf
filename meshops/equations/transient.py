"""Marching in time from output time to output time, by equal or by adaptive steps of a scheme.

Steps divide the interval between two output times by powers of two, so that few factorisations serve all steps; where
held values jump, they divide the way to there, and the way on.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geometries.errors import MeshopsError, nearest
from meshops.equations.case import Case
from meshops.equations.jumps import LEAST, units
from meshops.equations.schemes import DEFAULTS, SCHEMES, Moment, Scheme
from meshops.equations.solvers import SolverError

Floats = NDArray[np.float64]
TOLERANCE = 1e-4  # local error of a step over the field's scale
FINEST = 50  # halvings of an interval between output times
_EASY = 0.1  # of the tolerance: below it the next step is twice as long


def march(
    case: Case, *, scheme: str = "", steps: int = 0, tolerance: float = TOLERANCE
) -> tuple[dict[str, Floats], dict[str, object]]:
    """Return {field: (T, N, c)} at the case's times, and how they were found.

    `scheme` is `bdf2` (the default), `theta` (Crank and Nicolson's) or `euler` for equations of first order in time,
    `newmark` for those of second. With `steps` > 0 each interval between output times takes that many equal steps; else
    a step's local error is held below `tolerance` times the field's scale, by the equation's scaling, at its largest.
    There a jump of held values is met as a start, and moves nothing else; equal steps run across it.
    Steps see loads and held values at their ends only: a pulse within a step goes unseen, with the heat or the momentum
    that it brings; let an output time stand amid it.
    Raises `SolverError` where that needs steps below 2^-50 of an interval, or of a few units of rounding, and
    `MeshopsError` for `steps` below 0, a `tolerance` that is not above 0, and schemes that are not there.
    """
    if steps < 0 or not tolerance > 0:
        raise MeshopsError(f"found {steps} steps, tolerance {tolerance:g}; expected 0 or more, and a number above 0.")
    name = scheme or DEFAULTS[case.equation.time_order]
    if name not in SCHEMES or SCHEMES[name].order != case.equation.time_order:
        known = [n for n, s in SCHEMES.items() if s.order == case.equation.time_order]
        raise MeshopsError(f"no scheme of {case.equation.name} is called {name!r}; {nearest(name, known)}")
    method = SCHEMES[name](case)
    moment, halvings, taken = method.start(), 2, 0
    found = [moment.values]
    for begin, end in pairwise(case.times):
        if steps:
            for i in range(steps):
                moment, _ = method.step(moment, begin + (i + 1) * (end - begin) / steps)
            taken += steps
        else:
            moment, halvings, count = _adapt(method, moment, end, halvings, tolerance)
            taken += count
        found.append(moment.values)
    series = [method.assembler.split(values) for values in found]
    fields = {name: np.stack([moment[name] for moment in series]) for name in series[0]}
    return fields, {"solver": name, "iterations": taken}


def _adapt(method: Scheme, moment: Moment, end: float, halvings: int, tolerance: float) -> tuple[Moment, int, int]:
    """Step to `end`; where held values jump on the way, up to there, and on from there as from a start."""
    taken = 0
    while moment.time < end:
        if method.jumps.due(moment.time, end):
            moment = method.over(moment)
            continue
        if units(moment.time, end) <= LEAST:
            break
        moment, halvings, count = _towards(method, moment, min(end, method.jumps.until), halvings, tolerance)
        taken += count
    return moment, halvings, taken


def _towards(method: Scheme, moment: Moment, end: float, halvings: int, tolerance: float) -> tuple[Moment, int, int]:
    """Step to `end`, or until a jump is found, by steps that are the way over powers of two.

    `done` counts them in the finest.
    """
    begin, done, taken, whole, limit = moment.time, 0, 0, 1 << FINEST, tolerance * method.scale
    finest = min(FINEST, int(np.log2(units(begin, end))) - 2)
    halvings = min(halvings, finest)
    while done < whole:
        size = whole >> halvings
        time = begin + (end - begin) * (done + size) / whole if done + size < whole else end
        trial, estimate = method.step(moment, time)
        error = method.size(estimate)
        if error > limit and method.jumps.look(moment.time, time, method.size, limit):
            return moment, 2, taken
        if error > limit:
            error = method.size(method.lasting(estimate, moment, trial))
        if error > limit:
            if halvings == finest:
                raise SolverError(
                    f"the step at time {moment.time:.6g} cannot be made small enough; look for loads, held values or "
                    f"coefficients that grow without bound or swing ever faster there, or end before it."
                )
            halvings += 1
            continue
        moment, done, taken = trial, done + size, taken + 1
        if halvings and error < _EASY * limit and done % (2 * size) == 0:
            halvings -= 1
    return moment, halvings, taken
