"""A steady heat problem in a deck."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.deck import Loads
from geometries.errors import WriteError
from geometries.formats._inp_lines import ALL, faces_of, integers, number, numbers, on_faces, on_points, rows
from geometries.mesh import Mesh
from geometries.values import Value, evaluate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def heat_lines(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield materials and a step of `loads`; raises `WriteError` for what a deck cannot hold."""
    several = [name for name, given in loads.conditions.items() if isinstance(given, tuple)]
    if several:
        raise WriteError(f"a deck of ours cannot hold several conditions on {several[0]!r}; write a case file (.yaml).")
    yield from _materials(mesh, loads, labels)
    yield "*STEP\n*HEAT TRANSFER, STEADY STATE\n"
    yield from _dirichlet(mesh, loads, labels)
    for name, condition in loads.conditions.items():
        if isinstance(condition, Neumann | Robin):
            yield from _natural(mesh, name, condition)
    yield from _source(mesh, loads.source, labels)
    yield f"*NODE PRINT, NSET={ALL}\nNT\n*NODE FILE\nNT\n*END STEP\n"


def _materials(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    given = loads.coefficients.get("conductivity")
    if not isinstance(given, float | Mapping):
        raise WriteError("the conductivity varies in space; an .inp deck holds one number a region: give those.")
    section = "SHELL" if mesh.dim == 2 and mesh.space_dim == 3 else "SOLID"
    size = "" if mesh.dim == 3 else "1.\n"
    for i, (region, value) in enumerate((given if isinstance(given, Mapping) else {"": given}).items(), start=1):
        label = labels[region] if region else ALL
        yield f"*MATERIAL, NAME=M{i}\n*CONDUCTIVITY\n{number(value)}\n"
        yield f"*{section} SECTION, ELSET={label}, MATERIAL=M{i}\n{size}"


def _dirichlet(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield temperatures, and then their means at the points where boundaries of several meet."""
    total, count = np.zeros((2, mesh.num_points))
    least, most = np.full((2, mesh.num_points), [[np.inf], [-np.inf]])
    for name, condition in loads.conditions.items():
        if not isinstance(condition, Dirichlet):
            continue
        nodes = mesh.nodes(mesh.boundaries[name])
        values = on_points(mesh, name, condition.value)
        total[nodes] += values
        count[nodes] += 1
        least[nodes] = np.minimum(least[nodes], values)
        most[nodes] = np.maximum(most[nodes], values)
        yield "*BOUNDARY\n"
        if isinstance(condition.value, float):
            yield f"{labels[name]},11,11,{number(condition.value)}\n"
        else:
            yield _prescribed(nodes, values)
    mixed = np.flatnonzero(least < most)
    if len(mixed):
        yield "** where boundaries of several temperatures meet\n*BOUNDARY\n"
        yield _prescribed(mixed, total[mixed] / count[mixed])


def _prescribed(nodes: Ints, values: Floats) -> str:
    fixed = ["11"] * len(nodes)
    return rows(integers(nodes + 1), fixed, fixed, numbers(values))


def _natural(mesh: Mesh, name: str, condition: Neumann | Robin) -> Iterator[str]:
    sides = mesh.boundaries[name]
    given = {f.name: on_faces(mesh, name, getattr(condition, f.name)) for f in fields(condition)}
    faces = faces_of(mesh, sides)
    if isinstance(condition, Neumann):
        yield f"*DFLUX\n{rows(integers(sides[:, 0] + 1), faces, numbers(given['value']))}"
    else:
        films = [f"F{label[1:]}" for label in faces]
        exchange = (numbers(given[key]) for key in ("ambient", "coefficient"))
        yield f"*FILM\n{rows(integers(sides[:, 0] + 1), films, *exchange)}"


def _source(mesh: Mesh, source: Value | Mapping[str, float], labels: Mapping[str, str]) -> Iterator[str]:
    if isinstance(source, float | Mapping):
        given = {labels[k]: v for k, v in source.items()} if isinstance(source, Mapping) else {ALL: source}
        yield from (f"*DFLUX\n{label},BF,{number(value)}\n" for label, value in given.items() if value)
        return
    values = evaluate(source, mesh.points, "source")
    per_cell = np.concatenate([values[cells] @ np.array(kind.shares) for kind, cells, _ in mesh.blocks()])
    cells = integers(np.arange(1, mesh.num_cells + 1))
    yield f"*DFLUX\n{rows(cells, ['BF'] * len(cells), numbers(per_cell))}"
