"""Wavefront OBJ: points, polygons and lines as text, with objects, groups and materials.

Layout: https://www.loc.gov/preservation/digital/formats/fdd/fdd000507.shtml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block
from geometries.errors import ReadError
from geometries.files import atomic_write
from geometries.formats import _polygons, _sets, _surfaces, _text
from geometries.formats.base import Format
from geometries.mesh import Mesh

Ints = NDArray[np.int64]
# A name may hold a `#`, as 3ds Max's do; on its own a `g` ends the groups
_RECORD = re.compile(rb"^[ \t]*(?:(v|f|l|cstype)[ \t]+([^\r\n#]*)|(o|g|usemtl)(?=\s|\Z)([^\r\n]*))", re.MULTILINE)
_NO_GROUP = {"default", "off", "(null)"}


def content(path: Path) -> _surfaces.Surface:
    """Return the faces and lines; objects, groups (several words: several groups) and materials are their names."""
    found = _RECORD.findall(re.sub(rb"\\\r?\n", b" ", path.read_bytes()))
    records = [(tag or name, text or title) for tag, text, name, title in found]
    tags = np.array([tag for tag, _ in records])
    at = {tag: np.flatnonzero(tags == tag.encode()) for tag in ("v", "f", "l", "cstype")}
    if len(at["cstype"]) and not len(at["f"]):
        raise ReadError(f"{path.name} holds free-form surfaces; expected polygons: export it as a mesh.")
    if not len(at["v"]):
        raise ReadError(f"{path.name} holds no points; expected lines `v x y z`.")
    lines = [text for _, text in records]
    points = _numbers(lines, at["v"], path.name)
    coordinates = points.table(np.arange(len(points)), 3)
    if len(coordinates) != len(at["v"]):
        raise ReadError(f"{path.name} is damaged: a point has no coordinates.")
    before = np.cumsum(tags == b"v")
    named = list(_names(records, np.flatnonzero(np.isin(tags, [b"o", b"g", b"usemtl"])).tolist()))
    problems: list[str] = []
    flat, counts = _corners(lines, at["f"], before, path.name)
    blocks = _polygons.face_blocks(coordinates, flat, counts, _members(named, at["f"], len(tags)), problems)
    flat, counts = _corners(lines, at["l"], before, path.name)
    blocks += _line_blocks(coordinates, flat, counts, _members(named, at["l"], len(tags)), problems)
    return _surfaces.Surface(points=coordinates, blocks=blocks, problems=tuple(problems))


def _numbers(lines: list[bytes], at: Ints, name: str) -> _text.Rows:
    return _text.rows(b"\n".join([lines[i] for i in at]), name)


def _corners(lines: list[bytes], at: Ints, before: Ints, name: str) -> tuple[Ints, Ints]:
    """Return the points of faces or lines one after the other, and how many each has; numbers below 0 count back."""
    if not len(at):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    text = re.sub(rb"/[^\s]*", b"", b"\n".join([lines[i] for i in at]))
    rows = _text.rows(text, name)
    if len(rows) != len(at):
        raise ReadError(f"{name} is damaged: a face has no corners.")
    given = _text.integers(rows.values, name)
    if (given == 0).any():
        raise ReadError(f"{name} is damaged: a face has the corner 0; they count from 1, or back from -1.")
    return np.where(given > 0, given - 1, np.repeat(before[at], rows.widths) + given), rows.widths


def _names(records: list[tuple[bytes, bytes]], places: list[int]) -> Iterator[tuple[str, int, int]]:
    """Yield (name, first record, end) for each stretch of records under an object, a group or a material."""
    begun: dict[bytes, tuple[list[str], int]] = {}
    for i in places:
        tag, text = records[i]
        yield from _stretch(begun.get(tag), i)
        begun[tag] = _titles(tag, text.decode(errors="replace").strip()), i
    for open_one in begun.values():
        yield from _stretch(open_one, len(records))


def _stretch(begun: tuple[list[str], int] | None, end: int) -> list[tuple[str, int, int]]:
    names, start = begun or ([], 0)
    return [(name, start, end) for name in names]


def _titles(tag: bytes, text: str) -> list[str]:
    if tag == b"g":
        return [name for name in text.partition(" #")[0].split() if name not in _NO_GROUP]
    return [f"material {text}" if tag == b"usemtl" else text] if text else []


def _members(named: list[tuple[str, int, int]], at: Ints, count: int) -> dict[str, Ints]:
    found: dict[str, list[Ints]] = {}
    for name, start, end in named:
        inside = np.arange(*np.searchsorted(at, [start, end]))
        if len(inside):
            found.setdefault(name, []).append(inside)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _line_blocks(
    points: NDArray[np.float64], flat: Ints, counts: Ints, names: Mapping[str, Ints], problems: list[str]
) -> list[Block]:
    if flat.size and not 0 <= flat.min() <= flat.max() < len(points):
        raise ReadError(f"lines refer to points that the file's {len(points)} do not include.")
    start, out = np.cumsum(counts) - counts, []
    for width in np.unique(counts[counts > 1]).tolist():
        at = np.flatnonzero(counts == width)
        kind, parts = _polygons.polylines(points, flat[start[at][:, None] + np.arange(width)], problems)
        own = _polygons.named_rows(names, at, len(counts), width - 1)
        out.append(Block(kind=kind, nodes=parts.reshape(-1, 2), names=own))
    return out


def write(mesh: Mesh, path: str | Path) -> None:
    """Write a surface, or the outer one of a volume; regions and boundaries are groups of faces and of lines.

    Raises `WriteError` for lines, cells of the second order, and names with blanks: in OBJ these are several.
    """
    surface = _surfaces.written(mesh, ".obj")
    _sets.check_names([*surface.regions, *surface.boundaries], ".obj", longest=200, without=" \t#\\")
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.write(_text.lines("v %.17g %.17g %.17g", surface.points))
        stream.writelines(_groups(surface))


def _groups(mesh: Mesh) -> Iterator[bytes]:
    entity, members = _sets.combinations(mesh.num_cells, mesh.regions)
    for _, cells, start in mesh.blocks():
        own = entity[start : start + len(cells)]
        yield from _stretches("f", cells, own, members, list(mesh.regions))
    facets, sets, count = _sets.facets(mesh)
    entity, members = _sets.combinations(count, sets)
    for _, nodes, at in facets:
        yield from _stretches("l", nodes, entity[at], members, list(sets))


def _stretches(
    word: str, nodes: Ints, entity: Ints, members: Mapping[int, list[int]], names: list[str]
) -> Iterator[bytes]:
    """Yield the cells in their order, a line of groups before each stretch of one combination."""
    ends = np.flatnonzero(np.diff(entity)) + 1
    for part in np.split(np.arange(len(nodes)), ends):
        yield f"g {' '.join(names[i - 1] for i in members[int(entity[part[0]])]) or 'default'}\n".encode()
        yield _text.lines(word + " %d" * nodes.shape[1], nodes[part] + 1)


FORMAT = Format(
    "obj",
    (".obj",),
    "objects, groups, materials; dim=3 fills",
    read=_surfaces.surface_file(content),
    write=write,
    surface=True,
)
