"""The harmonic lifting of essential values: a classical solve that a graph may carry as an input of a hybrid."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from geometries.mesh import Mesh
from meshops.equations import Case, Heat, assemble
from meshops.equations.solvers import solve_system
from meshops.graph.mesh_graph import MeshGraph

Floats = NDArray[np.float64]
_TINY = 1e-9  # makes the Laplacian regular where nothing is held, and changes nothing elsewhere


def harmonic_extension(mesh: Mesh, fixed: NDArray[np.bool_], values: Floats) -> Floats:
    """Return (N, C) solutions of Δu = 0 with `values` (N, C) where `fixed`, no flux elsewhere; column by column.

    A piece where nothing is held gets 0.
    """
    plain = assemble(Case(mesh, Heat(), coefficients={"loss": _TINY / mesh.length**2}))
    columns = [
        solve_system(replace(plain, fixed=held, fixed_value=value)).values
        for held, value in zip(fixed.T, values.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def lift(graph: MeshGraph, mesh: Mesh) -> MeshGraph:
    """Return the graph of `Schema.lifted`: `x` with the harmonic extension of `fixed_value`. The one given stays."""
    out = copy(graph)
    found = harmonic_extension(mesh, graph.fixed.numpy(), graph.fixed_value.double().numpy())
    out.x = torch.cat([graph.x, torch.from_numpy(found).to(graph.x)], dim=1)
    return out
