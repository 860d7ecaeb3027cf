"""Random regions of a mesh: where a random field is above zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometries.errors import SpecError
from geometries.expressions import Expression
from geometries.mesh import Mesh
from meshops.data.distributions import Distribution, Draw, Place

BACKGROUND = "background"
Floats = NDArray[np.float64]


def with_regions(fields: Mapping[str, Distribution], rng: np.random.Generator, place: Place) -> Mesh:
    """Return the mesh with a region for each field: the cells in whose middle it is above 0 and no earlier one is.

    The cells of none are the region `background`. So a coefficient by region jumps between cells, as in a material of
    two phases: `regions: {hard: {matern: {length: 0.3}}}` with `{per_region: {hard: 12, background: 3}}`.
    """
    mesh = place.mesh
    owner = np.full(mesh.num_cells, len(fields))
    for number, distribution in reversed(list(enumerate(fields.values()))):
        owner[_at_cells(mesh, distribution.draw(rng, place)) > 0] = number
    found = {name: np.flatnonzero(owner == number) for number, name in enumerate([*fields, BACKGROUND])}
    return replace(mesh, regions={**mesh.regions, **{name: cells for name, cells in found.items() if len(cells)}})


def _at_cells(mesh: Mesh, drawn: Draw) -> Floats:
    if isinstance(drawn, Expression):
        return drawn(mesh.cell_centers)
    if isinstance(drawn, np.ndarray) and drawn.ndim == 1:
        return np.concatenate([drawn[cells].mean(1) for _, cells, _ in mesh.blocks()])
    raise SpecError("a region needs a random field of one component, such as {matern: {length: 0.3}}.")
