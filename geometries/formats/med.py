"""MED (Salome, code_aster), .med, by gmsh in a child process. Groups of nodes do not pass: gmsh leaves them out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from geometries.build import Reading
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats import _by_gmsh, msh
from geometries.formats._sets import check_names
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh

HDF5 = b"\x89HDF\r\n\x1a\n"
_LONGEST_NAME = 80  # bytes; the file pads names to it
_WITHOUT = ("wedge18", "pyramid14")  # gmsh writes these wrongly or not at all


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a .med file; its groups of cells become regions and boundaries."""
    with path.open("rb") as stream:
        if stream.read(len(HDF5)) != HDF5:
            raise ReadError(f"{path.name} does not begin like HDF5; expected a .med file of version 3 or later.")
    return _by_gmsh.read(path, ".med", dim=dim)


def write(mesh: Mesh, path: str | Path) -> None:
    """Write .med with a group for each region and each boundary; sets may overlap.

    Sides of an interface are written as facets: which of the two cells they belong to is lost.
    Raises `WriteError` for names above 80 bytes, and for cells that the format does not have.
    """
    unknown = [kind for kind in mesh.cells if kind in _WITHOUT]
    if unknown:
        raise WriteError(f"the mesh holds {unknown[0]}, which .med does not; write .msh or .vtu.")
    check_names([*mesh.regions, *mesh.boundaries], ".med", longest=_LONGEST_NAME, without='"')
    with tempfile.TemporaryDirectory() as folder, atomic_write(path) as temporary:
        ours = Path(folder) / "mesh.msh"
        msh.write(mesh, ours)
        try:
            call("geometries.formats._by_gmsh:convert", {"path": str(ours), "to": str(temporary)})
        except ReadError as error:
            raise WriteError(f"cannot write {str(path)!r}: {error}") from None


FORMAT = Format("med", (".med",), "regions and boundaries, overlapping ones too", read=mesh_file(read), write=write)
