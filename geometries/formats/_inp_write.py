"""Decks that Abaqus and CalculiX read: nodes, elements, sets, surfaces, and a steady problem on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.deck import Loads
from geometries.errors import WriteError
from geometries.files import atomic_write
from geometries.formats._inp_deck import name_comment
from geometries.formats._inp_lines import ALL, faces_of, integers, listed, numbers, rows
from geometries.formats._inp_tables import PLANE_WRITTEN, SHELL_WRITTEN, WRITTEN
from geometries.formats._inp_write_heat import heat_lines
from geometries.formats._inp_write_solid import solid_lines
from geometries.mesh import Mesh, spatial

Floats = NDArray[np.float64]
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")
_STEPS = {"heat": heat_lines, "elasticity": solid_lines, "plane_stress": solid_lines}


def write_deck(mesh: Mesh, path: str | Path, loads: Loads | None = None) -> None:
    """Write a mesh, and a steady step where there are `loads`; see `geometries.formats.inp.write`."""
    labels = _labels([*mesh.regions, *mesh.boundaries])
    equation = loads.equation if loads else "heat"
    if equation not in _STEPS:
        known = ", ".join(_STEPS)
        raise WriteError(f"an .inp deck is written for {known}, not for {equation!r}; write a case file (.yaml).")
    parts = [_mesh_lines(mesh, labels, plane="CPE" if equation == "elasticity" else "CPS")]
    if loads is not None:
        parts.append(_STEPS[equation](mesh, loads, labels))
    text = [line for part in parts for line in part]  # so that what cannot be written is known before the file is
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(text)


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Return a label for each name that any program takes: letters, digits, _ and -, distinct in capitals."""
    out: dict[str, str] = {}
    taken = {ALL}
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
def _mesh_lines(mesh: Mesh, labels: Mapping[str, str], plane: str) -> Iterator[str]:
    yield "** written by meshops\n"
    yield name_comment(ALL, None)
    yield from (name_comment(label, name) for name, label in labels.items() if label != name)
    yield f"*NODE, NSET={ALL}\n"
    yield rows(integers(np.arange(1, mesh.num_points + 1)), *(numbers(c) for c in spatial(mesh.points).T))
    types = _types(mesh, plane)
    for kind, cells, start in mesh.blocks():
        if kind.name not in types:
            raise WriteError(f"an .inp deck has no element for {kind.name} cells; it has them for {sorted(types)}.")
        order = [0, 2, 1] if kind.name == "line3" else list(range(kind.nodes))
        yield f"*ELEMENT, TYPE={types[kind.name]}, ELSET={ALL}\n"
        labelled = integers(np.arange(start + 1, start + 1 + len(cells)))
        yield rows(labelled, *(integers(column + 1) for column in cells[:, order].T))
    for name, region in ((n, r) for n, r in mesh.regions.items() if len(r)):
        yield f"*ELSET, ELSET={labels[name]}\n"
        yield listed(region + 1)
    for name, sides in ((n, s) for n, s in mesh.boundaries.items() if len(s)):
        yield f"*SURFACE, NAME={labels[name]}, TYPE=ELEMENT\n"
        yield rows(integers(sides[:, 0] + 1), faces_of(mesh, sides))
        yield f"*NSET, NSET={labels[name]}\n"
        yield listed(mesh.nodes(sides) + 1)


def _types(mesh: Mesh, plane: str) -> dict[str, str]:
    flat = {kind: f"{plane}{n}" for kind, n in PLANE_WRITTEN.items()}
    return WRITTEN | (flat if mesh.space_dim == 2 else SHELL_WRITTEN)
