"""Exodus II (Cubit, MOOSE, Sierra), .e .exo .ex2, by VTK in a child process: blocks, side sets and node sets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from geometries.build import Reading, mesh_from_blocks
from geometries.child import call
from geometries.errors import ReadError
from geometries.formats import _grids
from geometries.formats._hdf5 import SIGNATURE, check_own
from geometries.formats.base import Format, mesh_file, unread
from geometries.formats.vtk import text

_STARTS = (SIGNATURE, b"CDF\1", b"CDF\2", b"CDF\5")  # netCDF's
_UNNAMED = re.compile(r"Unnamed \w+ ID: (\d+)")
_WORDS = {"ELEM_BLOCK": "block", "SIDE_SET": "side set", "NODE_SET": "node set"}


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in an Exodus file: blocks become regions, side sets and node sets boundaries.

    What has no name is called by its number: `block 1`, `side set 1`, `node set 1`. Results are not read; that is told.
    """
    with path.open("rb") as stream:
        if not stream.read(len(SIGNATURE)).startswith(_STARTS):
            raise ReadError(f"{path.name} does not begin like netCDF; expected an Exodus file.")
    return mesh_from_blocks(**call("geometries.formats.exodus:model", {"path": str(path)}), dim=dim)


def model(path: str) -> dict[str, Any]:
    """Read an Exodus file by VTK: the child's side of `read`."""
    from vtkmodules.vtkIOExodus import vtkExodusIIReader

    with Path(path).open("rb") as stream:
        if stream.read(len(SIGNATURE)) == SIGNATURE:
            check_own(path)
    reader = vtkExodusIIReader()
    reader.SetFileName(path)
    reader.UpdateInformation()
    reader.SetSqueezePoints(False)  # so all parts have the points of the file
    kinds = [getattr(reader, name) for name in _WORDS]
    for kind in kinds:
        for i in range(reader.GetNumberOfObjects(kind)):
            reader.SetObjectStatus(kind, i, 1)
    reader.Update()
    blocks, nodes, points = [], {}, np.empty((0, 3))
    for word, name, grid in _parts(reader):
        points = grid.points
        if word == "node set":
            nodes[name] = np.unique(grid.connectivity)
            continue
        for block in _grids.blocks(grid, []):
            names = {name: np.arange(len(block.nodes))}
            blocks.append({"kind": block.kind, "nodes": block.nodes, "names": names})
    return {"points": points, "blocks": blocks, "node_sets": nodes, "problems": unread(_results(reader))}


def _results(reader: Any) -> list[str]:  # noqa: ANN401  VTK has no types
    """Return the names of the results at nodes and in elements."""
    kinds = [(kind, reader.GetNumberOfObjectArrays(kind)) for kind in (reader.NODAL, reader.ELEM_BLOCK)]
    return [text(reader.GetObjectArrayName(kind, i)) for kind, count in kinds for i in range(count)]


def _parts(reader: Any) -> Iterator[tuple[str, str, _grids.Grid]]:  # noqa: ANN401  VTK has no types
    """Yield each block and set that is not empty: what it is, its name, its cells."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    groups = reader.GetOutput()
    titles = {groups.GetMetaData(i).Get(groups.NAME()): groups.GetBlock(i) for i in range(groups.GetNumberOfBlocks())}
    for title, kind in (("Element Blocks", "ELEM_BLOCK"), ("Side Sets", "SIDE_SET"), ("Node Sets", "NODE_SET")):
        group: Any = titles.get(title)
        for i in range(group.GetNumberOfBlocks() if group else 0):
            data = group.GetBlock(i)
            if data is None or not data.GetNumberOfCells():
                continue
            name = text(reader.GetObjectName(getattr(reader, kind), i) or "")
            number = _UNNAMED.match(name)
            cells = data.GetCells()
            grid = _grids.Grid(
                points=vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64),
                connectivity=vtk_to_numpy(cells.GetConnectivityArray()).astype(np.int64),
                offsets=vtk_to_numpy(cells.GetOffsetsArray()).astype(np.int64),
                types=vtk_to_numpy(data.GetCellTypesArray()).astype(np.uint8),
            )
            yield _WORDS[kind], f"{_WORDS[kind]} {number[1]}" if number else name, grid


FORMAT = Format("exodus", (".e", ".exo", ".ex2"), "blocks, side sets, node sets", read=mesh_file(read))
