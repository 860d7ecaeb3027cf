"""VTK's .vtu: written here, binary and whole; read by VTK in a child process, whoever wrote it.

Names are field data: see `_grids`. Layout: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading
from geometries.errors import WriteError
from geometries.files import atomic_write, existing
from geometries.formats import _grids, vtk
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh

Array = NDArray[np.generic]
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
    file = existing(path)
    return _grids.reading(vtk.read_grid(file), dim, file.name)


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
    grid = _grids.from_mesh(mesh, field_data)
    yield "<FieldData>\n"
    for name, values in grid.field_data.items():
        text = isinstance(values, str)
        yield _string(name, values) if text else arrays.element(name, np.atleast_1d(values), field=True)
    yield f'</FieldData>\n<Piece NumberOfPoints="{mesh.num_points}" NumberOfCells="{mesh.num_cells}">\n<PointData>\n'
    yield from (arrays.element(name, values) for name, values in grid.point_data.items())
    yield "</PointData>\n<CellData>\n"
    yield from (arrays.element(name, values) for name, values in grid.cell_data.items())
    yield "</CellData>\n<Points>\n"
    yield arrays.element("Points", grid.points)
    yield "</Points>\n<Cells>\n"
    yield arrays.element("connectivity", grid.connectivity)
    yield arrays.element("offsets", grid.offsets[1:])
    yield arrays.element("types", grid.types)
    yield "</Cells>\n</Piece>\n"


def _string(name: str, text: str) -> str:
    codes = " ".join(map(str, [*text.encode(), 0]))
    return f'<DataArray type="String" Name={quoteattr(name)} NumberOfTuples="1" format="ascii">{codes}</DataArray>\n'


FORMAT = Format(
    "vtu", (".vtu",), "regions, boundaries, sides of interfaces, data", read=mesh_file(read), write=write, fields=True
)
