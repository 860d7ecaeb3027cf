"""OFF: points and polygons as text. Layout: https://segeval.cs.princeton.edu/public/off_format.html."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from geometries.errors import ReadError
from geometries.files import atomic_write
from geometries.formats import _polygons, _surfaces, _text
from geometries.formats.base import Format
from geometries.mesh import Mesh

_HEADER = re.compile(rb"\s*(ST)?C?N?OFF(?![A-Z])[ \t]*", re.IGNORECASE)  # ModelNet's go on without a blank: OFF8 6 0


def content(path: Path) -> _surfaces.Surface:
    """Return the faces; colours, normals and texture coordinates are left out."""
    data = re.sub(rb"#[^\n]*", b"", path.read_bytes())
    header = _HEADER.match(data)
    if not header or b"BINARY" in data[:64].upper():
        raise ReadError(f"{path.name} does not begin with OFF; expected an OFF file as text.")
    rows = _text.rows(data[header.end() :], path.name)
    if not len(rows):
        raise ReadError(f"{path.name} is damaged: it ends after its header.")
    points, faces = _text.integers(rows.table(np.array([0]), 2)[0], path.name).tolist()
    if points < 1 or faces < 1 or points + faces > len(rows) - 1:
        raise ReadError(
            f"{path.name} is damaged: it declares {points} points and {faces} faces on {len(rows) - 1} lines."
        )
    at = np.arange(points + 1, points + faces + 1)
    counts = _text.integers(rows.table(at, 1)[:, 0], path.name)
    if counts.min() < 1 or (counts >= rows.widths[at]).any():
        raise ReadError(f"{path.name} is damaged: a face has fewer corners than it declares.")
    first = np.repeat(rows.start[at] + 1 - (np.cumsum(counts) - counts), counts)
    flat = _text.integers(rows.values[first + np.arange(counts.sum())], path.name)
    problems: list[str] = []
    coordinates = rows.table(np.arange(1, points + 1), 3)
    blocks = _polygons.face_blocks(coordinates, flat, counts, {}, problems)
    return _surfaces.Surface(points=coordinates, blocks=blocks, problems=tuple(problems))


def write(mesh: Mesh, path: str | Path) -> None:
    """Write a surface, or the outer one of a volume. Names are not written: OFF has none.

    Raises `WriteError` for lines and cells of the second order.
    """
    surface = _surfaces.written(mesh, ".off")
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.write(f"OFF\n{surface.num_points} {surface.num_cells} 0\n".encode())
        stream.write(_text.lines("%.17g %.17g %.17g", surface.points))
        for kind, cells, _ in surface.blocks():
            stream.write(_text.lines(f"{kind.nodes}" + " %d" * kind.nodes, cells))


FORMAT = Format(
    "off",
    (".off",),
    "nothing; dim=3 fills a closed one",
    read=_surfaces.surface_file(content),
    write=write,
    sets=(),
    surface=True,
)
