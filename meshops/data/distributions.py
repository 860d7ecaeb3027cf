"""Distributions of numbers and of smooth fields, and their YAML form.

A distribution is written `{key: what the class reads}`, for example `{uniform: [0, 1]}`; a number or an expression
stands for itself. A new one is one class and one entry in `DISTRIBUTIONS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from geometries.errors import SpecError, nearest
from geometries.expressions import Expression
from geometries.mesh import Mesh
from geometries.values import as_value


@contextmanager
def under(*key: str | int) -> Iterator[None]:
    """Put `key` in front of the key path of any `SpecError` raised inside."""
    try:
        yield
    except SpecError as error:
        raise SpecError(str(error), (*key, *error.key)) from error.__cause__


def value_of(given: object) -> float | Expression:
    """Read a number or an expression; one without x, y, z, t (`1e4` is text in YAML) becomes a number."""
    value = as_value(given)
    if isinstance(value, Expression) and not value.names:
        value = as_value(float(value(np.zeros((1, 1)))[0]))
    if isinstance(value, np.ndarray):
        raise SpecError(f"found {given!r}; expected a number, an expression or a distribution {{uniform: [0, 1]}}.")
    return value


def number_of(given: object) -> float:
    """Read a number."""
    value = value_of(given)
    if isinstance(value, Expression):
        raise SpecError(f"found {given!r}; expected a number.")
    return value


@dataclass(frozen=True)
class Distribution(ABC):
    """A random value: a number, or an expression in x, y, z. All randomness comes from the generator passed."""

    key: ClassVar[str]

    @abstractmethod
    def draw(self, rng: np.random.Generator, mesh: Mesh) -> float | Expression:
        """Draw a value for a problem on `mesh`."""

    @classmethod
    @abstractmethod
    def read(cls, given: object) -> Distribution:
        """Read what stands under the distribution's key; raises `SpecError`."""

    @abstractmethod
    def to_spec(self) -> object:
        """Return the plain form; `read_distribution` gives the distribution back."""

    @property
    def numeric(self) -> bool:
        """Whether every draw is a number."""
        return True


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

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> float | Expression:
        """Return the value; the generator is not used."""
        return self.value

    def to_spec(self) -> object:
        """Return the number or the text."""
        return self.value.text if isinstance(self.value, Expression) else self.value

    @property
    def numeric(self) -> bool:
        """Whether the value is a number."""
        return not isinstance(self.value, Expression)


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

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> float:
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

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> float:
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

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> float:
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
        return cls(tuple(_read_at(option, i) for i, option in enumerate(given)))

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> float | Expression:
        """Draw an option, then from it."""
        return self.options[rng.integers(len(self.options))].draw(rng, mesh)

    def to_spec(self) -> object:
        """Return the key with the options."""
        return {self.key: [option.to_spec() for option in self.options]}

    @property
    def numeric(self) -> bool:
        """Whether every option is a number."""
        return all(option.numeric for option in self.options)


@dataclass(frozen=True)
class Waves(Distribution):
    """A smooth random field: `mean` plus `count` plane waves of random direction, phase and weight.

    `amplitude` is the root mean square of the waves over all space. Wave numbers are uniform from 0 to `frequency`,
    in cycles over the longest side of the mesh's bounding box, so that a field looks alike on a part of any size. It is
    drawn as an expression, so that a case stays plain data.
    """

    key: ClassVar[str] = "waves"
    amplitude: Distribution
    frequency: Distribution = Constant(1.0)
    mean: Distribution = Constant(0.0)
    count: int = 4

    def __post_init__(self) -> None:
        """Check that the parameters are numbers."""
        for name in ("amplitude", "frequency", "mean"):
            if not getattr(self, name).numeric:
                raise SpecError(f"{name} is a field; expected a number or a distribution of numbers.", (name,))
        if not isinstance(self.count, int) or isinstance(self.count, bool) or not 1 <= self.count <= 64:
            raise SpecError(f"found {self.count!r}; expected a whole number from 1 to 64.", ("count",))

    @classmethod
    def read(cls, given: object) -> Waves:
        """Read the parameters by name, or the amplitude alone."""
        given = by_name(given, [f.name for f in fields(cls)])
        if "amplitude" not in given:
            raise SpecError("waves need 'amplitude'.")
        return cls(**{k: v if k == "count" else _read_at(v, k) for k, v in given.items()})

    def draw(self, rng: np.random.Generator, mesh: Mesh) -> Expression:
        """Draw a field."""
        amplitude, frequency, mean = (float(d.draw(rng, mesh)) for d in (self.amplitude, self.frequency, self.mean))
        weights = rng.normal(size=self.count)
        weights *= np.sqrt(2) * amplitude / np.linalg.norm(weights)
        waves = rng.normal(size=(self.count, mesh.space_dim))
        waves *= rng.uniform(0, frequency, (self.count, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
        waves *= 2 * np.pi / np.ptp(mesh.points, axis=0).max()
        phases = rng.uniform(0, 2 * np.pi, self.count) - waves @ mesh.points.min(0)
        return Expression(f"{mean:.9g}" + "".join(map(_wave, weights, waves, phases)))

    def to_spec(self) -> object:
        """Return the key with all parameters."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {self.key: {k: v.to_spec() if isinstance(v, Distribution) else v for k, v in plain.items()}}


def _wave(weight: float, wave: np.ndarray, phase: float) -> str:
    along = "".join(f"{k:+.9g}*{axis}" for k, axis in zip(wave, "xyz"[: len(wave)], strict=True))
    return f"{weight:+.9g}*cos({along}{phase:+.9g})"


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    d.key: d for d in (Constant, Uniform, LogUniform, Normal, Choice, Waves)
}


def read_distribution(spec: object) -> Distribution:
    """Read a number, an expression or `{key: parameters}`; raises `SpecError`."""
    if not isinstance(spec, Mapping):
        return Constant.read(spec)
    kind, given = only_entry(spec, "one distribution such as {uniform: [0, 1]}")
    if kind not in DISTRIBUTIONS:
        raise SpecError(f"unknown distribution {kind!r}; {nearest(kind, DISTRIBUTIONS)}", (kind,))
    with under(kind):
        return DISTRIBUTIONS[kind].read(given)


def only_entry(spec: object, expected: str) -> tuple[str, object]:
    """Return the one key of a mapping and its value; raises `SpecError`."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise SpecError(f"found {spec!r}; expected {expected}.")
    kind, given = next(iter(spec.items()))
    return str(kind), given


def by_name(given: object, names: list[str]) -> Mapping[str, object]:
    """Return parameters by name; a number, an expression or a distribution alone is the first. Raises `SpecError`."""
    if not isinstance(given, Mapping) or (len(given) == 1 and next(iter(given)) in DISTRIBUTIONS):
        return {names[0]: given}
    check_keys(given, names, DISTRIBUTIONS)
    return given


def check_keys(given: Mapping[str, object], known: Iterable[str], also: Iterable[str] = ()) -> None:
    """Raise `SpecError` at the first unknown key, with the nearest name among those known and `also` meant."""
    for key in given:
        if key not in known:
            raise SpecError(f"unknown key {key!r}; {nearest(str(key), [*known, *also])}", (str(key),))


def _read_at(spec: object, key: str | int) -> Distribution:
    with under(key):
        return read_distribution(spec)
