"""What supports carry: the residual of the natural problem where essential conditions hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet, Roller
from meshops.equations.assembly import Assembler
from meshops.equations.case import Case, Part, on_nodes
from meshops.equations.constraints import node_normals

Floats = NDArray[np.float64]


def reactions(case: Case, fields: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return {boundary: (c,)} what each Dirichlet and Roller condition puts into the first field's equation.

    Of solids it is the support's force on the body, of heat the flux into it. Together with all that is put in
    elsewhere the reactions sum to zero to the last bits of the solver. Where supports of one component meet, each is
    given an equal share.
    """
    assembler = Assembler(case)
    state = assembler.layout.join(fields)
    system = assembler.system(None if case.linear else state, case.start)
    numbers = assembler.layout.numbers[case.equation.field]
    force = (system.matrix @ state - system.rhs)[numbers]
    holds: dict[str, NDArray[np.bool_]] = {}
    for part in case.parts:
        if isinstance(part.condition, Dirichlet | Roller):
            holds[part.name] = holds.get(part.name, False) | _holds(case, part)
    shared = np.maximum(sum(holds.values(), np.zeros(force.shape)), 1)
    return {name: (held * force / shared).sum(0) for name, held in holds.items()}


def _holds(case: Case, part: Part) -> NDArray[np.bool_]:
    """(N, c) which components a support acts on."""
    if isinstance(part.condition, Dirichlet):
        return ~np.isnan(on_nodes(case, part, "value").reshape(case.mesh.num_points, -1))
    nodes, normals = node_normals(case.mesh, part.sides)
    held = np.zeros((case.mesh.num_points, case.mesh.space_dim), bool)
    held[nodes] = np.abs(normals) > 1e-9
    return held
