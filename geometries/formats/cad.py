"""STEP, IGES, BREP: shapes, meshed when they are read."""

from __future__ import annotations

from pathlib import Path

from geometries.build import Reading
from geometries.cad import read_cad
from geometries.formats.base import Format


def _read(path: Path, *, size: float | None, dim: int | None, order: int | None, heal: bool = False) -> Reading:
    return read_cad(path, size=size, dim=dim, order=1 if order is None else order, heal=heal)


_KEPT = "names and colours of solids and faces, unit"
STEP = Format("step", (".step", ".stp"), _KEPT, read=_read, takes=("heal",), unit="mm")
IGES = Format("iges", (".iges", ".igs"), _KEPT, read=_read, takes=("heal",), unit="mm")
BREP = Format("brep", (".brep",), "nothing: solids and faces are numbered", read=_read, takes=("heal",))
