"""A linear static problem in a deck: supports, pressures, tractions as point forces, weight, thermal strain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition, Dirichlet, Neumann, Pressure, Roller
from geometries.deck import Loads
from geometries.errors import WriteError
from geometries.formats._inp_forces import forces
from geometries.formats._inp_lines import ALL, faces_of, integers, number, numbers, on_faces, on_points, rows
from geometries.mesh import Mesh
from geometries.sides import over_sides
from geometries.values import Value, evaluate, names_in

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Coefficient = Value | Mapping[str, float]
_ALIGNED = 1e-9  # of a unit normal off an axis: an axis all the same
_MATERIAL = ("young", "poisson", "expansion")


def solid_lines(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield materials and a static step of `loads`; raises `WriteError` for what a deck cannot hold.

    A pressure is written by face, its mean; a traction as the forces at points that finite elements make of it; a force
    per volume as the weight of a density of 1.
    """
    yield from _materials(mesh, loads, labels)
    warm = loads.coefficients.get("temperature_rise", 0.0)
    if not _is_zero(warm):
        yield f"*INITIAL CONDITIONS, TYPE=TEMPERATURE\n{ALL},0.\n"
    yield "*STEP\n*STATIC\n"
    yield from _supports(mesh, loads, labels)
    for name, condition in _each(loads):
        if isinstance(condition, Pressure):
            yield from _pressure(mesh, name, condition)
        elif isinstance(condition, Neumann):
            yield from _traction(mesh, name, condition)
        elif not isinstance(condition, Dirichlet | Roller):
            raise WriteError(f"a deck of ours cannot hold the {condition.key} on {name!r}; write a case file (.yaml).")
    yield from _weight(mesh, loads, labels)
    if not _is_zero(warm):
        yield from _temperatures(mesh, warm)
    yield f"*NODE PRINT, NSET={ALL}\nU\n*NODE FILE\nU\n*EL FILE\nS,E\n*END STEP\n"


def _each(loads: Loads) -> Iterator[tuple[str, Condition]]:
    for name, given in loads.conditions.items():
        for condition in given if isinstance(given, tuple) else (given,):
            yield name, condition


def _is_zero(value: Coefficient) -> bool:
    return isinstance(value, float) and value == 0


# -- materials ---------------------------------------------------------------------------------------------------------
def _materials(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    given = {name: loads.coefficients.get(name, 0.0) for name in _MATERIAL}
    mapped = [set(value) for value in given.values() if isinstance(value, Mapping)]
    for name, value in given.items():
        if not isinstance(value, float | Mapping):
            raise WriteError(f"{name} varies in space; an .inp deck holds one number a region: give those.")
    if any(own != mapped[0] for own in mapped):
        raise WriteError("the coefficients are given for different regions; an .inp deck needs all for the same ones.")
    size = "" if mesh.dim == 3 else "1.\n"
    for i, region in enumerate(sorted(mapped[0]) if mapped else [""], start=1):
        young, poisson, expansion = (v[region] if isinstance(v, Mapping) else v for v in given.values())
        yield f"*MATERIAL, NAME=M{i}\n*ELASTIC\n{number(young)},{number(poisson)}\n*DENSITY\n1.\n"
        if expansion:
            yield f"*EXPANSION, ZERO=0.\n{number(expansion)}\n"
        yield f"*SOLID SECTION, ELSET={labels[region] if region else ALL}, MATERIAL=M{i}\n{size}"


def _weight(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    for region, value in loads.source.items() if isinstance(loads.source, Mapping) else [("", loads.source)]:
        if names_in(value) or (isinstance(value, np.ndarray) and value.ndim > 1):
            raise WriteError("the source varies in space; an .inp deck holds one vector a region: give those.")
        vector = evaluate(value, np.zeros((1, mesh.space_dim)), "source", shape=(mesh.space_dim,))[0]
        size = float(np.linalg.norm(vector))
        if size:
            yield f"*DLOAD\n{labels[region] if region else ALL},GRAV,{number(size)},{_spatial(vector / size)}\n"


def _spatial(vector: Floats) -> str:
    return ",".join(numbers(np.pad(vector, (0, 3 - len(vector)))))


def _temperatures(mesh: Mesh, warm: Coefficient) -> Iterator[str]:
    if isinstance(warm, Mapping):
        raise WriteError("temperature_rise is given by region; an .inp deck needs one value a point.")
    if isinstance(warm, float):
        yield f"*TEMPERATURE\n{ALL},{number(warm)}\n"
        return
    values = evaluate(warm, mesh.points, "temperature_rise")
    yield f"*TEMPERATURE\n{rows(integers(np.arange(1, mesh.num_points + 1)), numbers(values))}"


# -- conditions --------------------------------------------------------------------------------------------------------
def _supports(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield displacements, and then their means at the points where boundaries of several meet."""
    d = mesh.space_dim
    total, count = np.zeros((2, mesh.num_points, d))
    least, most = np.full((2, mesh.num_points, d), [[[np.inf]], [[-np.inf]]])
    for name, condition in _each(loads):
        if not isinstance(condition, Dirichlet | Roller):
            continue
        nodes, values = _held(mesh, name, condition)
        total[nodes] += np.nan_to_num(values)
        count[nodes] += ~np.isnan(values)
        least[nodes], most[nodes] = np.fmin(least[nodes], values), np.fmax(most[nodes], values)
        yield from _prescribed(nodes, values, labels[name])
    mixed = least < most
    if mixed.any():
        yield "** where boundaries of several displacements meet\n"
        nodes = np.flatnonzero(mixed.any(1))
        means = np.where(mixed, total / np.maximum(count, 1), np.nan)[nodes]
        yield from _prescribed(nodes, means, "")


def _prescribed(nodes: Ints, values: Floats, label: str) -> Iterator[str]:
    for axis, column in enumerate(values.T, start=1):
        given = ~np.isnan(column)
        if not given.any():
            continue
        if label and (column == column[0]).all():
            yield f"*BOUNDARY\n{label},{axis},{axis},{number(float(column[0]))}\n"
        else:
            dof = [str(axis)] * int(given.sum())
            yield f"*BOUNDARY\n{rows(integers(nodes[given] + 1), dof, dof, numbers(column[given]))}"


def _held(mesh: Mesh, name: str, condition: Dirichlet | Roller) -> tuple[Ints, Floats]:
    """The (n,) points of a support and (n, d) their displacements, NaN where free."""
    sides, d = mesh.boundaries[name], mesh.space_dim
    nodes = mesh.nodes(sides)
    if isinstance(condition, Dirichlet):
        return nodes, on_points(mesh, name, condition.value, (d,))
    normals = np.abs(mesh.side_geometry(sides)[1])
    axis = int(normals[0].argmax())
    if (normals[:, axis] < 1 - _ALIGNED).any():
        raise WriteError(f"the roller on {name!r} is not along an axis; write a case file (.yaml).")
    values = np.full((len(nodes), d), np.nan)
    values[:, axis] = 0.0
    return nodes, values


def _pressure(mesh: Mesh, name: str, condition: Pressure) -> Iterator[str]:
    sides = mesh.boundaries[name]
    faces = [f"P{label[1:]}" for label in faces_of(mesh, sides)]
    yield f"*DLOAD\n{rows(integers(sides[:, 0] + 1), faces, numbers(on_faces(mesh, name, condition.value)))}"


def _traction(mesh: Mesh, name: str, condition: Neumann) -> Iterator[str]:
    sides, d = mesh.boundaries[name], mesh.space_dim
    if over_sides(mesh, sides, condition.value, (d,)):
        values = np.asarray(condition.value)
    else:
        values = np.zeros((mesh.num_points, d))
        values[mesh.nodes(sides)] = on_points(mesh, name, condition.value, (d,))
    found = forces(mesh, sides, values)
    nodes = mesh.nodes(sides)
    for axis, column in enumerate(found[nodes].T, start=1):
        if column.any():
            yield f"*CLOAD\n{rows(integers(nodes + 1), [str(axis)] * len(nodes), numbers(column))}"
