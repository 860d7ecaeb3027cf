"""A solution's field as the vector of unknowns of its linear system, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from meshops.equations import Solution
from meshops.equations.layout import Layout
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]


def unknowns(solution: Solution) -> Floats:
    """Return (n,) the fields of a steady solution, numbered as in its linear system.

    Raises `TrustError` if it has times.
    """
    case = solution.case
    if case.transient:
        raise TrustError("the solution has times; its error is known of steady problems only.")
    return Layout(case.mesh, case.equation.fields).join(solution.fields)


def with_unknowns(solution: Solution, values: Floats, **made_by: object) -> Solution:
    """Return the solution with other values (n,) of its unknowns, and more said of how it was made."""
    fields = Layout(solution.case.mesh, solution.case.equation.fields).split(values)
    return replace(solution, fields={**solution.fields, **fields}, made_by={**solution.made_by, **made_by})
