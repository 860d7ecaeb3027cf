"""STEP, IGES and BREP to meshes with named regions and boundaries, by gmsh's OpenCASCADE in a child process."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geometries import units
from geometries.build import Reading, dropping_empty_cells, mesh_from_blocks
from geometries.child import TIMEOUT, Child
from geometries.errors import CadError, NoVolumeCells, ReaderCrashed, ReadError
from geometries.files import existing
from geometries.mesh import Mesh

EXTENSIONS = (".step", ".stp", ".iges", ".igs", ".brep")
MOST_CELLS = 5e6
_DEFAULT = 20  # cells along the diagonal of the bounding box
_FALLBACKS = ((40, 6), (20, 1))  # cells along the diagonal, gmsh's surface algorithm: measured on parts that fail
_CELLS_PER_CUBE = {2: 4 / math.sqrt(3), 3: 6 * math.sqrt(2)}  # regular simplices of edge 1 in a unit square, cube


@dataclass(frozen=True)
class Survey:
    """What a CAD file holds: numbers of solids and faces, size, whether it lies in a plane z = constant."""

    solids: int
    faces: int
    diagonal: float
    volume: float
    area: float
    flat: bool


def read_cad(
    path: str | Path,
    *,
    size: float | None = None,
    dim: int | None = None,
    order: int = 1,
    heal: bool = False,
    timeout: float = TIMEOUT,
) -> Reading:
    """Mesh a STEP, IGES or BREP file with simplices of edge `size` and `order` 1 or 2.

    `size` is in the mesh's unit, millimetres for STEP and IGES whatever the file's own; default: a 20th of the bounding
    box's diagonal. `dim` 3 meshes solids, 2 surfaces; default: 3, or 2 for a flat drawing.

    Solids become regions and faces boundaries (faces and edges where `dim` is 2), under the names in the file: several
    with one name form one set. What has no name is called `solid1`, `face1`, `edge1`, ... by its place in the file,
    and by its colour too, as `color #rrggbb`. Solids that touch share the nodes of their interface, which is a
    boundary by the names of either face.

    `heal` sews the faces of a file without solids and makes solids of what closes: `problems` says what came of it.

    A part that does not mesh is tried with a 40th and a 20th of the diagonal: `problems` says so.
    Raises `CadError` (with the faces at fault where gmsh tells them), `NoVolumeCells` for a file of surfaces where
    `dim` is 3, `ReadError` where the file is not what its extension says or the kernel crashes or exceeds `timeout`.
    """
    file = existing(path)
    if order not in (1, 2):
        raise CadError(f"order is {order!r}; expected 1 or 2.")
    if size is not None and not (math.isfinite(size) and size > 0):
        raise CadError(f"size is {size!r}; expected an edge length above 0.")
    check_content(file)
    end = time.monotonic() + timeout
    with Child() as child:
        asked = {"path": str(file), "heal": heal}
        survey = Survey(**child.call("geometries.cad_model:survey", asked, timeout=timeout))
        dim = _dimension(file, survey, dim)
        tries = list(_attempts(file, survey, size, dim))
        raw, used = _first_mesh(child, file, tries, {"dim": dim, "order": order, "heal": heal}, end)
    if used != tries[0]:
        raw["problems"].append(f"size {tries[0]['size']:.4g} does not mesh; meshed at size {used['size']:.4g}")
    unit = None if file.suffix.lower() == ".brep" else "mm"
    return replace(mesh_from_blocks(**raw, dim=dim), unit=unit, file_unit=units.of_cad(file))


def faces_at_fault(path: str | Path, *, timeout: float = 60.0) -> Mesh:
    """Return the faces of a part that does not mesh, to look at: a coarse surface whose regions are those at fault.

    Where meshing crashes or takes longer than `timeout`, no fault is known and faces are grids of their parameters.
    Raises `CadError` where the file cannot be read, or holds no faces.
    """
    file = existing(path)
    check_content(file)
    with Child() as child:
        found = Survey(**child.call("geometries.cad_model:survey", {"path": str(file)}, timeout=timeout))
        values = {"path": str(file), "size": (found.diagonal or 1.0) / _DEFAULT}
        try:
            raw = child.call("geometries.cad_model:faces", values, timeout=timeout)
        except ReaderCrashed:
            raw = child.call("geometries.cad_model:faces", {**values, "try_mesh": False}, timeout=timeout)
    with dropping_empty_cells(True):
        return mesh_from_blocks(**raw, dim=2).mesh


def check_content(file: Path) -> None:
    """Raise `ReadError` unless the first bytes are those of the format that the extension names."""
    with file.open("rb") as stream:
        start = stream.read(512)
    expected = {
        "STEP": b"ISO-10303-21" in start,
        "IGES": start[72:73] == b"S",
        "BREP": b"DBRep_DrawableShape" in start or b"CASCADE Topology" in start,
    }
    kind = {".step": "STEP", ".stp": "STEP", ".iges": "IGES", ".igs": "IGES"}.get(file.suffix.lower(), "BREP")
    if not expected[kind]:
        raise ReadError(f"{file.name} does not begin like a {kind} file; expected what its extension says.")


def _dimension(file: Path, survey: Survey, dim: int | None) -> int:
    if dim is not None and dim not in (2, 3):
        raise CadError(f"dim is {dim!r}; expected 2 or 3.")
    if survey.faces == 0:
        raise CadError(f"{file.name} holds no solids and no surfaces; expected a part.")
    if dim is None and survey.solids == 0 and survey.flat:
        return 2
    if dim != 2 and survey.solids == 0:
        raise NoVolumeCells(
            f"{file.name} holds {survey.faces} surfaces and no solid; export it as a solid (STEP), "
            "have them sewn into one with heal=True (--heal), or mesh its surfaces with dim=2 (--dim 2)."
        )
    return dim or 3


def _attempts(file: Path, survey: Survey, size: float | None, dim: int) -> Iterator[dict[str, float]]:
    """Yield sizes and algorithms to try in turn; refuse a first one that gives too many cells."""
    first = size or survey.diagonal / _DEFAULT
    cells = max(
        _CELLS_PER_CUBE[2] * survey.area / first**2,
        _CELLS_PER_CUBE[3] * survey.volume / first**3 if dim == 3 else 0.0,
    )
    if cells > MOST_CELLS:
        raise CadError(
            f"size {first:g} would give {file.name} about {cells:.1e} cells; expected at most {MOST_CELLS:.0e}: "
            f"take a larger size (the part's diagonal is {survey.diagonal:.4g})."
        )
    yield {"size": first, "algorithm": 6}
    for count, algorithm in _FALLBACKS:
        yield {"size": survey.diagonal / count, "algorithm": algorithm}


def _first_mesh(
    child: Child, file: Path, tries: list[dict[str, float]], options: dict[str, int], end: float
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the first attempt that gives a mesh, and its settings; raise the first one's error if none does."""
    failures: list[ReadError] = []
    for settings in tries:
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            values = {"path": str(file), **settings, **options}
            return child.call("geometries.cad_model:mesh", values, timeout=left), settings
        except ReadError as error:
            failures.append(error)
    raise failures[0] if failures else CadError(f"{file.name} took too long to read; allow it more time.")
