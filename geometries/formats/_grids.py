"""Grids as VTK has them, and our names in them: shared by .vtk, .vtu, .vtp, .xdmf and PyVista's objects.

Names are field data, one integer array a set: `region:NAME` holds cell numbers, `boundary:NAME` sides (cell, local
facet). Programs that cut or merge meshes pass field data on unchanged, so a stamp tells whether the names are still
those of the cells in the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.errors import MeshError, ReadError, WriteError
from geometries.formats import _polygons
from geometries.mesh import Mesh, spatial

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
REGION, BOUNDARY, REGION_NUMBER, STAMP = "region:", "boundary:", "region number", "names of"
# VTK's number of a cell type: our name, and the VTK node that each of our nodes is where the orders differ.
# Lagrange types (from 68) are those of the second order only; theirs of a hexahedron and a wedge differ from ours.
TYPES: dict[int, tuple[str, tuple[int, ...]]] = {
    1: ("vertex", ()), 3: ("line", ()), 5: ("triangle", ()), 8: ("quad", (0, 1, 3, 2)), 9: ("quad", ()),
    10: ("tetra", ()), 11: ("hexahedron", (0, 1, 3, 2, 4, 5, 7, 6)), 12: ("hexahedron", ()), 13: ("wedge", ()),
    14: ("pyramid", ()), 21: ("line3", ()), 22: ("triangle6", ()), 23: ("quad8", ()), 24: ("tetra10", ()),
    25: ("hexahedron20", ()), 26: ("wedge15", ()), 27: ("pyramid13", ()), 28: ("quad9", ()),
    29: ("hexahedron27", ()), 32: ("wedge18", ()), 68: ("line3", ()), 69: ("triangle6", ()), 70: ("quad9", ()),
    71: ("tetra10", ()), 74: ("pyramid14", ()),
}  # fmt: skip
NUMBERS = {kind: number for number, (kind, order) in reversed(TYPES.items()) if not order}
_EMPTY, _POLYVERTEX = 0, 2
# Types of any number of corners, by how they are split
_SPLIT = {4: _polygons.polylines, 6: _polygons.strips, 7: _polygons.polygons}
# Integer cell arrays of other programs that hold groups; in those with a colon 0 is none
_GROUPS = ("gmsh:physical", "medit:ref", "CellEntityIds", "cell_tags", "region", "material", "MaterialIds")
_MOST_GROUPS = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Grid:
    """An unstructured grid as VTK has it; cell i is `connectivity[offsets[i]:offsets[i + 1]]`.

    `groups` {name: cell numbers} are named sets of another program's.
    """

    points: NDArray[np.float64]
    connectivity: Ints
    offsets: Ints
    types: NDArray[np.uint8]
    point_data: Mapping[str, Array] = field(default_factory=dict)
    cell_data: Mapping[str, Array] = field(default_factory=dict)
    field_data: Mapping[str, Array | str] = field(default_factory=dict)
    groups: Mapping[str, Ints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that offsets, types and connectivity fit together; raises `ReadError`."""
        widths = np.diff(self.offsets)
        whole = len(self.offsets) == len(self.types) + 1 and (widths >= 0).all()
        if not whole or self.offsets[0] < 0 or self.offsets[-1] > len(self.connectivity):
            raise ReadError("its cells' offsets do not fit its connectivity.")
        if self.connectivity.size and not 0 <= self.connectivity.min() <= self.connectivity.max() < len(self.points):
            raise ReadError(f"its cells refer to points that its {len(self.points)} do not include.")
        for name, cells in self.groups.items():
            if cells.size and not 0 <= cells.min() <= cells.max() < len(self.types):
                raise ReadError(f"the set {name!r} holds cells that its {len(self.types)} do not include.")


# -- reading -----------------------------------------------------------------------------------------------------------
def reading(grid: Grid, dim: int | None, name: str) -> Reading:
    """Return the mesh of a grid from the file or object `name`: as it was written where we wrote it."""
    sets = {k: v for k, v in grid.field_data.items() if k.startswith((REGION, BOUNDARY, STAMP))}
    grid = replace(grid, field_data={k: v for k, v in grid.field_data.items() if k not in sets})
    dims = {CELLS[TYPES[t][0]].dim for t in np.unique(grid.types).tolist() if t in TYPES}
    stamp = sets.get(STAMP)
    if stamp is None or dim not in (None, *dims):
        return _foreign(grid, dim)
    given = np.ravel(stamp)
    space_dim = next((d for d in (1, 2, 3) if np.array_equal(given, _stamp(d, grid.connectivity, grid.types))), None)
    if space_dim is None:
        read = _foreign(grid, dim)
        return replace(read, problems=(*read.problems, "names dropped: another program changed the cells"))
    try:
        return _own(grid, sets, space_dim)
    except MeshError as error:
        raise ReadError(f"{name} is damaged: {error}") from None


def _foreign(grid: Grid, dim: int | None) -> Reading:
    problems: list[str] = []
    found = blocks(grid, problems)
    numbers = _numbers(grid.point_data, len(grid.points))
    read = mesh_from_blocks(grid.points, found, dim=dim, point_data=numbers, problems=problems)
    return replace(read, field_data=grid.field_data)


def _own(grid: Grid, sets: Mapping[str, Array | str], space_dim: int) -> Reading:
    """Return the mesh as it was written."""
    arrays: dict[str, Any] = {k: v for k, v in sets.items() if isinstance(v, np.ndarray)}
    mesh = Mesh(
        points=grid.points[:, :space_dim],
        cells={block.kind: block.nodes for block in blocks(grid, [])},
        regions={k.removeprefix(REGION): v for k, v in arrays.items() if k.startswith(REGION)},
        boundaries={k.removeprefix(BOUNDARY): _pairs(v) for k, v in arrays.items() if k.startswith(BOUNDARY)},
        point_data=grid.point_data,
        cell_data={k: v for k, v in grid.cell_data.items() if k != REGION_NUMBER},
    )
    return Reading(mesh=mesh, field_data=grid.field_data)


def _pairs(values: Ints) -> Ints:
    return values if values.size else values.reshape(0, 2)


def _stamp(space_dim: int, connectivity: Array, types: Array) -> Array:
    """Dimension of the points, number of cells, checksum of the cells."""
    crc = zlib.crc32(types.astype("u1").tobytes(), zlib.crc32(connectivity.astype("<i8").tobytes()))
    return np.array([space_dim, len(types), crc], np.int64)


def blocks(grid: Grid, problems: list[str]) -> list[Block]:
    """Return the cells by type, in the order in which types first appear; cells of many corners are split."""
    data = _numbers(grid.cell_data, len(grid.types))
    groups = _group_names(data) | dict(grid.groups)
    kinds, first = np.unique(grid.types, return_index=True)
    out = []
    for number in kinds[np.argsort(first)].tolist():
        cells = np.flatnonzero(grid.types == number)
        widths = np.diff(grid.offsets)[cells]
        if number in (_EMPTY, _POLYVERTEX):
            continue
        if number not in _SPLIT and (number not in TYPES or (widths != CELLS[TYPES[number][0]].nodes).any()):
            raise ReadError(f"the file holds cells of VTK type {number}; expected simple cells of order 1 or 2.")
        for width in np.unique(widths).tolist():
            out.append(_block(grid, number, cells[widths == width], groups, data, problems))
    return out


def _block(
    grid: Grid, number: int, at: Ints, groups: Mapping[str, Ints], data: Mapping[str, Array], problems: list[str]
) -> Block:
    """Return the cells `at`, all of one VTK type and one number of nodes."""
    width = int(grid.offsets[at[0] + 1] - grid.offsets[at[0]])
    kind, order = TYPES.get(number, ("", ()))
    nodes = grid.connectivity[grid.offsets[at][:, None] + np.array(order or range(width), np.int64)]
    pieces = 1
    if not kind:
        kind, parts = _SPLIT[number](grid.points, nodes, problems)
        pieces, nodes = parts.shape[1], parts.reshape(-1, parts.shape[2])
    names = _polygons.named_rows(groups, at, len(grid.types), pieces)
    return Block(kind=kind, nodes=nodes, names=names, data={k: np.repeat(v[at], pieces, 0) for k, v in data.items()})


def _numbers(data: Mapping[str, Array], size: int) -> dict[str, Array]:
    return {k: v for k, v in data.items() if v.dtype.kind in "biuf" and len(v) == size}


def _group_names(data: Mapping[str, Array]) -> dict[str, Ints]:
    """Return {integer as text: cells} of the first array that is known to hold groups."""
    for name in _GROUPS:
        values = data.get(name)
        if values is None or values.ndim != 1 or values.dtype.kind not in "iu":
            continue
        order = np.argsort(values, kind="stable")
        ids, start = np.unique(values[order], return_index=True)
        if len(ids) <= _MOST_GROUPS:
            parts = zip(ids, np.split(order, start[1:]), strict=True)
            return {str(number): cells for number, cells in parts if number or ":" not in name}
    return {}


# -- writing -----------------------------------------------------------------------------------------------------------
def from_mesh(mesh: Mesh, field_data: Mapping[str, Array | str]) -> Grid:
    """Return the grid of a mesh with its data, names and further `field_data`; points are padded to 3-D.

    The cell array `region number` shows the regions in ParaView: 0 is none, 1 the first one.
    """
    types = np.concatenate([np.full(len(cells), NUMBERS[kind.name], np.uint8) for kind, cells, _ in mesh.blocks()])
    widths = np.concatenate([np.full(len(cells), kind.nodes) for kind, cells, _ in mesh.blocks()])
    connectivity = np.concatenate([cells.ravel() for _, cells, _ in mesh.blocks()])
    sets = {REGION + k: v for k, v in mesh.regions.items()} | {BOUNDARY + k: v for k, v in mesh.boundaries.items()}
    sets[STAMP] = _stamp(mesh.space_dim, connectivity, types)
    clash = sorted(set(sets) & set(field_data))
    if clash:
        raise WriteError(f"field data may not be named {clash[0]!r}: that is a set of the mesh.")
    return Grid(
        points=spatial(mesh.points),
        connectivity=connectivity,
        offsets=np.concatenate([[0], np.cumsum(widths)]),
        types=types,
        point_data=mesh.point_data,
        cell_data=_region_number(mesh) | dict(mesh.cell_data),
        field_data={**field_data, **sets},
    )


def _region_number(mesh: Mesh) -> dict[str, Array]:
    number = np.zeros(mesh.num_cells, np.int32)
    for i, cells in reversed(list(enumerate(mesh.regions.values(), start=1))):
        number[cells] = i
    return {REGION_NUMBER: number} if mesh.regions else {}
