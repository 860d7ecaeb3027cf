"""What a distribution is, and how its YAML form is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cached_property
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.errors import SpecError, nearest
from geometries.expressions import Expression
from geometries.mesh import Mesh
from geometries.values import as_value
from meshops.equations.case import REST, unclaimed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Draw: TypeAlias = "float | Expression | Floats | Mapping[str, float] | tuple[object, ...]"
DISTRIBUTIONS: dict[str, type[Distribution]] = {}  # filled in `meshops.data.distributions`


@dataclass(frozen=True, eq=False)
class Place:
    """Where a value is wanted: all of `mesh`, or the sides of `boundary`; `*` is all outer sides but those `taken`.

    `parameters` {name: number} are those of the sample, which texts refer to as {name}.
    """

    mesh: Mesh
    boundary: str = ""
    taken: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)

    def on(self, boundary: str, taken: Iterable[str] = ()) -> Place:
        """Return the place of a boundary of the same mesh."""
        return replace(self, boundary=boundary, taken=tuple(taken))

    @cached_property
    def sides(self) -> Ints:
        """(n, 2) the sides of the boundary."""
        return unclaimed(self.mesh, self.taken) if self.boundary == REST else self.mesh.sides(self.boundary)

    @cached_property
    def nodes(self) -> Ints:
        """(n,) its points in ascending order: what an array of values is over."""
        return self.mesh.nodes(self.sides) if self.boundary else np.arange(self.mesh.num_points)

    @property
    def points(self) -> Floats:
        """(n, d) where its points are."""
        return self.mesh.points[self.nodes]

    @property
    def size(self) -> float:
        """The longest side of the mesh's bounding box: the unit of lengths in distributions."""
        return float(np.ptp(self.mesh.points, axis=0).max())


@dataclass(frozen=True)
class Distribution(ABC):
    """A random value: a number, an expression in x, y, z, an array over the place's points, or numbers by region.

    All randomness comes from the generator passed. Lengths are relative to the longest side of the mesh's bounding box,
    so that a field looks alike on a part of any size.
    """

    key: ClassVar[str]

    @abstractmethod
    def draw(self, rng: np.random.Generator, place: Place) -> Draw:
        """Draw a value for `place`."""

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
class Named(Distribution):
    """A field whose parameters are given by name: distributions of numbers, but for the `plain` ones."""

    plain: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Check that the parameters are numbers."""
        for name, value in self.random.items():
            if not value.numeric:
                raise SpecError(f"{name} is a field; expected a number or a distribution of numbers.", (name,))

    @classmethod
    def read(cls, given: object) -> Named:
        """Read the parameters by name, or the first alone."""
        given = by_name(given, [f.name for f in fields(cls)])
        missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in given]
        if missing:
            raise SpecError(f"{cls.key} needs {missing[0]!r}.")
        return cls(**{k: frozen(v) if k in cls.plain else read_at(v, k) for k, v in given.items()})

    @property
    def random(self) -> dict[str, Distribution]:
        """The parameters that are distributions."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.plain}

    def numbers(self, rng: np.random.Generator, place: Place) -> list[float]:
        """Draw the parameters that are distributions, in their order."""
        return [float(d.draw(rng, place)) for d in self.random.values()]

    def to_spec(self) -> object:
        """Return the key with all parameters."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {self.key: {k: v.to_spec() if isinstance(v, Distribution) else thawed(v) for k, v in plain.items()}}

    @property
    def numeric(self) -> bool:
        """A field is no number."""
        return False


def read_distribution(spec: object) -> Distribution:
    """Read a number, an expression, `{key: parameters}`, or a list of them for a vector; raises `SpecError`."""
    if isinstance(spec, list | tuple):
        return DISTRIBUTIONS["vector"].read(spec)
    if isinstance(spec, str) and "{" in spec:
        return DISTRIBUTIONS["formula"].read(spec)
    if not isinstance(spec, Mapping):
        return DISTRIBUTIONS["constant"].read(spec)
    kind, given = only_entry(spec, "one distribution such as {uniform: [0, 1]}")
    if kind not in DISTRIBUTIONS:
        raise SpecError(f"unknown distribution {kind!r}; {nearest(kind, DISTRIBUTIONS)}", (kind,))
    with under(kind):
        return DISTRIBUTIONS[kind].read(given)


def read_at(spec: object, key: str | int) -> Distribution:
    """Read a distribution; `key` goes in front of the key path of its errors."""
    with under(key):
        return read_distribution(spec)


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


def counts_of(given: object, most: int, key: str) -> tuple[int, int]:
    """Read a whole number or a range [low, high] of them, from 1 to `most`."""
    pair = given if isinstance(given, list | tuple) else (given, given)
    whole = len(pair) == 2 and all(isinstance(v, int) and not isinstance(v, bool) for v in pair)
    if not whole or not 1 <= pair[0] <= pair[1] <= most:
        raise SpecError(f"found {given!r}; expected a whole number from 1 to {most}, or a range [low, high].", (key,))
    return pair[0], pair[1]


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


def frozen(value: object) -> object:
    """Return a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def thawed(value: object) -> object:
    """Return a tuple as a list."""
    return list(value) if isinstance(value, tuple) else value
