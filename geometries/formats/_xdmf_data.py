"""The arrays that an XDMF file names: in its text, or in HDF5 files in its own folder, read in a child process."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from geometries.child import call
from geometries.errors import ReadError
from geometries.formats import _text, _xml
from geometries.formats._hdf5 import Node, opened

Array = NDArray[np.generic]
_KINDS = {"Float": "f", "Int": "i", "UInt": "u", "Char": "i", "UChar": "u"}
_MOST_FILES = 50


class Items:
    """The arrays of the `DataItem` elements of a file; all that lie in HDF5 are read at once."""

    def __init__(self, path: Path, root: ElementTree.Element) -> None:
        """Read what the elements under `root` refer to; raises `ReadError` for what is missing or elsewhere."""
        self._path = path
        wanted: dict[str, list[str]] = {}
        for item in root.iter("DataItem"):
            if item.get("Format", "XML").upper() == "HDF" and _is_plain(item):
                file, place = _address(item, path)
                wanted.setdefault(file, []).append(place)
        if len(wanted) > _MOST_FILES:
            raise ReadError(f"{path.name} names {len(wanted)} HDF5 files; expected at most {_MOST_FILES}.")
        self._found = {file: _read(path, file, list(dict.fromkeys(places))) for file, places in wanted.items()}

    def array(self, item: ElementTree.Element | None) -> Array:
        """Return the array of a `DataItem`, in the shape that it declares."""
        if item is None or not _is_plain(item):
            kind = "no DataItem" if item is None else f"a DataItem of type {item.get('ItemType')}"
            raise ReadError(f"{self._path.name} has {kind} where numbers belong; expected one of type Uniform.")
        shape = _shape(item, self._path)
        stored = item.get("Format", "XML").upper()
        if stored == "HDF":
            file, place = _address(item, self._path)
            values = self._found[file][place]
        elif stored == "XML":
            values = _text.numbers((item.text or "").encode(), self._path.name)
            kind = _KINDS.get(item.get("NumberType") or item.get("DataType") or "Float")
            values = values if kind in (None, "f") else _text.integers(values, self._path.name)
        else:
            raise ReadError(f"{self._path.name} keeps numbers as {stored}; expected HDF or XML: convert it.")
        if values.size != math.prod(shape):
            raise ReadError(f"{self._path.name} declares {shape} numbers and holds {values.shape}; it is damaged.")
        return values.reshape(shape)


def _is_plain(item: ElementTree.Element) -> bool:
    return item.get("ItemType", "Uniform") == "Uniform" and item.get("Reference") is None


def _shape(item: ElementTree.Element, path: Path) -> tuple[int, ...]:
    words = item.get("Dimensions", "").split()
    if not words or not all(w.isdecimal() and len(w) < 13 for w in words):
        raise ReadError(f"{path.name} has a DataItem of dimensions {item.get('Dimensions')!r}; expected whole numbers.")
    return tuple(int(w) for w in words)


def _address(item: ElementTree.Element, path: Path) -> tuple[str, str]:
    """Return the file and the place in it of `FILE:/PLACE`."""
    file, colon, place = (item.text or "").strip().partition(":")
    if not colon or not place.strip("/") or "/" in file or not file:
        raise ReadError(
            f"{path.name} names {(item.text or '').strip()[:80]!r}; expected FILE:/PLACE in its own folder."
        )
    return file, place


def _read(path: Path, file: str, places: list[str]) -> dict[str, Array]:
    own = _xml.beside(path, file)
    return call("geometries.formats._xdmf_data:arrays", {"path": str(own), "places": places})


# -- the child's side --------------------------------------------------------------------------------------------------
def arrays(path: str, places: list[str]) -> dict[str, Any]:
    """Return the arrays at `places` of an HDF5 file."""
    with opened(path) as root:
        return {place: _one(root, place) for place in places}


def _one(root: Node, place: str) -> Array:
    *groups, name = place.strip("/").split("/")
    at: Node | None = root
    for group in groups:
        at = at.child(group) if at else None
    found = at.array(name) if at else None
    if found is None:
        raise ReadError(f"{root.file} has no array of its own at {place!r}; expected what the XDMF file names.")
    return found
