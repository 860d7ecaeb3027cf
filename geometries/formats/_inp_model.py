"""Nodes, elements, sets and surfaces of a deck, flat or made of parts and instances, by numbers of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.errors import ReadError, short
from geometries.formats._inp_deck import Card, Deck, Texts, are_labels, fields, floats, numbers, whole
from geometries.formats._inp_tables import GENERATORS, ElementType, element_type, face, linear
from geometries.formats._text import chain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NONE = np.empty(0, np.int64)
_MOST_POINTS = 2**28


@dataclass(frozen=True, eq=False)
class Index:
    """The numbers that labels stand for: the last one where a label is given twice."""

    labels: Ints
    numbers: Ints

    @classmethod
    def of(cls, labels: Ints, first: int) -> Index:
        """Number `labels` from `first`."""
        kept, at = np.unique(labels[::-1], return_index=True)
        return cls(kept, first + len(labels) - 1 - at)

    def find(self, labels: Ints) -> Ints:
        """Return the number of each label, -1 where there is none."""
        if not len(self.labels):
            return np.full(labels.shape, -1)
        at = np.minimum(np.searchsorted(self.labels, labels), len(self.labels) - 1)
        return np.where(self.labels[at] == labels, self.numbers[at], -1)

    def between(self, first: float, last: float, step: float) -> Ints:
        """Return the numbers of the labels first, first + step, ..., last."""
        inside = (self.labels >= first) & (self.labels <= last) & ((self.labels - first) % max(step, 1.0) == 0)
        return self.numbers[inside]


@dataclass(frozen=True, eq=False)
class Elements:
    """Elements of one type: their nodes (n, k), and the number of the first."""

    type: ElementType
    nodes: Ints
    first: int


@dataclass(frozen=True, eq=False)
class Body:
    """The deck itself, or one instance: the prefix of its names, its cards, nodes and elements by label.

    `listed` are the labels on each *NODE and *ELEMENT card.
    """

    prefix: str
    cards: Sequence[Card]
    nodes: Index
    elements: Index
    listed: Mapping[Card, Ints]


@dataclass(eq=False)
class Set:
    """A named set: its display name (None: it has none of its own) and its items."""

    name: str | None
    parts: list[Ints] = field(default_factory=list)
    faces: list[tuple[Ints, str]] = field(default_factory=list)

    @property
    def items(self) -> Ints:
        """The distinct items, sorted."""
        return np.unique(np.concatenate([NONE, *self.parts]))


@dataclass(frozen=True, eq=False)
class Model:
    """What a deck describes. Nodes and elements are numbered from 0 through all bodies."""

    points: Floats
    elements: tuple[Elements, ...]
    bodies: tuple[Body, ...]
    names: Mapping[str, str | None]
    left_out: Mapping[str, int]
    nsets: dict[str, Set] = field(default_factory=dict)
    elsets: dict[str, Set] = field(default_factory=dict)
    surfaces: dict[str, Set] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def find(self, sets: Mapping[str, Set], name: str, body: Body) -> Set | None:
        """Return the set of a name as `body` knows it."""
        key = name.strip().strip('"').upper()
        return sets.get(f"{body.prefix.upper()}.{key}" if body.prefix else key) or sets.get(key)

    def resolve(self, sets: Mapping[str, Set], token: str, body: Body) -> Ints | None:
        """Return the items of a label, `Instance.label` or set; None for what is not there."""
        by_node = sets is self.nsets
        prefix, _, label = token.rpartition(".")
        if label.isdecimal() and len(label) < 18:
            owner = next((b for b in self.bodies if prefix and b.prefix.upper() == prefix.upper()), body)
            index = owner.nodes if by_node else owner.elements
            found = index.find(np.array([int(label)]))
            return found if found[0] >= 0 else None
        named = self.find(sets, token, body)
        return None if named is None else named.items

    def facets(self, elements: Ints, label: str) -> Iterator[tuple[ElementType, Ints, Ints, bool]]:
        """Yield (type, positions in `elements`, corners (n, k), whether these are the elements' own) of a face."""
        for block in self.elements:
            at = np.flatnonzero((elements >= block.first) & (elements < block.first + len(block.nodes)))
            corners = face(block.type, label) if len(at) else None
            if corners is None:
                continue
            own = corners or tuple(range(CELLS[block.type.kind].corners))
            yield block.type, at, block.nodes[elements[at] - block.first][:, list(own)], not corners


def read_model(deck: Deck) -> Model:
    """Return the model of a deck; raises `ReadError` for what would lose nodes or cells."""
    for card in deck.cards:
        if card.keyword in GENERATORS or (card.keyword == "NODE" and card.options.get("SYSTEM", "R").upper() != "R"):
            raise card.error("makes nodes or elements by a rule; write the deck with all of them in full.")
    points, elements, bodies = [], [], []
    left_out: dict[str, int] = {}
    count = total = 0
    for prefix, cards, shift in _scopes(deck.cards):
        node_labels, coordinates = _nodes(cards)
        nodes = _index(node_labels, count)
        points.append(shift.apply(coordinates))
        found, element_labels = _elements(cards, nodes, total, left_out)
        elements += found
        listed = node_labels | element_labels
        bodies.append(Body(prefix, cards, nodes, _index(element_labels, total), listed))
        count += len(coordinates)
        total += sum(map(len, element_labels.values()))
        if max(count, total) > _MOST_POINTS:
            raise ReadError(f"the instances make more than {_MOST_POINTS} nodes or elements; that is too much.")
    model = Model(np.concatenate(points), tuple(elements), tuple(bodies), deck.names, left_out)
    for body in sorted(bodies, key=lambda b: b.prefix == ""):
        for card in body.cards:
            _SETS.get(card.keyword, _nothing)(model, body, card)
    return model


def _nothing(model: Model, body: Body, card: Card) -> None:
    """Leave a card that defines no set."""


# -- parts and instances -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Shift:
    """A translation, then a rotation about the axis from a to b by an angle in degrees."""

    translation: Floats
    rotation: Floats | None = None

    def apply(self, points: Floats) -> Floats:
        """Return points moved (Rodrigues' formula)."""
        moved = points + self.translation
        if self.rotation is None:
            return moved
        a, b, angle = self.rotation[:3], self.rotation[3:6], np.deg2rad(self.rotation[6])
        axis = (b - a) / np.linalg.norm(b - a)
        arm = moved - a
        along = (arm @ axis)[:, None] * axis * (1 - np.cos(angle))
        return a + arm * np.cos(angle) + np.cross(axis, arm) * np.sin(angle) + along


def _scopes(cards: Sequence[Card]) -> Iterator[tuple[str, list[Card], Shift]]:
    """Yield (prefix, cards, placement): of the deck itself, then of each instance, or of parts without instances."""
    main: list[Card] = []
    parts: dict[str, tuple[str, list[Card]]] = {}
    placed: list[tuple[str, list[Card], Shift]] = []
    current = main
    for card in cards:
        if card.keyword == "PART":
            name = card.options.get("NAME", "")
            current = parts.setdefault(name.upper(), (name, []))[1]
        elif card.keyword == "INSTANCE":
            name, part = card.options.get("NAME", ""), card.options.get("PART", "").upper()
            current = list(parts.get(part, ("", []))[1])
            if part not in parts and "LIBRARY" in card.options:
                raise card.error("imports an instance; write the deck with its nodes and elements.")
            placed.append((name, current, _placement(card)))
        elif card.keyword in ("ENDPART", "ENDINSTANCE"):
            current = main
        else:
            current.append(card)
    yield "", main, Shift(np.zeros(3))
    yield from placed or [(name, own, Shift(np.zeros(3))) for name, own in parts.values()]


def _placement(card: Card) -> Shift:
    values, counts = numbers(card)
    if not len(values):
        return Shift(np.zeros(3))
    rotation = values[3:10] if len(counts) > 1 else None
    axis = np.ones(1) if rotation is None or len(rotation) != 7 else rotation[3:6] - rotation[:3]
    if counts[0] != 3 or (rotation is not None and len(rotation) != 7) or not np.isfinite(values).all():
        raise card.error("expected a line of 3 numbers, and for a rotation one of 7.")
    if not axis.any():
        raise card.error("the two points of the axis are one.")
    return Shift(values[:3], rotation)


def _index(listed: Mapping[Card, Ints], first: int) -> Index:
    return Index.of(np.concatenate([NONE, *listed.values()]), first)


def _nodes(cards: Sequence[Card]) -> tuple[dict[Card, Ints], Floats]:
    """Return the labels by card, and the points."""
    labels, points = {}, [np.empty((0, 3))]
    for card in cards:
        if card.keyword != "NODE":
            continue
        values, counts = numbers(card)
        start = np.cumsum(counts) - counts
        table = np.zeros((len(counts), 3))
        for axis in range(3):
            there = counts > axis + 1
            table[there, axis] = values[start[there] + axis + 1]
        labels[card] = whole(values[start], card)
        points.append(table)
    return labels, np.concatenate(points)


def _elements(
    cards: Sequence[Card], index: Index, first: int, left: dict[str, int]
) -> tuple[list[Elements], dict[Card, Ints]]:
    """Return the elements that are cells, and their labels by card; count the others in `left`."""
    out, labels = [], {}
    for card in cards:
        if card.keyword != "ELEMENT":
            continue
        name = card.options.get("TYPE", "").upper().strip()
        kind = element_type(name)
        if kind is None:
            left[name] = left.get(name, 0) + len([line for line in card.text.split("\n") if line.strip()])
            continue
        own, nodes = _connectivity(card, kind)
        found = index.find(nodes)
        if (found < 0).any():
            raise card.error(f"element {own[(found < 0).any(1)][0]} has node {nodes[found < 0][0]}, which is nowhere.")
        out.append(Elements(kind, found[:, list(kind.order)] if kind.order else found, first))
        labels[card] = own
        first += len(own)
    return out, labels


def _connectivity(card: Card, kind: ElementType) -> tuple[Ints, Ints]:
    """Return the labels (n,) and the labels of the nodes (n, k).

    An element takes as many lines as hold its nodes; what else is on the last of them is not read (a beam's direction).
    """
    values, counts = numbers(card)
    width = CELLS[kind.kind].nodes + 1
    ends = np.cumsum(counts)
    begins = ends - counts
    lines = np.searchsorted(ends, begins + width) + 1 - np.arange(len(counts))
    starts = chain(lines)
    last = starts + lines[starts] - 1
    if len(starts) and (last[-1] >= len(counts) or np.ptp(ends[last] - begins[starts])):
        raise card.error(f"expected an element's number and {width - 1} nodes, alike for all; the file is damaged.")
    table = whole(values[begins[starts][:, None] + np.arange(width)], card)
    return table[:, 0], table[:, 1:]


# -- sets --------------------------------------------------------------------------------------------------------------
def _named(model: Model, sets: dict[str, Set], name: str, body: Body) -> Set:
    full = f"{body.prefix}.{name}" if body.prefix else name
    if not name.strip():
        return Set(None)
    return sets.setdefault(full.upper(), Set(model.names.get(full.upper(), full)))


def _from_mesh(model: Model, body: Body, card: Card) -> None:
    """Take the set that a *NODE or *ELEMENT card names."""
    sets, key = (model.nsets, "NSET") if card.keyword == "NODE" else (model.elsets, "ELSET")
    if card.options.get(key):
        index = body.nodes if card.keyword == "NODE" else body.elements
        _named(model, sets, card.options[key], body).parts.append(index.find(body.listed.get(card, NONE)))


def _from_list(model: Model, body: Body, card: Card) -> None:
    """Take a *NSET or *ELSET card."""
    sets = model.nsets if card.keyword == "NSET" else model.elsets
    owner = next((b for b in model.bodies if b.prefix.upper() == card.options.get("INSTANCE", "").upper()), body)
    owner = owner if "INSTANCE" in card.options else body
    index = owner.nodes if card.keyword == "NSET" else owner.elements
    target = _named(model, sets, card.options.get(card.keyword, ""), body)
    if card.keyword == "NSET" and "ELSET" in card.options:
        cells = model.find(model.elsets, card.options["ELSET"], owner)
        items = cells.items if cells else NONE
        target.parts += [b.nodes[_within(items, b)].ravel() for b in model.elements]
    elif "GENERATE" in card.options:
        table = floats(fields(card)[:, :3], card)
        target.parts += [index.between(row[0], row[1] if len(row) > 1 else row[0], row[-1] if len(row) > 2 else 1)
                         for row in table]  # fmt: skip
    else:
        _add_tokens(model, owner, card, sets, index, target)


def _within(items: Ints, block: Elements) -> Ints:
    return items[(items >= block.first) & (items < block.first + len(block.nodes))] - block.first


def _add_tokens(model: Model, body: Body, card: Card, sets: dict[str, Set], index: Index, target: Set) -> None:
    tokens = fields(card).ravel()
    tokens = tokens[tokens != ""]
    numeric = are_labels(tokens)
    found = index.find(tokens[numeric].astype(np.int64))
    target.parts.append(found[found >= 0])
    lost = [str(n) for n in tokens[numeric][found < 0][:1]]
    for token in np.unique(tokens[~numeric]).tolist():
        items = model.resolve(sets, token, body)
        lost += [token] if items is None else []
        target.parts.append(NONE if items is None else items)
    if lost and not model.left_out:
        model.problems.append(f"{card.where}: *{card.keyword} {target.name!r} lists {short(lost[0])}, which is nowhere")


def _from_surface(model: Model, body: Body, card: Card) -> None:
    """Take a *SURFACE card: faces of elements, or nodes."""
    name, kind = card.options.get("NAME", ""), card.options.get("TYPE", "ELEMENT").upper()
    rows = fields(card)
    if kind not in ("ELEMENT", "NODE") or not rows.size or "COMBINE" in card.options:
        model.problems.append(f"{card.where}: *SURFACE {name!r} of type {kind} is not carried")
        return
    if kind == "NODE":
        nodes = [model.resolve(model.nsets, token, body) for token in np.unique(rows[:, 0]).tolist()]
        _named(model, model.nsets, name, body).parts.extend(n for n in nodes if n is not None)
        return
    target = _named(model, model.surfaces, name, body)
    for elements, label, lost in face_rows(model, body, rows):
        target.faces.append((elements, label))
        if lost:
            model.problems.append(f"{card.where}: *SURFACE {name!r} lists {short(lost)}, which is nowhere")


def face_rows(model: Model, body: Body, rows: Texts) -> Iterator[tuple[Ints, str, str]]:
    """Yield (elements, face label in capitals, a label or name that is nowhere) of rows of `element or set, face`."""
    labels = np.char.upper(rows[:, 1]) if rows.shape[1] > 1 else np.full(len(rows), "")
    numeric = are_labels(rows[:, 0])
    for label in np.unique(labels).tolist():
        mine = rows[:, 0][numeric & (labels == label)]
        found = body.elements.find(mine.astype(np.int64))
        if len(mine):
            yield found[found >= 0], label, str(mine[found < 0][0]) if (found < 0).any() else ""
        for token in np.unique(rows[:, 0][~numeric & (labels == label)]).tolist():
            items = model.resolve(model.elsets, token, body)
            yield (NONE, label, token) if items is None else (items, label, "")


_SETS = {
    "NODE": _from_mesh,
    "ELEMENT": _from_mesh,
    "NSET": _from_list,
    "ELSET": _from_list,
    "SURFACE": _from_surface,
}


def all_faces(element: ElementType) -> tuple[str, ...]:
    """Return the labels of all facets of an element."""
    first = 3 if element.shell else 1
    return tuple(f"S{first + i}" for i in range(len(CELLS[linear(element.kind)].facets)))
