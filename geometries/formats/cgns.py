"""CGNS, .cgns, by gmsh in a child process: boundary conditions and families become boundaries and regions."""

from __future__ import annotations

from pathlib import Path

from geometries.build import Reading
from geometries.errors import ReadError
from geometries.formats import _by_gmsh
from geometries.formats.base import Format, mesh_file
from geometries.formats.med import HDF5

_ADF = b"@(#)ADF"  # within the first bytes of older files


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a .cgns file; raises `ReadError` for sections of mixed elements."""
    with path.open("rb") as stream:
        start = stream.read(32)
    if not start.startswith(HDF5) and _ADF not in start:
        raise ReadError(f"{path.name} begins neither like HDF5 nor like ADF; expected a .cgns file.")
    return _by_gmsh.read(path, ".cgns", dim=dim)


FORMAT = Format("cgns", (".cgns",), "regions and boundaries", read=mesh_file(read))
