"""A solution's field as the vector of unknowns of its linear system, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from meshops.equations import Solution

Floats = NDArray[np.float64]


def unknowns(solution: Solution) -> Floats:
    """Return (N c,) the equation's field, numbered point * components + component."""
    return solution.fields[solution.case.equation.field].reshape(-1).copy()


def with_unknowns(solution: Solution, values: Floats, **made_by: object) -> Solution:
    """Return the solution with other values (N c,), and more said of how it was made."""
    name = solution.case.equation.field
    fields = {**solution.fields, name: values.reshape(solution.fields[name].shape)}
    return replace(solution, fields=fields, made_by={**solution.made_by, **made_by})
