"""Random conditions: their values are distributions, and their kind may be random too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from fnmatch import fnmatchcase
from typing import TypeAlias

import numpy as np

from geometries.conditions import CONDITIONS, Condition
from geometries.errors import SpecError, nearest
from geometries.mesh import Mesh
from meshops.data.distributions import Distribution, Place, read_distribution
from meshops.data.distributions.base import by_name, check_keys, counts_of, only_entry, under
from meshops.equations.case import REST, claimed


class RandomCondition(ABC):
    """A distribution over the conditions of one boundary."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, place: Place) -> Condition:
        """Draw a condition."""

    @abstractmethod
    def to_spec(self) -> dict[str, object]:
        """Return the plain form; `read_random_condition` gives the condition back."""

    @abstractmethod
    def kinds(self) -> Iterator[str]:
        """Yield the kinds that may be drawn."""


@dataclass(frozen=True)
class OfKind(RandomCondition):
    """A condition of one kind, each value with its distribution: `{robin: {coefficient: ..., ambient: ...}}`.

    What is no value, as the `partner` of a periodic boundary, is text.
    """

    kind: str
    values: Mapping[str, Distribution | str]

    def draw(self, rng: np.random.Generator, place: Place) -> Condition:
        """Draw the values."""
        return CONDITIONS[self.kind](
            **{name: d if isinstance(d, str) else d.draw(rng, place) for name, d in self.values.items()}
        )

    def to_spec(self) -> dict[str, object]:
        """Return the kind with its values by name."""
        return {self.kind: {n: d if isinstance(d, str) else d.to_spec() for n, d in self.values.items()}}

    def kinds(self) -> Iterator[str]:
        """Yield the kind."""
        yield self.kind


@dataclass(frozen=True)
class OneOf(RandomCondition):
    """One of several conditions, each as likely: `{one_of: [{dirichlet: ...}, {neumann: ...}]}`."""

    options: tuple[RandomCondition, ...]

    def draw(self, rng: np.random.Generator, place: Place) -> Condition:
        """Draw an option, then its values."""
        return self.options[rng.integers(len(self.options))].draw(rng, place)

    def to_spec(self) -> dict[str, object]:
        """Return the options."""
        return {"one_of": [option.to_spec() for option in self.options]}

    def kinds(self) -> Iterator[str]:
        """Yield the kinds of all options."""
        for option in self.options:
            yield from option.kinds()


@dataclass(frozen=True)
class SomeOf:
    """A condition on some boundaries, drawn among those that match `of` and have no other condition.

    `{some: {of: [face*], count: [1, 3], condition: {dirichlet: 0}}}`; each boundary gets a draw of its own. Under a
    name that ends in `?` there may be fewer boundaries than the least count.
    """

    of: tuple[str, ...]
    count: tuple[int, int]
    condition: RandomCondition

    def choose(self, rng: np.random.Generator, mesh: Mesh, taken: Sequence[str], *, least: int) -> list[str]:
        """Draw outer boundaries that share no facet; raises `SpecError` where there are fewer than `least`."""
        named = [n for n in mesh.boundaries if n not in taken and any(fnmatchcase(n, pattern) for pattern in self.of)]
        count = rng.integers(*self.count, endpoint=True)
        free = np.isin(np.arange(mesh.num_facets), mesh.facet_ids(mesh.outer))
        for name in taken:
            free[mesh.facet_ids(mesh.sides(name))] = False
        chosen: list[str] = []
        for i in rng.permutation(len(named)):
            facets = mesh.facet_ids(mesh.sides(named[i]))
            if len(chosen) < count and free[facets].all():
                free[facets] = False
                chosen.append(named[i])
        if len(chosen) < least:
            raise SpecError(f"{len(chosen)} free boundaries match {list(self.of)}; expected at least {least}.")
        return [name for name in named if name in chosen]

    def to_spec(self) -> dict[str, object]:
        """Return the plain form."""
        return {"some": {"of": list(self.of), "count": list(self.count), "condition": self.condition.to_spec()}}

    def kinds(self) -> Iterator[str]:
        """Yield the kinds that may be drawn."""
        yield from self.condition.kinds()


Entry: TypeAlias = RandomCondition | SomeOf | tuple[RandomCondition, ...]


def draw_conditions(
    conditions: Mapping[str, Entry], rng: np.random.Generator, place: Place
) -> dict[str, Condition | tuple[Condition, ...]]:
    """Draw the conditions of each boundary of a mesh, those of boundaries chosen by chance and of `*` last."""
    drawn: dict[str, Condition | tuple[Condition, ...]] = {}
    there = place.mesh.boundaries
    named = [n.removesuffix("?") for n, c in conditions.items() if n != REST and not isinstance(c, SomeOf)]
    for name, entry in sorted(conditions.items(), key=lambda item: _turn(*item)):
        own = name.removesuffix("?")
        if isinstance(entry, SomeOf):
            least = entry.count[0] if own == name else 0
            for chosen in entry.choose(rng, place.mesh, [n for n in (*named, *drawn) if n in there], least=least):
                drawn[chosen] = entry.condition.draw(rng, place.on(chosen))
        elif own == name or own in there:
            where = place.on(own, claimed(drawn))
            if isinstance(entry, tuple):
                drawn[own] = tuple(condition.draw(rng, where) for condition in entry)
            else:
                drawn[own] = entry.draw(rng, where)
    return drawn


def write_entry(entry: Entry) -> object:
    """Return the plain form of what stands under a name in `conditions`."""
    return [c.to_spec() for c in entry] if isinstance(entry, tuple) else entry.to_spec()


def kinds_of(entry: Entry) -> Iterator[str]:
    """Yield the kinds that may be drawn."""
    for one in entry if isinstance(entry, tuple) else (entry,):
        yield from one.kinds()


def _turn(name: str, condition: Entry) -> int:
    return 2 if name == REST else int(isinstance(condition, SomeOf))


def read_entry(spec: object) -> Entry:
    """Read what stands under a name in `conditions`: a random condition, a list of them, or `{some: ...}`."""
    if isinstance(spec, list | tuple) and spec:
        return _one_of(spec).options
    if not isinstance(spec, Mapping) or list(spec) != ["some"]:
        return read_random_condition(spec)
    given = spec["some"]
    with under("some"):
        if not isinstance(given, Mapping) or not {"of", "condition"} <= set(given):
            raise SpecError(f"found {given!r}; expected {{of: [face*], count: [1, 3], condition: {{dirichlet: 0}}}}.")
        check_keys(given, ("of", "count", "condition"))
        patterns = [given["of"]] if isinstance(given["of"], str) else given["of"]
        if not isinstance(patterns, list | tuple) or not patterns:
            raise SpecError(f"found {patterns!r}; expected names or patterns of boundaries.", ("of",))
        with under("condition"):
            condition = read_random_condition(given["condition"])
        return SomeOf(tuple(map(str, patterns)), counts_of(given.get("count", 1), 1000, "count"), condition)


def read_random_condition(spec: object) -> RandomCondition:
    """Read `{kind: value}`, `{kind: {name: value, ...}}` or `{one_of: [...]}`, where values are distributions."""
    kind, given = only_entry(spec, "one condition such as {dirichlet: {normal: [0, 1]}}")
    if kind != "one_of" and kind not in CONDITIONS:
        raise SpecError(f"unknown condition {kind!r}; {nearest(kind, [*CONDITIONS, 'one_of'])}", (kind,))
    with under(kind):
        return _one_of(given) if kind == "one_of" else OfKind(kind, _values(kind, given))


def _one_of(given: object) -> OneOf:
    if not isinstance(given, list | tuple) or not given:
        raise SpecError(f"found {given!r}; expected a list of conditions.")
    options = []
    for number, option in enumerate(given):
        with under(number):
            options.append(read_random_condition(option))
    return OneOf(tuple(options))


def _values(kind: str, given: object) -> dict[str, Distribution | str]:
    known = {f.name: f for f in fields(CONDITIONS[kind])}
    if not known and not given:
        return {}
    values = by_name(given, list(known) or [""])
    missing = [name for name, f in known.items() if name not in values and f.default is MISSING]
    if missing:
        raise SpecError(f"{kind} needs {missing[0]!r}.")
    out: dict[str, Distribution | str] = {}
    for name, spec in values.items():
        with under(*([] if values is not given else [name])):
            if name not in known:
                raise SpecError(f"{kind} has no value; write {{{kind}: {{}}}}.")
            out[name] = read_distribution(spec) if known[name].type == "Value" else str(spec)
    return out
