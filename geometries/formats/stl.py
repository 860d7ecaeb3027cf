"""STL: triangles, each with its own corners; ASCII and binary are read, ASCII is written, which keeps every digit.

Layout: https://www.loc.gov/preservation/digital/formats/fdd/fdd000505.shtml and fdd000506.shtml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError
from geometries.files import atomic_write
from geometries.formats import _polygons, _sets, _surfaces, _text
from geometries.formats.base import Format
from geometries.mesh import Mesh

Ints = NDArray[np.int64]
_HEAD = 84  # bytes of the header and the count
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_SOLID = re.compile(rb"^[ \t]*solid\b[ \t]*([^\r\n]*)(.*?)^[ \t]*endsolid\b", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_BEGIN = re.compile(rb"^[ \t]*solid\b", re.MULTILINE | re.IGNORECASE)
_VERTEX = re.compile(rb"\bvertex\b([^\r\n]*)", re.IGNORECASE)
_FACET = ("  facet normal %.9g %.9g %.9g\n    outer loop\n" + "      vertex %.17g %.17g %.17g\n" * 3) + (
    "    endloop\n  endfacet"
)


def content(path: Path) -> _surfaces.Surface:
    """Return the triangles, corners that are equal merged; the solids of an ASCII file are their names."""
    data = path.read_bytes()
    count = int(np.frombuffer(data, "<u4", 1, 80)[0]) if len(data) >= _HEAD else -1
    names: dict[str, Ints] = {}
    if count >= 0 and len(data) == _HEAD + _RECORD.itemsize * count:
        soup = np.frombuffer(data, _RECORD, count, _HEAD)["corners"].astype(np.float64)
    elif data.lstrip()[:5].lower() == b"solid":
        soup, names = _ascii(data, path.name)
    else:
        raise ReadError(
            f"{path.name} is damaged: {len(data)} bytes, and its header asks for {max(count, 0)} triangles."
        )
    if not len(soup):
        raise ReadError(f"{path.name} holds no triangles.")
    problems: list[str] = []
    points, number = _surfaces.merged(soup.reshape(-1, 3))
    blocks = _polygons.face_blocks(points, number, np.full(len(soup), 3), names, problems)
    return _surfaces.Surface(points=points, blocks=blocks, problems=tuple(problems))


def _ascii(data: bytes, name: str) -> tuple[NDArray[np.float64], dict[str, Ints]]:
    solids = _SOLID.findall(data)
    vertices = [_VERTEX.findall(body) for _, body in solids]
    total = sum(map(len, vertices))
    facets, ends = (len(re.findall(word, data, re.IGNORECASE)) for word in (rb"\bfacet\b", rb"\bendfacet\b"))
    begun = len(_BEGIN.findall(data))
    if begun != len(solids) or total != 3 * facets or facets != ends or total != len(_VERTEX.findall(data)):
        found = f"{total} vertices of {facets} facets in {len(solids)} whole solids of {begun}"
        raise ReadError(f"{name} is damaged: {found}; write it again.")
    rows = _text.numbers(b"\n".join(v for found in vertices for v in found), name)
    if len(rows) != 3 * total:
        raise ReadError(f"{name} is damaged: {len(rows)} coordinates of {total} vertices; expected {3 * total}.")
    names: dict[str, list[Ints]] = {}
    start = 0
    for (title, _), found in zip(solids, vertices, strict=True):
        if title.strip():
            names.setdefault(title.decode(errors="replace").strip(), []).append(
                np.arange(start, start + len(found) // 3)
            )
        start += len(found) // 3
    return rows.reshape(-1, 3, 3), {k: np.concatenate(v) for k, v in names.items()}


def write(mesh: Mesh, path: str | Path) -> None:
    """Write a surface, or the outer one of a volume; each region is a solid, quads are two triangles.

    A facet in several regions is written once, in a solid of its regions' names joined by `+`.
    Raises `WriteError` for lines, cells of the second order and names that the format cannot hold.
    """
    surface = _surfaces.written(mesh, ".stl")
    _sets.check_names(surface.regions, ".stl", longest=200)
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(_solids(surface))


def _solids(mesh: Mesh) -> Iterator[bytes]:
    triangles = np.concatenate([c[:, np.array(k.simplices)].reshape(-1, 3) for k, c, _ in mesh.blocks()])
    pieces = np.concatenate([np.full(len(c), len(k.simplices)) for k, c, _ in mesh.blocks()])
    entity, members = _sets.combinations(mesh.num_cells, mesh.regions)
    entity, names = np.repeat(entity, pieces), list(mesh.regions)
    corners = mesh.points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    table = np.concatenate([normals[:, None], corners], axis=1).reshape(-1, 12)
    for tag in entity[np.sort(np.unique(entity, return_index=True)[1])].tolist():
        title = "+".join(names[i - 1] for i in members[tag])
        yield f"solid {title}\n".encode() + _text.lines(_FACET, table[entity == tag]) + f"endsolid {title}\n".encode()


FORMAT = Format(
    "stl",
    (".stl",),
    "solids; dim=3 fills a closed one",
    read=_surfaces.surface_file(content),
    write=write,
    sets=("regions",),
    surface=True,
)
