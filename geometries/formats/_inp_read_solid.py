"""A linear static problem from a deck: supports, pressures, tractions, weight, thermal strain; what else is told."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.deck import Loads
from geometries.formats._inp_assign import Numbering, plain
from geometries.formats._inp_assign_solid import Solid, assigned_solid
from geometries.formats._inp_deck import Card, Deck, Texts, fields, floats, padded
from geometries.formats._inp_loads import (
    HEAT_STEPS,
    Found,
    by_section,
    cards_of_step,
    element_groups,
    face_groups,
    node_groups,
    unused,
)
from geometries.formats._inp_model import Model
from geometries.formats._inp_tables import ALTERS_SOLID, LOAD_KEYWORDS, MESH_KEYWORDS, SILENT, SILENT_SOLID
from geometries.mesh import Mesh
from geometries.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_WORDS = {"ENCASTRE": "1,3", "PINNED": "1,3", "XSYMM": "1,1", "YSYMM": "2,2", "ZSYMM": "3,3"}  # supports by name
_PROPERTIES = {"ELASTIC": ("young", "poisson"), "EXPANSION": ("expansion",), "DENSITY": ("density",)}
_MOST_WEIGHTS = 100  # regions


def is_solid(deck: Deck, model: Model, mesh: Mesh) -> bool:
    """Return whether a deck states a static problem of elastic bodies that fill their space."""
    words = {card.keyword for card in deck.cards}
    bodies = not any(block.type.shell for block in model.elements) and mesh.dim == mesh.space_dim > 1
    return bodies and {"STATIC", "ELASTIC"} <= words and not words & set(HEAT_STEPS)


def read_solid(deck: Deck, model: Model, mesh: Mesh, numbering: Numbering) -> tuple[Loads, Mesh, list[str]]:
    """Return the loads of the deck's first step, the mesh with a boundary for each, and what is not carried."""
    n, c, d = mesh.num_points, mesh.num_cells, mesh.space_dim
    found = Found(model, mesh, numbering, model.bodies[0], heat=False)
    solid = Solid(found, np.full((n, d), np.nan), weight=np.zeros((c, d)), body=np.zeros((c, d)))
    solid.start, solid.warm = np.zeros(n), np.full(n, np.nan)
    for card in cards_of_step(deck, found):
        if "AMPLITUDE" in card.options and card.keyword in LOAD_KEYWORDS:
            found.lose(f"*{card.keyword} changes in time (AMPLITUDE)")
        if card.keyword in _TAKE and (rows := fields(card)).size:
            _TAKE[card.keyword](solid, card, rows)
    _tell_others(deck, solid)
    conditions, boundaries = assigned_solid(solid)
    coefficients, density = _coefficients(solid)
    source, regions = _source(solid, density)
    mesh = replace(mesh, boundaries={**mesh.boundaries, **boundaries}, regions={**mesh.regions, **regions})
    loads = Loads(
        equation="plane_stress" if _is_thin(deck) else "elasticity",
        conditions=conditions,
        coefficients=coefficients,
        source=source,
        missing=tuple(found.missing),
    )
    return loads, mesh, [*found.notes, *(f"not carried: {what}" for what in loads.missing)]


def _is_thin(deck: Deck) -> bool:
    return any(card.keyword == "ELEMENT" and "CPS" in card.options.get("TYPE", "").upper() for card in deck.cards)


# -- cards -------------------------------------------------------------------------------------------------------------
def _boundary(solid: Solid, card: Card, rows: Texts) -> None:
    rows = padded(rows, 4)
    words = np.char.upper(rows[:, 1])
    for word, ends in _WORDS.items():
        at = words == word
        rows[at, 1], rows[at, 2], rows[at, 3] = *ends.split(","), "0"
    first = floats(np.where(np.char.isdecimal(rows[:, 1]), rows[:, 1], "0"), card)
    last = np.maximum(floats(np.where(np.char.isdecimal(rows[:, 2]), rows[:, 2], "0"), card), first)
    if (first < 1).any() or "MASSFLOW" in card.options:
        solid.found.lose(f"*BOUNDARY {rows[first < 1][0, 1] if (first < 1).any() else 'MASSFLOW'}")
    for axis in range(solid.held.shape[1]):
        mine = rows[(first <= axis + 1) & (last >= axis + 1)]
        for name, points, at in node_groups(solid.found, card, mine):
            values = floats(mine[at, 3], card)
            solid.held[points, axis] = values
            if name:
                own = solid.named.setdefault(name, np.full_like(solid.held, np.nan))
                own[points, axis] = values


def _point_loads(solid: Solid, card: Card, rows: Texts) -> None:
    rows = padded(rows, 3)
    dof = floats(rows[:, 1], card)
    if (dof > solid.held.shape[1]).any():
        solid.found.lose(f"*CLOAD on the degree of freedom {dof.max():g}")
    pushed: dict[str | None, Floats] = {}
    for axis in range(solid.held.shape[1]):
        mine = rows[dof == axis + 1]
        for name, points, at in node_groups(solid.found, card, mine):
            own = pushed.setdefault(name, np.full_like(solid.held, np.nan))
            np.add.at(own[:, axis], points, 0.0)
            own[points] = np.nan_to_num(own[points])
            values = floats(mine[at, 2], card)
            np.add.at(own[:, axis], points, values if len(values) == len(points) else values[0])
    solid.pushes += pushed.items()


def _faces(solid: Solid, card: Card, rows: Texts) -> None:
    rows = padded(rows, 6)
    kind = np.char.upper(rows[:, 1])
    pressed = np.array([re.fullmatch(r"P\d?", k) is not None for k in kind.tolist()])
    for name, on, given in face_groups(solid.found, card, rows[pressed]):
        solid.pressures.append((name, on, floats(given[:, 2], card)))
    pulled = (kind == "TRVEC") & (card.keyword == "DSLOAD")
    for name, on, given in face_groups(solid.found, card, rows[pulled]):
        solid.pulls.append((name, on, _vectors(solid, card, given)))
    weighed = (kind == "GRAV") & (card.keyword == "DLOAD")
    forced = np.isin(kind, ["BX", "BY", "BZ"]) & (card.keyword == "DLOAD")
    for elements, given in element_groups(solid.found, card, rows[weighed]):
        cells = solid.found.numbering.cells[elements]
        np.add.at(solid.weight, cells[cells >= 0], _vectors(solid, card, given)[cells >= 0])
    for elements, given in element_groups(solid.found, card, rows[forced]):
        cells = solid.found.numbering.cells[elements]
        axis = np.char.upper(given[:, 1]) == np.array(["BX", "BY", "BZ"][: solid.held.shape[1]])[:, None]
        vectors = axis.T * floats(given[:, 2], card)[:, None]
        np.add.at(solid.body, cells[cells >= 0], vectors[cells >= 0])
    others = np.unique(kind[~(pressed | pulled | weighed | forced)])
    if len(others):
        solid.found.lose(f"*{card.keyword} {', '.join(others.tolist())}")


def _vectors(solid: Solid, card: Card, rows: Texts) -> Floats:
    """(n, d) a size and a direction a row."""
    along = floats(rows[:, 3:6], card)
    length = np.linalg.norm(along, axis=1, keepdims=True)
    vectors = floats(rows[:, 2:3], card) * along / np.where(length > 0, length, 1.0)
    return vectors[:, : solid.held.shape[1]]


def _temperatures(solid: Solid, card: Card, rows: Texts) -> None:
    start = card.keyword == "INITIALCONDITIONS"
    if start and card.options.get("TYPE", "").upper() != "TEMPERATURE":
        return solid.found.lose(f"*INITIAL CONDITIONS, TYPE={card.options.get('TYPE', '')}")
    if "FILE" in card.options:
        return solid.found.lose("*TEMPERATURE from a file")
    into = solid.start if start else solid.warm
    rows = padded(rows, 2)
    for _, points, at in node_groups(solid.found, card, rows):
        into[points] = floats(rows[at, 1], card)
    return None


_TAKE = {
    "BOUNDARY": _boundary,
    "CLOAD": _point_loads,
    "DLOAD": _faces,
    "DSLOAD": _faces,
    "TEMPERATURE": _temperatures,
    "INITIALCONDITIONS": _temperatures,
}


def _tell_others(deck: Deck, solid: Solid) -> None:
    """Tell of what is another problem than the conditions and coefficients, and of what does not matter."""
    found = solid.found
    words = {card.keyword for card in deck.cards}
    for keyword in sorted(words & (ALTERS_SOLID | (LOAD_KEYWORDS - set(_TAKE)))):
        found.lose(f"*{keyword}")
    known = MESH_KEYWORDS | LOAD_KEYWORDS | SILENT | SILENT_SOLID | ALTERS_SOLID | set(_TAKE) | set(_PROPERTIES)
    others = sorted(words - known)
    if others:
        found.notes.append("keywords that are not carried: " + ", ".join(f"*{keyword}" for keyword in others))
    if any(card.keyword == "STEP" and card.options.get("NLGEOM", "NO").upper() != "NO" for card in deck.cards):
        found.lose("large displacements (*STEP, NLGEOM)")
    types = {card.options.get("TYPE", "").upper() for card in deck.cards if card.keyword == "ELEMENT"}
    around = sorted(t for t in types if "CAX" in t)
    if around:
        found.lose(f"axial symmetry ({', '.join(around)})")
    if any(CELLS[block.type.kind].dim != found.mesh.dim for block in found.model.elements) or found.model.left_out:
        found.lose("elements that are no solids")


# -- coefficients and source -------------------------------------------------------------------------------------------
def _coefficients(solid: Solid) -> tuple[dict[str, Value | dict[str, Value]], Floats]:
    """Return the coefficients, and (C,) the density, NaN where there is none."""
    found, given = solid.found, _properties(solid.found)
    out: dict[str, Value | dict[str, Value]] = {}
    for name in ("young", "poisson", "expansion"):
        per_cell, by_region = by_section(found, given[name])
        if name != "expansion" and np.isnan(per_cell).any():
            found.lose(f"{int(np.isnan(per_cell).sum())} cells have no section with an isotropic *ELASTIC")
        per_cell = np.nan_to_num(per_cell)
        if (per_cell == per_cell[0]).all():
            out[name] = float(per_cell[0])
        else:
            out[name] = {region: float(np.nan_to_num(value)) for region, value in by_region.items()}
    warm = np.where(np.isnan(solid.warm), solid.start, solid.warm) - solid.start
    if warm.any() and out["expansion"] != 0.0:
        out["temperature_rise"] = plain(warm)
    else:
        del out["expansion"]
    return out, by_section(found, given["density"])[0]


def _properties(found: Found) -> dict[str, dict[str, float]]:
    """{property: {material: number}}."""
    out: dict[str, dict[str, float]] = {name: {} for names in _PROPERTIES.values() for name in names}
    material = ""
    for card in (card for body in found.model.bodies for card in body.cards):
        if card.keyword == "MATERIAL":
            material = card.options.get("NAME", "").upper()
        elif card.keyword in _PROPERTIES and (rows := fields(card)).size:
            kind = card.options.get("TYPE", "ISO").upper()
            if not kind.startswith("ISO"):
                found.lose(f"*{card.keyword}, TYPE={kind}")
                continue
            values = floats(padded(rows, 2), card)
            if (values[:, : len(_PROPERTIES[card.keyword])] != values[0, : len(_PROPERTIES[card.keyword])]).any():
                found.lose(f"*{card.keyword} of {material!r} changes with temperature")
            for name, value in zip(_PROPERTIES[card.keyword], values[0], strict=False):
                out[name][material] = float(value)
    return out


def _source(solid: Solid, density: Floats) -> tuple[Value | dict[str, Value], dict[str, Ints]]:
    """Return one vector, or one for each region, and the regions that are new for it."""
    heavy = solid.weight.any(1)
    if np.isnan(density[heavy]).any():
        solid.found.lose("*DLOAD GRAV on elements without a *DENSITY")
    source = solid.body + np.nan_to_num(density)[:, None] * solid.weight
    kinds, of_cell = np.unique(source, axis=0, return_inverse=True)
    if len(kinds) == 1:
        return (kinds[0] if kinds.any() else 0.0), {}
    if len(kinds) > _MOST_WEIGHTS:
        solid.found.lose(f"body forces of {len(kinds)} kinds; expected at most {_MOST_WEIGHTS}")
        return 0.0, {}
    out: dict[str, Value] = {}
    new: dict[str, Ints] = {}
    for i in range(len(kinds)):
        if kinds[i].any():
            cells = np.flatnonzero(of_cell.ravel() == i)
            same = [name for name, own in solid.found.mesh.regions.items() if np.array_equal(own, cells)]
            name = same[0] if same else unused(f"source{i + 1}", solid.found.mesh)
            new |= {} if same else {name: cells}
            out[name] = kinds[i]
    return out, new
