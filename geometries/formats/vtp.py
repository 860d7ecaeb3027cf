"""VTK's other XML data sets: polygons (.vtp), images and structured grids (.vti, .vtr, .vts), read by VTK."""

from __future__ import annotations

from pathlib import Path

from geometries.build import Reading
from geometries.formats import _grids, vtk
from geometries.formats.base import Format, mesh_file


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in the file: strips and polygons as triangles and quads, grids as quads or hexahedra."""
    return _grids.reading(vtk.read_grid(path), dim, path.name)


FORMAT = Format("vtp", (".vtp", ".vti", ".vtr", ".vts"), "integers of groups, data", read=mesh_file(read))
