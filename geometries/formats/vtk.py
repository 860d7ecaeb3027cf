"""Data sets of VTK, read by VTK in a child process; legacy .vtk, written here in binary.

Layout: https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats import _grids
from geometries.formats._grids import Grid
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh

Array = NDArray[np.generic]
_MOST_CELLS = 2_000_000  # of grids whose cells are not in the file: images, rectilinear grids
_TYPE_NAMES = {
    "f8": "double", "f4": "float", "i8": "vtktypeint64", "i4": "int", "i2": "short", "i1": "signed_char",
    "u8": "vtktypeuint64", "u4": "unsigned_int", "u2": "unsigned_short", "u1": "unsigned_char",
}  # fmt: skip
_XML = {
    ".vtu": "vtkXMLUnstructuredGridReader", ".vtp": "vtkXMLPolyDataReader", ".vti": "vtkXMLImageDataReader",
    ".vtr": "vtkXMLRectilinearGridReader", ".vts": "vtkXMLStructuredGridReader",
}  # fmt: skip


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a legacy .vtk file of any kind of data set, with its point and cell data.

    A file that `write` wrote gives the same mesh again. In others, integer cell arrays that are known to hold groups
    become regions and boundaries named by the integers.
    """
    return _grids.reading(read_grid(path), dim, path.name)


def read_grid(path: Path) -> Grid:
    """Return the grid in a file of VTK's; raises `ReadError` where its arrays do not fit together."""
    arrays = call("geometries.formats.vtk:grid", {"path": str(path)})
    try:
        return Grid(**arrays)
    except ReadError as error:
        raise ReadError(f"{path.name} is damaged: {error}") from None


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write a legacy .vtk file with the mesh's data and names; a reader gets all of it back, bit for bit.

    Raises `WriteError` for what the format cannot hold and where the system refuses.
    """
    chunks = list(_chunks(_grids.from_mesh(mesh, {})))
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(chunks)


def _chunks(grid: Grid) -> Iterator[bytes]:
    yield b"# vtk DataFile Version 3.0\nmesh\nBINARY\nDATASET UNSTRUCTURED_GRID\n"
    yield from _fields(grid.field_data)
    yield b"POINTS %d double\n%b\n" % (len(grid.points), grid.points.astype(">f8").tobytes())
    widths = np.diff(grid.offsets)
    cells = np.insert(grid.connectivity, grid.offsets[:-1], widths)
    yield b"CELLS %d %d\n%b\n" % (len(widths), len(cells), cells.astype(">i4").tobytes())
    yield b"CELL_TYPES %d\n%b\n" % (len(widths), grid.types.astype(">i4").tobytes())
    for title, size, data in (("CELL", len(widths), grid.cell_data), ("POINT", len(grid.points), grid.point_data)):
        if data:
            yield f"{title}_DATA {size}\n".encode()
            yield from _fields(data)


def _fields(arrays: Mapping[str, Array | str]) -> Iterator[bytes]:
    yield f"FIELD FieldData {len(arrays)}\n".encode()
    for name, values in arrays.items():
        array = np.asarray(values)
        array = array.astype("u1") if array.dtype == bool else array
        kind = _TYPE_NAMES.get(array.dtype.newbyteorder("<").str[1:])
        if kind is None:
            raise WriteError(f"the array {name!r} holds {array.dtype}; .vtk takes integers, float32 and float64.")
        components = int(np.prod(array.shape[1:]))
        yield f"{quote(name, safe='')} {components} {len(array)} {kind}\n".encode()
        yield array.astype(array.dtype.newbyteorder(">")).tobytes() + b"\n"


# -- the child's side --------------------------------------------------------------------------------------------------
def grid(path: str) -> dict[str, Any]:
    """Read a file of VTK's by VTK; return the fields of `Grid`."""
    from vtkmodules import vtkIOLegacy, vtkIOXML

    xml = _XML.get(Path(path).suffix.lower())
    reader = getattr(vtkIOXML, xml)() if xml else vtkIOLegacy.vtkGenericDataObjectReader()
    errors: list[str] = []

    def complain(_reader: object, _event: str, text: str) -> None:
        errors.append(" ".join(text.split("):", 1)[-1].split()))

    complain.CallDataType = "string0"  # type: ignore[attr-defined]  # so VTK passes the text
    reader.AddObserver("ErrorEvent", complain)
    reader.SetFileName(path)
    reader.Update()
    data = reader.GetOutputDataObject(0)
    if errors or data is None or not data.IsA("vtkDataSet"):
        said = f" (VTK: {errors[0][:200]})" if errors else ""
        raise ReadError(f"{Path(path).name} is damaged or holds no unstructured grid{said}; expected points and cells.")
    return grid_arrays(data)


def grid_arrays(data: Any) -> dict[str, Any]:  # noqa: ANN401  VTK has no types
    """Return any data set of VTK's as the fields of `Grid`."""
    from vtkmodules import vtkFiltersCore
    from vtkmodules.util import numpy_support

    if data.GetNumberOfCells() < 1 or data.GetNumberOfPoints() < 1:
        raise ReadError("the data set holds no cells or no points; the file is empty or damaged.")
    if not data.IsA("vtkUnstructuredGrid"):
        if not data.IsA("vtkPointSet") and data.GetNumberOfCells() > _MOST_CELLS:
            raise ReadError(f"the file asks for {data.GetNumberOfCells()} cells; expected at most {_MOST_CELLS}.")
        append = vtkFiltersCore.vtkAppendFilter()
        append.AddInputData(data)
        append.Update()
        fields, data = data.GetFieldData(), append.GetOutput()
        data.SetFieldData(fields)
    return _arrays(data, numpy_support)


def _arrays(data: Any, support: ModuleType) -> dict[str, Any]:  # noqa: ANN401  VTK has no types
    def array(values: Any, kind: type | None = None) -> Array:  # noqa: ANN401
        found = support.vtk_to_numpy(values)
        return found.astype(kind) if kind else found

    def arrays(group: Any) -> dict[str, Array | str]:  # noqa: ANN401
        found = [group.GetAbstractArray(i) for i in range(group.GetNumberOfArrays())]
        named = [(text(a.GetName()), a) for a in found if a.GetName()]
        numbers = {name: array(a) for name, a in named if a.IsA("vtkDataArray")}
        texts = {k: text(a.GetValue(0)) for k, a in named if a.IsA("vtkStringArray") and a.GetNumberOfValues()}
        return numbers | texts

    cells = data.GetCells()
    return {
        "points": array(data.GetPoints().GetData(), np.float64),
        "connectivity": array(cells.GetConnectivityArray(), np.int64),
        "offsets": array(cells.GetOffsetsArray(), np.int64),
        "types": array(_types(data), np.uint8),
        "point_data": arrays(data.GetPointData()),
        "cell_data": arrays(data.GetCellData()),
        "field_data": arrays(data.GetFieldData()),
    }


def text(given: str | bytes) -> str:
    """Return a text as VTK gives it: bytes if it is not in UTF-8."""
    return given.decode("latin-1") if isinstance(given, bytes) else given


def _types(data: Any) -> Any:  # noqa: ANN401
    """Return the array of cell types, which VTK 9.6 renamed."""
    from vtkmodules.vtkCommonCore import vtkVersion

    renamed = (vtkVersion.GetVTKMajorVersion(), vtkVersion.GetVTKMinorVersion()) >= (9, 6)
    return data.GetCellTypes() if renamed else data.GetCellTypesArray()


FORMAT = Format(
    "vtk", (".vtk",), "regions, boundaries, sides of interfaces, data", read=mesh_file(read), write=write, fields=True
)
