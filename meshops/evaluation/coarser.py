"""The reference solver on coarser meshes: what an operator has to beat in its own time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from geometries.mesh import Mesh
from meshops.data import MeshDataset, Recipe
from meshops.data.make import Maker
from meshops.data.shapes import resized
from meshops.equations import Case, Solution, solve
from meshops.equations.solvers import SolverError
from meshops.evaluation.errors import Errors, errors_of
from meshops.graph import targets

Floats = NDArray[np.float64]
FACTORS = (1.0, 2.0, 4.0)  # of the edges' length; at 1 the time alone says something


def coarser(split: MeshDataset, name: str) -> Iterator[tuple[float, Errors, float]]:
    """Yield (factor, errors, median seconds a case) of the reference on meshes with edges `factor` times as long.

    Seconds are those of assembly and solution; meshing is left out, as it is for operators. The coarse field is carried
    over linearly. Factors are left out where the recipe's family has no size to change. Of a case that has no solution
    there, as a flow too fast for its cells, zeros count: an error of 1. `name` is the split's.
    """
    manifest = split.store.manifest
    maker = Maker(Recipe.from_spec(manifest.recipe), manifest.seed, name if name in manifest.parts else "")
    for factor in FACTORS:
        family = maker.recipe.family if factor == 1 else resized(maker.recipe.family, factor)
        if family is None:
            continue
        found, seconds = [], []
        for i, sample in enumerate(split.ids):
            fine = split.case(i)
            case = fine if factor == 1 else maker.again(manifest.locate(sample)[1], family)
            begun = time.perf_counter()
            solution = _solved(case)
            seconds.append(time.perf_counter() - begun)
            if solution is None:
                found.append(np.zeros(split[i].y.shape))
            else:
                found.append(carried(targets(solution, fine.equation.scaling(fine)), case.mesh, fine.mesh))
        yield factor, errors_of(found, split), float(np.median(seconds))


def _solved(case: Case) -> Solution | None:
    try:
        return solve(case)
    except SolverError:
        return None


def carried(values: Floats, mesh: Mesh, other: Mesh) -> Floats:
    """Return values (N, C) at a mesh's nodes as values at another's: linear between points, nearest outside."""
    here, there = mesh.points, other.points
    if len(here) == len(there) and (here == there).all():
        return values
    if here.shape[1] == 1:
        order = np.argsort(here[:, 0])
        return np.stack([np.interp(there[:, 0], here[order, 0], column[order]) for column in values.T], axis=1)
    inside = LinearNDInterpolator(here, values)(there)
    return np.where(np.isfinite(inside), inside, NearestNDInterpolator(here, values)(there))
