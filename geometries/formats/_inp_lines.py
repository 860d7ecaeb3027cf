"""Lines of a deck: numbers as CalculiX reads them, faces, and the values of conditions at points and on sides."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from geometries.formats._inp_tables import side_labels
from geometries.mesh import Mesh
from geometries.sides import over_sides, to_nodes
from geometries.values import Value, evaluate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALL = "ALL_OF_IT"
_WIDEST = 20  # characters that CalculiX reads of a number
_A_LINE = 10  # numbers


def faces_of(mesh: Mesh, sides: Ints) -> list[str]:
    """Return the label `S1`, `S2`, ... of each side."""
    out = np.full(len(sides), "S0")
    for kind, cells, start in mesh.blocks():
        at = (sides[:, 0] >= start) & (sides[:, 0] < start + len(cells))
        known = side_labels(kind.name, kind.dim == 2 and mesh.space_dim == 3)
        out[at] = np.array(known)[sides[at, 1]]
    return out.tolist()


def rows(*columns: list[str]) -> str:
    """Return lines of one entry of each column, continued after every tenth."""
    pieces = [[f"\n{entry}" for entry in column] if i and i % _A_LINE == 0 else column
              for i, column in enumerate(columns)]  # fmt: skip
    lines = map(",".join, zip(*pieces, strict=True))
    return "".join(f"{line}\n" for line in lines)


def listed(given: Ints) -> str:
    """Return lines of ten whole numbers each."""
    texts = integers(given)
    return "".join(f"{','.join(texts[i : i + _A_LINE])}\n" for i in range(0, len(texts), _A_LINE))


def integers(given: Ints) -> list[str]:
    """Return whole numbers as text."""
    return list(map(str, given.tolist()))


def numbers(values: Floats) -> list[str]:
    """Return numbers as text, see `number`."""
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


def on_points(mesh: Mesh, name: str, value: Value, shape: tuple[int, ...] = ()) -> Floats:
    """Return a condition's values at the points of its boundary; an array over sides is averaged, as in a case."""
    sides = mesh.boundaries[name]
    if over_sides(mesh, sides, value, shape):
        return to_nodes(mesh, sides, np.asarray(value))
    return evaluate(value, mesh.points[mesh.nodes(sides)], f"the value on {name!r}", shape=shape)


def on_faces(mesh: Mesh, name: str, value: Value) -> Floats:
    """Return one value of a condition on each side of its boundary: an array over sides itself, else the mean."""
    sides = mesh.boundaries[name]
    if over_sides(mesh, sides, value):
        return np.asarray(value)
    spread, out = np.zeros(mesh.num_points), np.zeros(len(sides))
    spread[mesh.nodes(sides)] = on_points(mesh, name, value)
    for _, at, points in mesh.facets(sides):
        out[at] = spread[points].mean(1)
    return np.full(len(sides), value) if isinstance(value, float) else out
