"""CGNS, .cgns: read from its HDF5 in a child process; older files, in ADF, by gmsh in one.

A boundary condition becomes a boundary (of cells: a region), by its own name and by that of its family; one that its
family specifies, by the family's. Where a zone has none, sections of facets are boundaries. Several zones become one
mesh whose points at exactly one place are joined, and a region each.

Layout: https://cgns.github.io/standard/SIDS/CGNS_SIDS.html and https://cgns.github.io/standard/FMM/hdf5.html.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from geometries.build import Reading, mesh_from_blocks
from geometries.child import call
from geometries.errors import ReadError
from geometries.formats import _by_gmsh
from geometries.formats._cgns_zone import data, kept, labelled, zone_mesh
from geometries.formats._hdf5 import SIGNATURE, Node, opened, text
from geometries.formats.base import Format, chosen, mesh_file, unread
from geometries.parts import merged

_ADF = b"@(#)ADF"  # within the first bytes of older files
_ADF_LINK = b"LK".ljust(32)  # the type of data of a node that stands for another, in any file


def read(path: Path, *, dim: int | None = None, zone: str | None = None) -> Reading:
    """Return the mesh in a .cgns file: its only base, or the one that `zone` names.

    Raises `ReadError` for polyhedra, cells above the second order, polar coordinates, and links to other files.
    """
    with path.open("rb") as stream:
        start = stream.read(32)
    if _ADF in start and zone is None:
        if _ADF_LINK in path.read_bytes():
            raise ReadError(f"{path.name} takes parts from other files, by links; expected a .cgns file without links.")
        return _by_gmsh.read(path, ".cgns", dim=dim)
    if not start.startswith(SIGNATURE):
        raise ReadError(f"{path.name} begins neither like HDF5 nor like ADF; expected a .cgns file.")
    found = call("geometries.formats.cgns:model", {"path": str(path), "zone": zone})
    if len(found["zones"]) == 1:
        ((_, only),) = found["zones"]
        reading = mesh_from_blocks(**only, dim=dim)
    else:
        parts = [(name, mesh_from_blocks(**one)) for name, one in found["zones"]]
        reading = merged([(name, part.mesh) for name, part in parts], dim)
        told = tuple(f"zone {name}: {problem}" for name, part in parts for problem in part.problems)
        reading = replace(reading, problems=(*told, *reading.problems))
    return replace(reading, problems=(*found["problems"], *reading.problems), unit=found["unit"])


def model(path: str, zone: str | None = None) -> dict[str, Any]:
    """Read a .cgns file: the child's side of `read`."""
    with opened(path) as root:
        bases = dict(labelled(root, "CGNSBase_t"))
        base = bases[list(bases)[chosen(list(bases), zone, file=root.file, what="base")]]
        sizes = data(base)
        if sizes is None or sizes.size != 2 or not 1 <= sizes.min() <= sizes.max() <= 3:
            raise ReadError(f"{root.file} does not tell the dimensions of its base; it is damaged.")
        families = {name: _family_names(name, node) for name, node in labelled(base, "Family_t")}
        zones = [(name, zone_mesh(node, int(sizes.flat[0]), families)) for name, node in labelled(base, "Zone_t")]
        if not zones:
            raise ReadError(f"{root.file} holds no zone; expected at least one.")
        solutions = [node for _, zone in labelled(base, "Zone_t") for _, node in labelled(zone, "FlowSolution_t")]
        fields = [name for node in solutions for name, _ in labelled(node, "DataArray_t")]
        return {"zones": zones, "problems": unread(fields), "unit": _unit(base)}


def _family_names(name: str, family: Node) -> list[str]:
    """Return what a family is called: the names of the families that it belongs to, if any, else its own."""
    return [title for title, _ in labelled(family, "FamilyName_t")] or [name]


def _unit(base: Node) -> str | None:
    """Return the unit of length, the second of five words of 32 letters."""
    found = kept(base, "DataClass_t", "DimensionalUnits_t").get("DimensionalUnits_t")
    words = data(found) if found else None
    length = text(words.reshape(-1, 32)[1]) if words is not None and words.size % 32 == 0 and words.size > 32 else ""
    return {"Meter": "m", "Centimeter": "cm", "Millimeter": "mm", "Foot": "ft", "Inch": "in"}.get(length)


FORMAT = Format(
    "cgns",
    (".cgns",),
    "boundary conditions as boundaries, families, several zones as regions; unit",
    read=mesh_file(read),
    takes=("zone",),
)
