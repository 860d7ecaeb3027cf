"""Distributions of numbers, and constants."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from geometries.errors import SpecError
from geometries.expressions import Expression
from meshops.data.distributions.base import Distribution, Draw, Place, number_of, read_at, value_of


@dataclass(frozen=True)
class Constant(Distribution):
    """Always the same number or expression."""

    key: ClassVar[str] = "constant"
    value: float | Expression

    def __post_init__(self) -> None:
        """Check the value."""
        object.__setattr__(self, "value", value_of(self.value))

    @classmethod
    def read(cls, given: object) -> Constant:
        """Read a number or an expression."""
        return cls(value_of(given))

    def draw(self, rng: np.random.Generator, place: Place) -> float | Expression:
        """Return the value; the generator is not used."""
        return self.value

    def to_spec(self) -> object:
        """Return the number or the text."""
        return self.value.text if isinstance(self.value, Expression) else self.value

    @property
    def numeric(self) -> bool:
        """Whether the value is a number."""
        return not isinstance(self.value, Expression)


ZERO, ONE = Constant(0.0), Constant(1.0)


@dataclass(frozen=True)
class _Pair(Distribution):
    """A distribution of two numbers, written as a list."""

    @classmethod
    def read(cls, given: object) -> Distribution:
        """Read a list of two numbers."""
        names = [f.name for f in fields(cls)]
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise SpecError(f"found {given!r}; expected two numbers, [{', '.join(names)}].")
        return cls(*(number_of(v) for v in given))

    def to_spec(self) -> object:
        """Return the key with the two numbers."""
        return {self.key: [getattr(self, f.name) for f in fields(self)]}


@dataclass(frozen=True)
class Uniform(_Pair):
    """Uniform between `low` and `high`."""

    key: ClassVar[str] = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the order."""
        if not self.low <= self.high:
            raise SpecError(f"found [{self.low:g}, {self.high:g}]; expected low <= high.")

    def draw(self, rng: np.random.Generator, place: Place) -> float:
        """Draw a number."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform(_Pair):
    """A number whose logarithm is uniform between those of `low` > 0 and `high`."""

    key: ClassVar[str] = "log_uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the order and the sign."""
        if not 0 < self.low <= self.high:
            raise SpecError(f"found [{self.low:g}, {self.high:g}]; expected 0 < low <= high.")

    def draw(self, rng: np.random.Generator, place: Place) -> float:
        """Draw a number."""
        drawn = np.exp(rng.uniform(np.log(self.low), np.log(self.high)))
        return float(np.clip(drawn, self.low, self.high))


@dataclass(frozen=True)
class Normal(_Pair):
    """Normal with `mean` and standard deviation `std` >= 0."""

    key: ClassVar[str] = "normal"
    mean: float
    std: float

    def __post_init__(self) -> None:
        """Check the deviation."""
        if not self.std >= 0:
            raise SpecError(f"found a standard deviation of {self.std:g}; expected at least 0.")

    def draw(self, rng: np.random.Generator, place: Place) -> float:
        """Draw a number."""
        return float(rng.normal(self.mean, self.std))


@dataclass(frozen=True)
class Choice(Distribution):
    """One of several distributions, each as likely."""

    key: ClassVar[str] = "choice"
    options: tuple[Distribution, ...]

    @classmethod
    def read(cls, given: object) -> Choice:
        """Read a list of distributions; numbers and expressions are constants."""
        if not isinstance(given, list | tuple) or not given:
            raise SpecError(f"found {given!r}; expected a list of values or distributions.")
        return cls(tuple(read_at(option, i) for i, option in enumerate(given)))

    def draw(self, rng: np.random.Generator, place: Place) -> Draw:
        """Draw an option, then from it."""
        return self.options[rng.integers(len(self.options))].draw(rng, place)

    def to_spec(self) -> object:
        """Return the key with the options."""
        return {self.key: [option.to_spec() for option in self.options]}

    @property
    def numeric(self) -> bool:
        """Whether every option is a number."""
        return all(option.numeric for option in self.options)
