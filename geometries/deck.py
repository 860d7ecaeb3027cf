"""What a solver's input deck tells beside its mesh: conditions, coefficients and a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from geometries.conditions import Condition
from geometries.values import Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Loads:
    """The problem that a deck states, on the boundaries and regions of the mesh that was read with it.

    `equation` is its name (`heat`); `conditions` {boundary: condition}, `coefficients` {name: value or {region:
    number}} and `source`, a value or {region: number}, are as a case takes them. `missing` tells what the deck states
    and none of these can hold: where it is not empty, they are another problem than the deck's.
    """

    equation: str
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    coefficients: Mapping[str, Value | Mapping[str, float]] = field(default_factory=dict)
    source: Value | Mapping[str, float] = 0.0
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Freeze."""
        for name in ("conditions", "coefficients"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
