"""gmsh's .msh: 1, 2 and 4 are read, by gmsh itself in a child process; 4.1 and 2.2 are written, in binary.

Layout: https://gmsh.info/doc/texinfo/gmsh.html#MSH-file-format and #MSH-file-format-version-2-_0028Legacy_0029.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading
from geometries.cells import CELLS
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats import _by_gmsh
from geometries.formats._sets import check_names, combinations, facets
from geometries.formats.base import Format, mesh_file
from geometries.gmsh_model import ELEMENTS
from geometries.mesh import Mesh, spatial

Ints = NDArray[np.int64]
_TYPES = {name: (number, np.argsort(order)) for number, (name, order) in ELEMENTS.items()}
_START = re.compile(rb"(\$Comments\r?\n.*?\$EndComments\s*)?\$MeshFormat|\$NOD\r?\n", re.DOTALL)
_ANSYS = re.compile(rb"\s*\(\d+\s")
_LONGEST_NAME = 120  # bytes; gmsh reads lines of 128


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a .msh file of version 1, 2 or 4; physical groups become regions and boundaries.

    Nameless ones are called by their number, as all are in version 1.
    """
    with path.open("rb") as stream:
        start = stream.read(2**16)
        stream.seek(-min(path.stat().st_size, 4096), 2)
        end = stream.read()
    if _ANSYS.match(start):
        raise ReadError(
            f"{path.name} is a mesh of Ansys Fluent, whose extension is .msh too; expected gmsh's: export .cgns, or "
            "have meshio write it with file_format='gmsh'."
        )
    # gmsh would run anything else as a script.
    if not _START.match(start):
        raise ReadError(
            f"{path.name} begins neither with $MeshFormat nor with $NOD; expected a .msh file of version 1 to 4."
        )
    if b"$end" not in end.lower():
        raise ReadError(f"{path.name} breaks off before the end of a section; write it again.")
    return _by_gmsh.read(path, ".msh", dim=dim)


# -- writing -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Elements:
    """Elements of one type: nodes from 1 in gmsh's order, the entity that each belongs to."""

    dim: int
    type: int
    nodes: Ints
    entity: Ints


@dataclass(frozen=True, eq=False)
class _Model:
    """A mesh as gmsh has it: groups {(dim, name): number}, entities {(dim, tag): numbers of its groups}, elements."""

    groups: dict[tuple[int, str], int]
    entities: dict[tuple[int, int], list[int]]
    elements: list[_Elements]


def write(mesh: Mesh, path: str | Path, *, version: str = "4.1") -> None:
    """Write .msh `version` "4.1" or "2.2", binary. Regions and boundaries become physical groups; sets may overlap.

    Sides of an interface are written as facets: which of the two cells they belong to is lost. Point and cell data are
    not written. Raises `WriteError` for names that the format cannot hold.
    """
    chunks = {"4.1": _chunks_41, "2.2": _chunks_22}.get(version)
    if chunks is None:
        raise WriteError(f"version {version!r} of .msh; expected '4.1' or '2.2'.")
    parts = chunks(mesh.points, _model(mesh))
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        for name, body in parts:
            stream.write(b"$%b\n%b\n$End%b\n" % (name, body, name))


def _model(mesh: Mesh) -> _Model:
    check_names([*mesh.regions, *mesh.boundaries], ".msh", longest=_LONGEST_NAME, without='"')
    groups = {(mesh.dim, name): i for i, name in enumerate(mesh.regions, start=1)}
    groups |= {(mesh.dim - 1, name): i for i, name in enumerate(mesh.boundaries, start=1)}
    cells = [(kind.name, nodes, np.arange(start, start + len(nodes))) for kind, nodes, start in mesh.blocks()]
    found, sets, count = facets(mesh)
    model = _Model(groups, {}, [])
    _add(model, mesh.dim, cells, *combinations(mesh.num_cells, mesh.regions))
    _add(model, mesh.dim - 1, found, *combinations(count, sets))
    return model


def _add(
    model: _Model, dim: int, parts: list[tuple[str, Ints, Ints]], entity: Ints, members: dict[int, list[int]]
) -> None:
    """Add elements of one dimension. Each type has entities of its own: gmsh loses some of those that share one."""
    for number, (kind, nodes, at) in enumerate(parts):
        shift = number * len(members)
        model.entities.update({(dim, int(tag) + shift): members[int(tag)] for tag in np.unique(entity[at])})
        model.elements.append(_elements(kind, nodes, entity[at] + shift))


def _elements(kind: str, nodes: Ints, entity: Ints) -> _Elements:
    number, order = _TYPES[kind]
    return _Elements(CELLS[kind].dim, number, (nodes[:, order] if len(order) else nodes) + 1, entity)


def _names(model: _Model) -> bytes:
    lines = [f'{dim} {number} "{name}"' for (dim, name), number in model.groups.items()]
    return "\n".join([str(len(lines)), *lines]).encode()


def _chunks_22(points: NDArray[np.float64], model: _Model) -> Iterator[tuple[bytes, bytes]]:
    """Yield sections. An element in several groups is repeated, once for each: the format's way."""
    yield b"MeshFormat", b"2.2 1 8\n" + np.int32(1).tobytes()
    yield b"PhysicalNames", _names(model)
    nodes = np.empty(len(points), dtype=[("tag", "<i4"), ("x", "<f8", 3)])
    nodes["tag"], nodes["x"] = np.arange(1, len(points) + 1), spatial(points)
    yield b"Nodes", b"%d\n%b" % (len(points), nodes.tobytes())
    body, total = [], 0
    for part in model.elements:
        data = _one_group_each(part, model.entities)
        tags = np.arange(total + 1, total + len(data) + 1)
        header = np.array([part.type, len(data), 2], "<i4")
        body += [header.tobytes(), np.column_stack([tags, data]).astype("<i4").tobytes()]
        total += len(data)
    yield b"Elements", b"%d\n%b" % (total, b"".join(body))


def _one_group_each(part: _Elements, entities: Mapping[tuple[int, int], list[int]]) -> Ints:
    """Return rows of group (0: none), entity, nodes: all elements in order, then again those in further groups."""
    members = {tag: groups or [0] for (dim, tag), groups in entities.items() if dim == part.dim}
    table = np.full((max(members) + 1, max(map(len, members.values()))), -1)
    for tag, groups in members.items():
        table[tag, : len(groups)] = groups
    group = table[part.entity].T
    at = np.nonzero(group >= 0)
    return np.column_stack([group[at], part.entity[at[1]], part.nodes[at[1]]])


def _chunks_41(points: NDArray[np.float64], model: _Model) -> Iterator[tuple[bytes, bytes]]:
    """Yield sections. All nodes are given to the first entity; elements are numbered in the mesh's order."""
    yield b"MeshFormat", b"4.1 1 8\n" + np.int32(1).tobytes()
    yield b"PhysicalNames", _names(model)
    padded = spatial(points)
    yield b"Entities", _entity_section(padded, model)
    tags = np.arange(1, len(points) + 1)
    top = max(model.entities)
    head = _sizes(1, len(tags), 1, len(tags)) + _block_41(*top, 0, len(tags))
    yield b"Nodes", head + tags.tobytes() + padded.tobytes()
    yield b"Elements", _element_section(model.elements)


def _sizes(*values: int) -> bytes:
    return np.array(values, "<u8").tobytes()


def _block_41(dim: int, tag: int, kind: int, count: int) -> bytes:
    return np.array([dim, tag, kind], "<i4").tobytes() + _sizes(count)


def _entity_section(points: NDArray[np.float64], model: _Model) -> bytes:
    """Entities with their groups; the whole mesh's bounding box stands for each one's."""
    box = np.concatenate([points.min(0), points.max(0)])
    counts = [sum(dim == d for dim, _ in model.entities) for d in range(4)]
    body = [_sizes(*counts)]
    for (dim, tag), groups in sorted(model.entities.items()):
        place = box[: 3 if dim == 0 else 6].astype("<f8").tobytes()
        body += [np.int32(tag).tobytes(), place, _sizes(len(groups)), np.array(groups, "<i4").tobytes()]
        body += [_sizes(0)] if dim else []  # no bounding entities
    return b"".join(body)


def _element_section(elements: list[_Elements]) -> bytes:
    body, blocks, total = [], 0, 0
    for part in elements:
        numbered = np.column_stack([np.arange(total + 1, total + len(part.nodes) + 1), part.nodes]).astype("<u8")
        for tag in np.unique(part.entity):
            rows = numbered[part.entity == tag]
            body += [_block_41(part.dim, int(tag), part.type, len(rows)), rows.tobytes()]
            blocks += 1
        total += len(part.nodes)
    return _sizes(blocks, total, 1, total) + b"".join(body)


FORMAT = Format(
    "msh",
    (".msh",),
    "regions and boundaries, overlapping ones too; 1, 2 and 4 are read, 4.1 and 2.2 written",
    read=mesh_file(read),
    write=write,
)
