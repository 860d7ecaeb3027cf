"""`Case`: one well-posed problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition, Dirichlet, Robin
from geometries.errors import ExpressionError, SpecError, nearest
from geometries.mesh import Mesh
from geometries.values import Value, as_value, evaluate
from meshops.equations.base import Coefficient, Equation
from meshops.equations.solution import Solution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
REST = "*"  # the name of all outer sides that no other condition claims


@dataclass(frozen=True, eq=False)
class Part:
    """A condition and the sides that it holds on."""

    name: str
    condition: Condition
    sides: Ints

    @property
    def values(self) -> dict[str, Value]:
        """The condition's values by name."""
        return {f.name: getattr(self.condition, f.name) for f in fields(self.condition)}


@dataclass(frozen=True, eq=False)
class Case:
    """Mesh + equation + conditions + coefficients + source. Frozen and checked at birth.

    - `conditions` {boundary name: condition}; the name `*` stands for every outer side not named otherwise. Sides
      without a condition have the natural one (no flux).
    - `coefficients` {name: number, expression, array over points, or {region: number}}.
    - `source` a number, an expression, an array over points, or {region: number}, zero in all other cells.

    Raises `SpecError` for unknown names, sides claimed twice, values that are not finite or have the wrong sign, and a
    problem without a unique solution.
    """

    mesh: Mesh
    equation: Equation
    conditions: Mapping[str, Condition] = field(default_factory=dict, kw_only=True)
    coefficients: Mapping[str, Value | Mapping[str, float]] = field(default_factory=dict, kw_only=True)
    source: Value | Mapping[str, float] = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        """Freeze and check."""
        put = object.__setattr__
        put(self, "conditions", MappingProxyType(dict(self.conditions)))
        put(self, "coefficients", MappingProxyType(_coefficients(self)))
        put(self, "source", _source(self))
        _check_conditions(self)
        _check_values(self)
        _check_unique(self)

    @classmethod
    def read(cls, path: str | Path) -> Case:
        """Read a case file (YAML); see `meshops.equations.case_file`."""
        from meshops.equations.case_file import read_case

        return read_case(Path(path))

    def write(self, path: str | Path) -> None:
        """Write a case file and, beside it, the mesh as .vtu; `read` gives the case back."""
        from meshops.equations.case_file import write_case

        write_case(self, Path(path))

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The conditions with their sides, `*` resolved."""
        named = [Part(n, c, self.mesh.sides(n)) for n, c in self.conditions.items() if n != REST]
        if REST not in self.conditions:
            return tuple(named)
        taken = np.concatenate([self.mesh.facet_ids(p.sides) for p in named]) if named else np.empty(0, np.int64)
        rest = self.mesh.outer[~np.isin(self.mesh.facet_ids(self.mesh.outer), taken)]
        return (*named, Part(REST, self.conditions[REST], rest))

    @cached_property
    def fixed(self) -> Floats:
        """(N,) Dirichlet values, NaN at free points; the mean where two boundaries meet."""
        total, count = np.zeros((2, self.mesh.num_points))
        for part in self.parts:
            if isinstance(part.condition, Dirichlet):
                nodes = self.mesh.nodes(part.sides)
                total[nodes] += on_nodes(self.mesh, part, "value")[nodes]
                count[nodes] += 1
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def coefficient(self, name: str, points: Floats, cells: Ints) -> Floats:
        """Return values of a coefficient or of `source` at `points` (C, q, d) in `cells` (C,); not of arrays."""
        given = self.source if name == "source" else self.coefficients[name]
        if isinstance(given, Mapping):
            return np.broadcast_to(_per_cell(self.mesh, given, name)[cells][:, None], points.shape[:-1])
        return evaluate(given, points, name if name == "source" else f"coefficient {name!r}")

    def nodal(self, name: str) -> Floats:
        """Return (N,) values of a coefficient or of `source` at the points; regions are averaged by volume."""
        given = self.source if name == "source" else self.coefficients[name]
        if isinstance(given, Mapping):
            return self.mesh.to_points(_per_cell(self.mesh, given, name))
        return evaluate(given, self.mesh.points, name)

    def solution(self, values: Floats, **made_by: object) -> Solution:
        """Return the `Solution` whose field has `values` (N,) or (N, 1) on this case's mesh."""
        return Solution(self, {self.equation.field: np.asarray(values).reshape(self.mesh.num_points, -1)}, made_by)


def on_nodes(mesh: Mesh, part: Part, name: str) -> Floats:
    """Return (N,) one value of a condition at the points of its sides, NaN elsewhere.

    An array is over the sorted points of the boundary (`mesh.nodes(sides)`), or over its sides where it has their
    number and not that of the points; the latter is averaged.
    """
    out = np.full(mesh.num_points, np.nan)
    nodes = mesh.nodes(part.sides)
    given = part.values[name]
    if isinstance(given, np.ndarray) and given.shape == (len(part.sides),) and len(nodes) != len(part.sides):
        total, count = np.zeros((2, mesh.num_points))
        for _, at, points in mesh.facets(part.sides):
            np.add.at(total, points, given[at][:, None])
            np.add.at(count, points, 1.0)
        out[nodes] = total[nodes] / count[nodes]
    else:
        out[nodes] = evaluate(given, mesh.points[nodes], _label(part, name))
    return out


def on_sides(mesh: Mesh, part: Part, name: str) -> Floats:
    """Return (n,) one value of a condition on each of its sides, the mean over the side's points."""
    values = on_nodes(mesh, part, name)
    out = np.zeros(len(part.sides))
    for _, at, points in mesh.facets(part.sides):
        out[at] = values[points].mean(1)
    return out


def _label(part: Part, name: str) -> str:
    return f"{part.condition.key} {name} on {part.name!r}"


def _coefficients(case: Case) -> dict[str, Value | Mapping[str, float]]:
    known = {c.name: c for c in case.equation.coefficients}
    for name in case.coefficients:
        if name not in known:
            raise SpecError(
                f"{case.equation.name} has no coefficient {name!r}; {nearest(name, known)}", ("coefficients", name)
            )
    out: dict[str, Value | Mapping[str, float]] = {}
    for name, info in known.items():
        given = case.coefficients.get(name, info.default)
        if given is None:
            raise SpecError(f"{case.equation.name} needs the coefficient {name!r} ({info.unit}).", ("coefficients",))
        key = ("coefficients", name)
        out[name] = _regions(case.mesh, given, key) if isinstance(given, Mapping) else as_value(given, key)
    return out


def _regions(mesh: Mesh, given: Mapping[str, object], key: tuple[str | int, ...]) -> Mapping[str, float]:
    out = _numbers(mesh, given, key)
    values = _per_cell(mesh, out, str(key[-1]))
    missing = int(np.isnan(values).sum())
    if missing:
        raise SpecError(f"{missing} of {mesh.num_cells} cells are in none of the regions {sorted(out)}.", key)
    return MappingProxyType(out)


def _source(case: Case) -> Value | Mapping[str, float]:
    if not isinstance(case.source, Mapping):
        return as_value(case.source, ("source",))
    return MappingProxyType(_numbers(case.mesh, case.source, ("source",)))


def _numbers(mesh: Mesh, given: Mapping[str, object], key: tuple[str | int, ...]) -> dict[str, float]:
    out = {}
    for region, number in given.items():
        if region not in mesh.regions:
            raise SpecError(f"no region is named {region!r}; {nearest(region, mesh.regions)}", (*key, region))
        value = as_value(number, (*key, region))
        if not isinstance(value, float):
            raise SpecError(f"found {number!r} for region {region!r}; expected a number.", (*key, region))
        out[region] = value
    return out


def _per_cell(mesh: Mesh, given: Mapping[str, float], name: str) -> Floats:
    """(C,) values of regions; in other cells NaN, of the source 0."""
    out = np.full(mesh.num_cells, np.nan)
    for region, number in given.items():
        cells = mesh.regions[region]
        if (~np.isnan(out[cells]) & (out[cells] != number)).any():
            key = (name, region) if name == "source" else ("coefficients", name, region)
            raise SpecError(f"{name}: region {region!r} overlaps another with another value.", key)
        out[cells] = number
    return np.nan_to_num(out) if name == "source" else out


def _check_sign(info: Coefficient, values: Floats) -> None:
    if info.positive and values.size and values.min() <= 0:
        raise SpecError(f"{info.name} is {values.min():.6g} somewhere; expected above 0.")


def _check_conditions(case: Case) -> None:
    taken = (Dirichlet, *case.equation.terms)
    owner: dict[str, Ints] = {}
    for name, condition in case.conditions.items():
        key = ("conditions", name)
        if not isinstance(condition, taken):
            raise SpecError(
                f"{case.equation.name} does not take {condition!r}; it takes {[c.key for c in taken]}.", key
            )
        if name == REST:
            continue
        if name not in case.mesh.boundaries:
            raise SpecError(f"no boundary is named {name!r}; {nearest(name, case.mesh.boundaries)}", key)
        ids = case.mesh.facet_ids(case.mesh.boundaries[name])
        for other, others in owner.items():
            shared = int(np.isin(ids, others).sum())
            if shared:
                raise SpecError(
                    f"{shared} facets of {name!r} are also claimed by {other!r}; name each facet once, "
                    "by {all: [..., {not: {name: OTHER}}]} for instance.",
                    key,
                )
        owner[name] = ids


def _check_values(case: Case) -> None:
    mesh = case.mesh
    for info in case.equation.coefficients:
        with _at("coefficients", info.name):
            _check_sign(info, case.nodal(info.name))
            if not isinstance(case.coefficients[info.name], np.ndarray):
                _check_sign(info, case.coefficient(info.name, mesh.cell_centers[:, None], np.arange(mesh.num_cells)))
    with _at("source"):
        case.nodal("source")
    for part in case.parts:
        for name in part.values:
            with _at("conditions", part.name, part.condition.key, name):
                values = on_nodes(mesh, part, name)
                if name == "coefficient" and np.nanmin(values, initial=0.0) < 0:
                    raise SpecError(f"{_label(part, name)} is {np.nanmin(values):.6g} somewhere; expected at least 0.")


@contextmanager
def _at(*key: str) -> Iterator[None]:
    """Give the errors of values the key that they stand at."""
    try:
        yield
    except (SpecError, ExpressionError) as error:
        raise SpecError(str(error), key) from None


def _pinning(case: Case) -> Iterator[Ints]:
    """Yield the points that a condition ties to a level: Dirichlet, and Robin with a coefficient above 0."""
    for part in case.parts:
        if isinstance(part.condition, Dirichlet):
            yield case.mesh.nodes(part.sides)
        elif isinstance(part.condition, Robin):
            yield np.flatnonzero(np.nan_to_num(on_nodes(case.mesh, part, "coefficient")) > 0)


def _check_unique(case: Case) -> None:
    """Each connected piece of the mesh needs a level: with fluxes alone a solution is unique up to a constant."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, edges = case.mesh.num_points, case.mesh.edges
    count, piece = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(n, n)), directed=False)
    pinned = np.unique(piece[np.concatenate([np.empty(0, np.int64), *_pinning(case)])])
    loose = np.setdiff1d(piece[case.mesh.mass > 0], pinned)
    if len(loose):
        where = case.mesh.points[np.flatnonzero(piece == loose[0])[0]].round(6).tolist()
        raise SpecError(
            f"{len(loose)} of {count} connected pieces (one at {where}) have no dirichlet and no robin condition, so "
            "the solution is not unique; fix the value or the exchange on one of its boundaries.",
            ("conditions",),
        )
