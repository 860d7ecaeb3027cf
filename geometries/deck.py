"""What a solver's input deck tells beside its mesh: conditions, coefficients and a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from geometries.conditions import Condition
from geometries.errors import ReadError
from geometries.expressions import Expression
from geometries.values import Value

# The power of the length that each quantity of heat is given for, that of watts being one: W/m², W/(m K), W/m³, ...
_COEFFICIENTS = {"conductivity": 1}
_CONDITIONS: dict[str, dict[str, int]] = {"dirichlet": {}, "neumann": {"value": 2}, "robin": {"coefficient": 2}}
_SOURCE = 3


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

    def scaled(self, factor: float) -> Loads:
        """Return the same problem where lengths are `factor` times as large: in another unit of length.

        Temperatures stay, and so does the unit of power: what is per length, area or volume is divided by `factor`, its
        square or its cube. Raises `ReadError` for anything else than heat in numbers.
        """
        known = {c.key for c in self.conditions.values()} <= {*_CONDITIONS} and {*self.coefficients} <= {*_COEFFICIENTS}
        if self.equation != "heat" or not known:
            raise ReadError(
                f"the deck's {self.equation} problem cannot change its unit; leave it in its own, or state all of it "
                "in a case file."
            )
        return replace(
            self,
            conditions={name: _condition(c, factor) for name, c in self.conditions.items()},
            coefficients={k: _divided(v, factor ** _COEFFICIENTS[k]) for k, v in self.coefficients.items()},
            source=_divided(self.source, factor**_SOURCE),
        )


def _condition(condition: Condition, factor: float) -> Condition:
    powers = _CONDITIONS[condition.key].items()
    return replace(condition, **{k: _divided(getattr(condition, k), factor**power) for k, power in powers})


def _divided(value: Value | Mapping[str, float], by: float) -> Value | Mapping[str, float]:
    if isinstance(value, Expression):
        raise ReadError(f"the unit of {value.text!r} cannot change with the length's; state it in a case file.")
    if isinstance(value, tuple):
        raise ReadError("the unit of a value with components cannot change with the length's; state it in a case file.")
    return {k: v / by for k, v in value.items()} if isinstance(value, Mapping) else value / by
