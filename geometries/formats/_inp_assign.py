"""Loads on points and on sides become conditions on boundaries, each side in one; what fits no boundary is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometries import sides as sides_
from geometries.conditions import Condition, Dirichlet, Neumann, Robin
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Numbering:
    """The points and cells of the mesh that a deck's nodes and elements became; -1: none."""

    points: Ints
    cells: Ints

    def sides(self, mesh: Mesh, corners: Ints) -> Ints:
        """Return the side of `mesh` on each row of corners, given as the deck's nodes; (-1, -1) where there is none."""
        points = self.points[corners]
        on = sides_.table(mesh).find(points) if len(points) else np.empty((0, 2), np.int64)
        return np.where((points < 0).any(1, keepdims=True), -1, on)


@dataclass(frozen=True, eq=False)
class Fixed:
    """Values at points, by a set's name where there is one; without values, points that are only kept as a set."""

    name: str | None
    points: Ints
    values: Floats | None
    kind: str = "boundary"


@dataclass(frozen=True, eq=False)
class Flux:
    """A condition on sides, its values one a side; without a condition, sides that are only kept as a set."""

    condition: str
    kind: str
    name: str | None
    sides: Ints
    values: Mapping[str, Floats]


@dataclass(eq=False)
class _Out:
    mesh: Mesh
    conditions: dict[str, Condition]
    boundaries: dict[str, Ints]
    notes: list[str]
    missing: list[str]

    def named(self, kind: str, name: str | None, sides: Ints) -> str:
        """Return the boundary that is `sides`: the one of that name, any with the same facets, or a new one."""
        mine = np.unique(self.mesh.facet_ids(sides))
        known = {**self.mesh.boundaries, **self.boundaries}
        for known_name in [name] if name in known else known:
            if np.array_equal(np.unique(self.mesh.facet_ids(known[known_name])), mine):
                return known_name
        label = name if name and name not in known else self.unused(kind)
        self.boundaries[label] = sides
        return label

    def unused(self, kind: str) -> str:
        """Return `kind1`, `kind2`, ...: the first that is no boundary."""
        number = 1
        while f"{kind}{number}" in self.mesh.boundaries or f"{kind}{number}" in self.boundaries:
            number += 1
        return f"{kind}{number}"

    def put(self, name: str, condition: Condition) -> None:
        """Set a condition; two on one boundary are another problem."""
        if name in self.conditions:
            self.missing.append(f"a second load on {name!r}")
        self.conditions.setdefault(name, condition)


def assigned(
    mesh: Mesh, fixed: list[Fixed], fluxes: list[Flux]
) -> tuple[dict[str, Condition], dict[str, Ints], list[str], list[str]]:
    """Return conditions by boundary, the boundaries that are new, notes, and what the conditions do not hold."""
    out = _Out(mesh, {}, {}, [], [])
    held = _dirichlet(out, fixed)
    for flux in fluxes:
        ids = mesh.facet_ids(flux.sides)
        free = ~np.isin(ids, held) if flux.condition else np.ones(len(ids), dtype=bool)
        if free.any():
            _natural(out, flux, free)
    return out.conditions, out.boundaries, out.notes, out.missing


def _dirichlet(out: _Out, fixed: list[Fixed]) -> Ints:
    """Turn values at points into conditions, the last one first; return the facets that they hold."""
    mesh, outer = out.mesh, out.mesh.outer
    held = np.empty(0, np.int64)
    given = np.full(mesh.num_points, np.nan)
    found: list[tuple[str, Dirichlet]] = []
    for load in fixed:
        if load.values is not None:
            given[load.points] = load.values
    for load in reversed(fixed):
        sides = mesh.boundaries.get(load.name or "", outer)
        sides = sides[held_whole(mesh, sides, load.points)]
        sides = sides[~np.isin(mesh.facet_ids(sides), held)] if load.values is not None else sides
        if not len(sides):
            continue
        name = out.named(load.kind, load.name, sides)
        if load.values is not None:
            held = np.union1d(held, mesh.facet_ids(sides))
            own = np.full(mesh.num_points, np.nan)
            own[load.points] = load.values
            found.append((name, Dirichlet(plain(own[mesh.nodes(sides)]))))
    for name, condition in reversed(found):
        out.put(name, condition)
    _compare(out, given)
    return held


def _compare(out: _Out, given: Floats) -> None:
    """Hold what a case makes of the conditions against the values at the points that the deck gives."""
    total, count = np.zeros((2, out.mesh.num_points))
    for name, condition in out.conditions.items():
        if not isinstance(condition, Dirichlet):
            continue
        nodes = out.mesh.nodes({**out.mesh.boundaries, **out.boundaries}[name])
        total[nodes] += condition.value
        count[nodes] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    alone = int((~np.isnan(given) & np.isnan(mean)).sum())
    differ = int((np.abs(given - mean) > 1e-9 * np.maximum(np.abs(given), np.abs(mean))).sum())
    beyond = int((np.isnan(given) & ~np.isnan(mean)).sum())
    if alone:
        out.missing.append(f"*BOUNDARY gives {alone} points a temperature that are on no outer side given as a whole")
    if differ:
        out.notes.append(f"*BOUNDARY gives {differ} points where boundaries meet two temperatures: their mean is taken")
    if beyond:
        out.notes.append(f"{beyond} more points lie on sides whose temperature is given: theirs is too")


def held_whole(mesh: Mesh, sides: Ints, points: Ints) -> Bools:
    """Return which sides have all their nodes among `points`."""
    inside = np.zeros(mesh.num_points, dtype=bool)
    inside[points] = True
    on = np.zeros(len(sides), dtype=bool)
    for _, at, nodes in mesh.facets(sides):
        on[at] = inside[nodes].all(1)
    return on


def _natural(out: _Out, flux: Flux, free: Bools) -> None:
    mesh, sides = out.mesh, flux.sides[free]
    name = out.named(flux.kind, flux.name if free.all() else None, sides)
    if not flux.condition:
        return
    final = sides_.unique_rows({**mesh.boundaries, **out.boundaries}[name])
    ids, first = np.unique(mesh.facet_ids(sides), return_index=True)
    if len(ids) < len(sides):
        out.missing.append(f"two loads on one face of {name!r}")
    at = first[np.searchsorted(ids, mesh.facet_ids(final))]
    values = {key: _on_sides(out, name, final, v[free][at]) for key, v in flux.values.items()}
    out.put(name, Neumann(**values) if flux.condition == "neumann" else Robin(**values))


def _on_sides(out: _Out, name: str, sides: Ints, values: Floats) -> float | Floats:
    """Return a number, or an array over sides; over nodes where that could be mistaken for one over nodes."""
    nodes = out.mesh.nodes(sides)
    if len(nodes) != len(sides) or (values == values[0]).all():
        return plain(values)
    out.notes.append(f"the values on {name!r}, one a face, are averaged to its points")
    return sides_.to_nodes(out.mesh, sides, values)


def plain(values: Floats) -> float | Floats:
    """Return values in rows that are all alike as that one."""
    even = (values == values[0]).all()
    return (float(values[0]) if values.ndim == 1 else np.array(values[0])) if even else values
