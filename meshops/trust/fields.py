"""A solution's field as the vector of unknowns of its linear system, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometries.refine import second_order
from meshops.equations import Case, Solution
from meshops.equations.assembly import Assembler
from meshops.equations.elevated import elevated
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]


def unknowns(solution: Solution) -> Floats:
    """Return (n,) the fields of a steady solution, numbered as in its linear system.

    A field that the case determines up to a constant only is 0 where the system pins it. Raises `TrustError` if the
    solution has times.
    """
    case = solution.case
    if case.transient:
        raise TrustError("the solution has times; its error is known of steady problems only.")
    assembler = Assembler(case)
    values, level = assembler.layout.join(solution.fields), assembler.level
    if level is None:
        return values
    own = level.weights != 0
    return values - own * values[own.argmax()]


def with_unknowns(solution: Solution, values: Floats, **made_by: object) -> Solution:
    """Return the solution with other values (n,) of its unknowns, and more said of how it was made."""
    fields = Assembler(solution.case).split(values)
    return replace(solution, fields={**solution.fields, **fields}, made_by={**solution.made_by, **made_by})


def on_own_mesh(solution: Solution) -> Solution:
    """Return the solution on the mesh that its equation is solved on: with mid-nodes, whose values are interpolated.

    Points keep their numbers. Only flows on first-order meshes are changed.
    """
    fine = elevated(solution.case)
    if fine is solution.case:
        return solution
    points_first = {name: np.moveaxis(values, -2, 0) for name, values in solution.fields.items()}
    found = second_order(replace(solution.case.mesh, point_data=points_first)).point_data
    return Solution(fine, {name: np.moveaxis(values, 0, -2) for name, values in found.items()}, solution.made_by)


def at_points_of(case: Case, solution: Solution) -> Solution:
    """Undo `on_own_mesh`: return the solution at the points of `case`."""
    if solution.case is case:
        return solution
    fields = {name: values[..., : case.mesh.num_points, :] for name, values in solution.fields.items()}
    return Solution(case, fields, solution.made_by)
