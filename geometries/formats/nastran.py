"""Nastran's bulk data, .bdf .nas .fem: regions by property, boundaries by skin elements, SPC and PLOAD.

Source of the cards' fields: MSC Nastran Quick Reference Guide, bulk data entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.child import call
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write
from geometries.formats._nastran_cards import Cards, cards, whole
from geometries.formats._nastran_names import Component, components, property_names
from geometries.formats._sets import by_number, check_names, combinations, facets
from geometries.formats._text import Floats, Ints, lines, places
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh, spatial

# our name: the card that is written and others that hold it, and the place of each of our nodes in it
_ELEMENTS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "line": (("CROD", "CBAR", "CBEAM", "CTUBE", "CONROD", "PLOTEL"), ()),
    "triangle": (("CTRIA3", "CTRIAR", "CTRAX3", "CPLSTN3", "CPLSTS3", "CTRIA6", "CTRAX6", "CPLSTN6", "CPLSTS6"), ()),
    "triangle6": (("CTRIA6", "CTRAX6", "CPLSTN6", "CPLSTS6"), ()),
    "quad": (
        ("CQUAD4", "CQUADR", "CSHEAR", "CQUADX4", "CPLSTN4", "CPLSTS4", "CQUAD8", "CQUAD", "CQUADX8", "CPLSTN8"),
        (),
    ),
    "quad8": (("CQUAD8", "CQUAD", "CQUADX8", "CPLSTN8", "CPLSTS8"), ()),
    "quad9": (("CQUAD",), ()),
    "tetra": (("CTETRA",), ()),
    "tetra10": (("CTETRA",), ()),
    "pyramid": (("CPYRAM", "CPYRA"), ()),
    "pyramid13": (("CPYRAM", "CPYRA"), ()),
    "wedge": (("CPENTA",), ()),
    "wedge15": (("CPENTA",), (*range(9), 12, 13, 14, 9, 10, 11)),
    "hexahedron": (("CHEXA",), ()),
    "hexahedron20": (("CHEXA",), (*range(12), 16, 17, 18, 19, 12, 13, 14, 15)),
}
_KINDS = {
    card: [k for k, (known, _) in _ELEMENTS.items() if card in known] for c, _ in _ELEMENTS.values() for card in c
}
_WITHOUT_PROPERTY = ("CONROD", "PLOTEL")
_LARGEST = 1e90  # in 16 columns with a sign


class _Elements(NamedTuple):
    """Elements of one type: labels, properties (0: none), nodes' labels in our order."""

    kind: str
    labels: Ints
    properties: Ints
    nodes: Ints


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in a bulk data deck.

    Properties, and HyperMesh's components, become regions (of skin elements: boundaries) by the names that
    preprocessors put into comments, or as `pid 1`; the nodes of SPC and SPC1 boundaries `spc 1`, the faces of PLOAD4
    boundaries `pload 1`. What is left out is told. Raises `ReadError` for INCLUDE, replicated cards, and coordinate
    systems other than rectangular and cylindrical ones defined in the basic one.
    """
    return mesh_from_blocks(**call("geometries.formats.nastran:model", {"path": str(path)}), dim=dim)


def model(path: str) -> dict[str, Any]:
    """Parse a deck: the child's side of `read`."""
    text = Path(path).read_bytes()
    deck = cards(text)
    if b"INCLUDE" in {name[:7] for name in np.unique(deck.names)}:
        raise ReadError(f"{Path(path).name} includes other files, which are not followed; put them into one file.")
    if deck.replicated:
        raise ReadError(f"{Path(path).name} replicates cards (=), which is not followed; write the deck in full.")
    labels, points = _points(deck)
    elements = list(_elements(deck))
    parts, loads = components(text), _loads(deck)
    names = property_names(text, parts)
    problems = _left_out(deck)
    blocks = []
    for e in elements:
        sets = _named(e, names, parts) | _loaded_shells(e, loads)
        blocks.append({"kind": e.kind, "nodes": places(labels, e.nodes), "names": sets})
    for sid, kind, nodes in [*_loaded_facets(elements, loads, problems), *_pressed(deck, elements)]:
        sets = {f"pload {sid}": np.arange(len(nodes))}
        blocks.append({"kind": kind, "nodes": places(labels, nodes), "names": sets})
    return {"points": points, "blocks": blocks, "node_sets": _fixed(deck, labels), "problems": problems}


def _points(deck: Cards) -> tuple[Ints, Floats]:
    """Return the labels of GRID cards and their places in the basic coordinate system."""
    at = deck.of("GRID")
    if not len(at):
        raise ReadError("the deck holds no GRID cards; expected Nastran's bulk data.")
    labels, systems = deck.integers(at, 0, 2).T
    default = deck.integers(deck.of("GRDSET"), 1, 1).max(initial=0)
    systems = np.where(systems == 0, default, systems)
    points = deck.reals(at, 2, 3)
    for system in np.unique(systems[systems != 0]):
        mine = systems == system
        points[mine] = _basic(deck, int(system), points[mine])
    return labels, points


def _basic(deck: Cards, system: int, points: Floats) -> Floats:
    """Return points given in a rectangular or cylindrical coordinate system in the basic one."""
    at = deck.of("CORD2R", "CORD2C")
    at = at[(deck.integers(at, 0, 2) == [system, 0]).all(1)]
    if not len(at):
        raise ReadError(f"GRID cards use the coordinate system {system}; expected CORD2R or CORD2C in the basic one.")
    origin, on_axis, on_plane = deck.reals(at[:1], 2, 9).reshape(3, 3)
    z = on_axis - origin
    y = np.cross(z, on_plane - origin)
    axes = np.stack([np.cross(y, z), y, z])
    size = np.linalg.norm(axes, axis=1, keepdims=True)
    if not (size > 0).all():
        raise ReadError(f"the points that define the coordinate system {system} lie on a line; it is damaged.")
    if deck.names[at[0]] == b"CORD2C":
        angle = np.deg2rad(points[:, 1])
        points = np.column_stack([points[:, 0] * np.cos(angle), points[:, 0] * np.sin(angle), points[:, 2]])
    return origin + points @ (axes / size)


def _elements(deck: Cards) -> Iterator[_Elements]:
    """Yield the elements of each card and order; the order is told by the mid-nodes that are there."""
    for card, kinds in _KINDS.items():
        at = deck.of(card)
        if not len(at):
            continue
        first = 1 if card in _WITHOUT_PROPERTY else 2
        labels, properties = deck.integers(at, 0, 2).T * np.array([[1], [first - 1]])
        nodes = deck.integers(at, first, max(CELLS[kind].nodes for kind in kinds))
        left = np.ones(len(at), dtype=bool)
        for kind in kinds:
            size = CELLS[kind].nodes
            mine = (nodes[:, :size] > 0).all(1) & (nodes[:, size:] == 0).all(1)
            left &= ~mine
            order = list(_ELEMENTS[kind][1] or range(size))
            if mine.any():
                yield _Elements(kind, labels[mine], properties[mine], nodes[mine][:, order])
        if left.any():
            raise ReadError(f"{left.sum()} {card} cards hold some of their nodes only; expected all or no mid-nodes.")


def _named(elements: _Elements, names: Mapping[int, list[str]], parts: Mapping[int, Component]) -> dict[str, Ints]:
    """Return the elements of each component that lists its own, and of each property by its names or as `pid 1`."""
    out: dict[str, Ints] = {}
    properties = elements.properties.copy()
    for part in parts.values():
        rows = _covered(elements.labels, *part.elements.T)
        out |= {name: np.union1d(out.get(name, rows), rows) for name in part.names if len(rows)}
        properties[rows[~np.isin(properties[rows], list(names))]] = 0
    found = by_number(properties, names, "pid ")
    return out | {name: np.union1d(out.get(name, rows), rows) for name, rows in found.items()}


def _covered(labels: Ints, first: Ints, last: Ints) -> Ints:
    """Return where labels stand that lie in any of the ranges `first` to `last`."""
    order = np.argsort(labels, kind="stable")
    step = np.zeros(len(labels) + 1, np.int64)
    np.add.at(step, np.searchsorted(labels, first, sorter=order), 1)
    np.add.at(step, np.searchsorted(labels, np.maximum(first - 1, last), side="right", sorter=order), -1)
    return np.sort(order[np.cumsum(step)[:-1] > 0])


def _fixed(deck: Cards, labels: Ints) -> dict[str, Ints]:
    """Return the nodes of SPC (two a card) and SPC1 (a list, with ranges) by set, as places among `labels`."""
    at = deck.of("SPC")
    sets, nodes = deck.integers(at, 0, 2).T
    others = deck.integers(at, 4, 1)[:, 0]
    sids, starts, ends = _listed(deck, "SPC1", 2)
    sid = np.concatenate([sets, sets, sids])
    first, last = np.concatenate([nodes, others, starts]), np.concatenate([nodes, others, ends])
    return {f"spc {s}": _covered(labels, first[sid == s], last[sid == s]) for s in np.unique(sid)}


def _listed(deck: Cards, name: str, start: int) -> tuple[Ints, Ints, Ints]:
    """Return the ranges that cards of a list with THRU hold from the field `start`: the set, the first, the last."""
    at = deck.of(name)
    owner, words = deck.rest(at, start)
    through = words == b"THRU"
    values = np.append(whole(np.where(through, b"0", words)), 0)
    middle = np.flatnonzero(through)
    sid = np.concatenate([owner[~through], owner[middle]])
    first = np.concatenate([values[:-1][~through], values[middle - 1]])
    last = np.concatenate([values[:-1][~through], values[middle + 1]])
    return deck.integers(at, 0, 1)[:, 0][sid], first, last


def _loads(deck: Cards) -> Ints:
    """Return (n, 5) set, first and last element, two nodes (0: none) of PLOAD4 and PLOAD2 cards."""
    at = deck.of("PLOAD4")
    words = deck.words(at, 0, 8)
    through = words[:, 6] == b"THRU"
    sid, first = whole(words[:, :2]).T
    one, other = whole(np.where(through[:, None], b"0", words[:, 6:])).T
    last = np.where(through, whole(np.where(through, words[:, 7], b"0")), first)
    listed = np.column_stack(_listed(deck, "PLOAD2", 2))
    table = np.column_stack([sid, first, last, one, other])
    return np.concatenate([table, np.pad(listed, ((0, 0), (0, 2)))])


def _pressed(deck: Cards, elements: list[_Elements]) -> Iterator[tuple[int, str, Ints]]:
    """Yield the faces that PLOAD cards name by their corners: (set, type, nodes)."""
    at = deck.of("PLOAD")
    sid, nodes = deck.integers(at, 0, 1)[:, 0], deck.integers(at, 2, 4)
    for kind, mine in (("triangle", nodes[:, 3] == 0), ("quad", nodes[:, 3] != 0)):
        corners = nodes[:, : CELLS[kind].nodes]
        own = [e for e in elements if CELLS[e.kind].dim == 2 and CELLS[e.kind].corners == corners.shape[1]]
        for s in np.unique(sid[mine]):
            faces = corners[mine & (sid == s)]
            if any(CELLS[e.kind].dim == 3 for e in elements):
                yield int(s), kind, faces
            for e in own:
                on = _row_in(e.nodes[:, : corners.shape[1]], faces)
                if on.any():
                    yield int(s), e.kind, e.nodes[on]


def _row_in(rows: Ints, wanted: Ints) -> NDArray[np.bool_]:
    """(n,) whether each row holds the same nodes as any of those wanted."""
    both = np.sort(np.concatenate([wanted, rows]), axis=1)
    number = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    return np.isin(number[len(wanted) :], number[: len(wanted)])


def _loaded_shells(elements: _Elements, loads: Ints) -> dict[str, Ints]:
    if CELLS[elements.kind].dim != 2:
        return {}
    rows = {f"pload {s}": _covered(elements.labels, *loads[loads[:, 0] == s, 1:3].T) for s in np.unique(loads[:, 0])}
    return {name: at for name, at in rows.items() if len(at)}


def _loaded_facets(elements: list[_Elements], loads: Ints, problems: list[str]) -> Iterator[tuple[int, str, Ints]]:
    """Yield the faces of solids that PLOAD4 cards name by two nodes: (set, type, nodes)."""
    found = np.zeros(len(loads), dtype=bool)
    for e in elements:
        kind = CELLS[e.kind]
        if kind.dim == 2:
            found |= np.isin(loads[:, 1], e.labels)
        if kind.dim != 3:
            continue
        order = np.argsort(e.labels, kind="stable")
        at = order[np.minimum(np.searchsorted(e.labels, loads[:, 1], sorter=order), len(order) - 1)]
        mine = e.labels[at] == loads[:, 1]
        for facet, local in kind.facets:
            nodes = e.nodes[at][:, list(local)]
            on = mine & _is_loaded(nodes[:, : CELLS[facet].corners], loads[:, 3:], e.kind.startswith("tetra"))
            found |= on
            yield from ((int(s), facet, nodes[on & (loads[:, 0] == s)]) for s in np.unique(loads[on, 0]))
    if not found.all():
        problems.append(f"{(~found).sum()} of {len(found)} entries of PLOAD2 and PLOAD4 are on no face: left out")


def _is_loaded(corners: Ints, pair: Ints, opposite: bool) -> NDArray[np.bool_]:
    """Tell whether two nodes mean this face: the second is off the face of a tetrahedron, the diagonal one of a quad.

    It is blank for a wedge's triangle.
    """
    one, other = corners == pair[:, :1], corners == pair[:, 1:]
    if opposite:
        return one.any(1) & ~other.any(1)
    if corners.shape[1] == 4:
        return (one & np.roll(other, 2, axis=1)).any(1)
    return one.any(1) & (other.any(1) | (pair[:, 1] == 0))


def _left_out(deck: Cards) -> list[str]:
    names, counts = np.unique(deck.names, return_counts=True)
    words = zip(np.char.decode(names, "latin-1"), counts, strict=True)
    left = [f"{n} {w}" for w, n in words if re.match(r"C(?!ORD|END)|RBE|RBAR|RROD", w) and w not in _KINDS]
    return [f"left out, as no cells: {', '.join(left)}"] if left else []


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write bulk data: points to 10 digits (the format's width), cells, and skin elements for boundaries.

    Each combination of sets is a property, which HyperMesh's comments name; there are no property cards. Sides of an
    interface are written as facets. Raises `WriteError` for meshes of lines, and cells without a card.
    """
    unknown = [kind for kind in mesh.cells if not _ELEMENTS.get(kind) or kind in ("line", "quad9")]
    if unknown:
        raise WriteError(f"the mesh holds {unknown[0]}; Nastran takes surfaces and volumes of {', '.join(_ELEMENTS)}.")
    if np.abs(mesh.points).max() > _LARGEST:
        raise WriteError(f"the mesh has coordinates above {_LARGEST:g}; Nastran's columns do not hold them.")
    check_names([*mesh.regions, *mesh.boundaries], "bulk data", longest=200, without='"')
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(_chunks(mesh))


def _chunks(mesh: Mesh) -> Iterator[bytes]:
    parts, sets, count = facets(mesh)
    numbers, members = combinations(mesh.num_cells, mesh.regions)
    more, skins = combinations(count, sets)
    yield b"BEGIN BULK\n"
    yield from _comments(members, list(mesh.regions), 0)
    yield from _comments(skins, list(mesh.boundaries), len(members))
    points = spatial(np.where(np.abs(mesh.points) < 1 / _LARGEST, 0.0, mesh.points))
    table = np.column_stack([np.arange(1, len(points) + 1), points])
    yield lines("GRID*   %16d" + " " * 16 + "%16.9E%16.9E*\n*       %16.9E", table)
    cells = [(kind.name, nodes, np.arange(start, start + len(nodes))) for kind, nodes, start in mesh.blocks()]
    yield from (_cards(kind, nodes, at + 1, numbers[at]) for kind, nodes, at in cells)
    for kind, nodes, at in parts:
        yield _cards(kind, nodes, at + mesh.num_cells + 1, more[at] + len(members))
    yield b"ENDDATA\n"


def _comments(members: Mapping[int, list[int]], names: list[str], start: int) -> Iterator[bytes]:
    """Yield a line for each name of each property; an empty name for one without."""
    for number, groups in members.items():
        for name in [names[group - 1] for group in groups] or [""]:
            yield b'$HMNAME COMP         %11d"%b"\n' % (number + start, name.encode())


def _cards(kind: str, nodes: Ints, labels: Ints, properties: Ints) -> bytes:
    if kind == "line3":  # no card; its corners tell the facet
        kind, nodes = "line", nodes[:, :2]
    (card, *_), order = _ELEMENTS[kind]
    fields = np.column_stack([labels, properties, nodes[:, np.argsort(order)] + 1 if order else nodes + 1])
    rows = ["%8d" * min(8, fields.shape[1] - i) for i in range(0, fields.shape[1], 8)]
    return lines(f"{card:8}" + "+\n+       ".join(rows), fields)


FORMAT = Format(
    "nastran",
    (".bdf", ".nas", ".fem"),
    "regions and boundaries, by property or component; nodes of SPC, faces of PLOAD",
    read=mesh_file(read),
    write=write,
)
