"""I-DEAS universal files, .unv: datasets of nodes (2411, 781, 15), elements (2412) and groups (2467 and its elders).

Layout: https://www.ceas3.uc.edu/sdrluff/all_files.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geometries.build import Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats._sets import check_names, facets
from geometries.formats._text import Floats, Ints, Rows, chain, integers, lines, numbers, places, rows
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh, spatial

# our name: the numbers of the elements (the one that is written first), and the place of each of our nodes in the file
_ELEMENTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "line": ((21, 11, 22), ()),
    "line3": ((24, 23), (0, 2, 1)),
    "triangle": ((91, 41, 51, 61, 71, 81), ()),
    "triangle6": ((92, 42, 52, 62, 72, 82), (0, 2, 4, 1, 3, 5)),
    "quad": ((94, 44, 54, 64, 74, 84), ()),
    "quad8": ((95, 45, 55, 65, 75, 85), (0, 2, 4, 6, 1, 3, 5, 7)),
    "tetra": ((111,), ()),
    "tetra10": ((118,), (0, 2, 4, 9, 1, 3, 5, 6, 7, 8)),
    "wedge": ((112,), ()),
    "wedge15": ((113,), (0, 2, 4, 9, 11, 13, 1, 3, 5, 10, 12, 14, 6, 7, 8)),
    "hexahedron": ((115,), ()),
    "hexahedron20": ((116,), (0, 2, 4, 6, 12, 14, 16, 18, 1, 3, 5, 7, 13, 15, 17, 19, 8, 9, 10, 11)),
}
_KINDS = {number: kind for kind, (found, _) in _ELEMENTS.items() for number in found}
_NOT_CELLS = {121, 122, 136, 137, 138, 139, 141, 142, 151, 152, 161, 171}  # rigid bars, springs, dampers, masses, gaps
_BEAMS = (21, 22, 23, 24)
_RODS = (11,)  # some programs give these a beam's line too
_NODES = (2411, 781, 15)
_ENTITIES = {2417: 2, 2429: 2, 2430: 2, 2432: 2, 2435: 4, 2452: 4, 2467: 4, 2477: 4}  # group: integers an entity
_ELEMENT, _NODE = 8, 7
_LONGEST_NAME = 40
_MARK = re.compile(rb"^[ \t]*-1[ \t]*$", re.MULTILINE)


class _Elements(NamedTuple):
    """Elements of one type: their labels, and their nodes' labels in our order."""

    kind: str
    labels: Ints
    nodes: Ints


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a .unv file; groups of elements become regions and boundaries, groups of nodes boundaries."""
    return mesh_from_blocks(**call("geometries.formats.unv:model", {"path": str(path)}), dim=dim)


def model(path: str) -> dict[str, Any]:
    """Parse a .unv file: the child's side of `read`."""
    found = list(_datasets(Path(path).read_bytes().replace(b"\r", b""), Path(path).name))
    problems: list[str] = []
    labels, points = _points([body for number, body in found if number in _NODES])
    parts = [part for number, body in found if number == 2412 for part in _elements(body, problems)]
    elements, nodes = _groups(found)
    blocks = []
    for part in parts:
        names = {name: np.flatnonzero(np.isin(part.labels, items)) for name, items in elements.items()}
        names = {name: at for name, at in names.items() if len(at)}
        blocks.append({"kind": part.kind, "nodes": places(labels, part.nodes), "names": names})
    known = {name: items[np.isin(items, labels)] for name, items in nodes.items()}
    sets = {name: places(labels, items) for name, items in known.items()}
    return {"points": points, "blocks": blocks, "node_sets": sets, "problems": problems}


def _datasets(text: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each dataset, between lines that hold -1."""
    marks = list(_MARK.finditer(text))
    if len(marks) % 2 or not marks:
        raise ReadError(f"{name} has {len(marks)} lines of -1; expected two around each dataset: it breaks off.")
    for start, end in zip(marks[::2], marks[1::2], strict=True):
        head, _, body = text[start.end() : end.start()].lstrip().partition(b"\n")
        if head.split() and head.split()[0].isdigit():
            yield int(head.split()[0]), body


def _points(bodies: list[bytes]) -> tuple[Ints, Floats]:
    """Return the labels and coordinates of nodes: label, two coordinate systems, colour, x, y, z."""
    values = np.concatenate([np.empty(0), *(numbers(body, "the dataset of nodes") for body in bodies)])
    if not len(values) or len(values) % 7:
        raise ReadError(f"the datasets of nodes hold {len(values)} numbers; expected 7 for each node.")
    table = values.reshape(-1, 7)
    labels = integers(table[:, 0], "the dataset of nodes")
    if len(np.unique(labels)) < len(labels):
        raise ReadError("the datasets of nodes hold a label twice; expected each node once.")
    return labels, table[:, 4:]


def _elements(body: bytes, problems: list[str]) -> Iterator[_Elements]:
    """Yield the elements of a dataset 2412 by type. Each has a line of six numbers, the last of which counts nodes."""
    found = rows(body, "the dataset of elements")
    head = np.full((len(found), 6), -1.0)
    whole = np.flatnonzero(found.widths == 6)
    head[whole] = found.table(whole, 6)
    beam = np.isin(head[:, 1], _BEAMS)
    beam |= np.isin(head[:, 1], _RODS) & (np.append(found.widths, 0)[1:] == 3)
    count = np.where(np.isfinite(head[:, 5]), np.clip(head[:, 5], 0, 64), 0).astype(np.int64)
    length = 1 + beam + -(-count // 8)
    at = chain(length)
    if len(at) and (at[-1] + length[at[-1]] != len(found) or (found.widths[at] != 6).any()):
        raise ReadError("the dataset of elements is damaged: its lines do not fit the numbers of nodes that it tells.")
    heads = integers(head[at], found.what)
    for number in np.unique(heads[:, 1]):
        mine = heads[:, 1] == number
        if int(number) in _NOT_CELLS:
            problems.append(f"{mine.sum()} elements of type {number} left out: they are no cells")
            continue
        yield _of_type(found, int(number), heads[mine], at[mine] + 1 + beam[at[mine]])


def _of_type(found: Rows, number: int, heads: Ints, lines_at: Ints) -> _Elements:
    kind = _KINDS.get(number)
    if kind is None:
        raise ReadError(f"the file holds elements of type {number}; expected solids, shells or beams of order 1 or 2.")
    size = CELLS[kind].nodes
    if (heads[:, 5] != size).any():
        raise ReadError(f"the file holds elements of type {number} that have not {size} nodes; it is damaged.")
    values = np.append(found.values, np.full(size, -1.0))
    nodes = integers(values[found.start[lines_at][:, None] + np.arange(size)], found.what)
    return _Elements(kind, heads[:, 0], nodes[:, list(_ELEMENTS[kind][1] or range(size))])


def _groups(found: list[tuple[int, bytes]]) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Return {group: labels of elements} and {group: labels of nodes}."""
    elements: dict[str, list[Ints]] = {}
    nodes: dict[str, list[Ints]] = {}
    for number, body in found:
        for name, entities in _group_records(body, _ENTITIES[number]) if number in _ENTITIES else ():
            for sets, kind in ((elements, _ELEMENT), (nodes, _NODE)):
                labels = entities[entities[:, 0] == kind, 1]
                if len(labels):
                    sets.setdefault(name, []).append(labels)
    return {k: np.concatenate(v) for k, v in elements.items()}, {k: np.concatenate(v) for k, v in nodes.items()}


def _group_records(body: bytes, width: int) -> Iterator[tuple[str, Ints]]:
    """Yield the name and the entities (type, label, ...) of each group."""
    text = body.split(b"\n")
    at = 0
    while at + 1 < len(text) and text[at].split():
        head = integers(numbers(text[at], "the head of a group"), "the head of a group")
        name = text[at + 1].decode(errors="replace").strip()
        end = at + 2 + -(-int(head[-1]) // (8 // width))
        values = integers(numbers(b"\n".join(text[at + 2 : end]), f"group {name!r}"), f"group {name!r}")
        if head[-1] < 0 or len(values) != width * head[-1]:
            raise ReadError(
                f"group {name!r} tells {head[-1]} entities and holds {len(values) // width}; it is damaged."
            )
        yield name, values.reshape(-1, width)
        at = end


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write .unv: nodes, cells, facets of boundaries, and a group for each region and each boundary.

    Sides of an interface are written as facets: which of the two cells they belong to is lost.
    Raises `WriteError` for pyramids, cells with nodes inside facets, and names above 40 bytes.
    """
    parts, sets, _ = facets(mesh)
    unknown = [kind for kind in [*mesh.cells, *(p[0] for p in parts)] if kind not in (*_ELEMENTS, "vertex")]
    if unknown:
        raise WriteError(f"the mesh holds {unknown[0]}; .unv takes {', '.join(_ELEMENTS)}.")
    check_names([*mesh.regions, *mesh.boundaries], ".unv", longest=_LONGEST_NAME)
    if "-1" in {**mesh.regions, **mesh.boundaries}:
        raise WriteError("the name '-1' cannot go into .unv, where it ends a dataset; rename the set.")
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.write(_dataset(2411, _node_lines(mesh)))
        stream.write(_dataset(2412, b"".join(_element_lines(mesh, parts))))
        stream.write(_dataset(2467, b"".join(_group_lines(mesh, sets))))


def _dataset(number: int, body: bytes) -> bytes:
    return b"%6d\n%6d\n%b%6d\n" % (-1, number, body, -1)


def _node_lines(mesh: Mesh) -> bytes:
    labels = np.arange(1.0, mesh.num_points + 1)[:, None]
    points = spatial(mesh.points)
    return lines("%10d         1         1        11\n%25.16E%25.16E%25.16E", np.hstack([labels, points]))


def _element_lines(mesh: Mesh, parts: list[tuple[str, Ints, Ints]]) -> Iterator[bytes]:
    """Yield cells with labels from 1 in the mesh's order, and facets after them."""
    cells = [(kind.name, nodes, np.arange(start, start + len(nodes))) for kind, nodes, start in mesh.blocks()]
    for kind, nodes, at in [*cells, *((k, n, at + mesh.num_cells) for k, n, at in parts if k != "vertex")]:
        (number, *_), order = _ELEMENTS[kind]
        size = nodes.shape[1]
        ordered = nodes[:, np.argsort(order)] if order else nodes
        form = "%10d" + f"{number:10d}         1         1         7{size:10d}\n"
        form += "         0         1         1\n" if number in _BEAMS else ""
        form += "\n".join("%10d" * min(8, size - i) for i in range(0, size, 8))
        yield lines(form, np.column_stack([at, ordered]) + 1)


def _group_lines(mesh: Mesh, sets: dict[str, Ints]) -> Iterator[bytes]:
    """Yield a group of elements for each set; of nodes where facets are points."""
    groups = [(name, _ELEMENT, cells) for name, cells in mesh.regions.items() if len(cells)]
    on_lines = mesh.dim == 1
    for name, sides in mesh.boundaries.items():
        items = mesh.nodes(sides) if on_lines else np.unique(sets[name]) + mesh.num_cells
        groups += [(name, _NODE if on_lines else _ELEMENT, items)] if len(items) else []
    for number, (name, kind, items) in enumerate(groups, start=1):
        yield b"%10d%60s%10d\n%b\n" % (
            number,
            b"0         0         0         0         0         0",
            len(items),
            name.encode(),
        )
        entities = (f"{kind:10d}%10d         0         0" * len(items)) % tuple((items + 1).tolist())
        yield b"".join(entities[i : i + 80].encode() + b"\n" for i in range(0, len(entities), 80))


FORMAT = Format("unv", (".unv",), "regions and boundaries, overlapping ones too", read=mesh_file(read), write=write)
