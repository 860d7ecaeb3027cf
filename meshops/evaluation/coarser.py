"""The reference solver on coarser meshes: what an operator has to beat in its own time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.spatial import cKDTree

from geometries.conditions import Condition
from geometries.errors import MeshopsError
from geometries.families import Family
from geometries.mesh import Mesh
from meshops.data import MeshDataset, Recipe
from meshops.data.distributions import Place
from meshops.data.make import Maker
from meshops.data.shapes import resized
from meshops.equations import Case, Solution, solve
from meshops.equations.case import claimed
from meshops.equations.solvers import SolverError
from meshops.evaluation.errors import Errors, errors_of
from meshops.graph import targets

Floats = NDArray[np.float64]
_TINY = 1e-12
FACTORS = (1.0, 2.0, 4.0)  # of the edges' length; at 1 the time alone says something


def coarser(split: MeshDataset, name: str) -> Iterator[tuple[float, Errors, float]]:
    """Yield (factor, errors, median seconds a case) of the reference on meshes with edges `factor` times as long.

    Seconds are those of assembly and solution; meshing is left out, as it is for operators. What was drawn for a case
    is carried over to the coarse mesh, and the coarse field back, linearly: the same problem, up to interpolation.
    Factors are left out where the recipe's family has no size to change, or no shape has such a mesh. Of a case that
    has no mesh or no solution there, as a flow too fast for its cells, zeros count: an error of 1. `name` is the
    split's.
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
            case = fine if factor == 1 else _coarse(fine, maker, manifest.locate(sample)[1], family)
            begun = time.perf_counter()
            solution = _solved(case) if case else None
            seconds += [time.perf_counter() - begun] if case else []
            if case is None or solution is None:
                found.append(np.zeros(split[i].y.shape))
            else:
                found.append(carried(targets(solution, fine.equation.scaling(fine)), case.mesh, fine.mesh))
        if seconds:
            yield factor, errors_of(found, split), float(np.median(seconds))


def _coarse(fine: Case, maker: Maker, number: int, family: Family) -> Case | None:
    """Return a sample's case on the mesh that `family` gives of its shape; None where there is none."""
    try:
        return on_mesh(fine, maker.mesh_of(number, family))
    except MeshopsError:
        return None


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


def on_mesh(case: Case, mesh: Mesh) -> Case:
    """Return a case on another mesh of its shape, with what it has on points and in regions of its own carried over.

    Arrays are over the points of the mesh or the boundary, as random fields are. Regions that `mesh` lacks are the
    cells whose nearest are in them.
    """
    mesh = _with_regions(case.mesh, mesh)
    here, there = Place(case.mesh), Place(mesh)
    taken = claimed(case.conditions)

    def condition(given: Condition, name: str) -> Condition:
        places = here.on(name, taken), there.on(name, taken)
        return replace(given, **{key: _moved(value, *places) for key, value in given.values.items()})

    return replace(
        case,
        mesh=mesh,
        conditions={
            name: tuple(condition(c, name) for c in given) if isinstance(given, tuple) else condition(given, name)
            for name, given in case.conditions.items()
        },
        coefficients={name: _moved(value, here, there) for name, value in case.coefficients.items()},
        source=_moved(case.source, here, there),
        initial={name: _moved(value, here, there) for name, value in case.initial.items()},
    )


def _moved(value: Any, here: Place, there: Place) -> Any:  # noqa: ANN401
    """Return a value of one place at another; what is no array over its points stays."""
    if isinstance(value, tuple):
        return tuple(_moved(part, here, there) for part in value)
    if not isinstance(value, np.ndarray) or len(value) != len(here.nodes) or len(value) == here.mesh.space_dim:
        return value
    if not here.boundary:
        return carried(value[:, None], here.mesh, there.mesh)[:, 0]
    distance, nearest = cKDTree(here.points).query(there.points, k=np.arange(1, here.mesh.space_dim + 1))
    weight = 1 / np.maximum(distance, _TINY * here.size)  # of two points on a line: linear between them
    return (weight * value[nearest]).sum(1) / weight.sum(1)


def _with_regions(here: Mesh, there: Mesh) -> Mesh:
    """Return `there` with the regions that only `here` has, by the nearest cell."""
    _, nearest = cKDTree(here.cell_centers).query(there.cell_centers)
    own = {n: np.flatnonzero(np.isin(nearest, cells)) for n, cells in here.regions.items() if n not in there.regions}
    return replace(there, regions={**there.regions, **own})
