"""Sources as the points of a mesh take them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometries.values import names_in
from meshops.equations.elements import blocks, unsupported

if TYPE_CHECKING:
    from meshops.equations.case import Case

Floats = NDArray[np.float64]


def loads(case: Case, time: float) -> Floats:
    """Return (N, *shape) ∫ f φ_i⁺ / ∫ φ_i⁺ of the source f at a time: its mean over the cells around each point.

    φ_i⁺ is the point's shape function where it is positive. On linear cells this times ∫ φ_i is the load that the
    reference solver sees, by the same quadrature: a disc between points is not missed, and one on points not counted
    for more; at points of no cell it is 0. A source by regions, at points, the same everywhere, or on cells that the
    solver has no element for, is that of `Case.nodal`.
    """
    mesh, shape = case.mesh, case.shape_of("source")
    if unsupported(mesh) or isinstance(case.source, Mapping) or not names_in(case.source) - {"t", "u"}:
        return case.nodal("source", time)
    total, weight = np.zeros((mesh.num_points, int(np.prod(shape)))), np.zeros(mesh.num_points)
    for block in blocks(mesh):
        basis = block.scalar
        points = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
        u = np.full(points.shape[:2], case.level) if "source" in case.varying else None
        values = case.coefficient("source", points, block.cells, time=time, u=u).reshape(*points.shape[:2], -1)
        for function, nodes in zip(basis.basis, block.nodes.T, strict=True):
            share = np.maximum(np.asarray(function[0]), 0) * basis.dx
            weight += np.bincount(nodes, share.sum(1), len(weight))
            for column, part in zip(total.T, np.moveaxis(values, -1, 0), strict=True):
                column += np.bincount(nodes, (share * part).sum(1), len(weight))
    return (total / np.where(weight > 0, weight, 1.0)[:, None]).reshape(mesh.num_points, *shape)
