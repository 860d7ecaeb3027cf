"""Random conditions: their values are distributions, and their kind may be random too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields

import numpy as np

from geometries.conditions import CONDITIONS, Condition
from geometries.errors import SpecError, nearest
from geometries.mesh import Mesh
from meshops.data.distributions import Distribution, by_name, only_entry, read_distribution, under


class RandomCondition(ABC):
    """A distribution over the conditions of one boundary."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, mesh: Mesh) -> Condition:
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

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> Condition:
        """Draw the values."""
        return CONDITIONS[self.kind](**{name: d.draw(rng, mesh) for name, d in self.values.items()})

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

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> Condition:
        """Draw an option, then its values."""
        return self.options[rng.integers(len(self.options))].draw(rng, mesh)

    def to_spec(self) -> dict[str, object]:
        """Return the options."""
        return {"one_of": [option.to_spec() for option in self.options]}

    def kinds(self) -> Iterator[str]:
        """Yield the kinds of all options."""
        for option in self.options:
            yield from option.kinds()


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
