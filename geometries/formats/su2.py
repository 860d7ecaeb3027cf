"""SU2's .su2: markers become boundaries.

Layout: https://su2code.github.io/docs_v7/Mesh-File/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats._sets import check_names
from geometries.formats._text import Rows, integers, lines, rows
from geometries.formats.base import Format, chosen, mesh_file
from geometries.mesh import Mesh

_KINDS = {1: "vertex", 3: "line", 5: "triangle", 9: "quad", 10: "tetra", 12: "hexahedron", 13: "wedge", 14: "pyramid"}
_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_SECTION = re.compile(rb"^[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*([^\n]*)$", re.MULTILINE)
_PARTITION = "SEND_RECEIVE"


class _Section(NamedTuple):
    """A line `key= value` and the lines up to the next one."""

    key: str
    value: str
    body: bytes


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None, zone: str | None = None) -> Reading:
    """Return the mesh in a .su2 file, or that of `zone` where it holds several.

    Its markers become boundaries, those of a partition are left out.
    """
    return mesh_from_blocks(**call("geometries.formats.su2:model", {"path": str(path), "zone": zone}), dim=dim)


def model(path: str, zone: str | None = None) -> dict[str, Any]:
    """Parse a .su2 file: the child's side of `read`."""
    sections = _sections(Path(path).read_bytes().replace(b"\r", b""))
    name = Path(path).name
    zones = _zones(sections, name)
    sections = zones[chosen([str(i) for i in range(1, len(zones) + 1)], zone, file=name, what="zone")]
    one = {key: _only(sections, key, name) for key in ("NDIME", "NPOIN", "NELEM")}
    dim = _count(one["NDIME"])
    if dim not in (2, 3):
        raise ReadError(f"{name} has NDIME= {dim}; expected 2 or 3.")
    points = _rows(one["NPOIN"])
    blocks = _blocks(_rows(one["NELEM"]))
    skipped = 0
    for tag, section in _markers(sections):
        if tag == _PARTITION:
            skipped += 1
        else:
            blocks += _blocks(_rows(section), tag)
    problems = [f"{skipped} {_PARTITION} markers left out: they tell how the mesh was partitioned"] if skipped else []
    return {"points": points.table(np.arange(len(points)), dim), "blocks": blocks, "problems": problems}


def _sections(text: bytes) -> list[_Section]:
    text = re.sub(rb"%[^\n]*", b"", text)
    found = list(_SECTION.finditer(text))
    ends = [*(m.start() for m in found[1:]), len(text)][: len(found)]
    return [
        _Section(m[1].decode().upper(), m[2].decode(errors="replace").strip(), text[m.end() : end])
        for m, end in zip(found, ends, strict=True)
    ]


def _zones(sections: list[_Section], name: str) -> list[list[_Section]]:
    """Return the sections of each zone, which begins with its number or, in a file of one, anywhere."""
    key = "IZONE" if any(s.key == "IZONE" for s in sections) else "NDIME"
    starts = [i for i, s in enumerate(sections) if s.key == key]
    told = [_count(s) for s in sections if s.key == "NZONE"] or [max(len(starts), 1)]
    if told != [max(len(starts), 1)]:
        raise ReadError(f"{name} says NZONE= {told[0]} and holds {len(starts)} zones; it is damaged.")
    if len(starts) < 2:
        return [sections]
    return [sections[a:b] for a, b in pairwise([*starts, len(sections)])]


def _only(sections: list[_Section], key: str, name: str) -> _Section:
    found = [s for s in sections if s.key == key]
    if len(found) != 1:
        raise ReadError(f"{name} has {len(found)} sections {key}=; expected one.")
    return found[0]


def _count(section: _Section) -> int:
    word = section.value.split()[:1]
    if not word or not word[0].isdecimal():
        raise ReadError(f"the file says {section.key}= {section.value[:40]!r}; expected a whole number.")
    return int(word[0])


def _rows(section: _Section) -> Rows:
    found = rows(section.body, f"section {section.key}=")
    if len(found) != _count(section):
        raise ReadError(f"the file says {section.key}= {_count(section)} and holds {len(found)}; it is damaged.")
    return found


def _markers(sections: list[_Section]) -> Iterator[tuple[str, _Section]]:
    tag = ""
    for section in sections:
        if section.key == "MARKER_TAG":
            tag = section.value
        elif section.key == "MARKER_ELEMS":
            yield tag, section


def _blocks(found: Rows, marker: str = "") -> list[dict[str, Any]]:
    """Return the elements by type, in the order in which types first appear."""
    codes = integers(found.table(np.arange(len(found)), 1)[:, 0], found.what)
    kinds, first = np.unique(codes, return_index=True)
    out = []
    for code in kinds[np.argsort(first)]:
        kind = _KINDS.get(int(code))
        if kind is None:
            raise ReadError(
                f"{found.what} holds elements of type {code}; expected one of {', '.join(map(str, _KINDS))}."
            )
        nodes = integers(found.table(np.flatnonzero(codes == code), CELLS[kind].nodes, skip=1), found.what)
        out.append({"kind": kind, "nodes": nodes, "names": {marker: np.arange(len(nodes))} if marker else {}})
    return out


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write .su2: points, cells and boundaries. SU2 has no regions: they are not written.

    SU2 itself leaves blanks in names out. Raises `WriteError` for second-order cells, cells that do not fill the plane
    or the space, and names that hold a `%`.
    """
    unknown = [kind for kind in mesh.cells if kind not in _NUMBERS]
    if unknown or mesh.dim == 1 or mesh.dim != mesh.space_dim:
        what = unknown[0] if unknown else f"{mesh.dim}-D cells in {mesh.space_dim}-D"
        raise WriteError(f"the mesh holds {what}; SU2 takes cells of order 1 that fill the plane or the space.")
    check_names(mesh.boundaries, ".su2", longest=200, without="%")
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(_chunks(mesh))


def _chunks(mesh: Mesh) -> Iterator[bytes]:
    yield b"NDIME= %d\nNELEM= %d\n" % (mesh.dim, mesh.num_cells)
    yield from (_elements(kind.name, cells) for kind, cells, _ in mesh.blocks())
    yield b"NPOIN= %d\n" % mesh.num_points
    yield lines(" ".join(["%.17g"] * mesh.dim), mesh.points)
    yield b"NMARK= %d\n" % len(mesh.boundaries)
    for name, all_sides in mesh.boundaries.items():
        sides = all_sides[np.unique(mesh.facet_ids(all_sides), return_index=True)[1]]
        yield b"MARKER_TAG= %b\nMARKER_ELEMS= %d\n" % (name.encode(), len(sides))
        yield from (_elements(kind.name, nodes) for kind, _, nodes in mesh.facets(sides))


def _elements(kind: str, nodes: NDArray[np.generic]) -> bytes:
    return lines(" ".join(["%d"] * (nodes.shape[1] + 1)), np.insert(nodes, 0, _NUMBERS[kind], axis=1))


FORMAT = Format(
    "su2",
    (".su2",),
    "boundaries, as markers; regions are not written",
    read=mesh_file(read),
    write=write,
    takes=("zone",),
    sets=("boundaries",),
)
