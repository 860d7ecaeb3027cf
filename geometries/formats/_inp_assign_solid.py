"""Supports and loads of solids become conditions on boundaries, each side in one; what fits no boundary is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geometries import sides as sides_
from geometries.conditions import Condition, Dirichlet, Neumann, Pressure
from geometries.formats._inp_assign import held_whole, plain
from geometries.formats._inp_deck import fields, floats
from geometries.formats._inp_forces import traction
from geometries.formats._inp_loads import SECTIONS, Found
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(eq=False)
class Solid:
    """What the cards give, over the points and cells of the mesh."""

    found: Found
    held: Floats  # (N, d) displacements, NaN where free
    named: dict[str, Floats] = field(default_factory=dict)  # the same, of cards that name a set
    pushes: list[tuple[str | None, Floats]] = field(default_factory=list)  # (set's name, (N, d) forces, NaN elsewhere)
    pressures: list[tuple[str | None, Ints, Floats]] = field(default_factory=list)
    pulls: list[tuple[str | None, Ints, Floats]] = field(default_factory=list)
    weight: Floats = field(default_factory=lambda: np.empty(0))  # (C, d) accelerations
    body: Floats = field(default_factory=lambda: np.empty(0))  # (C, d) forces per volume
    start: Floats = field(default_factory=lambda: np.empty(0))  # (N,) temperatures
    warm: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(eq=False)
class _Sides:
    """Conditions by boundary, each side in one; boundaries that are new."""

    solid: Solid
    conditions: dict[str, list[Condition]] = field(default_factory=dict)
    new: dict[str, Ints] = field(default_factory=dict)

    @property
    def mesh(self) -> Mesh:
        return self.solid.found.mesh

    @property
    def known(self) -> dict[str, Ints]:
        return {**self.mesh.boundaries, **self.new}

    def named(self, name: str | None, kind: str, sides: Ints) -> str:
        """Return the boundary of these sides: one with a condition, that of the name, any other, or a new one."""
        mine = np.unique(self.mesh.facet_ids(sides))
        order = [*self.conditions, *([name] if name in self.known else []), *self.known]
        for label in order:
            if np.array_equal(np.unique(self.mesh.facet_ids(self.known[label])), mine):
                return label
        number = 1
        while f"{kind}{number}" in self.known:
            number += 1
        label = name if name and name not in self.known else f"{kind}{number}"
        self.new[label] = sides
        return label

    def put(self, name: str | None, kind: str, sides: Ints, make: Callable[..., Condition], values: Floats) -> None:
        """Add a condition with `values` one a side; tell where its sides are partly those of another one."""
        label = self.named(name, kind, sides)
        final = sides_.unique_rows(self.known[label])
        ids = self.mesh.facet_ids(final)
        for other in self.conditions:
            if other != label and np.isin(ids, self.mesh.facet_ids(self.known[other])).any():
                return self.solid.found.lose(f"a load on a part of {other!r}")
        mine, first = np.unique(self.mesh.facet_ids(sides), return_index=True)
        ordered = values[first[np.searchsorted(mine, ids)]]
        condition = make(plain(ordered))
        own = self.conditions.setdefault(label, [])
        if len(mine) < len(sides) or type(condition) in map(type, own):
            return self.solid.found.lose(f"two loads on one face of {label!r}")
        own.append(condition)
        return None


def assigned_solid(solid: Solid) -> tuple[dict[str, Condition | tuple[Condition, ...]], dict[str, Ints]]:
    out = _Sides(solid)
    _supports(out)
    for name, sides, values in solid.pressures:
        if len(sides):
            out.put(name, "dload", sides, Pressure, values)
    for name, sides, values in solid.pulls:
        if len(sides):
            out.put(name, "dsload", sides, Neumann, values)
    for name, given in _merged(solid):
        _pushed(out, name, given)
    return {n: tuple(c) if len(c) > 1 else c[0] for n, c in out.conditions.items() if c}, out.new


def _supports(out: _Sides) -> None:
    """Each named set that holds whole sides, then other outer sides whose points are all held alike."""
    mesh, held = out.mesh, out.solid.held
    covered = np.zeros(held.shape, bool)
    for name, own in out.solid.named.items():
        if name in mesh.boundaries:
            _hold(out, name, mesh.boundaries[name], own, covered)
    claimed = [mesh.facet_ids(out.known[name]) for name in out.conditions]
    free = mesh.outer[~np.isin(mesh.facet_ids(mesh.outer), np.concatenate([np.empty(0, np.int64), *claimed]))]
    left = ~np.isnan(held) & ~covered
    signature = np.zeros((len(free), held.shape[1]), bool)
    needed = np.zeros(len(free), bool)
    for _, at, points in mesh.facets(free):
        signature[at] = ~np.isnan(held[points]).any(1)
        needed[at] = (left[points].any(1) & signature[at]).any(1)
    for kind in np.unique(signature[needed], axis=0):
        on = needed & (signature == kind).all(1)
        _hold(out, None, free[on], np.where(kind, held, np.nan), covered)
    alone = int((~np.isnan(held) & ~covered).any(1).sum())
    if alone:
        out.solid.found.lose(f"*BOUNDARY holds {alone} points that are on no outer side held as a whole")


def _hold(out: _Sides, name: str | None, sides: Ints, own: Floats, covered: NDArray[np.bool_]) -> None:
    nodes = out.mesh.nodes(sides)
    whole = np.atleast_1d(~np.isnan(own[nodes]).any(0))
    if not len(nodes) or not whole.any():
        return
    label = out.named(name, "boundary", sides)
    values = own[out.mesh.nodes(out.known[label])]
    parts = [plain(values[:, i]) if whole[i] else None for i in range(len(whole))]
    out.conditions.setdefault(label, []).append(Dirichlet(tuple(parts)))
    covered[np.ix_(nodes, np.flatnonzero(whole))] = True


def _merged(solid: Solid) -> Iterator[tuple[str | None, Floats]]:
    """Yield the point loads, those of one set of points together."""
    groups: dict[bytes, tuple[str | None, Floats]] = {}
    for name, given in solid.pushes:
        key = np.packbits(~np.isnan(given[:, 0])).tobytes()
        known_name, known = groups.get(key, (name, 0.0))
        groups[key] = (known_name or name, known + np.nan_to_num(given) if key in groups else np.array(given))
    yield from groups.values()


def _pushed(out: _Sides, name: str | None, given: Floats) -> None:
    """Forces at all points of a boundary are the traction that they are worth on this mesh."""
    mesh = out.mesh
    points = np.flatnonzero(~np.isnan(given[:, 0]))
    forces = np.nan_to_num(given)
    if not forces.any():
        return None
    order = [name, *out.known] if name in out.known else list(out.known)
    sides = next((out.known[n] for n in order if n and np.array_equal(mesh.nodes(out.known[n]), points)), None)
    if sides is None:
        sides = mesh.outer[held_whole(mesh, mesh.outer, points)]
    if not np.array_equal(mesh.nodes(sides), points):
        return out.solid.found.lose(f"*CLOAD on {len(points)} points that are not those of whole sides")
    found = traction(mesh, sides, forces / _thickness(out.solid.found))
    label = out.named(name, "cload", sides)
    own = out.conditions.setdefault(label, [])
    if any(isinstance(c, Neumann) for c in own):
        return out.solid.found.lose(f"two loads on {label!r}")
    own.append(Neumann(found))
    return None


def _thickness(found: Found) -> float:
    """The thickness that a section in the plane states, 1 by default."""
    if found.mesh.dim == 3:
        return 1.0
    sizes = set()
    for card in found.body.cards:
        rows = fields(card) if card.keyword in SECTIONS else np.empty((0, 0), "U1")
        sizes |= {float(size) for size in floats(rows[:1, 0], card)} if rows.size else set()
    if len(sizes) > 1:
        found.lose("sections of several thicknesses")
    return next(iter(sizes), 0.0) or 1.0
