"""What a file format is to the rest of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypedDict, Unpack

from geometries.build import Reading
from geometries.errors import ReadError, nearest
from geometries.mesh import Mesh

# Reads a file that exists: called with its path, `size`, `dim`, `order`, and those of the format's `takes` that are
# asked for; returns a `Reading` or raises `ReadError`.
Reader: TypeAlias = Callable[..., Reading]


class Options(TypedDict, total=False):
    """How to read a file; a format refuses what does not apply to it.

    Args:
        size: Target edge length, in the unit of the result, of CAD or of what fills a closed surface; by default a
            twentieth of the diagonal.
        dim: Dimension of the cells, the highest in the file by default; 3 fills a closed surface (STL, OBJ, PLY, OFF).
        order: 1 for straight cells, 2 for cells with mid-nodes (CAD only).
        heal: Sew the faces of a CAD file without solids, and make solids of them.
        trust: Run the file, a program: .geo only. It can do whatever you can.
        repair: Merge points that coincide, and drop empty and duplicate cells.
        unit: Unit of the result, such as m, mm or in; or mm:m where the file does not tell its own.
        zone: Which one of several that a file holds, by name or by number from 1: zones of SU2, meshes of MED, bases of
            CGNS.
    """

    size: float | None
    dim: int | None
    order: int | None
    heal: bool
    trust: bool
    repair: bool
    unit: str | None
    zone: str | None


class Writer(Protocol):
    """Writes a mesh; an existing file is replaced only by a whole one."""

    def __call__(self, mesh: Mesh, path: Path) -> None:
        """Write `mesh` to `path`; raises `WriteError`."""
        ...


@dataclass(frozen=True)
class Format:
    """A file format: its name, extensions in lower case with the dot, how to read and write it, what names it keeps.

    `takes` are those of the options `heal`, `trust` and `zone` that its reader has; `unit` is what all its meshes have.
    `fields` tells whether data on points and cells is written, `sets` which names; `surface` that of a volume the outer
    surface is, whose regions are the volume's boundaries.
    """

    name: str
    extensions: tuple[str, ...]
    keeps: str
    read: Reader | None = None
    write: Writer | None = None
    takes: tuple[str, ...] = ()
    unit: str | None = None
    fields: bool = False
    sets: tuple[str, ...] = ("regions", "boundaries")
    surface: bool = False

    def not_written(self, mesh: Mesh) -> list[str]:
        """Return, as problems to tell, what of a mesh `write` leaves out."""
        skin = self.surface and mesh.dim == 3
        sets = ("boundaries",) if skin and self.sets else self.sets
        kept = (*sets, "fields") if self.fields else sets
        held = {"regions": mesh.regions, "boundaries": mesh.boundaries, "fields": {**mesh.point_data, **mesh.cell_data}}
        lost = {what: names for what, names in held.items() if names and what not in kept}
        out = [f"{self.name} holds surfaces: the outer one is written"] if skin else []
        return out + [f"{what} are not written: {', '.join(names)}" for what, names in lost.items()]

    def open(self, path: Path, **options: Unpack[Options]) -> Reading:
        """Read `path`, which exists, by the options that are for readers; raises `ReadError` for one not in `takes`."""
        asked = {name: options[name] for name in ("heal", "trust", "zone") if options.get(name)}
        wrong = [name for name in asked if name not in self.takes]
        if wrong or self.read is None:
            raise ReadError(f"{path.name} is read as {self.name}: {wrong[0] if wrong else 'reading'} does not apply.")
        shape = {name: options.get(name) for name in ("size", "dim", "order")}
        return self.read(path, **shape, **asked)


class MeshReader(Protocol):
    """Reads a file that holds a mesh already."""

    def __call__(self, path: Path, *, dim: int | None, **more: str) -> Reading:
        """Return the mesh in `path`; raises `ReadError`. `more` is `zone` where the format takes it."""
        ...


def mesh_file(reader: MeshReader) -> Reader:
    """Return the reader of a format that holds meshes: it refuses `size` and `order`, which are for CAD."""

    def read(path: Path, *, size: float | None, dim: int | None, order: int | None, **more: str) -> Reading:
        given = [name for name, value in (("size", size), ("order", order)) if value is not None]
        if given:
            raise ReadError(f"{path.name} is a mesh: {' and '.join(given)} applies to CAD only; leave it out.")
        return reader(path, dim=dim, **more)

    return read


def unread(names: Iterable[str]) -> list[str]:
    """Return, as a problem to tell, that fields of these names are in a file and not read; nothing without any."""
    distinct = list(dict.fromkeys(name.strip() for name in names))
    shown = ", ".join(distinct[:8]) + (", ..." if len(distinct) > 8 else "")
    return [f"fields are not read: {shown}"] if distinct else []


def chosen(names: Sequence[str], wanted: str | None, *, file: str, what: str) -> int:
    """Return the place in `names` of the part of a file that is `wanted`, by name or by number from 1; its only one.

    Raises `ReadError` where there is none, or several and none is wanted.
    """
    if wanted in names:
        return names.index(wanted)
    if len(names) == 1 and wanted is None:
        return 0
    if wanted and wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    if wanted or not names:
        raise ReadError(f"{file} holds no {what}{f' {wanted!r}; {nearest(wanted, names)}' if wanted else '.'}")
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise ReadError(
        f"{file} holds more than one {what}: {shown}; choose one by name or number, such as zone={names[0]!r} "
        f"(--zone {names[0]})."
    )
