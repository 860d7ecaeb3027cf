"""`Family`: a random distribution over shapes. It draws plain data, and meshes what that data says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from geometries.errors import MeshopsError, SpecError
from geometries.mesh import Mesh

Shape: TypeAlias = Mapping[str, Any]
T = TypeVar("T")
_TRIES = 1000


class ShapeError(MeshopsError):
    """A family cannot draw or mesh a shape."""


@dataclass(frozen=True)
class Family(ABC):
    """A random distribution over shapes; its fields are the parameters, with defaults.

    `draw` gives a shape: a dictionary of numbers and lists, fit for JSON, that describes one member completely. All
    randomness comes from the generator passed. `mesh` turns a shape into a mesh with named boundaries, the same one
    each time. Families that use gmsh run it in the calling process, which a fault inside gmsh can end: isolate calls.

    `resolution` is the parameter that the length of edges follows, or, where it is whole, their number, while shapes
    stay as they are.

    Raises `SpecError` at the parameter that is wrong, `ShapeError` where a shape cannot be drawn or meshed.
    """

    name: ClassVar[str]
    dim: ClassVar[int]
    resolution: ClassVar[str] = "size"

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a shape."""

    @abstractmethod
    def mesh(self, shape: Shape) -> Mesh:
        """Mesh a shape that this family drew."""

    def sample(self, rng: np.random.Generator) -> Mesh:
        """Draw a shape and mesh it."""
        return self.mesh(self.draw(rng))

    def require(self, field: str, holds: bool, expected: str) -> None:
        """Raise `SpecError` at the parameter `field` unless `holds`."""
        if not holds:
            raise SpecError(f"{field} is {getattr(self, field)!r}; expected {expected}.", (field,))

    def require_counts(self, field: str, low: int, high: int) -> None:
        """Raise `SpecError` unless the parameter is a pair of whole numbers, low and high, from `low` to `high`."""
        whole = all(isinstance(v, int) and low <= v <= high for v in getattr(self, field))
        self.require(field, whole, f"two whole numbers from {low} to {high}, low and high")

    def require_numbers(self) -> None:
        """Raise `SpecError` at the first parameter whose type differs from its default's; int passes for float."""
        for f in fields(self):
            value, default = getattr(self, f.name), f.default
            if isinstance(default, float):
                self.require(f.name, is_number(value), "a finite number")
            elif isinstance(default, int):
                self.require(f.name, isinstance(value, int) and not isinstance(value, bool), "a whole number")
            elif isinstance(default, tuple):
                self.require(f.name, is_range(value), "two finite numbers, low and high")
                object.__setattr__(self, f.name, tuple(value))


def is_number(value: object) -> bool:
    """Whether `value` is a finite real number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def is_range(value: object) -> bool:
    """Whether `value` is a pair of numbers, low and high."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]


def until(attempt: Callable[[], T | None], what: str) -> T:
    """Return the first result of `attempt` that is not None; raises `ShapeError` after a thousand tries."""
    for _ in range(_TRIES):
        found = attempt()
        if found is not None:
            return found
    raise ShapeError(f"no {what} found in {_TRIES} tries; use less demanding parameters of the family.")
