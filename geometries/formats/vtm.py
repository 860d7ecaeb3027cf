"""VTK's multiblock files: parts in files beside it, merged; whose names are those of the blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from geometries.build import Reading
from geometries.errors import ReadError
from geometries.files import existing
from geometries.formats import _xml, vtk, vtp, vtu
from geometries.formats.base import Format, mesh_file
from geometries.parts import merged

_READERS = {".vtu": vtu.read, ".vtk": vtk.read, **dict.fromkeys(vtp.FORMAT.extensions, vtp.read)}
_LARGEST = 2**20
_MOST_PARTS = 500


def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the parts as one mesh: points at one place are one, each part is a region by the names of its blocks.

    Parts one dimension lower become boundaries. Raises `ReadError` for parts outside the file's own folder.
    """
    named = parts_of(path)
    if not 0 < len(named) <= _MOST_PARTS:
        raise ReadError(f"{path.name} names {len(named)} parts; expected 1 to {_MOST_PARTS}.")
    readings = [(name, _READERS[part.suffix.lower()](part)) for name, part in named]
    found = merged([(name, reading.mesh) for name, reading in readings], dim)
    told = [f"{name}: {problem}" for name, reading in readings for problem in reading.problems]
    return Reading(mesh=found.mesh, problems=(*told, *found.problems))


def parts_of(path: Path) -> list[tuple[str, Path]]:
    """Return (name, file) of the parts; raises `ReadError` for files that are not of the format."""
    root = _xml.parsed(existing(path, largest=_LARGEST))
    if root.tag != "VTKFile" or not len(root):
        raise ReadError(f"{path.name} is no VTK multiblock file; expected the element VTKFile.")
    return list(_parts(root[0], "", path))


def _parts(element: ElementTree.Element, name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name, file) of the parts; one without a name of its own has that of the block around it."""
    for i, child in enumerate(element):
        own = child.get("name") or name or f"block{i}"
        if child.tag == "DataSet" and child.get("file"):
            part = _xml.beside(path, child.get("file", ""))
            if part.suffix.lower() not in _READERS:
                raise ReadError(f"{path.name} names the part {part.name!r}; expected {', '.join(_READERS)}.")
            yield own, part
        else:
            yield from _parts(child, own if child.tag in ("Block", "Piece") else name, path)


FORMAT = Format("vtm", (".vtm",), "names of blocks, data; parts in its own folder", read=mesh_file(read))
