"""File formats. A new one is a module with a `Format` and one entry in `FORMATS`."""

from __future__ import annotations

from pathlib import Path

from geometries.build import Reading
from geometries.errors import ReadError, WriteError, nearest
from geometries.files import existing
from geometries.formats import cad, msh, vtk, vtu
from geometries.formats.base import Format
from geometries.mesh import Mesh

FORMATS: dict[str, Format] = {f.name: f for f in (cad.STEP, cad.IGES, cad.BREP, msh.FORMAT, vtu.FORMAT, vtk.FORMAT)}

__all__ = ["FORMATS", "Format", "Reading", "inspect", "read", "write"]


def inspect(
    path: str | Path, *, size: float | None = None, dim: int | None = None, order: int | None = None
) -> Reading:
    """Return the mesh of a CAD or mesh file with the problems found in it; see `read`."""
    file = existing(path)
    readers = {e: f for f in FORMATS.values() if f.read for e in f.extensions}
    found = readers.get(file.suffix.lower())
    if found is None or found.read is None:
        raise ReadError(f"{file.name} has no extension that can be read; {nearest(file.suffix, readers)}")
    return found.read(file, size=size, dim=dim, order=order)


def read(path: str | Path, *, size: float | None = None, dim: int | None = None, order: int | None = None) -> Mesh:
    """Return the mesh in a file, or of a CAD file meshed with edge length `size` and cells of `order` 1 (default) or 2.

    `dim` chooses the cells; default: the highest dimension in the file. The file's names of cells and of facets become
    regions and boundaries. Readers run in a child process with limits of time and memory.
    Raises `ReadError` for a file that is missing, damaged, of an unknown extension or without cells, and for `size` or
    `order` given with a mesh file; `CadError` for a part that does not mesh.
    """
    return inspect(path, size=size, dim=dim, order=order).mesh


def write(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh in the format of the extension; an existing file is replaced only by a whole one.

    Raises `WriteError` for an unknown extension, what the format cannot hold, and where the system refuses.
    """
    file = Path(path)
    writers = {e: f for f in FORMATS.values() if f.write for e in f.extensions}
    found = writers.get(file.suffix.lower())
    if found is None or found.write is None:
        raise WriteError(f"{file.name} has no extension that can be written; {nearest(file.suffix, writers)}")
    found.write(mesh, file)
