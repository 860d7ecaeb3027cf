"""VTK's .vtu: written here, binary and whole; read by VTK in a child process, whoever wrote it.

Names are field data, one integer array a set: `region:NAME` holds cell numbers, `boundary:NAME` sides (cell, local
facet). Programs that cut or merge meshes pass field data on unchanged, so a stamp tells whether the names are still
those of the cells in the file. Layout: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading
from geometries.cells import CELLS
from geometries.errors import MeshError, ReadError, WriteError
from geometries.files import atomic_write, existing
from geometries.formats import vtk
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
REGION, BOUNDARY, REGION_NUMBER, STAMP = "region:", "boundary:", "region number", "names of"
_NUMBERS = {kind: number for number, (kind, order) in reversed(vtk.TYPES.items()) if not order}
_TYPE_NAMES = {
    "f8": "Float64", "f4": "Float32", "i8": "Int64", "i4": "Int32", "i2": "Int16", "i1": "Int8",
    "u8": "UInt64", "u4": "UInt32", "u2": "UInt16", "u1": "UInt8",
}  # fmt: skip


def read(path: str | Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a .vtu file, with its point, cell and field data.

    A file that `write` wrote gives the same mesh again. In others, integer cell arrays that are known to hold groups
    (such as `gmsh:physical`, `medit:ref`, `CellEntityIds`, `material`) become regions and boundaries named by the
    integers.
    """
    grid = vtk.read_grid(existing(path))
    sets = {k: v for k, v in grid.field_data.items() if k.startswith((REGION, BOUNDARY, STAMP))}
    grid = replace(grid, field_data={k: v for k, v in grid.field_data.items() if k not in sets})
    dims = {CELLS[vtk.TYPES[t][0]].dim for t in np.unique(grid.types).tolist() if t in vtk.TYPES}
    stamp = sets.get(STAMP)
    if stamp is None or dim not in (None, *dims):
        return vtk.reading(grid, dim)
    space_dim = next((d for d in (1, 2, 3) if np.array_equal(stamp, _stamp(d, grid.connectivity, grid.types))), None)
    if space_dim is None:
        read = vtk.reading(grid, dim)
        return replace(read, problems=(*read.problems, "names dropped: another program changed the cells"))
    try:
        return _own(grid, sets, space_dim)
    except MeshError as error:
        raise ReadError(f"{Path(path).name} is damaged: {error}") from None


def _own(grid: vtk.Grid, sets: Mapping[str, Array | str], space_dim: int) -> Reading:
    """Return the mesh as it was written."""
    arrays: dict[str, Any] = {k: v for k, v in sets.items() if isinstance(v, np.ndarray)}
    mesh = Mesh(
        points=grid.points[:, :space_dim],
        cells={block.kind: block.nodes for block in vtk.blocks(grid)},
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


def write(mesh: Mesh, path: str | Path, *, field_data: Mapping[str, Array | str] = MappingProxyType({})) -> None:
    """Write a mesh with its data and names, and further `field_data`; a reader gets all of it back, bit for bit.

    The cell array `region number` shows the regions in ParaView: 0 is none, 1 the first one.
    Raises `WriteError` for what the format cannot hold and where the system refuses.
    """
    arrays = _Arrays([])
    body = "".join(_sections(mesh, field_data, arrays))
    head = '<?xml version="1.0"?>\n<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" '
    grid = f'header_type="UInt64">\n<UnstructuredGrid>\n{body}</UnstructuredGrid>\n'
    text = f'{head}{grid}<AppendedData encoding="raw">\n_'
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.write(text.encode())
        for array in arrays.written:
            stream.write(np.uint64(array.nbytes).tobytes())
            stream.write(array.tobytes())
        stream.write(b"\n</AppendedData>\n</VTKFile>\n")


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a file, in the order in which they follow its text."""

    written: list[Array]

    def element(self, name: str, values: Array, *, field: bool = False) -> str:
        """Return the XML element of an array and keep the array."""
        if any(ord(c) < 32 for c in name):
            raise WriteError(f"the name {name!r} holds a control character; .vtu cannot hold it.")
        array = np.ascontiguousarray(values.astype("u1") if values.dtype == bool else values)
        array = array.astype(array.dtype.newbyteorder("<"))
        kind = _TYPE_NAMES.get(array.dtype.str[1:])
        if kind is None:
            raise WriteError(f"the array {name!r} holds {values.dtype}; .vtu takes integers, float32 and float64.")
        offset = sum(a.nbytes + 8 for a in self.written)
        self.written.append(array)
        components = int(np.prod(array.shape[1:]))
        tuples = f' NumberOfTuples="{len(array)}"' if field else ""
        return (
            f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}"{tuples} '
            f'format="appended" offset="{offset}"/>\n'
        )


def _sections(mesh: Mesh, field_data: Mapping[str, Array | str], arrays: _Arrays) -> Iterator[str]:
    connectivity, widths, types = _cells(mesh)
    sets = {REGION + k: v for k, v in mesh.regions.items()} | {BOUNDARY + k: v for k, v in mesh.boundaries.items()}
    sets[STAMP] = _stamp(mesh.space_dim, connectivity, types)
    clash = sorted(set(sets) & set(field_data))
    if clash:
        raise WriteError(f"field data may not be named {clash[0]!r}: that is a set of the mesh.")
    yield "<FieldData>\n"
    for name, values in {**field_data, **sets}.items():
        text = isinstance(values, str)
        yield _string(name, values) if text else arrays.element(name, np.atleast_1d(values), field=True)
    yield f'</FieldData>\n<Piece NumberOfPoints="{mesh.num_points}" NumberOfCells="{mesh.num_cells}">\n<PointData>\n'
    yield from (arrays.element(name, values) for name, values in mesh.point_data.items())
    yield "</PointData>\n<CellData>\n"
    yield from (arrays.element(name, values) for name, values in (_region_number(mesh) | dict(mesh.cell_data)).items())
    yield "</CellData>\n<Points>\n"
    yield arrays.element("Points", np.pad(mesh.points, ((0, 0), (0, 3 - mesh.space_dim))))
    yield "</Points>\n<Cells>\n"
    yield arrays.element("connectivity", connectivity)
    yield arrays.element("offsets", np.cumsum(widths))
    yield arrays.element("types", types)
    yield "</Cells>\n</Piece>\n"


def _cells(mesh: Mesh) -> tuple[Array, Array, Array]:
    """Return the connectivity, the number of nodes of each cell, and the VTK types."""
    connectivity = np.concatenate([cells.ravel() for _, cells, _ in mesh.blocks()])
    widths = np.concatenate([np.full(len(cells), kind.nodes) for kind, cells, _ in mesh.blocks()])
    types = np.concatenate([np.full(len(cells), _NUMBERS[kind.name], np.uint8) for kind, cells, _ in mesh.blocks()])
    return connectivity, widths, types


def _region_number(mesh: Mesh) -> dict[str, Array]:
    number = np.zeros(mesh.num_cells, np.int32)
    for i, cells in reversed(list(enumerate(mesh.regions.values(), start=1))):
        number[cells] = i
    return {REGION_NUMBER: number} if mesh.regions else {}


def _string(name: str, text: str) -> str:
    codes = " ".join(map(str, [*text.encode(), 0]))
    return f'<DataArray type="String" Name={quoteattr(name)} NumberOfTuples="1" format="ascii">{codes}</DataArray>\n'


FORMAT = Format("vtu", (".vtu",), "regions, boundaries, sides of interfaces, data", read=mesh_file(read), write=write)
