"""From a deck's loads and materials to conditions, coefficients and a source; what cannot be carried is told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from geometries.deck import Loads
from geometries.errors import short
from geometries.formats._inp_assign import Fixed, Flux, Numbering, assigned
from geometries.formats._inp_deck import Card, Deck, Texts, are_labels, fields, floats, padded
from geometries.formats._inp_model import Body, Model, face_rows
from geometries.formats._inp_tables import ALTERS_HEAT, LOAD_KEYWORDS, MESH_KEYWORDS, SILENT
from geometries.mesh import Mesh
from geometries.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_TEMPERATURE = 11  # the degree of freedom; CalculiX takes 0 for it too where there is heat transfer
HEAT_STEPS = ("HEATTRANSFER", "COUPLEDTEMPERATURE-DISPLACEMENT", "UNCOUPLEDTEMPERATURE-DISPLACEMENT")
_MOST_SOURCES = 100  # regions
SECTIONS = ("SOLIDSECTION", "SHELLSECTION", "MEMBRANESECTION")
_STRUCTURAL = {
    "BOUNDARY": "displacements",
    "CLOAD": "point loads",
    "DLOAD": "pressures and body forces",
    "DSLOAD": "pressures",
    "TEMPERATURE": "temperatures beside displacements",
    "CFLUX": "heat at points",
    "RADIATE": "radiation",
    "SRADIATE": "radiation",
}


@dataclass(eq=False)
class Found:
    """What the cards give, in the mesh's own numbers, as they are gone through."""

    model: Model
    mesh: Mesh
    numbering: Numbering
    body: Body
    heat: bool
    fixed: list[Fixed] = field(default_factory=list)
    fluxes: list[Flux] = field(default_factory=list)
    source: Floats = field(default_factory=lambda: np.empty(0))
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def lose(self, what: str) -> None:
        """Tell of what changes a heat problem and is not carried."""
        if what not in self.missing:
            self.missing.append(what)


def read_loads(deck: Deck, model: Model, mesh: Mesh, numbering: Numbering) -> tuple[Loads | None, Mesh, list[str]]:
    """Return the loads of the deck's first (heat) step, the mesh with a boundary for each, and what is not carried.

    A deck without anything thermal has no loads: its sets are kept, and the notes say so.
    """
    heat = any(card.keyword in HEAT_STEPS for card in deck.cards)
    found = Found(model, mesh, numbering, model.bodies[0], heat, source=np.zeros(mesh.num_cells))
    for card in cards_of_step(deck, found):
        if heat and "AMPLITUDE" in card.options and card.keyword in LOAD_KEYWORDS:
            found.lose(f"*{card.keyword} changes in time (AMPLITUDE)")
        rows = fields(card) if card.keyword in LOAD_KEYWORDS else np.empty((0, 0), "U1")
        if rows.size:
            _take(found, card, rows)
    _tell_others(deck, found)
    conditions, boundaries, notes, missing = assigned(mesh, found.fixed, found.fluxes)
    mesh = mesh.named(boundaries={**mesh.boundaries, **boundaries})
    thermal = heat or bool(conditions)
    if not thermal:
        return None, mesh, found.notes + notes
    conductivity = _conductivity(found)
    source, regions = _source(found)
    mesh = mesh.named(regions={**mesh.regions, **regions})
    loads = Loads(
        equation="heat",
        conditions=conditions,
        coefficients={} if conductivity is None else {"conductivity": conductivity},
        source=source,
        missing=(*found.missing, *missing),
    )
    return loads, mesh, [*found.notes, *notes, *(f"not carried: {what}" for what in loads.missing)]


def cards_of_step(deck: Deck, found: Found) -> Iterator[Card]:
    """Yield the cards before the steps and those of the first heat step, else of the first."""
    step, steps = 0, []
    for card in deck.cards:
        step += card.keyword == "STEP"
        steps.append(step)
    heat = [n for n, card in zip(steps, deck.cards, strict=True) if card.keyword in HEAT_STEPS]
    chosen = heat[0] if heat else 1
    if step > 1:
        found.notes.append(f"the deck has {step} steps: the loads of step {chosen} are taken")
    for n, card in zip(steps, deck.cards, strict=True):
        if n in (0, chosen):
            if card.keyword in HEAT_STEPS and "STEADYSTATE" not in card.options:
                found.lose(f"*{card.keyword} in time; expected STEADY STATE")
            yield card


def _take(found: Found, card: Card, rows: Texts) -> None:
    if card.keyword == "BOUNDARY":
        _boundary(found, card, rows)
    elif card.keyword in ("DFLUX", "DSFLUX"):
        _flux(found, card, rows)
    elif card.keyword in ("FILM", "SFILM"):
        _film(found, card, rows)
    else:
        _structural(found, card, rows)


# -- nodes -------------------------------------------------------------------------------------------------------------
def _boundary(found: Found, card: Card, rows: Texts) -> None:
    rows = padded(rows, 4)
    numeric = np.char.isdecimal(rows[:, 1]) & (np.char.str_len(rows[:, 1]) < 9)
    first = np.where(numeric, rows[:, 1], "0").astype(np.int64)
    last = np.where(np.char.isdecimal(rows[:, 2]), rows[:, 2], rows[:, 1])
    last = np.where(np.char.isdecimal(last) & (np.char.str_len(last) < 9), last, "0").astype(np.int64)
    heat = (first <= _TEMPERATURE) & (last >= _TEMPERATURE) | found.heat & numeric & (first == 0)
    heat &= "MASSFLOW" not in card.options
    if not heat.all():
        _structural(found, card, rows[~heat])
    for name, points, at in node_groups(found, card, rows[heat]):
        values = floats(rows[heat][at, 3], card)
        found.fixed.append(Fixed(name, points, values if len(values) == len(points) else values[:1]))


def node_groups(found: Found, card: Card, rows: Texts) -> Iterator[tuple[str | None, Ints, Ints]]:
    """Yield (name, points, rows) for each set, and once, without a name, for all rows that name single nodes."""
    numeric = are_labels(rows[:, 0])
    for at in np.flatnonzero(~numeric).tolist():
        named = found.model.find(found.model.nsets, str(rows[at, 0]), found.body)
        items = found.model.resolve(found.model.nsets, str(rows[at, 0]), found.body)
        if items is None:
            found.lose(f"*{card.keyword} on {short(str(rows[at, 0]))}, which is nowhere")
            continue
        points = found.numbering.points[items]
        yield named.name if named else None, points[points >= 0], np.array([at])
    singles = np.flatnonzero(numeric)
    if len(singles):
        nodes = found.body.nodes.find(rows[singles, 0].astype(np.int64))
        points = np.where(nodes >= 0, found.numbering.points[nodes], -1)
        yield None, points[points >= 0], singles[points >= 0]


# -- faces -------------------------------------------------------------------------------------------------------------
def _flux(found: Found, card: Card, rows: Texts) -> None:
    rows = padded(rows, 3)
    body = np.char.startswith(np.char.upper(rows[:, 1]), "BF")
    for elements, given in element_groups(found, card, rows[body]):
        cells, values = found.numbering.cells[elements], floats(given[:, 2], card)
        if (cells < 0).any():
            found.lose(f"*{card.keyword} BF on {int((cells < 0).sum())} elements that are no cells of the mesh")
        found.source[cells[cells >= 0]] = values[cells >= 0]
    for name, sides, given in face_groups(found, card, rows[~body]):
        found.fluxes.append(Flux("neumann", "dflux", name, sides, {"value": floats(given[:, 2], card)}))


def _film(found: Found, card: Card, rows: Texts) -> None:
    rows = padded(rows, 4)
    plain = np.array([re.fullmatch(r"F(\d?|S?POS|S?NEG)", x.upper()) is not None for x in np.unique(rows[:, 1])])
    mask = plain[np.unique(rows[:, 1], return_inverse=True)[1]]
    if not mask.all():
        found.lose(f"*{card.keyword} {rows[~mask][0, 1]} (by a network or a subroutine)")
    for name, sides, given in face_groups(found, card, rows[mask]):
        values = {"coefficient": floats(given[:, 3], card), "ambient": floats(given[:, 2], card)}
        found.fluxes.append(Flux("robin", "film", name, sides, values))


def element_groups(found: Found, card: Card, rows: Texts) -> Iterator[tuple[Ints, Texts]]:
    """Yield (elements, the row of each): once for rows of single elements, and for each set."""
    numeric = are_labels(rows[:, 0])
    elements = found.body.elements.find(rows[numeric, 0].astype(np.int64))
    yield elements[elements >= 0], rows[numeric][elements >= 0]
    for row in rows[~numeric]:
        items = found.model.resolve(found.model.elsets, str(row[0]), found.body)
        if items is None:
            found.lose(f"*{card.keyword} on {short(str(row[0]))}, which is nowhere")
        else:
            yield items, np.repeat(row[None], len(items), axis=0)


def face_groups(found: Found, card: Card, rows: Texts) -> Iterator[tuple[str | None, Ints, Texts]]:
    """Yield (name, sides, the row of each side): for each set or surface, and once for rows of single elements."""
    numeric = are_labels(rows[:, 0])
    singles = rows[numeric]
    sides, given = [np.empty((0, 2), np.int64)], [singles[:0]]
    for label in np.unique(singles[:, 1]) if len(singles) else ():
        mine = singles[singles[:, 1] == label]
        elements = found.body.elements.find(mine[:, 0].astype(np.int64))
        at, on = _sides(found, elements, str(label))
        sides.append(on)
        given.append(mine[at])
    if len(singles):
        yield None, *_told(found, card, np.concatenate(sides), np.concatenate(given), len(singles))
    for row in rows[~numeric]:
        surface = found.model.find(found.model.surfaces, str(row[0]), found.body)
        if surface is not None:
            on = found.mesh.boundaries.get(surface.name or "", sides[0])
            yield surface.name, *_told(found, card, on, np.repeat(row[None], len(on), axis=0), 1)
            continue
        for elements, label, lost in face_rows(found.model, found.body, row[None]):
            _, on = _sides(found, elements, label)
            if lost:
                found.lose(f"*{card.keyword} on {short(lost)}, which is nowhere")
            yield None, *_told(found, card, on, np.repeat(row[None], len(on), axis=0), len(elements))


def _told(found: Found, card: Card, sides: Ints, rows: Texts, expected: int) -> tuple[Ints, Texts]:
    if len(sides) < expected:
        found.lose(f"*{card.keyword} on {expected - len(sides)} faces that are no sides of the mesh")
    return sides, rows


def _sides(found: Found, elements: Ints, label: str) -> tuple[Ints, Ints]:
    """Return the positions in `elements` whose face is a side of the mesh, and the sides."""
    positions, sides = [np.empty(0, np.int64)], [np.empty((0, 2), np.int64)]
    for _, at, corners, _ in found.model.facets(elements, label.upper()):
        on = found.numbering.sides(found.mesh, corners)
        positions.append(at[on[:, 0] >= 0])
        sides.append(on[on[:, 0] >= 0])
    return np.concatenate(positions), np.concatenate(sides)


# -- what belongs to another problem -----------------------------------------------------------------------------------
def _structural(found: Found, card: Card, rows: Texts) -> None:
    """Keep the sets of loads that are no part of the problem, and say so."""
    what = _STRUCTURAL[card.keyword]
    of_faces = card.keyword in ("DLOAD", "DSLOAD", "RADIATE", "SRADIATE")
    names = np.unique(rows[:, 0])
    sets = [str(n) for n in names if not str(n).isdecimal()]
    for name in sets:
        found.notes.append(f"*{card.keyword} on {name!r} is kept as a set only: {what} belong to no problem read here")
    single = len(names) - len(sets)
    if single:
        where = "elements" if of_faces else "nodes"
        found.notes.append(
            f"*{card.keyword} on {single} {where}: whole sides are kept as a set; {what} belong to no problem read here"
        )
    if of_faces and rows.shape[1] > 1:
        quiet = replace(found, missing=[], notes=[])
        pressed = rows[[re.fullmatch(r"[PR]\d.*", x.upper()) is not None for x in rows[:, 1].tolist()]]
        for name, sides, _ in face_groups(quiet, card, pressed):
            found.fluxes.append(Flux("", card.keyword.lower(), name, sides, {}))
    elif not of_faces:
        found.fixed += [Fixed(n, p, None, card.keyword.lower()) for n, p, _ in node_groups(found, card, rows)
                        if n is None]  # fmt: skip


def _tell_others(deck: Deck, found: Found) -> None:
    known = MESH_KEYWORDS | LOAD_KEYWORDS | SILENT | set(HEAT_STEPS)
    count = Counter(card.keyword for card in deck.cards if card.keyword not in known)
    if count:
        found.notes.append("keywords that are not carried: " + ", ".join(f"*{k} ({n})" for k, n in count.items()))
    for keyword in {card.keyword for card in deck.cards} & ALTERS_HEAT:
        found.lose(f"*{keyword}")
    types = {card.options.get("TYPE", "").upper() for card in deck.cards if card.keyword == "ELEMENT"}
    around = sorted(t for t in types if "CAX" in t or "CGAX" in t)
    if around:
        found.lose(f"axial symmetry ({', '.join(around)})")


# -- coefficients and source -------------------------------------------------------------------------------------------
def _conductivity(found: Found) -> Value | dict[str, float] | None:
    """Return one number, or one for each section's set; None where cells are left without."""
    per_cell, out = by_section(found, _conductivities(found))
    if np.isnan(per_cell).any():
        found.lose(f"{int(np.isnan(per_cell).sum())} cells have no section with an isotropic *CONDUCTIVITY")
        return None
    return float(per_cell[0]) if (per_cell == per_cell[0]).all() else out


def by_section(found: Found, given: Mapping[str, float]) -> tuple[Floats, dict[str, float]]:
    """Return (C,) and {region: number} the values that materials have, NaN where no section tells one."""
    per_cell = np.full(found.mesh.num_cells, np.nan)
    out: dict[str, float] = {}
    for body in found.model.bodies:
        for card in body.cards:
            if card.keyword not in SECTIONS:
                continue
            named = found.model.find(found.model.elsets, card.options.get("ELSET", ""), body)
            value = given.get(card.options.get("MATERIAL", "").upper(), np.nan)
            cells = found.numbering.cells[named.items] if named else np.empty(0, np.int64)
            per_cell[cells[cells >= 0]] = value
            if named and named.name in found.mesh.regions:
                out[str(named.name)] = value
    return per_cell, out


def _conductivities(found: Found) -> dict[str, float]:
    out, material = {}, ""
    for card in (card for body in found.model.bodies for card in body.cards):
        if card.keyword == "MATERIAL":
            material = card.options.get("NAME", "").upper()
        elif card.keyword == "CONDUCTIVITY":
            rows = fields(card)
            if card.options.get("TYPE", "ISO").upper() != "ISO" or not rows.size:
                continue
            values = floats(rows[:, 0], card)
            if (values != values[0]).any():
                found.lose(f"*CONDUCTIVITY of {material!r} changes with temperature: its first value is taken")
            out[material] = float(values[0])
    return out


def _source(found: Found) -> tuple[Value | dict[str, float], dict[str, Ints]]:
    """Return a number, or one for each region, and the regions that are new for it; else values at the points."""
    source = found.source
    if (source == source[0]).all():
        return float(source[0]), {}
    out: dict[str, float] = {}
    new: dict[str, Ints] = {}
    values = [v for v in np.unique(source) if v != 0]
    if len(values) > _MOST_SOURCES:
        found.notes.append("*DFLUX BF by cell: averaged to the points, which release the same heat in all")
        return found.mesh.to_points(source), {}
    for i, value in enumerate(values, start=1):
        cells = np.flatnonzero(source == value)
        same = [name for name, own in found.mesh.regions.items() if np.array_equal(own, cells)]
        name = same[0] if same else unused(f"source{i}", found.mesh)
        new |= {} if same else {name: cells}
        out[name] = float(value)
    return out, new


def unused(name: str, mesh: Mesh) -> str:
    return name if name not in mesh.regions else unused(f"{name}_", mesh)
