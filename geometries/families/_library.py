"""Files as members of families: read once in a process, failures too."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from geometries import cad
from geometries.child import call
from geometries.errors import MeshopsError, ReadError
from geometries.files import existing
from geometries.formats import FORMATS, inspect
from geometries.mesh import Mesh

_MOST = 64  # meshes held
# What a folder is searched for: programs, and tables that are no meshes, are left alone.
EXTENSIONS = tuple(sorted(e for f in FORMATS.values() if f.read and "trust" not in f.takes for e in f.extensions))


def load(path: str | Path, *, size: float | None = None, relative: bool = False, dim: int | None = None) -> Mesh:
    """Return the mesh in a file, or of a CAD file with edges of `size`, of the bounding box's diagonal if `relative`.

    A file is read again only after it has changed. Raises `ReadError`, which names the file.
    """
    file = existing(path)
    is_cad = file.suffix.lower() in cad.EXTENSIONS
    about = file.stat()
    found = _load(file.resolve(), about.st_mtime_ns, about.st_size, size if is_cad else None, relative, dim)
    if isinstance(found, Mesh):
        return found
    raise ReadError(found if file.name in found else f"{file.name}: {found}")


@lru_cache(maxsize=_MOST)
def _load(file: Path, changed: int, length: int, size: float | None, relative: bool, dim: int | None) -> Mesh | str:
    """Return the mesh, or what is wrong with the file."""
    try:
        if size is not None and relative:
            size *= call("geometries.cad_model:survey", {"path": str(file)})["diagonal"] or 1.0
        return inspect(file, size=size, dim=dim).mesh
    except MeshopsError as error:
        return str(error)
