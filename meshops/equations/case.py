"""`Case`: one well-posed problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition, Dirichlet, Periodic, Radiation, Robin
from geometries.errors import SpecError, nearest
from geometries.mesh import Mesh
from geometries.sides import over_sides, to_nodes
from geometries.values import Value, as_value, evaluate, names_in
from meshops.equations.base import Equation
from meshops.equations.loads import loads
from meshops.equations.solution import Solution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Given: TypeAlias = Value | Mapping[str, Value]
Conditions: TypeAlias = Condition | tuple[Condition, ...]
REST = "*"  # the name of all outer sides that no other condition claims, see `claimed`


@dataclass(frozen=True, eq=False)
class Part:
    """A condition and the sides that it holds on."""

    name: str
    condition: Condition
    sides: Ints

    @property
    def values(self) -> dict[str, Value]:
        """The condition's values by name."""
        return self.condition.values


@dataclass(frozen=True, eq=False)
class Case:
    """Mesh + equation + conditions + coefficients + source, and of a transient problem times and a start.

    - `conditions` {boundary name: condition, or several}; the name `*` stands for every outer side neither named
      otherwise nor of a periodic partner. Sides without a condition have the natural one (no flux).
    - `coefficients` {name: number, expression, array over points, or {region: value}}; of a vector one a component,
      where arrays stand beside numbers only.
    - `source` the same; zero in regions that are not named.
    - `times` (T,) increasing, the first the start; empty for a steady problem. `initial` {field: value} at the start,
      zero where it is not given; of a second-order equation `field.rate` too. A steady nonlinear solve starts there; a
      steady linear problem takes none.

    Raises `SpecError` for unknown names, sides claimed twice, values that are not finite or have the wrong sign, and a
    problem without a unique solution.
    """

    mesh: Mesh
    equation: Equation
    conditions: Mapping[str, Conditions] = field(default_factory=dict, kw_only=True)
    coefficients: Mapping[str, Given] = field(default_factory=dict, kw_only=True)
    source: Given = field(default=0.0, kw_only=True)
    initial: Mapping[str, Value] = field(default_factory=dict, kw_only=True)
    times: Sequence[float] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Freeze and check."""
        from meshops.equations.case_checks import check

        put = object.__setattr__
        put(self, "conditions", MappingProxyType({n: _conditions(c) for n, c in self.conditions.items()}))
        put(self, "coefficients", MappingProxyType(_coefficients(self)))
        put(self, "source", _source(self))
        put(self, "initial", MappingProxyType({n: as_value(v, ("initial", n)) for n, v in self.initial.items()}))
        put(self, "times", _times(self.times))
        check(self)

    @classmethod
    def read(cls, path: str | Path) -> Case:
        """Read a case file (YAML); see `meshops.equations.case_file`."""
        from meshops.equations.case_file import read_case

        return read_case(Path(path))

    def write(self, path: str | Path) -> None:
        """Write a case file and, beside it, the mesh as .vtu; `read` gives the case back."""
        from meshops.equations.case_file import write_case

        write_case(self, Path(path))

    # -- what kind of problem it is --------------------------------------------------------------------------------
    @property
    def transient(self) -> bool:
        """Whether it has times."""
        return bool(self.times)

    @property
    def start(self) -> float:
        """The first time, 0 of a steady problem."""
        return self.times[0] if self.times else 0.0

    @cached_property
    def linear(self) -> bool:
        """Whether the equation, its conditions and its coefficients are linear in the field."""
        terms = (self.equation.terms[type(part.condition)] for part in self.parts)
        return not (self.equation.nonlinear(self) or any(term.nonlinear for term in terms))

    @cached_property
    def varying(self) -> frozenset[str]:
        """The names of the coefficients and of the source that depend on the field."""
        plain = {name: self.given(name) for name in (*self.coefficients, "source")}
        return frozenset(n for n, v in plain.items() if not isinstance(v, Mapping) and "u" in names_in(v))

    # -- conditions ------------------------------------------------------------------------------------------------
    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The conditions with their sides, `*` resolved; of several on one boundary one part each."""
        sides = {name: self.mesh.sides(name) for name in self.conditions if name != REST}
        if REST in self.conditions:
            sides[REST] = unclaimed(self.mesh, claimed(self.conditions))
        return tuple(Part(n, c, own) for n, own in sides.items() for c in every(self.conditions[n]))

    @cached_property
    def fixed(self) -> Floats:
        """(N, C) Dirichlet values at the start, see `fixed_at`."""
        return self.fixed_at(self.start)

    def fixed_at(self, time: float) -> Floats:
        """Return (N, C) Dirichlet values of all fields' components, NaN where free; the mean where boundaries meet."""
        n, d = self.mesh.num_points, self.mesh.space_dim
        count = [len(f.parts(d)) for f in self.equation.fields]
        total, times = np.zeros((2, n, count[0]))
        for part in self.parts:
            if isinstance(part.condition, Dirichlet):
                values = on_nodes(self, part, "value", time).reshape(n, -1)
                given = ~np.isnan(values)
                total[given] += values[given]
                times += given
        out = np.full((n, sum(count)), np.nan)
        out[:, : count[0]] = np.where(times > 0, total / np.maximum(times, 1), np.nan)
        return out

    def condition_shape(self, condition: Condition, name: str) -> tuple[int, ...]:
        """Return the shape of one value of a condition: the field's, or () of a scalar."""
        return self.equation.fields[0].shape(self.mesh.space_dim) if name in condition.of_field else ()

    # -- coefficients and source -----------------------------------------------------------------------------------
    def given(self, name: str) -> Given:
        """Return a coefficient or `source` as it was given."""
        return self.source if name == "source" else self.coefficients[name]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the shape of one value of a coefficient or of `source`; () of a tensor that is given by scalars."""
        d = self.mesh.space_dim
        if name == "source":
            return self.equation.source_shape(d)
        info = next(c for c in self.equation.coefficients if c.name == name)
        return () if info.rank == 2 and _isotropic(self.given(name), d) else info.shape(d)

    def coefficient(
        self, name: str, points: Floats, cells: Ints, *, time: float = 0.0, u: Floats | None = None
    ) -> Floats:
        """Return (C, q, *shape) values of a coefficient or of `source` at `points` (C, q, d) in `cells` (C,).

        `u` (C, q) is the field there. Not for arrays over points.
        """
        given, shape = self.given(name), self.shape_of(name)
        if not isinstance(given, Mapping):
            what = name if name == "source" else f"coefficient {name!r}"
            return evaluate(given, points, what, shape=shape, time=time, u=u)
        values = per_cell(self.mesh, given, name, shape)[cells]
        return np.broadcast_to(values[:, None], (*points.shape[:-1], *shape))

    def nodal(self, name: str, time: float | None = None) -> Floats:
        """Return (N, *shape) values of a coefficient or of `source` at the points, at `time` or else at the start.

        Regions are averaged by volume; what depends on the field is taken at its `level`.
        """
        given, shape = self.given(name), self.shape_of(name)
        if isinstance(given, Mapping):
            flat = per_cell(self.mesh, given, name, shape).reshape(self.mesh.num_cells, -1)
            columns = [self.mesh.to_points(column) for column in flat.T]
            return np.stack(columns, axis=1).reshape(-1, *shape)
        u = np.full(self.mesh.num_points, self.level) if name in self.varying else None
        return evaluate(given, self.mesh.points, name, shape=shape, time=self.start if time is None else time, u=u)

    @cached_property
    def loads(self) -> Floats:
        """(N, *shape) what each point has of the source, at the start: see `meshops.equations.loads`."""
        return loads(self, self.start)

    @property
    def moving(self) -> bool:
        """Whether the source changes in time."""
        return self.transient and in_time(self.source)

    @cached_property
    def level(self) -> float:
        """The mean of the scalar field's values that are given: on boundaries, of surroundings, at the start."""
        found = [self.fixed[:, 0]]
        for part in self.parts:
            if isinstance(part.condition, Robin | Radiation):
                found.append(on_nodes(self, part, "ambient"))
        if self.equation.field in self.initial:
            found.append(self.start_values()[self.equation.field][:, 0])
        values = np.concatenate(found)
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else 0.0

    def start_values(self, suffix: str = "") -> dict[str, Floats]:
        """Return {field: (N, c)} at the start; with the suffix `.rate` the rates."""
        out, d = {}, self.mesh.space_dim
        for known in self.equation.fields:
            given = self.initial.get(known.name + suffix, 0.0)
            values = evaluate(given, self.mesh.points, f"initial {known.name}", shape=known.shape(d), time=self.start)
            out[known.name] = np.array(values).reshape(self.mesh.num_points, -1)
        return out

    def solution(self, values: Floats | Mapping[str, Floats], **made_by: object) -> Solution:
        """Return the `Solution` with these fields, or whose only field has `values` (N,) or (N, c)."""
        if not isinstance(values, Mapping):
            values = {self.equation.field: np.asarray(values).reshape(self.mesh.num_points, -1)}
        return Solution(self, values, made_by)


def _isotropic(given: Given, dim: int) -> bool:
    if isinstance(given, Mapping):
        return all(_isotropic(value, dim) for value in given.values())
    if isinstance(given, np.ndarray):
        return given.ndim == 1 and len(given) != dim
    return not isinstance(given, tuple)


def in_time(given: Given) -> bool:
    """Return whether a value depends on time."""
    return not isinstance(given, Mapping) and "t" in names_in(given)  # the values of regions are numbers


def every(given: Conditions) -> tuple[Condition, ...]:
    """Return the conditions of one boundary as a tuple."""
    return given if isinstance(given, tuple) else (given,)


def claimed(conditions: Mapping[str, Conditions]) -> list[str]:
    """Return the boundaries whose sides `*` leaves out: those with conditions, and the partners of periodic ones."""
    found = [c for given in conditions.values() for c in every(given)]
    return [*(name for name in conditions if name != REST), *(c.partner for c in found if isinstance(c, Periodic))]


def unclaimed(mesh: Mesh, names: Iterable[str]) -> Ints:
    """Return the outer sides that are of none of the boundaries `names`: what `*` stands for."""
    ids = [np.empty(0, np.int64), *(mesh.facet_ids(mesh.sides(name)) for name in names)]
    return mesh.outer[~np.isin(mesh.facet_ids(mesh.outer), np.concatenate(ids))]


def on_nodes(case: Case, part: Part, name: str, time: float | None = None) -> Floats:
    """Return (N, *shape) one value of a condition at the points of its sides, NaN elsewhere.

    An array is over the sorted points of the boundary (`mesh.nodes(sides)`), or over its sides where it has their
    number and not that of the points; the latter is averaged.
    """
    mesh, given, shape = case.mesh, part.values[name], case.condition_shape(part.condition, name)
    out = np.full((mesh.num_points, *shape), np.nan)
    nodes = mesh.nodes(part.sides)
    if over_sides(mesh, part.sides, given, shape):
        out[nodes] = to_nodes(mesh, part.sides, given)
    else:
        moment = case.start if time is None else time
        out[nodes] = evaluate(given, mesh.points[nodes], label(part, name), shape=shape, time=moment)
    return out


def on_sides(case: Case, part: Part, name: str) -> Floats:
    """Return (n, *shape) one value of a condition on each of its sides, the mean over the side's points."""
    values = on_nodes(case, part, name)
    out = np.zeros((len(part.sides), *values.shape[1:]))
    for _, at, points in case.mesh.facets(part.sides):
        out[at] = values[points].mean(1)
    return out


def label(part: Part, name: str) -> str:
    """Return what errors call a value of a condition."""
    return f"{part.condition.key} {name} on {part.name!r}"


def per_cell(mesh: Mesh, given: Mapping[str, Value], name: str, shape: tuple[int, ...] = ()) -> Floats:
    """Return (C, *shape) values of regions; in other cells NaN, of the source 0."""
    out = np.full((mesh.num_cells, *shape), np.nan)
    for region, value in given.items():
        cells = mesh.regions[region]
        number = evaluate(value, np.zeros((1, mesh.space_dim)), f"{name} of {region!r}", shape=shape)[0]
        if (~np.isnan(out[cells]) & (out[cells] != number)).any():
            key = (name, region) if name == "source" else ("coefficients", name, region)
            raise SpecError(f"{name}: region {region!r} overlaps another with another value.", key)
        out[cells] = number
    return np.nan_to_num(out) if name == "source" else out


# -- freezing ----------------------------------------------------------------------------------------------------------
def _conditions(given: Condition | Sequence[Condition]) -> Conditions:
    return tuple(given) if isinstance(given, list | tuple) else given  # what is neither is refused by the checks


def _coefficients(case: Case) -> dict[str, Given]:
    known = {c.name: c for c in case.equation.coefficients}
    for name in case.coefficients:
        if name not in known:
            raise SpecError(
                f"{case.equation.name} has no coefficient {name!r}; {nearest(name, known)}", ("coefficients", name)
            )
    out: dict[str, Given] = {}
    for name, info in known.items():
        given = case.coefficients.get(name, info.default)
        if given is None:
            raise SpecError(f"{case.equation.name} needs the coefficient {name!r} ({info.unit}).", ("coefficients",))
        key = ("coefficients", name)
        if isinstance(given, Mapping):
            out[name] = _regions(case.mesh, given, key)
        else:
            out[name] = _joined(case.mesh, as_value(given, key), info.shape(case.mesh.space_dim), key)
    return out


def _joined(mesh: Mesh, given: Value, shape: tuple[int, ...], key: tuple[str, ...]) -> Value:
    """Return one array over points for arrays over points as components, beside numbers; other values as they are."""
    if not isinstance(given, tuple) or not _over_points(given, shape, mesh.num_points):
        return given
    if names_in(given):
        raise SpecError("found arrays over points beside expressions; expected arrays and numbers only.", key)
    values = evaluate(given, mesh.points, key[-1], shape=shape)
    values.setflags(write=False)
    return values


def _over_points(given: Value | None, shape: tuple[int, ...], count: int) -> bool:
    if isinstance(given, tuple):
        return bool(shape) and any(_over_points(item, shape[1:], count) for item in given)
    return isinstance(given, np.ndarray) and given.shape == (count, *shape)


def _regions(mesh: Mesh, given: Mapping[str, object], key: tuple[str | int, ...]) -> Mapping[str, Value]:
    out = _by_region(mesh, given, key)
    cells = np.zeros(mesh.num_cells, bool)
    for region in out:
        cells[mesh.regions[region]] = True
    missing = int((~cells).sum())
    if missing:
        raise SpecError(f"{missing} of {mesh.num_cells} cells are in none of the regions {sorted(out)}.", key)
    return MappingProxyType(out)


def _source(case: Case) -> Given:
    if not isinstance(case.source, Mapping):
        shape = case.equation.source_shape(case.mesh.space_dim)
        return _joined(case.mesh, as_value(case.source, ("source",)), shape, ("source",))
    return MappingProxyType(_by_region(case.mesh, case.source, ("source",)))


def _by_region(mesh: Mesh, given: Mapping[str, object], key: tuple[str | int, ...]) -> dict[str, Value]:
    out = {}
    for region, number in given.items():
        if region not in mesh.regions:
            raise SpecError(f"no region is named {region!r}; {nearest(region, mesh.regions)}", (*key, region))
        value = as_value(number, (*key, region))
        if names_in(value):
            raise SpecError(f"found {number!r} for region {region!r}; expected numbers.", (*key, region))
        out[region] = value
    return out


def _times(given: Sequence[float]) -> tuple[float, ...]:
    try:
        times = tuple(float(t) for t in given)
    except (TypeError, ValueError):
        raise SpecError(f"found times {given!r}; expected numbers.", ("times",)) from None
    back = next((b for a, b in pairwise(times) if b <= a), None)
    if back is not None:
        found = f"{back:g} twice" if times.count(back) > 1 else f"{back:g} after a later time"
        raise SpecError(f"found {found}; expected increasing times.", ("times",))
    if times and (len(times) < 2 or not np.isfinite(times).all()):
        raise SpecError(f"found {len(times)} times; expected two or more, increasing and finite.", ("times",))
    return times
