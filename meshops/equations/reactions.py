"""What supports carry: the residual of the natural problem where essential conditions hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet, Roller
from meshops.equations.assembly import Assembler
from meshops.equations.case import Case
from meshops.equations.constraints import held_along

Floats = NDArray[np.float64]


def reactions(case: Case, fields: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return {boundary: (c,)} what each Dirichlet and Roller condition puts into the first field's equation.

    Of solids it is the support's force on the body, of heat the flux into it. Together with all that is put in
    elsewhere the reactions sum to zero, to the last bits of the solver. Where supports meet, each takes what acts along
    the directions that it holds, and of a direction that several hold an equal share.
    """
    assembler = Assembler(case)
    state = assembler.layout.join(fields)
    system = assembler.system(None if case.linear else state, case.start)
    numbers = assembler.layout.numbers[case.equation.field]
    force = (system.matrix @ state - system.rhs)[numbers]
    parts = [part for part in case.parts if isinstance(part.condition, Dirichlet | Roller)]
    if not parts:
        return {}
    held = [held_along(case, part) for part in parts]
    every = np.concatenate(held, axis=1)
    at = np.flatnonzero(every.any((1, 2)))
    strength = np.linalg.pinv(every[at].transpose(0, 2, 1)) @ force[at, :, None]
    shares = np.split((every[at] * strength).sum(0), np.cumsum([own.shape[1] for own in held])[:-1])
    out: dict[str, Floats] = {}
    for part, share in zip(parts, shares, strict=True):
        out[part.name] = out.get(part.name, 0.0) + share.sum(0)
    return out
