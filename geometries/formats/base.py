"""What a file format is to the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geometries.build import Reading
from geometries.errors import ReadError
from geometries.mesh import Mesh


class Reader(Protocol):
    """Reads a file that exists."""

    def __call__(self, path: Path, *, size: float | None, dim: int | None, order: int | None) -> Reading:
        """Return the mesh in `path`; raises `ReadError`."""
        ...


class Writer(Protocol):
    """Writes a mesh; an existing file is replaced only by a whole one."""

    def __call__(self, mesh: Mesh, path: Path) -> None:
        """Write `mesh` to `path`; raises `WriteError`."""
        ...


@dataclass(frozen=True)
class Format:
    """A file format: its name, extensions in lower case with the dot, how to read and write it, what names it keeps."""

    name: str
    extensions: tuple[str, ...]
    keeps: str
    read: Reader | None = None
    write: Writer | None = None


class MeshReader(Protocol):
    """Reads a file that holds a mesh already."""

    def __call__(self, path: Path, *, dim: int | None) -> Reading:
        """Return the mesh in `path`; raises `ReadError`."""
        ...


def mesh_file(reader: MeshReader) -> Reader:
    """Return the reader of a format that holds meshes: it refuses `size` and `order`, which are for CAD."""

    def read(path: Path, *, size: float | None, dim: int | None, order: int | None) -> Reading:
        given = [name for name, value in (("size", size), ("order", order)) if value is not None]
        if given:
            raise ReadError(f"{path.name} is a mesh: {' and '.join(given)} applies to CAD only; leave it out.")
        return reader(path, dim=dim)

    return read
