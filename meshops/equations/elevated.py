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
    shapes = {field.name: field.shape(case.mesh.space_dim) for field in case.equation.fields}
    bare = replace(case.mesh, point_data={})
    fine, every = second_order(bare), np.arange(bare.num_points)
    conditions: dict[str, tuple[Condition, ...]] = {}
    for part in case.parts:
        conditions[part.name] = (*conditions.get(part.name, ()), _condition(case, bare, part, fine))

    def moved(given: Value, shape: tuple[int, ...]) -> Value:
        return _moved(bare, given, shape, every, np.arange(fine.num_points))

    def over_points(name: str) -> Given:
        given = case.given(name)
        return given if isinstance(given, Mapping) else moved(given, case.shape_of(name))

    return replace(
        case,
        mesh=fine,
        conditions=conditions,
        coefficients={name: over_points(name) for name in case.coefficients},
        source=over_points("source"),
        initial={name: moved(given, shapes[name]) for name, given in case.initial.items()},
    )


def _condition(case: Case, mesh: Mesh, part: Part, fine: Mesh) -> Condition:
    """Carry what is given over the points of the part's sides; what is given over its sides stays as it is."""
    old, new = mesh.nodes(part.sides), fine.nodes(part.sides)
    shapes = {name: case.condition_shape(part.condition, name) for name in part.values}
    values = {name: _moved(mesh, given, shapes[name], old, new) for name, given in part.values.items()}
    return replace(part.condition, **values)


def _moved(mesh: Mesh, given: Value, shape: tuple[int, ...], old: Ints, new: Ints) -> Value:
    """Carry an array over the points `old`, or the components that are such arrays, to the points `new`.

    `shape` is that of one value: an array of that shape is a constant, however many points there are.
    """
    if isinstance(given, tuple):
        return tuple(part if part is None else _moved(mesh, part, shape[1:], old, new) for part in given)
    if not isinstance(given, np.ndarray) or given.shape != (len(old), *shape):
        return given
    values = np.zeros((mesh.num_points, *given.shape[1:]))
    values[old] = given
    return second_order(replace(mesh, point_data={"value": values})).point_data["value"][new]
