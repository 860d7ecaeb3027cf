"""Medit's .mesh (text) and .meshb (binary), of INRIA's programs, FreeFEM and mmg: integers become names.

What is written here keeps its names in comments that other programs skip.
Layout: https://github.com/LoicMarechal/libMeshb.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats._sets import by_number, combinations, facets
from geometries.formats._text import Floats, Ints, integers, lines, numbers
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh

# keyword: its number in binary files, our name of the cells
_CELLS: dict[str, tuple[int, str]] = {
    "Edges": (5, "line"),
    "Triangles": (6, "triangle"),
    "Quadrilaterals": (7, "quad"),
    "Tetrahedra": (8, "tetra"),
    "Prisms": (9, "wedge"),
    "Hexahedra": (10, "hexahedron"),
    "Pyramids": (49, "pyramid"),
    "EdgesP2": (25, "line3"),
    "TrianglesP2": (24, "triangle6"),
    "QuadrilateralsQ2": (27, "quad9"),
    "TetrahedraP2": (30, "tetra10"),
}
_TITLES = {kind: title for title, (_, kind) in _CELLS.items()}
_TOO_HIGH = {33: "HexahedraQ2", 86: "PrismsP2", 87: "PyramidsP2", 90: "TrianglesP3", 96: "TetrahedraP3"}
_DIMENSION, _VERTICES, _END = 3, 4, 54
_BINARY = {number: title for title, (number, _) in _CELLS.items()} | _TOO_HIGH | {_VERTICES: "Vertices"}
_WORDS = {title.upper(): title for title in [*_BINARY.values(), "Dimension"]}
_KEYWORD = re.compile(rb"(?<!\S)[A-Za-z]\w*")
_NAMES = re.compile(rb"^# (cells|facets) (\d+): (\[.*\])$", re.MULTILINE)
Sections = dict[str, Floats]  # rows of numbers, the reference last, by keyword


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a .mesh or .meshb file; references other than 0 become names of regions and boundaries."""
    return mesh_from_blocks(**call("geometries.formats.medit:model", {"path": str(path)}), dim=dim)


def model(path: str) -> dict[str, Any]:
    """Parse a .mesh or .meshb file: the child's side of `read`."""
    content = Path(path).read_bytes()
    binary = path.lower().endswith(".meshb")
    sections = _binary(content) if binary else _text(content)
    high = next((title for title in sections if title in _TOO_HIGH.values()), None)
    if high:
        raise ReadError(f"the file holds {high}; expected cells of order 1, or lines, surfaces and tetrahedra.")
    if "Vertices" not in sections:
        raise ReadError(f"{Path(path).name} holds no vertices; expected a Medit mesh.")
    names = {} if binary else _comments(content)
    blocks = [_block(kind, sections[title], names) for title, (_, kind) in _CELLS.items() if title in sections]
    top = max([CELLS[b["kind"]].dim for b in blocks if len(b["nodes"])], default=0)
    for block in blocks:
        references = block.pop("references")
        what = "cells" if CELLS[block["kind"]].dim == top else "facets"
        block["names"] = by_number(references, {ref: found for (kind, ref), found in names.items() if kind == what})
    return {"points": sections["Vertices"][:, :-1], "blocks": blocks}


def _text(content: bytes) -> Sections:
    content = re.sub(rb"#[^\n]*", b"", content)
    words = list(_KEYWORD.finditer(content))
    ends = [*(word.start() for word in words[1:]), len(content)][: len(words)]
    bodies: dict[str, bytes] = {}
    for word, end in zip(words, ends, strict=True):
        title = _WORDS.get(word[0].decode().upper())
        if title:
            bodies.setdefault(title, content[word.end() : end])
    dim = numbers(bodies.pop("Dimension", b""), "Dimension")
    if dim.tolist() not in ([2], [3]):
        raise ReadError("the file has no line 'Dimension 2' or 'Dimension 3'; expected a Medit mesh.")
    return {title: _rows(title, numbers(body, title), int(dim[0])) for title, body in bodies.items()}


def _rows(title: str, values: Floats, dim: int) -> Floats:
    """Return the rows of a section, which begins with their number."""
    if title in _TOO_HIGH.values():
        return values[:, None]
    width = 1 + (dim if title == "Vertices" else CELLS[_CELLS[title][1]].nodes)
    if not len(values) or len(values) - 1 != width * values[0]:
        told = values[0] if len(values) else 0
        raise ReadError(f"{title} tells {told:g} and holds {(len(values) - 1) / width:g}; the file is damaged.")
    return values[1:].reshape(-1, width)


def _binary(content: bytes) -> Sections:
    """Follow the keywords: each begins with its number and the place of the next one."""
    order = {b"\1\0\0\0": "<", b"\0\0\0\1": ">"}.get(content[:4])
    version = int.from_bytes(content[4:8], "little" if order == "<" else "big")
    if order is None or version not in (1, 2, 3, 4):
        raise ReadError("the file does not begin like .meshb of version 1 to 4.")
    place, count = f"{order}i{8 if version > 2 else 4}", f"{order}i{8 if version > 3 else 4}"
    at, dim, out = 8, 0, {}
    while at:
        number, following = _one(content, at, f"{order}i4"), _one(content, at + 4, place)
        data = at + 4 + np.dtype(place).itemsize
        if number == _DIMENSION:
            dim = _one(content, data, f"{order}i4")
        elif number == _END:
            break
        elif number in _BINARY:
            out[_BINARY[number]] = _table(content, data, count, _layout(number, dim, order, version))
        if following and following <= at:
            raise ReadError("the file's keywords do not follow one another; it is damaged.")
        at = following
    return out


def _one(content: bytes, at: int, kind: str) -> int:
    end = at + np.dtype(kind).itemsize
    if end > len(content):
        raise ReadError("the file breaks off; write it again.")
    return int(np.frombuffer(content[at:end], kind)[0])


def _layout(number: int, dim: int, order: str, version: int) -> np.dtype[np.void]:
    integer = f"{order}i{8 if version > 3 else 4}"
    if number == _VERTICES:
        if dim not in (2, 3):
            raise ReadError(f"the file has dimension {dim}; expected 2 or 3.")
        return np.dtype([("x", f"{order}f{4 if version == 1 else 8}", dim), ("reference", integer)])
    nodes = CELLS[_CELLS[_BINARY[number]][1]].nodes if _BINARY[number] in _CELLS else 1
    return np.dtype([("x", integer, nodes), ("reference", integer)])


def _table(content: bytes, at: int, count: str, row: np.dtype[np.void]) -> Floats:
    told = _one(content, at, count)
    start = at + np.dtype(count).itemsize
    if not 0 <= told <= (len(content) - start) // row.itemsize:
        raise ReadError(f"the file tells {told} rows where it holds fewer; it is damaged.")
    table = np.frombuffer(content, row, told, start)
    return np.column_stack([table["x"].astype(np.float64), table["reference"].astype(np.float64)])


def _block(kind: str, table: Floats, names: Mapping[tuple[str, int], list[str]]) -> dict[str, Any]:
    values = integers(table, kind)
    return {"kind": kind, "nodes": values[:, :-1] - 1, "references": values[:, -1]}


def _comments(content: bytes) -> dict[tuple[str, int], list[str]]:
    """Return the names that `write` put into comments, by kind and reference."""
    out = {}
    for match in _NAMES.finditer(content):
        try:
            names = json.loads(match[3])
        except ValueError:
            continue
        if all(isinstance(name, str) for name in names):
            out[match[1].decode(), int(match[2])] = names
    return out


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write .mesh: a reference for each combination of regions, and of boundaries; comments keep the names.

    Sides of an interface are written as facets: which of the two cells they belong to is lost.
    Raises `WriteError` for .meshb, points on a line, and cells that the format does not have.
    """
    parts, sets, count = facets(mesh)
    unknown = [kind for kind in [*mesh.cells, *(p[0] for p in parts)] if kind not in _TITLES]
    if unknown or mesh.space_dim == 1:
        what = "points on a line" if mesh.space_dim == 1 else unknown[0]
        raise WriteError(f"the mesh holds {what}; .mesh takes {', '.join(_TITLES)} in 2-D and 3-D.")
    if Path(path).suffix.lower() != ".mesh":
        raise WriteError(f"{Path(path).name}: only the text form is written; expected the extension .mesh.")
    own, skins = combinations(mesh.num_cells, mesh.regions), combinations(count, sets)
    blocks = [(kind.name, nodes, np.arange(start, start + len(nodes)), own) for kind, nodes, start in mesh.blocks()]
    blocks += [(kind, nodes, at, skins) for kind, nodes, at in parts]
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.write(b"MeshVersionFormatted 2\nDimension %d\n" % mesh.space_dim)
        stream.writelines(_name_lines("cells", own[1], list(mesh.regions)))
        stream.writelines(_name_lines("facets", skins[1], list(mesh.boundaries)))
        points = np.column_stack([mesh.points, np.zeros(mesh.num_points)])
        stream.write(_section("Vertices", "%.17g " * mesh.space_dim + "%d", points))
        for kind in dict.fromkeys(block[0] for block in blocks):
            tables = [_references(*block[1:]) for block in blocks if block[0] == kind]
            stream.write(_section(_TITLES[kind], " ".join(["%d"] * tables[0].shape[1]), np.concatenate(tables)))
        stream.write(b"End\n")


def _references(nodes: Ints, at: Ints, entities: tuple[Ints, dict[int, list[int]]]) -> Ints:
    """Return rows of nodes from 1 and the reference: the number of the combination of sets, 0 for none."""
    numbers_of, members = entities
    none = np.array([not members[tag] for tag in sorted(members)])
    tags = numbers_of[at]
    return np.column_stack([nodes + 1, np.where(none[tags - 1], 0, tags)])


def _name_lines(what: str, members: Mapping[int, list[int]], names: list[str]) -> Iterator[bytes]:
    for tag, groups in members.items():
        if groups:
            yield f"# {what} {tag}: {json.dumps([names[group - 1] for group in groups])}\n".encode()


def _section(title: str, form: str, table: NDArray[np.generic]) -> bytes:
    return b"%b\n%d\n%b" % (title.encode(), len(table), lines(form, table))


FORMAT = Format(
    "medit", (".mesh", ".meshb"), "regions and boundaries of our own; else integers", read=mesh_file(read), write=write
)
