"""Random conditions: their values are distributions, and their kind may be random too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from fnmatch import fnmatchcase

import numpy as np

from geometries.conditions import CONDITIONS, Condition
from geometries.errors import SpecError, nearest
from geometries.mesh import Mesh
from meshops.data.distributions import Distribution, Place, read_distribution
from meshops.data.distributions.base import REST, by_name, check_keys, counts_of, only_entry, under


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
    """A condition of one kind, each value with its distribution: `{robin: {coefficient: ..., ambient: ...}}`."""

    kind: str
    values: Mapping[str, Distribution]

    def draw(self, rng: np.random.Generator, place: Place) -> Condition:
        """Draw the values."""
        return CONDITIONS[self.kind](**{name: d.draw(rng, place) for name, d in self.values.items()})

    def to_spec(self) -> dict[str, object]:
        """Return the kind with its values by name."""
        return {self.kind: {name: d.to_spec() for name, d in self.values.items()}}

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

    `{some: {of: [face*], count: [1, 3], condition: {dirichlet: 0}}}`; each boundary gets a draw of its own.
    """

    of: tuple[str, ...]
    count: tuple[int, int]
    condition: RandomCondition

    def choose(self, rng: np.random.Generator, mesh: Mesh, taken: Sequence[str]) -> list[str]:
        """Draw outer boundaries that share no facet; raises `SpecError` where there are fewer than the least count."""
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
        if len(chosen) < self.count[0]:
            raise SpecError(f"{len(chosen)} free boundaries match {list(self.of)}; expected at least {self.count[0]}.")
        return [name for name in named if name in chosen]

    def to_spec(self) -> dict[str, object]:
        """Return the plain form."""
        return {"some": {"of": list(self.of), "count": list(self.count), "condition": self.condition.to_spec()}}

    def kinds(self) -> Iterator[str]:
        """Yield the kinds that may be drawn."""
        yield from self.condition.kinds()


def draw_conditions(
    conditions: Mapping[str, RandomCondition | SomeOf], rng: np.random.Generator, mesh: Mesh
) -> dict[str, Condition]:
    """Draw the condition of each boundary, those drawn by name and `*` last."""
    drawn: dict[str, Condition] = {}
    named = [n.removesuffix("?") for n, c in conditions.items() if n != REST and not isinstance(c, SomeOf)]
    for name, condition in sorted(conditions.items(), key=lambda item: _turn(*item)):
        if isinstance(condition, SomeOf):
            for chosen in condition.choose(rng, mesh, [n for n in (*named, *drawn) if n in mesh.boundaries]):
                drawn[chosen] = condition.condition.draw(rng, Place(mesh, chosen))
        elif not name.endswith("?") or name.removesuffix("?") in mesh.boundaries:
            own = name.removesuffix("?")
            drawn[own] = condition.draw(rng, Place(mesh, own, tuple(drawn)))
    return drawn


def _turn(name: str, condition: RandomCondition | SomeOf) -> int:
    return 2 if name == REST else int(isinstance(condition, SomeOf))


def read_condition_entry(spec: object) -> RandomCondition | SomeOf:
    """Read what stands under a name in `conditions`: a random condition, or `{some: ...}` of several boundaries."""
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


def _values(kind: str, given: object) -> dict[str, Distribution]:
    known = fields(CONDITIONS[kind])
    values = by_name(given, [f.name for f in known])
    missing = [f.name for f in known if f.name not in values and f.default is MISSING]
    if missing:
        raise SpecError(f"{kind} needs {missing[0]!r}.")
    out = {}
    for name, spec in values.items():
        with under(*([] if values is not given else [name])):
            out[name] = read_distribution(spec)
    return out
