"""Fields at the points from what cells say of them: gradients, fluxes and stresses by recovery.

A gradient of a finite element solution jumps between cells. Each cell is asked at its own nodes, with its own
coefficients, and the answers at a point are averaged by the cells' volumes. On linear cells that is the gradient's
projection by a lumped mass, second order inside of a regular mesh and first order on its boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh
from meshops.equations.assembly import Assembler
from meshops.equations.case import Case
from meshops.equations.elements import blocks

Floats = NDArray[np.float64]


def recovered(case: Case, fields: Mapping[str, Floats], of: Callable[[Any], Any]) -> Floats:
    """Return (N, k) what `of` makes of `w`, the form's own argument with the fields {name: (N, c)} in it.

    `of` returns (k, C, q) or (C, q) values, as in `lambda w: w.conductivity * grad(w.temperature)`.
    """
    assembler = Assembler(case)
    state = assembler.layout.join(fields)
    return _mean(case.mesh, [(nodes, of(w)) for nodes, w in assembler.at_nodes(state, case.start)])


def nodal_gradient(mesh: Mesh, values: Floats) -> Floats:
    """Return (N, c, d) the gradient of (N, c) values at the points."""
    found = []
    for block in blocks(mesh):
        basis = block.nodal_basis()
        slopes = [basis.interpolate(np.ascontiguousarray(v[block.points])).grad for v in values.T]
        found.append((block.nodes, np.reshape(slopes, (-1, *slopes[0].shape[1:]))))
    return _mean(mesh, found).reshape(mesh.num_points, values.shape[1], mesh.space_dim)


def _mean(mesh: Mesh, found: list[tuple[NDArray[np.int64], Any]]) -> Floats:
    """(N, k) means by volume of ((C, q) points, (k, C, q) values) of each block, in the order of the mesh's cells."""
    total: Floats | float = 0.0
    weight, first = np.zeros(mesh.num_points), 0
    for nodes, given in found:
        values = np.reshape(given, (-1, *nodes.shape))
        volume = np.broadcast_to(mesh.measure[first : first + len(nodes), None], nodes.shape)
        weight += np.bincount(nodes.ravel(), volume.ravel(), mesh.num_points)
        total = total + np.stack([np.bincount(nodes.ravel(), (volume * v).ravel(), mesh.num_points) for v in values])
        first += len(nodes)
    return np.transpose(total / np.where(weight > 0, weight, 1.0))
