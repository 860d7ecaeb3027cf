"""PLY: points and polygons, as text and binary of either byte order; binary is written.

Names are properties of our own, 0 or 1: `region_1` of faces and `boundary_1` of edges, with a comment
`region_1 NAME` in the header. Layout: https://paulbourke.net/dataformats/ply/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block
from geometries.errors import ReadError
from geometries.files import atomic_write
from geometries.formats import _polygons, _sets, _surfaces, _text
from geometries.formats.base import Format
from geometries.mesh import Mesh

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER = 2**16
_CORNERS = ("vertex_indices", "vertex_index")


@dataclass(frozen=True)
class _Element:
    """An element of the header: its properties {name: (type of a list's count or "", type)}."""

    name: str
    count: int
    properties: dict[str, tuple[str, str]]

    @property
    def lists(self) -> list[str]:
        """Names of the properties that are lists."""
        return [name for name, (counted, _) in self.properties.items() if counted]


@dataclass(frozen=True, eq=False)
class _Table:
    """The values of an element: scalars {name: (n,)}, lists {name: (flat values, (n,) counts)}."""

    scalars: dict[str, Array]
    lists: dict[str, tuple[Array, Ints]]


# -- reading -----------------------------------------------------------------------------------------------------------
def content(path: Path) -> _surfaces.Surface:
    """Return the faces, with the names that `write` gave them; colours and normals are left out."""
    data = path.read_bytes()
    header = re.match(rb"ply\r?\n.*?^end_header[ \t]*\r?\n", data[:_LONGEST_HEADER], re.MULTILINE | re.DOTALL)
    if not header:
        raise ReadError(f"{path.name} has no PLY header; expected `ply` to `end_header`.")
    order, elements, titles = _header(header.group().decode("utf-8", "replace"), path.name)
    read = _text_tables if not order else _binary_tables
    tables = read(data[header.end() :], elements, order, path.name)
    if "vertex" not in tables or not {"x", "y", "z"} <= set(tables["vertex"].scalars):
        raise ReadError(f"{path.name} holds no points; expected an element `vertex` with x, y, z.")
    points = np.stack([tables["vertex"].scalars[k].astype(np.float64) for k in "xyz"], axis=1)
    corners = next((v for k, v in tables["face"].lists.items() if k in _CORNERS), None) if "face" in tables else None
    if corners is None:
        raise ReadError(f"{path.name} holds no faces; expected an element `face` with a list vertex_indices.")
    flat, counts = _text.integers(corners[0].astype(np.float64), path.name), corners[1]
    problems: list[str] = []
    blocks = _polygons.face_blocks(points, flat, counts, _named(tables["face"], titles), problems)
    blocks += _edges(tables.get("edge"), titles)
    return _surfaces.Surface(points=points, blocks=blocks, problems=tuple(problems))


def _header(text: str, name: str) -> tuple[str, list[_Element], dict[str, str]]:
    """Return the byte order ("" for text), the elements and the comments {property: name of a set}."""
    order, elements, titles = "", [], {}
    for line in text.splitlines()[1:]:
        match line.split():
            case ["format", kind, _] if kind in _ORDERS:
                order = _ORDERS[kind]
            case ["element", title, count] if count.isdecimal():
                elements.append(_Element(title, int(count), {}))
            case ["property", "list", counted, kind, title] if elements and {counted, kind} <= set(_TYPES):
                elements[-1].properties[title] = (_TYPES[counted], _TYPES[kind])
            case ["property", kind, title] if elements and kind in _TYPES:
                elements[-1].properties[title] = ("", _TYPES[kind])
            case ["comment", title, *rest] if rest and re.fullmatch(r"(region|boundary)_\d+", title):
                titles[title] = line.split(maxsplit=2)[2]
            case ["comment" | "obj_info" | "end_header", *_] | []:
                pass
            case _:
                raise ReadError(f"{name} is damaged: its header holds {line[:60]!r}.")
    return order, elements, titles


def _text_tables(data: bytes, elements: Sequence[_Element], order: str, name: str) -> dict[str, _Table]:
    rows = _text.rows(data, name)
    if len(rows) < sum(e.count for e in elements):
        raise ReadError(f"{name} is damaged: it declares {sum(e.count for e in elements)} lines and has {len(rows)}.")
    tables, first = {}, 0
    for element in elements:
        at = np.arange(first, first + element.count)
        first += element.count
        column = rows.start[at]
        table = _Table({}, {})
        for title, (counted, _) in element.properties.items():
            if (column >= rows.start[at + 1]).any():
                raise ReadError(f"{name} is damaged: a line of {element.name!r} breaks off.")
            counts = _text.integers(rows.values[column], name) if counted else np.ones(len(at), np.int64)
            column = column + bool(counted)
            if (counts < 0).any() or (column + counts > rows.start[at + 1]).any():
                raise ReadError(f"{name} is damaged: a line of {element.name!r} breaks off.")
            _put(table, title, bool(counted), rows.values, column, counts)
            column = column + counts
        tables[element.name] = table
    return tables


def _put(table: _Table, title: str, is_list: bool, values: Array, first: Ints, counts: Ints) -> None:
    at = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    if is_list:
        table.lists[title] = values[at], counts
    else:
        table.scalars[title] = values[at]


def _binary_tables(data: bytes, elements: Sequence[_Element], order: str, name: str) -> dict[str, _Table]:
    tables = {}
    for element in elements:
        least = sum(np.dtype(counted or kind).itemsize for counted, kind in element.properties.values())
        if element.count * least > len(data):
            raise ReadError(f"{name} is damaged: {element.count} of {element.name!r} do not fit into its size.")
        starts, end = _starts(data, element, order)
        if len(starts) < element.count or end > len(data):
            raise ReadError(f"{name} is damaged: it breaks off within {element.name!r}.")
        tables[element.name] = _columns(data, element, order, starts)
        data = data[end:]
    return tables


def _starts(data: bytes, element: _Element, order: str) -> tuple[Ints, int]:
    """Return the first byte of each record and the end of the last; records with lists follow one another."""
    fixed = sum(np.dtype(kind).itemsize for counted, kind in element.properties.values() if not counted)
    if not element.lists or not element.count:
        return np.arange(element.count) * fixed, element.count * fixed
    lengths = np.zeros(len(data) + 1, np.int64)
    for counted, kind in element.properties.values():
        at = np.minimum(np.arange(len(lengths)) + lengths, len(data))
        lengths += np.dtype(kind).itemsize
        if counted:
            counts = _values(data + bytes(8), order + counted, at).astype(np.int64).clip(0, len(data))
            lengths += np.dtype(counted).itemsize + (counts - 1) * np.dtype(kind).itemsize
    starts = _text.chain(lengths[:-1])[: element.count]
    return starts, int(starts[-1] + lengths[starts[-1]]) if len(starts) else 0


def _values(data: bytes, kind: str, at: Ints) -> Array:
    """Return the values of a type that begin at these bytes, whatever their alignment."""
    size = np.dtype(kind).itemsize
    letters = np.frombuffer(data, np.uint8)
    return np.ascontiguousarray(letters[at[:, None] + np.arange(size)]).view(kind)[:, 0]


def _columns(data: bytes, element: _Element, order: str, starts: Ints) -> _Table:
    table, at = _Table({}, {}), starts
    for title, (counted, kind) in element.properties.items():
        size = np.dtype(kind).itemsize
        counts = _values(data, order + counted, at).astype(np.int64) if counted else np.ones(len(at), np.int64)
        at = at + (np.dtype(counted).itemsize if counted else 0)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        values = _values(data, order + kind, np.repeat(at, counts) + size * step)
        if counted:
            table.lists[title] = values, counts
        else:
            table.scalars[title] = values
        at = at + size * counts
    return table


def _named(table: _Table, titles: Mapping[str, str]) -> dict[str, Ints]:
    return {titles[k]: np.flatnonzero(v) for k, v in table.scalars.items() if k in titles and v.any()}


def _edges(table: _Table | None, titles: Mapping[str, str]) -> list[Block]:
    if table is None or not {"vertex1", "vertex2"} <= set(table.scalars):
        return []
    nodes = np.stack([table.scalars[k].astype(np.int64) for k in ("vertex1", "vertex2")], axis=1)
    return [Block(kind="line", nodes=nodes, names=_named(table, titles))]


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write a surface, or the outer one of a volume, with its regions and boundaries.

    Raises `WriteError` for lines, cells of the second order and names that a header cannot hold.
    """
    surface = _surfaces.written(mesh, ".ply")
    _sets.check_names([*surface.regions, *surface.boundaries], ".ply", longest=200)
    chunks = list(_chunks(surface))
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(chunks)


def _chunks(mesh: Mesh) -> Iterator[bytes]:
    facets, boundaries, count = _sets.facets(mesh)
    regions, edges = _flags("region", mesh.regions, mesh.num_cells), _flags("boundary", boundaries, count)
    comments = [f"comment region_{i} {name}\n" for i, name in enumerate(mesh.regions, start=1)]
    comments += [f"comment boundary_{i} {name}\n" for i, name in enumerate(boundaries, start=1)]
    head = f"ply\nformat binary_little_endian 1.0\n{''.join(comments)}element vertex {mesh.num_points}\n"
    head += "".join(f"property double {k}\n" for k in "xyz") + f"element face {mesh.num_cells}\n"
    head += "property list uchar int vertex_indices\n" + "".join(f"property uchar {k}\n" for k in regions)
    if count:
        head += f"element edge {count}\nproperty int vertex1\nproperty int vertex2\n"
        head += "".join(f"property uchar {k}\n" for k in edges)
    yield f"{head}end_header\n".encode()
    yield mesh.points.astype("<f8").tobytes()
    for kind, cells, start in mesh.blocks():
        widths = np.full((len(cells), 1), kind.nodes, "u1")
        yield _records(cells, widths, [v[start : start + len(cells)] for v in regions.values()])
    for _, nodes, at in facets:
        yield _records(nodes, np.empty((len(nodes), 0), "u1"), [v[at] for v in edges.values()])


def _flags(word: str, sets: Mapping[str, Ints], count: int) -> dict[str, NDArray[np.uint8]]:
    flags = {f"{word}_{i}": np.zeros(count, np.uint8) for i in range(1, len(sets) + 1)}
    for flag, rows in zip(flags.values(), sets.values(), strict=True):
        flag[rows] = 1
    return flags


def _records(nodes: Ints, before: NDArray[np.uint8], flags: list[NDArray[np.uint8]]) -> bytes:
    corners = np.ascontiguousarray(nodes.astype("<i4")).view("u1").reshape(len(nodes), -1)
    return np.hstack([before, corners, *(flag[:, None] for flag in flags)]).tobytes()


FORMAT = Format(
    "ply",
    (".ply",),
    "regions, boundaries; dim=3 fills",
    read=_surfaces.surface_file(content),
    write=write,
    surface=True,
)
