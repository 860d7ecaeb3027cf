"""Further splits of a recipe: other shapes, another range of a parameter, more of what was trained on.

    splits:
      test_super: {count: 0.1, source: {discs: {radius: 0.07, count: [4, 5]}}}   # a share of the count
      test_shape: {count: 200, family: {u: {}}}                                  # or a number of samples

An entry replaces the recipe's key of that name; in `parameters`, `coefficients`, `conditions`, `regions` and
`initial` it replaces or adds the names given. Such samples are never trained on: extrapolation is measured on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geometries.errors import SpecError
from meshops.data.distributions.base import check_keys, under
from meshops.data.manifest import SPLITS

if TYPE_CHECKING:
    from meshops.data.recipe import Recipe

_MERGED = ("parameters", "coefficients", "conditions", "regions", "initial")
_REPLACED = ("family", "source", "per_shape")
_MOST = 10_000_000  # samples of a split
_NAME = re.compile(r"[A-Za-z][\w-]*$")


@dataclass(frozen=True)
class Variation:
    """A split with its own recipe; `count` is a number of samples, or below 1 a share of the count of the others."""

    recipe: Recipe
    count: float

    def __post_init__(self) -> None:
        """Check the count."""
        number = isinstance(self.count, int | float) and not isinstance(self.count, bool)
        if not number or not 0 < self.count <= _MOST or (self.count >= 1 and self.count != int(self.count)):
            expected = f"expected a whole number up to {_MOST:,}, or a share below 1"
            raise SpecError(f"found {self.count!r}; {expected}.", ("count",))

    def samples(self, count: int) -> int:
        """Return how many samples it has where the others are `count`."""
        return int(self.count) if self.count >= 1 else max(1, round(self.count * count))

    def to_spec(self) -> dict[str, Any]:
        """Return the plain form: the count, and all that may differ."""
        spec = {**self.recipe.to_spec(), "per_shape": self.recipe.per_shape}
        return {"count": self.count} | {k: spec[k] for k in (*_MERGED, *_REPLACED) if k in spec}


def read_variations(
    given: Mapping[str, object], base: Mapping[str, object], folder: Path | None, read: Callable[..., Recipe]
) -> dict[str, Variation]:
    """Read the section `splits` of the recipe `base`; `read(spec, folder)` reads a recipe."""
    found = {}
    for name, changes in given.items():
        with under(name):
            if name in SPLITS or not _NAME.match(name):
                raise SpecError(f"a split {name!r}; expected a name of letters, digits, _ and -, not {list(SPLITS)}.")
            if not isinstance(changes, Mapping) or "count" not in changes:
                raise SpecError(f"found {changes!r}; expected a count, and what differs from the recipe.")
            check_keys(changes, ("count", *_MERGED, *_REPLACED))
            found[name] = Variation(read(_changed(base, changes), folder), changes["count"])
    return found


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    out = {k: v for k, v in base.items() if k != "splits"}
    for key, value in changes.items():
        if key in _MERGED:
            if not isinstance(value, Mapping):
                raise SpecError(f"found {value!r}; expected names with their values.", (key,))
            out[key] = {**(base.get(key) or {}), **value}
        elif key != "count":
            out[key] = value
    return out
