"""Sources at a few random points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geometries.expressions import Expression
from meshops.data.distributions.base import Distribution, Named, Place, counts_of
from meshops.data.distributions.numbers import ONE

_MOST = 100


@dataclass(frozen=True)
class _Spots(Named):
    """The sum of `count` (a number or [low, high]) spots about random points of the mesh, as an expression."""

    plain: ClassVar[tuple[str, ...]] = ("count",)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        counts_of(self.count, _MOST, "count")  # type: ignore[attr-defined]

    def draw(self, rng: np.random.Generator, place: Place) -> Expression:
        """Draw the points, then a size and a value for each."""
        count = rng.integers(*counts_of(self.count, _MOST, "count"), endpoint=True)  # type: ignore[attr-defined]
        centers = place.points[rng.integers(len(place.nodes), size=count)]
        return Expression("+".join(self._spot(center, self.numbers(rng, place), place.size) for center in centers))

    def _spot(self, center: np.ndarray, drawn: list[float], unit: float) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Discs(_Spots):
    """Discs, or balls in 3-D, of a `radius` in units of the longest side of the bounding box, of a `value` each.

    Where they overlap, values add up. With radius 0.0707 (r² = 0.005), value 1 and count [1, 3] as in Lötzsch et al.
    (arXiv 2206.14092), whose discs merge where they overlap.
    """

    key: ClassVar[str] = "discs"
    radius: Distribution
    value: Distribution = ONE
    count: int | tuple[int, int] = 1

    def _spot(self, center: np.ndarray, drawn: list[float], unit: float) -> str:
        size, value = drawn
        return f"{value:.9g}*({_square(center)} < {(size * unit) ** 2:.9g})"


@dataclass(frozen=True)
class Gaussians(_Spots):
    """`value` exp(-r²/(2 `width`²)) each, the width in units of the longest side of the bounding box."""

    key: ClassVar[str] = "gaussians"
    width: Distribution
    value: Distribution = ONE
    count: int | tuple[int, int] = 1

    def _spot(self, center: np.ndarray, drawn: list[float], unit: float) -> str:
        size, value = drawn
        return f"{value:.9g}*exp(-({_square(center)})/{2 * (size * unit) ** 2:.9g})"


def _square(center: np.ndarray) -> str:
    return "+".join(f"({axis}-({c:.9g}))**2" for axis, c in zip("xyz", center.tolist(), strict=False))
