"""Abaqus and CalculiX decks (.inp), read and written here; AVS-UCD files, which share the extension, are recognised.

Sets of elements become regions; element-face surfaces, and sets of nodes that hold whole outer sides, boundaries. The
conditions of a steady heat problem, and of a linear static one, come as `Reading.loads`. Sources: the CalculiX CrunchiX
and Abaqus keyword manuals.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, Reading, mesh_from_blocks
from geometries.cells import CELLS, FACETS
from geometries.deck import Loads
from geometries.errors import ReadError
from geometries.files import existing
from geometries.formats import _inp_ucd
from geometries.formats._inp_assign import Numbering
from geometries.formats._inp_deck import LARGEST, read_deck
from geometries.formats._inp_loads import read_loads
from geometries.formats._inp_model import Model, Set, all_faces, read_model
from geometries.formats._inp_read_solid import is_solid, read_solid
from geometries.formats._inp_write import write_deck
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh

Ints = NDArray[np.int64]
_NODE, _CELL = "node", "cell"


def read(path: str | Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a deck with its names, the conditions in `loads`, and in `problems` what is not carried.

    Parts and instances are placed; their sets are called `Instance.Set`. *INCLUDE is followed in its folder only.
    Raises `ReadError` for what is damaged, refers to nodes that are nowhere, or makes its mesh by rules (*NGEN, ...).
    """
    file = existing(path, largest=LARGEST)
    first = _first_line(file)
    if _inp_ucd.HEADER.fullmatch(first):
        return _inp_ucd.read(file, dim=dim)
    if not first.lstrip(b"> \t").startswith(b"*"):
        raise ReadError(f"{file.name} does not begin like a deck (*KEYWORD) or an AVS-UCD file; expected one of them.")
    deck = read_deck(file)
    model = read_model(deck)
    if not model.elements:
        others = ", ".join(f"{n} {kind}" for kind, n in model.left_out.items()) or "none at all"
        raise ReadError(f"{file.name} holds no elements that are cells (found: {others}).")
    reading, numbering = _mesh(model, dim)
    read_problem = read_solid if is_solid(deck, model, reading.mesh) else read_loads
    loads, mesh, notes = read_problem(deck, model, reading.mesh, numbering)
    skipped = [f"{n} elements of type {kind or 'none'} are no cells: left out" for kind, n in model.left_out.items()]
    problems = (*model.problems, *skipped, *_other_dimensions(model, mesh), *reading.problems, *notes)
    return replace(reading, mesh=mesh, problems=tuple(dict.fromkeys(problems)), loads=loads)


def write(mesh: Mesh, path: str | Path, *, loads: Loads | None = None) -> None:
    """Write nodes, elements, regions as *ELSET, boundaries as *SURFACE and as *NSET; `loads` as a steady step.

    Numbers take at most 20 characters, as CalculiX reads them: all 17 digits where they fit, at least 13 else. Heat: a
    flux and an exchange that vary are written by face, their mean; a temperature that varies by node; a source by
    element. Elasticity: see `geometries.formats._inp_write_solid.solid_lines`. Raises `WriteError` for cell types that
    no element has, names that begin or end with blanks, coefficients that vary within a region, what a deck cannot
    hold, and where the system refuses.
    """
    write_deck(mesh, path, loads)


def _first_line(path: Path) -> bytes:
    """Return the first line that is not blank and no comment of AVS."""
    with path.open("rb") as stream:
        start = stream.read(65536).removeprefix(b"\xef\xbb\xbf").splitlines()
    return next((line for line in start if line.strip() and not line.lstrip().startswith(b"#")), b"")


def _mesh(model: Model, dim: int | None) -> tuple[Reading, Numbering]:
    """Return the mesh, and the points and cells that the model's nodes and elements became."""
    blocks = [*_cells(model), *_sides(model)]
    nodes = {s.name: s.items for s in model.nsets.values() if s.name and s.name not in _surface_names(model)}
    reading = mesh_from_blocks(
        model.points, blocks, dim=dim, point_data={_NODE: np.arange(len(model.points))}, node_sets=nodes
    )
    mesh = reading.mesh
    count = sum(len(b.nodes) for b in model.elements)
    numbering = Numbering(_inverse(mesh.point_data[_NODE], len(model.points)), _inverse(mesh.cell_data[_CELL], count))
    free = {s.name for s in model.surfaces.values() if any(not label for _, label in s.faces)}
    outer = mesh.facet_ids(mesh.outer)
    boundaries = {k: v[np.isin(mesh.facet_ids(v), outer)] if k in free else v for k, v in mesh.boundaries.items()}
    return replace(reading, mesh=replace(mesh, boundaries=boundaries, point_data={}, cell_data={})), numbering


def _inverse(numbers: NDArray[np.generic], size: int) -> Ints:
    out = np.full(size, -1)
    out[numbers] = np.arange(len(numbers))
    return out


def _surface_names(model: Model) -> set[str | None]:
    return {s.name for s in model.surfaces.values()}


def _cells(model: Model) -> list[Block]:
    """Return the elements with the sets that they are in; a surface of a shell's own side is a set too."""
    sets = [(s.name, s.items) for s in model.elsets.values() if s.name]
    sets += [(s.name, cells) for s in model.surfaces.values() if s.name for cells in _whole(model, s)]
    out = []
    for block in model.elements:
        end = block.first + len(block.nodes)
        names: dict[str, Ints] = {}
        for name, items in sets:
            rows = items[(items >= block.first) & (items < end)] - block.first
            if len(rows):
                names[name] = np.concatenate([names.get(name, rows[:0]), rows])
        data = {_CELL: np.arange(block.first, end)}
        out.append(Block(kind=block.type.kind, nodes=block.nodes, names=names, data=data))
    return out


def _whole(model: Model, surface: Set) -> list[Ints]:
    return [items[at] for items, label in surface.faces for _, at, _, own in model.facets(items, label or "S1") if own]


def _sides(model: Model) -> list[Block]:
    """Return the faces of surfaces as cells of one dimension less."""
    out = []
    for surface in model.surfaces.values():
        for items, given in surface.faces:
            labels = [given] if given else sorted({x for b in model.elements for x in all_faces(b.type)})
            for label in labels:
                for _, _, corners, own in model.facets(items, label):
                    if surface.name and not own:
                        facet = FACETS[corners.shape[1]]
                        out.append(Block(kind=facet, nodes=corners, names={surface.name: np.arange(len(corners))}))
    return out


def _other_dimensions(model: Model, mesh: Mesh) -> list[str]:
    """Tell of elements that are not of the mesh's dimension."""
    counts: dict[int, int] = {}
    for block in model.elements:
        dim = CELLS[block.type.kind].dim
        counts[dim] = counts.get(dim, 0) + len(block.nodes)
    left = {d: n for d, n in counts.items() if d != mesh.dim}
    kept = {mesh.dim - 1: "kept as named sides"}
    return [f"{n} elements of dimension {d}: {kept.get(d, 'left out')}" for d, n in left.items()]


FORMAT = Format(
    "inp", (".inp",), "sets, surfaces, conditions, coefficients; AVS-UCD is read too", read=mesh_file(read), write=write
)
