"""Smooth random fields in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.errors import SpecError
from geometries.expressions import Expression
from meshops.data.distributions.base import Distribution, Named, Place, counts_of, number_of, under
from meshops.data.distributions.numbers import ONE, ZERO

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Waves(Named):
    """A smooth random field: `mean` plus `count` plane waves of random direction, phase and weight.

    `amplitude` is the root mean square of the waves over all space. Wave numbers are uniform from 0 to `frequency`,
    in cycles over the longest side of the mesh's bounding box, so that a field looks alike on a part of any size. It is
    drawn as an expression, so that a case stays plain data.
    """

    key: ClassVar[str] = "waves"
    plain: ClassVar[tuple[str, ...]] = ("count",)
    amplitude: Distribution
    frequency: Distribution = ONE
    mean: Distribution = ZERO
    count: int = 4

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if counts_of(self.count, 64, "count")[0] != self.count:
            raise SpecError(f"found {self.count!r}; expected a whole number from 1 to 64.", ("count",))

    def draw(self, rng: np.random.Generator, place: Place) -> Expression:
        """Draw a field."""
        mesh = place.mesh
        amplitude, frequency, mean = self.numbers(rng, place)
        weights = rng.normal(size=self.count)
        weights *= np.sqrt(2) * amplitude / np.linalg.norm(weights)
        waves = rng.normal(size=(self.count, mesh.space_dim))
        waves *= rng.uniform(0, frequency, (self.count, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
        waves *= 2 * np.pi / place.size
        phases = rng.uniform(0, 2 * np.pi, self.count) - waves @ mesh.points.min(0)
        return Expression(f"{mean:.9g}" + "".join(map(_wave, weights, waves, phases)))


def _wave(weight: float, wave: np.ndarray, phase: float) -> str:
    along = "".join(f"{k:+.9g}*{axis}" for k, axis in zip(wave, "xyz"[: len(wave)], strict=True))
    return f"{weight:+.9g}*cos({along}{phase:+.9g})"


@dataclass(frozen=True)
class Trigonometric(Named):
    """A random tensor-product trigonometric polynomial: Σ a_kl.. φ_k(x) φ_l(y) .., over the place's points.

    φ runs over 1 (where 0 is among them), cos 2πωx and sin 2πωx for each of `frequencies`, in cycles over the longest
    side of the mesh's bounding box; the a are independent and normal. Scaled so that its largest absolute value is
    `amplitude`. With the default frequencies this is the source in the data of BENO (arXiv 2401.09323), measured there.
    """

    key: ClassVar[str] = "trigonometric"
    plain: ClassVar[tuple[str, ...]] = ("frequencies",)
    amplitude: Distribution
    frequencies: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        with under("frequencies"):
            given = self.frequencies
            if not isinstance(given, tuple | list) or not given:
                raise SpecError(f"found {given!r}; expected a list of numbers.")
            object.__setattr__(self, "frequencies", tuple(number_of(v) for v in given))

    def draw(self, rng: np.random.Generator, place: Place) -> Floats:
        """Draw a field."""
        (amplitude,) = self.numbers(rng, place)
        scaled = (place.points - place.mesh.points.min(0)) / place.size
        factors = [self._basis(column) for column in scaled.T]
        weights = rng.normal(size=[f.shape[1] for f in factors])
        field = np.tensordot(factors[0], weights, axes=1)
        for factor in factors[1:]:
            field = np.einsum("na,na...->n...", factor, field)
        return amplitude * field / np.abs(field).max()

    def _basis(self, x: Floats) -> Floats:
        """(n, b) the functions of one coordinate."""
        angles = [2 * np.pi * w * x for w in self.frequencies]
        waves = [f(a) for a, w in zip(angles, self.frequencies, strict=True) if w for f in (np.cos, np.sin)]
        return np.stack([np.ones_like(x)] * (0.0 in self.frequencies) + waves, axis=1)
