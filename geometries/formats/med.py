"""MED (Salome, code_aster), .med: read from its HDF5 in a child process, written by gmsh in one.

Groups of cells, of any dimension, become regions and boundaries. A group of nodes becomes the boundary of the outer
sides whose corners are all in it, unless facets have a group of that name.

Layout: https://docs.salome-platform.org/latest/dev/MEDCoupling/developer/med-file.html, and files of Salome and gmsh.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats import msh
from geometries.formats._hdf5 import SIGNATURE, Node, opened, text
from geometries.formats._sets import check_names, facets
from geometries.formats.base import Format, chosen, mesh_file, unread
from geometries.mesh import Mesh
from geometries.units import METRES

Ints = NDArray[np.int64]
_LONGEST_NAME = 80  # bytes; the file pads names to it
_WITHOUT = ("wedge18", "pyramid14")  # gmsh writes these wrongly or not at all
# Volumes are numbered in the mirror image of ours: their first facet turns inwards
_KINDS = {
    "PO1": "vertex", "SE2": "line", "SE3": "line3", "TR3": "triangle", "TR6": "triangle6", "QU4": "quad",
    "QU8": "quad8", "QU9": "quad9", "TE4": "tetra", "T10": "tetra10", "PY5": "pyramid", "P13": "pyramid13",
    "PE6": "wedge", "P15": "wedge15", "P18": "wedge18", "HE8": "hexahedron", "H20": "hexahedron20",
    "H27": "hexahedron27",
}  # fmt: skip
_MIDDLES = (21, 23, 24, 22, 20, 25, 26)  # of the facets of H27, which go around from the bottom to the top, and of it
_UNIT = 16  # bytes for each axis


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None, zone: str | None = None) -> Reading:
    """Return the mesh in a .med file: its only one, or the one that `zone` names; of time steps the first is read.

    Raises `ReadError` for structured grids, polygons and polyhedra, and for files before version 3.
    """
    with path.open("rb") as stream:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            raise ReadError(f"{path.name} does not begin like HDF5; expected a .med file of version 3 or later.")
    found = call("geometries.formats.med:model", {"path": str(path), "zone": zone})
    unit = found.pop("unit")
    return replace(mesh_from_blocks(**found, dim=dim), unit=unit)


def model(path: str, zone: str | None = None) -> dict[str, Any]:
    """Read a .med file: the child's side of `read`."""
    with opened(path) as root:
        meshes = root.child("ENS_MAA")
        names = [name for name, _ in meshes.children()] if meshes else []
        name = names[chosen(names, zone, file=root.file, what="mesh")]
        mesh = meshes.child(name) if meshes else None
        steps = [step for _, step in mesh.children() if step.child("NOE")] if mesh else []
        if not mesh or mesh.attribute("TYP") not in (0, None) or not steps:
            what = "a structured grid" if mesh and mesh.attribute("TYP") else "no nodes where version 3 has them"
            raise ReadError(
                f"{root.file}: the mesh {name!r} holds {what}; write it as an unstructured one (MED 3 or 4)."
            )
        if mesh.attribute("REP"):
            raise ReadError(f"{root.file}: the mesh {name!r} is in polar coordinates; expected Cartesian ones.")
        told = [f"{len(steps) - 1} further time steps are not read"] if len(steps) > 1 else []
        fields = root.child("CHA")
        told += unread(name for name, _ in fields.children()) if fields else []
        return {**_step(steps[0], root.child("FAS"), mesh, name), "problems": told, "unit": _unit(mesh)}


def _step(step: Node, families: Node | None, mesh: Node, name: str) -> dict[str, Any]:
    own = families.child(name) if families else None
    of_nodes, of_cells = (_groups(own.child(kind) if own else None) for kind in ("NOEUD", "ELEME"))
    nodes = step.child("NOE")
    coordinates = nodes.array("COO") if nodes else None
    width = mesh.attribute("ESP")
    if nodes is None or coordinates is None or width not in (1, 2, 3) or coordinates.size % width:
        raise ReadError(f"{step.file} has no coordinates for {width} axes; it is damaged.")
    points = coordinates.reshape(width, -1).T.astype(np.float64)
    member = _family(nodes, len(points))
    return {
        "points": points,
        "blocks": [_block(kind, node, of_cells) for kind, node in _cells(step)],
        "node_sets": {group: np.flatnonzero(np.isin(member, numbers)) for group, numbers in of_nodes.items()},
    }


def _cells(step: Node) -> list[tuple[str, Node]]:
    cells = step.child("MAI")
    found = list(cells.children()) if cells else []
    unknown = [kind for kind, node in found if kind not in _KINDS or "NOD" not in node.names()]
    if unknown:
        raise ReadError(
            f"{step.file} holds cells of type {unknown[0]}; expected those of order 1 or 2, by their nodes."
        )
    return found


def _block(kind: str, node: Node, groups: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return cells of one type: the file lists the first nodes of all, then the second ones."""
    cell = CELLS[_KINDS[kind]]
    stored = node.array("NOD")
    if stored is None or stored.size % cell.nodes or stored.dtype.kind not in "iu":
        raise ReadError(f"{node.file} has {kind} cells that do not have {cell.nodes} nodes each; it is damaged.")
    nodes = stored.reshape(cell.nodes, -1).T.astype(np.int64) - 1
    member = _family(node, len(nodes))
    names = {group: np.flatnonzero(np.isin(member, numbers)) for group, numbers in groups.items()}
    order = list(cell.mirror) if cell.dim == 3 else list(range(cell.nodes))
    if kind == "H27":
        order[20:] = _MIDDLES
    return {"kind": cell.name, "nodes": nodes[:, order], "names": {k: rows for k, rows in names.items() if len(rows)}}


def _family(node: Node, count: int) -> Ints:
    """Return (count,) the family of each node or cell; 0, in no group, where the file does not tell."""
    stored = node.array("FAM")
    if stored is not None and len(stored) != count:
        raise ReadError(f"{node.file} has {len(stored)} families at {node.place!r} and {count} entries; it is damaged.")
    return np.zeros(count, np.int64) if stored is None else stored.astype(np.int64)


def _groups(families: Node | None) -> dict[str, list[int]]:
    """Return {group: numbers of the families that are in it}."""
    out: dict[str, list[int]] = {}
    for _, family in families.children() if families else ():
        group = family.child("GRO")
        labels = group.array("NOM") if group else None
        number = family.attribute("NUM")
        if labels is not None and isinstance(number, int):
            for label in labels.reshape(-1, labels.shape[-1]):
                out.setdefault(text(label), []).append(number)
    return out


def _unit(mesh: Node) -> str | None:
    given = mesh.attribute("UNI")
    label = text(given[:_UNIT]) if isinstance(given, bytes) else ""
    return label if label in METRES else None


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write .med with a group for each region and each boundary; sets may overlap.

    Sides of an interface are written as facets: which of the two cells they belong to is lost.
    Raises `WriteError` for names above 80 bytes, cells that the format does not have, and several types of one shape.
    """
    unknown = [kind for kind in mesh.cells if kind in _WITHOUT]
    if unknown:
        raise WriteError(f"the mesh holds {unknown[0]}, which .med does not; write .msh or .vtu.")
    kinds = {**mesh.cells, **{kind: nodes for kind, nodes, _ in facets(mesh)[0]}}
    for one, other in itertools.combinations(kinds, 2):
        if (CELLS[one].dim, CELLS[one].corners) == (CELLS[other].dim, CELLS[other].corners):
            raise WriteError(f"the mesh mixes {one} and {other}, which gmsh writes wrongly; write .msh or .vtu.")
    check_names([*mesh.regions, *mesh.boundaries], ".med", longest=_LONGEST_NAME, without='"')
    with tempfile.TemporaryDirectory() as folder, atomic_write(path) as temporary:
        ours = Path(folder) / "mesh.msh"
        msh.write(mesh, ours)
        try:
            call("geometries.formats._by_gmsh:convert", {"path": str(ours), "to": str(temporary)})
        except ReadError as error:
            raise WriteError(f"cannot write {str(path)!r}: {error}") from None


FORMAT = Format(
    "med",
    (".med",),
    "groups of cells as regions and boundaries, of nodes as boundaries; overlapping ones too; unit",
    read=mesh_file(read),
    write=write,
    takes=("zone",),
)
