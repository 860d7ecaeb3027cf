"""Decks that Abaqus and CalculiX read: nodes, elements, sets, surfaces, and a steady heat problem on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.deck import Loads
from geometries.errors import WriteError
from geometries.files import atomic_write
from geometries.formats._inp_deck import name_comment
from geometries.formats._inp_tables import PLANE_WRITTEN, SHELL_WRITTEN, WRITTEN, side_labels
from geometries.mesh import Mesh
from geometries.values import Value, evaluate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ALL = "ALL_OF_IT"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")
_WIDEST = 20  # characters that CalculiX reads of a number
_A_LINE = 10  # numbers


def write_deck(mesh: Mesh, path: str | Path, loads: Loads | None = None) -> None:
    """Write a mesh, and a steady heat step where there are `loads`; see `geometries.formats.inp.write`."""
    labels = _labels([*mesh.regions, *mesh.boundaries])
    parts = [_mesh_lines(mesh, labels)]
    if loads is not None:
        parts.append(_heat_lines(mesh, loads, labels))
    text = [line for part in parts for line in part]  # so that what cannot be written is known before the file is
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(text)


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Return a label for each name that any program takes: letters, digits, _ and -, distinct in capitals."""
    out: dict[str, str] = {}
    taken = {_ALL}
    for name in names:
        if name != name.strip():
            raise WriteError(f"the name {name!r} cannot go into an .inp deck; expected one without blanks at its ends.")
        label = base = name if _PLAIN.fullmatch(name) else re.sub(r"\W", "_", f"S_{name}", flags=re.ASCII)[:50]
        number = 1
        while name not in out and label.upper() in taken:
            number += 1
            label = f"{base[:50]}-{number}"
        out.setdefault(name, label)
        taken.add(out[name].upper())
    return out


# -- the mesh ----------------------------------------------------------------------------------------------------------
def _mesh_lines(mesh: Mesh, labels: Mapping[str, str]) -> Iterator[str]:
    yield "** written by meshops\n"
    yield name_comment(_ALL, None)
    yield from (name_comment(label, name) for name, label in labels.items() if label != name)
    yield f"*NODE, NSET={_ALL}\n"
    yield _rows(_integers(np.arange(1, mesh.num_points + 1)), *(_numbers(c) for c in _spatial(mesh).T))
    types = _types(mesh)
    for kind, cells, start in mesh.blocks():
        if kind.name not in types:
            raise WriteError(f"an .inp deck has no element for {kind.name} cells; it has them for {sorted(types)}.")
        order = [0, 2, 1] if kind.name == "line3" else list(range(kind.nodes))
        yield f"*ELEMENT, TYPE={types[kind.name]}, ELSET={_ALL}\n"
        numbers = _integers(np.arange(start + 1, start + 1 + len(cells)))
        yield _rows(numbers, *(_integers(column + 1) for column in cells[:, order].T))
    for name, region in ((n, r) for n, r in mesh.regions.items() if len(r)):
        yield f"*ELSET, ELSET={labels[name]}\n"
        yield _listed(region + 1)
    for name, sides in ((n, s) for n, s in mesh.boundaries.items() if len(s)):
        yield f"*SURFACE, NAME={labels[name]}, TYPE=ELEMENT\n"
        yield _rows(_integers(sides[:, 0] + 1), _side_labels(mesh, sides))
        yield f"*NSET, NSET={labels[name]}\n"
        yield _listed(mesh.nodes(sides) + 1)


def _types(mesh: Mesh) -> dict[str, str]:
    return WRITTEN | (PLANE_WRITTEN if mesh.space_dim == 2 else SHELL_WRITTEN)


def _spatial(mesh: Mesh) -> Floats:
    return np.pad(mesh.points, ((0, 0), (0, 3 - mesh.space_dim)))


def _side_labels(mesh: Mesh, sides: Ints) -> list[str]:
    out = np.full(len(sides), "S0")
    for kind, cells, start in mesh.blocks():
        at = (sides[:, 0] >= start) & (sides[:, 0] < start + len(cells))
        known = side_labels(kind.name, kind.dim == 2 and mesh.space_dim == 3)
        out[at] = np.array(known)[sides[at, 1]]
    return out.tolist()


def _rows(*columns: list[str]) -> str:
    """Return lines of one entry of each column, continued after every tenth."""
    pieces = [[f"\n{entry}" for entry in column] if i and i % _A_LINE == 0 else column
              for i, column in enumerate(columns)]  # fmt: skip
    lines = map(",".join, zip(*pieces, strict=True))
    return "".join(f"{line}\n" for line in lines)


def _listed(numbers: Ints) -> str:
    texts = _integers(numbers)
    return "".join(f"{','.join(texts[i : i + _A_LINE])}\n" for i in range(0, len(texts), _A_LINE))


def _integers(numbers: Ints) -> list[str]:
    return list(map(str, numbers.tolist()))


def _numbers(values: Floats) -> list[str]:
    return list(map(number, values.tolist()))


def number(value: float) -> str:
    """Return a number in at most 20 characters: exactly where it fits, else with as many digits as do."""
    text = repr(value)
    digits = 17
    while len(text) > _WIDEST:
        text = f"{value:.{digits}g}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}g}"
        text = re.sub(r"e([-+])0", r"e\1", text)
        digits -= 1
    return text


# -- the heat problem --------------------------------------------------------------------------------------------------
def _heat_lines(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    if loads.equation != "heat":
        raise WriteError(f"an .inp deck is written for heat, not for {loads.equation!r}; write a case file (.yaml).")
    yield from _materials(mesh, loads, labels)
    yield "*STEP\n*HEAT TRANSFER, STEADY STATE\n"
    yield from _dirichlet(mesh, loads, labels)
    for name, condition in loads.conditions.items():
        if isinstance(condition, Neumann | Robin):
            yield from _natural(mesh, name, condition)
    yield from _source(mesh, loads.source, labels)
    yield f"*NODE PRINT, NSET={_ALL}\nNT\n*NODE FILE\nNT\n*END STEP\n"


def _materials(mesh: Mesh, loads: Loads, labels: Mapping[str, str]) -> Iterator[str]:
    given = loads.coefficients.get("conductivity")
    if not isinstance(given, float | Mapping):
        raise WriteError("the conductivity varies in space; an .inp deck holds one number a region: give those.")
    section = "SHELL" if mesh.dim == 2 and mesh.space_dim == 3 else "SOLID"
    size = "" if mesh.dim == 3 else "1.\n"
    for i, (region, value) in enumerate((given if isinstance(given, Mapping) else {"": given}).items(), start=1):
        label = labels[region] if region else _ALL
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
    return _rows(_integers(nodes + 1), fixed, fixed, _numbers(values))


def _natural(mesh: Mesh, name: str, condition: Neumann | Robin) -> Iterator[str]:
    sides = mesh.boundaries[name]
    given = {f.name: on_faces(mesh, name, getattr(condition, f.name)) for f in fields(condition)}
    faces = _side_labels(mesh, sides)
    if isinstance(condition, Neumann):
        yield f"*DFLUX\n{_rows(_integers(sides[:, 0] + 1), faces, _numbers(given['value']))}"
    else:
        films = [f"F{label[1:]}" for label in faces]
        numbers = (_numbers(given[key]) for key in ("ambient", "coefficient"))
        yield f"*FILM\n{_rows(_integers(sides[:, 0] + 1), films, *numbers)}"


def _source(mesh: Mesh, source: Value | Mapping[str, float], labels: Mapping[str, str]) -> Iterator[str]:
    if isinstance(source, float | Mapping):
        given = {labels[k]: v for k, v in source.items()} if isinstance(source, Mapping) else {_ALL: source}
        yield from (f"*DFLUX\n{label},BF,{number(value)}\n" for label, value in given.items() if value)
        return
    values = evaluate(source, mesh.points, "source")
    per_cell = np.concatenate([values[cells] @ np.array(kind.shares) for kind, cells, _ in mesh.blocks()])
    cells = _integers(np.arange(1, mesh.num_cells + 1))
    yield f"*DFLUX\n{_rows(cells, ['BF'] * len(cells), _numbers(per_cell))}"


def on_points(mesh: Mesh, name: str, value: Value) -> Floats:
    """Return a condition's values at the points of its boundary; an array over sides is averaged, as in a case."""
    sides = mesh.boundaries[name]
    nodes = mesh.nodes(sides)
    if not _over_sides(mesh, name, value):
        return evaluate(value, mesh.points[nodes], f"the value on {name!r}")
    total, count = np.zeros((2, mesh.num_points))
    for _, at, points in mesh.facets(sides):
        np.add.at(total, points, np.asarray(value)[at][:, None])
        np.add.at(count, points, 1.0)
    return total[nodes] / count[nodes]


def on_faces(mesh: Mesh, name: str, value: Value) -> Floats:
    """Return one value of a condition on each side of its boundary: an array over sides itself, else the mean."""
    sides = mesh.boundaries[name]
    if _over_sides(mesh, name, value):
        return np.asarray(value)
    spread, out = np.zeros(mesh.num_points), np.zeros(len(sides))
    spread[mesh.nodes(sides)] = on_points(mesh, name, value)
    for _, at, points in mesh.facets(sides):
        out[at] = spread[points].mean(1)
    return np.full(len(sides), value) if isinstance(value, float) else out


def _over_sides(mesh: Mesh, name: str, value: Value) -> bool:
    sides = mesh.boundaries[name]
    return isinstance(value, np.ndarray) and value.shape == (len(sides),) and len(mesh.nodes(sides)) != len(sides)
