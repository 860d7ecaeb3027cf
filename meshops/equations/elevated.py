"""A case on the second-order mesh of its own: for equations whose elements a first-order mesh does not carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition
from geometries.mesh import Mesh
from geometries.refine import second_order
from geometries.values import Value
from meshops.equations.case import Case, Given, Part

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def elevated(case: Case) -> Case:
    """Return `case` with mid-nodes added to its mesh where its equation needs them and the mesh has none, or `case`.

    Arrays over points are interpolated. Points keep their numbers, so that values at the points of `case` are the first
    ones of those on the mesh returned.
    """
    if case.mesh.order > 1 or not any(field.lower for field in case.equation.fields):
        return case
    bare = replace(case.mesh, point_data={})
    fine, every = second_order(bare), np.arange(bare.num_points)
    conditions: dict[str, tuple[Condition, ...]] = {}
    for part in case.parts:
        conditions[part.name] = (*conditions.get(part.name, ()), _condition(bare, part, fine))

    def moved(given: Value) -> Value:
        return _moved(bare, given, every, np.arange(fine.num_points))

    def over_points(given: Given) -> Given:
        return given if isinstance(given, Mapping) else moved(given)

    return replace(
        case,
        mesh=fine,
        conditions=conditions,
        coefficients={name: over_points(given) for name, given in case.coefficients.items()},
        source=over_points(case.source),
        initial={name: moved(given) for name, given in case.initial.items()},
    )


def _condition(mesh: Mesh, part: Part, fine: Mesh) -> Condition:
    """Carry what is given over the points of the part's sides; what is given over its sides stays as it is."""
    old, new = mesh.nodes(part.sides), fine.nodes(part.sides)
    return replace(part.condition, **{name: _moved(mesh, given, old, new) for name, given in part.values.items()})


def _moved(mesh: Mesh, given: Value, old: Ints, new: Ints) -> Value:
    """Carry an array over the points `old`, or the components that are such arrays, to the points `new`."""
    if isinstance(given, tuple):
        return tuple(part if part is None else _moved(mesh, part, old, new) for part in given)
    if not isinstance(given, np.ndarray) or len(given) != len(old):
        return given
    values = np.zeros((mesh.num_points, *given.shape[1:]))
    values[old] = given
    return second_order(replace(mesh, point_data={"value": values})).point_data["value"][new]
