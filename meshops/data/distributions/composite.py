"""Values made of other distributions: vectors, exponentials, one for each region."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from geometries.errors import SpecError, nearest
from geometries.expressions import Expression
from meshops.data.distributions.base import Distribution, Draw, Place, read_at, read_distribution, value_of

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Vector(Distribution):
    """Components, each with its distribution; as a list. `null` leaves one free, in conditions that allow it."""

    key: ClassVar[str] = "vector"
    parts: tuple[Distribution | None, ...]

    @classmethod
    def read(cls, given: object) -> Vector:
        """Read a list of two components or more."""
        if not isinstance(given, list | tuple) or len(given) < 2:
            raise SpecError(f"found {given!r}; expected a number, or a list of two components or more.")
        return cls(tuple(None if part is None else read_at(part, i) for i, part in enumerate(given)))

    def draw(self, rng: np.random.Generator, place: Place) -> tuple[Draw | None, ...]:
        """Draw each component."""
        return tuple(None if part is None else part.draw(rng, place) for part in self.parts)

    def to_spec(self) -> object:
        """Return the list."""
        return [None if part is None else part.to_spec() for part in self.parts]

    @property
    def numeric(self) -> bool:
        """A vector is no number."""
        return False


@dataclass(frozen=True)
class Formula(Distribution):
    """A text in which {name} stands for a parameter of the sample: `"4*{speed}*y*(1-y)"`."""

    key: ClassVar[str] = "formula"
    text: str

    def __post_init__(self) -> None:
        """Check that the text is an expression once its parameters are numbers."""
        self._filled(dict.fromkeys(self.names, 1.0))

    @classmethod
    def read(cls, given: object) -> Formula:
        """Read the text."""
        return cls(str(given))

    def draw(self, rng: np.random.Generator, place: Place) -> float | Expression:
        """Put the sample's parameters in."""
        return self._filled(place.parameters)

    def to_spec(self) -> object:
        """Return the text."""
        return self.text

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it refers to."""
        return tuple(_PARAMETER.findall(self.text))

    @property
    def numeric(self) -> bool:
        """Whether it depends on nothing but parameters."""
        return isinstance(self._filled(dict.fromkeys(self.names, 1.0)), float)

    def _filled(self, parameters: Mapping[str, float]) -> float | Expression:
        unknown = [name for name in self.names if name not in parameters]
        if unknown:
            raise SpecError(f"{self.text!r}: no parameter {unknown[0]!r}; {nearest(unknown[0], parameters)}")
        return value_of(_PARAMETER.sub(lambda found: f"({parameters[found[1]]:.17g})", self.text))


def references(spec: object, key: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the parameters that texts in a plain form below `key` refer to, each after the keys that lead there."""
    if isinstance(spec, str):
        yield from ((key, name) for name in _PARAMETER.findall(spec))
    elif isinstance(spec, Mapping | list | tuple):
        for step, value in spec.items() if isinstance(spec, Mapping) else enumerate(spec):
            yield from references(value, (*key, step))


@dataclass(frozen=True)
class Exponential(Distribution):
    """The exponential of another: of a Gaussian field a log-normal one, positive everywhere."""

    key: ClassVar[str] = "exp"
    of: Distribution

    @classmethod
    def read(cls, given: object) -> Exponential:
        """Read the distribution of the logarithm."""
        return cls(read_distribution(given))

    def draw(self, rng: np.random.Generator, place: Place) -> Draw:
        """Draw the logarithm, and take its exponential."""
        drawn = self.of.draw(rng, place)
        if isinstance(drawn, Expression):
            return Expression(f"exp({drawn.text})")
        if isinstance(drawn, float | np.ndarray):
            return np.exp(drawn) if isinstance(drawn, np.ndarray) else float(np.exp(drawn))
        raise SpecError("exp is of a number or a field of one component.")

    def to_spec(self) -> object:
        """Return the key with the distribution of the logarithm."""
        return {self.key: self.of.to_spec()}

    @property
    def numeric(self) -> bool:
        """Whether the logarithm is a number."""
        return self.of.numeric


@dataclass(frozen=True)
class PerRegion(Distribution):
    """A number for each region: `{per_region: {iron: {log_uniform: [500, 5000]}, air: 1}}`."""

    key: ClassVar[str] = "per_region"
    values: Mapping[str, Distribution]

    def __post_init__(self) -> None:
        """Freeze, and check that the values are numbers."""
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))
        for name, value in self.values.items():
            if not value.numeric:
                raise SpecError("found a field; expected a number or a distribution of numbers.", (name,))

    @classmethod
    def read(cls, given: object) -> PerRegion:
        """Read the distributions by the names of regions."""
        if not isinstance(given, Mapping) or not given:
            raise SpecError(f"found {given!r}; expected regions with their values.")
        return cls({str(name): read_at(value, str(name)) for name, value in given.items()})

    def draw(self, rng: np.random.Generator, place: Place) -> Mapping[str, float]:
        """Draw for each region that the mesh has; `?` after a name leaves it out where it lacks it."""
        regions = place.mesh.regions
        drawn = {name: float(value.draw(rng, place)) for name, value in self.values.items()}
        return {n.removesuffix("?"): v for n, v in drawn.items() if not n.endswith("?") or n[:-1] in regions}

    def to_spec(self) -> object:
        """Return the key with the values."""
        return {self.key: {name: value.to_spec() for name, value in self.values.items()}}

    @property
    def numeric(self) -> bool:
        """Numbers by region are no number."""
        return False
