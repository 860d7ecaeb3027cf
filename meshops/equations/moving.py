"""What of a case moves in time, and how large the field grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meshops.equations.case import Case, in_time

_LOOKS = 24  # at the field's scale at output times, at most
_GOLDEN = 5**0.5 / 2 - 0.5


def inertia_moves(case: Case) -> bool:
    """Return whether a coefficient depends on time."""
    return any(in_time(v) for v in case.coefficients.values())


def matrix_moves(case: Case) -> bool:
    """Return whether a coefficient, or that of a condition, depends on time."""
    exchange = [v for part in case.parts for n, v in part.values.items() if n == "coefficient"]
    return inertia_moves(case) or any(in_time(v) for v in exchange)


def rhs_moves(case: Case) -> bool:
    """Return whether the source, or a value of a condition, depends on time."""
    return any(in_time(v) for v in (case.source, *(v for part in case.parts for v in part.values.values())))


def field_scale(case: Case) -> float:
    """Return the largest scale of the field at output times, and at a few amid them: data may be zero at the start.

    Of more than 24 output times it looks at as many, evenly spread from the first to the last: each costs a case. Those
    amid them are eight by the golden section, so that they do not fall on the zeros of what swings.
    """
    start, end = case.times[0], case.times[-1]
    amid = [start + (end - start) * (i * _GOLDEN % 1) for i in range(1, 9)]
    spread = np.linspace(0, len(case.times) - 1, min(len(case.times), _LOOKS)).round().astype(int)
    at = (*(case.times[i] for i in spread), *amid) if rhs_moves(case) else (start,)
    scalings = [case.equation.scaling(replace(case, times=(t, t + end - start))) for t in at]
    scales = [(not s.arbitrary, s.quantities[case.equation.field][1]) for s in scalings]
    return max(scales)[1]
