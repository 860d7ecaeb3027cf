"""File formats. A new one is a module with a `Format` and one entry in `FORMATS`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from geometries import units
from geometries.build import Reading, dropping_empty_cells
from geometries.errors import ReadError, WriteError, nearest
from geometries.files import existing
from geometries.formats import (
    cad,
    cgns,
    exodus,
    geo,
    inp,
    med,
    medit,
    msh,
    nastran,
    obj,
    off,
    ply,
    stl,
    su2,
    unv,
    vtk,
    vtm,
    vtp,
    vtu,
    xdmf,
)
from geometries.formats.base import Format, Options
from geometries.mesh import Mesh
from geometries.repair import repaired

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        cad.STEP,
        cad.IGES,
        cad.BREP,
        geo.FORMAT,
        inp.FORMAT,
        msh.FORMAT,
        vtu.FORMAT,
        vtk.FORMAT,
        obj.FORMAT,
        off.FORMAT,
        ply.FORMAT,
        stl.FORMAT,
        vtm.FORMAT,
        vtp.FORMAT,
        su2.FORMAT,
        unv.FORMAT,
        med.FORMAT,
        cgns.FORMAT,
        nastran.FORMAT,
        medit.FORMAT,
        exodus.FORMAT,
        xdmf.FORMAT,
    )
}

__all__ = [
    "FORMATS",
    "Format",
    "Options",
    "Reading",
    "geometry_files",
    "inspect",
    "not_written",
    "read",
    "readable",
    "writable",
    "write",
]


def inspect(path: str | Path, **options: Unpack[Options]) -> Reading:
    """Return the mesh of a CAD or mesh file with the problems found in it and its unit; see `read`."""
    file = existing(path)
    readers = readable()
    found = readers.get(file.suffix.lower())
    if found is None:
        raise ReadError(f"{file.name} has no extension that can be read; {nearest(file.suffix, readers)}")
    unit, size = options.get("unit"), options.get("size")
    if unit and size is not None:
        size /= units.factor(unit, found.unit)[0]
    with _naming(file), dropping_empty_cells(options.get("repair", False)):
        reading = found.open(file, **{**options, "size": size})
    if options.get("repair"):
        reading = repaired(reading)
    return units.converted(reading, unit) if unit else reading


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Put the name of the file in front of what a reader says without it."""
    try:
        yield
    except ReadError as error:
        if file.name in str(error):
            raise
        raise type(error)(f"{file.name}: {error}") from error


def read(path: str | Path, **options: Unpack[Options]) -> Mesh:
    """Return the mesh in a file, or of a CAD file, meshed; `options` are `size`, `dim`, `order`, ...: see `Options`.

    The file's names of cells and of facets become regions and boundaries. Readers run in a child process with limits
    of time and memory.
    Raises `ReadError` for a file that is missing, damaged, of an unknown extension or without cells, and for an option
    that does not apply to it; `CadError` for a part that does not mesh.
    """
    return inspect(path, **options).mesh


def readable() -> dict[str, Format]:
    """Return the formats that can be read by their extensions."""
    return {e: f for f in FORMATS.values() if f.read for e in f.extensions}


def geometry_files(path: Path) -> tuple[Path, ...]:
    """Return a geometry's file, and those of its parts."""
    parts = vtm.parts_of(path) if path.suffix.lower() in vtm.FORMAT.extensions else []
    return path, *(part for _, part in parts)


def writable(*, fields: bool = False) -> tuple[str, ...]:
    """Return the extensions that can be written; those of formats that hold fields alone where these are wanted."""
    return tuple(e for f in FORMATS.values() if f.write and (f.fields or not fields) for e in f.extensions)


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


def not_written(mesh: Mesh, path: str | Path) -> list[str]:
    """Return, as problems to tell, what of a mesh the format of the extension leaves out."""
    suffix = Path(path).suffix.lower()
    return [told for f in FORMATS.values() if f.write and suffix in f.extensions for told in f.not_written(mesh)]
