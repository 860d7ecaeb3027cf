"""Named sets as file formats hold them: one number a cell, each facet once, names within a format's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from geometries.errors import WriteError
from geometries.mesh import Mesh

Ints = NDArray[np.int64]


def combinations(count: int, sets: Mapping[str, Ints]) -> tuple[Ints, dict[int, list[int]]]:
    """Return (count,) entity numbers from 1, one for each combination of sets, and the numbers of each one's sets."""
    code = np.zeros(count, np.int64)
    for rows in sets.values():
        member = np.zeros(count, np.int64)
        member[rows] = 1
        code = np.unique(2 * code + member, return_inverse=True)[1]
    members: dict[int, list[int]] = {int(tag) + 1: [] for tag in np.unique(code)}
    for number, rows in enumerate(sets.values(), start=1):
        for tag in np.unique(code[rows]):
            members[int(tag) + 1].append(number)
    return code + 1, members


def by_number(numbers: Ints, names: Mapping[int, list[str]], prefix: str = "") -> dict[str, Ints]:
    """Return {name: rows} of cells' numbers but 0; those without names are called `prefix` and the number."""
    sets: dict[str, list[Ints]] = {}
    for number in np.unique(numbers[numbers != 0]):
        rows = np.flatnonzero(numbers == number)
        for name in names.get(int(number), [f"{prefix}{number}"]):
            sets.setdefault(name, []).append(rows)
    return {name: np.concatenate(rows) for name, rows in sets.items()}


def facets(mesh: Mesh) -> tuple[list[tuple[str, Ints, Ints]], dict[str, Ints], int]:
    """Return the facets of all boundaries, each once: (type, nodes, numbers), boundaries as numbers, how many."""
    if not mesh.boundaries:
        return [], {}, 0
    sides = np.concatenate(list(mesh.boundaries.values()))
    ids, first, place = np.unique(mesh.facet_ids(sides), return_index=True, return_inverse=True)
    ends = np.cumsum([len(s) for s in mesh.boundaries.values()])[:-1]
    sets = dict(zip(mesh.boundaries, np.split(place, ends), strict=True))
    return [(kind.name, nodes, at) for kind, at, nodes in mesh.facets(sides[first])], sets, len(ids)


def check_names(names: Iterable[str], what: str, *, longest: int, without: str = "") -> None:
    """Raise `WriteError` for a name that a format cannot hold: too many bytes, these characters, blanks at its ends."""
    for name in names:
        if len(name.encode()) > longest or any(c in without or ord(c) < ord(" ") for c in name) or name != name.strip():
            but = f", without any of {' '.join(without)}" if without else ""
            raise WriteError(f"the name {name!r} cannot go into {what}; expected up to {longest} bytes{but}.")
