"""Unstructured grids, read by VTK in a child process: legacy .vtk here, and .vtu for `vtu.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.child import call
from geometries.errors import ReadError
from geometries.formats.base import Format, mesh_file

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
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
# Integer cell arrays of other programs that hold groups; in those with a colon 0 is none
_GROUPS = ("gmsh:physical", "medit:ref", "CellEntityIds", "cell_tags", "region", "material", "MaterialIds")
_MOST_GROUPS = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Grid:
    """An unstructured grid as VTK has it; cell i is `connectivity[offsets[i]:offsets[i + 1]]`."""

    points: NDArray[np.float64]
    connectivity: Ints
    offsets: Ints
    types: NDArray[np.uint8]
    point_data: Mapping[str, Array] = field(default_factory=dict)
    cell_data: Mapping[str, Array] = field(default_factory=dict)
    field_data: Mapping[str, Array | str] = field(default_factory=dict)


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a legacy .vtk file; integer cell arrays known to hold groups become regions and boundaries."""
    return reading(read_grid(path), dim)


def read_grid(path: Path) -> Grid:
    """Return the grid in a .vtu or legacy .vtk file; raises `ReadError` where its arrays do not fit together."""
    grid = Grid(**call("geometries.formats.vtk:grid", {"path": str(path)}))
    widths = np.diff(grid.offsets)
    whole = len(grid.offsets) == len(grid.types) + 1 and (widths >= 0).all()
    if not whole or grid.offsets[0] < 0 or grid.offsets[-1] > len(grid.connectivity):
        raise ReadError(f"{path.name} is damaged: its cells' offsets do not fit its connectivity.")
    return grid


def reading(grid: Grid, dim: int | None) -> Reading:
    """Return a valid mesh of a grid."""
    read = mesh_from_blocks(grid.points, blocks(grid), dim=dim, point_data=_numbers(grid.point_data, len(grid.points)))
    return Reading(mesh=read.mesh, problems=read.problems, field_data=grid.field_data)


def blocks(grid: Grid) -> list[Block]:
    """Return the cells by type, in the order in which types first appear."""
    data = _numbers(grid.cell_data, len(grid.types))
    groups = _group_names(data)
    kinds, first = np.unique(grid.types, return_index=True)
    out = []
    for number in kinds[np.argsort(first)]:
        at = np.flatnonzero(grid.types == number)
        kind, order = TYPES.get(int(number), ("", ()))
        if not kind or (np.diff(grid.offsets)[at] != CELLS[kind].nodes).any():
            raise ReadError(f"the file holds cells of VTK type {number}; expected simple cells of order 1 or 2.")
        nodes = grid.connectivity[grid.offsets[at][:, None] + np.array(order or range(CELLS[kind].nodes))]
        place = np.full(len(grid.types), -1)
        place[at] = np.arange(len(at))
        names = {name: place[cells][place[cells] >= 0] for name, cells in groups.items()}
        names = {name: rows for name, rows in names.items() if len(rows)}
        out.append(Block(kind=kind, nodes=nodes, names=names, data={k: v[at] for k, v in data.items()}))
    return out


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


# -- the child's side --------------------------------------------------------------------------------------------------
def grid(path: str) -> dict[str, Any]:
    """Read a .vtu or legacy .vtk file by VTK; return the fields of `Grid`."""
    from vtkmodules import vtkFiltersCore, vtkIOLegacy, vtkIOXML
    from vtkmodules.util import numpy_support

    xml = path.lower().endswith(".vtu")
    reader = vtkIOXML.vtkXMLUnstructuredGridReader() if xml else vtkIOLegacy.vtkGenericDataObjectReader()
    errors: list[str] = []

    def complain(_reader: object, _event: str, text: str) -> None:
        errors.append(" ".join(text.split("):", 1)[-1].split()))

    complain.CallDataType = "string0"  # type: ignore[attr-defined]  # so VTK passes the text
    reader.AddObserver("ErrorEvent", complain)
    reader.SetFileName(path)
    reader.Update()
    data = reader.GetOutputDataObject(0)
    if errors or data is None or not data.IsA("vtkPointSet"):
        said = f" (VTK: {errors[0][:200]})" if errors else ""
        raise ReadError(f"{Path(path).name} is damaged or holds no unstructured grid{said}; expected points and cells.")
    if not data.IsA("vtkUnstructuredGrid"):
        append = vtkFiltersCore.vtkAppendFilter()
        append.AddInputData(data)
        append.Update()
        data = append.GetOutput()
    if not data.GetNumberOfCells():
        raise ReadError(f"{Path(path).name} holds no cells.")
    return _grid_arrays(data, numpy_support)


def _grid_arrays(data: Any, support: ModuleType) -> dict[str, Any]:  # noqa: ANN401  VTK has no types
    def array(values: Any, kind: type | None = None) -> Array:  # noqa: ANN401
        found = support.vtk_to_numpy(values)
        return found.astype(kind) if kind else found

    def arrays(group: Any) -> dict[str, Array | str]:  # noqa: ANN401
        found = [group.GetAbstractArray(i) for i in range(group.GetNumberOfArrays())]
        numbers = {a.GetName(): array(a) for a in found if a.IsA("vtkDataArray") and a.GetName()}
        texts = {a.GetName(): a.GetValue(0) for a in found if a.IsA("vtkStringArray") and a.GetNumberOfValues()}
        return numbers | texts

    cells = data.GetCells()
    return {
        "points": array(data.GetPoints().GetData(), np.float64),
        "connectivity": array(cells.GetConnectivityArray(), np.int64),
        "offsets": array(cells.GetOffsetsArray(), np.int64),
        "types": array(data.GetCellTypesArray(), np.uint8),
        "point_data": arrays(data.GetPointData()),
        "cell_data": arrays(data.GetCellData()),
        "field_data": arrays(data.GetFieldData()),
    }


FORMAT = Format("vtk", (".vtk",), "integers of groups", read=mesh_file(read))
