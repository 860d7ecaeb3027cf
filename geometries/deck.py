"""What a solver's input deck tells beside its mesh: conditions, coefficients and a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from geometries.conditions import Condition
from geometries.errors import ReadError
from geometries.values import Value, multiplied, names_in, to_spec

# The power of the length that each quantity is given for, that of watts, or of newtons, being one: W/(m K), N/m², ...
_HEAT = {
    "conductivity": 1,
    "source": 3,
    "dirichlet.value": 0,
    "neumann.value": 2,
    "robin.coefficient": 2,
    "robin.ambient": 0,
}
_SOLID = {
    "young": 2,
    "poisson": 0,
    "expansion": 0,
    "temperature_rise": 0,
    "source": 3,
    "dirichlet.value": -1,
    "neumann.value": 2,
    "pressure.value": 2,
}
_POWERS = {"heat": _HEAT, "elasticity": _SOLID, "plane_stress": _SOLID}


@dataclass(frozen=True, eq=False, kw_only=True)
class Loads:
    """The problem that a deck states, on the boundaries and regions of the mesh that was read with it.

    `equation` is its name (`heat`, `elasticity`, `plane_stress`); `conditions` {boundary: condition or several},
    `coefficients` {name: value or {region: number}} and `source`, a value or {region: value}, are as a case takes them.
    `missing` tells what the deck states and none of these can hold: where it is not empty, they are another problem
    than the deck's.
    """

    equation: str
    conditions: Mapping[str, Condition | tuple[Condition, ...]] = field(default_factory=dict)
    coefficients: Mapping[str, Value | Mapping[str, Value]] = field(default_factory=dict)
    source: Value | Mapping[str, Value] = 0.0
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Freeze."""
        for name in ("conditions", "coefficients"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def scaled(self, factor: float) -> Loads:
        """Return the same problem where lengths are `factor` times as large: in another unit of length.

        Temperatures stay, and so does the unit of power, or of force: what is per length, area or volume is divided by
        `factor`, its square or its cube, and displacements grow. Raises `ReadError` for what is not known so.
        """
        change = _Change(_POWERS.get(self.equation, {}), factor)
        return replace(
            self,
            conditions={name: change.conditions(given) for name, given in self.conditions.items()},
            coefficients={name: change.value(name, given) for name, given in self.coefficients.items()},
            source=change.value("source", self.source),
        )


@dataclass(frozen=True)
class _Change:
    """A change of the unit of length."""

    powers: Mapping[str, int]
    factor: float

    def conditions(self, given: Condition | tuple[Condition, ...]) -> Condition | tuple[Condition, ...]:
        if isinstance(given, tuple):
            return tuple(self.condition(condition) for condition in given)
        return self.condition(given)

    def condition(self, given: Condition) -> Condition:
        values = {name: self.value(f"{given.key}.{name}", value) for name, value in given.values.items()}
        return replace(given, **values)  # type: ignore[arg-type]

    def value(self, name: str, given: Value | Mapping[str, Value]) -> Value | Mapping[str, Value]:
        if isinstance(given, Mapping):
            return {region: self.number(name, value) for region, value in given.items()}
        return self.number(name, given)

    def number(self, name: str, given: Value) -> Value:
        if name not in self.powers or names_in(given):
            raise ReadError(
                f"the deck's {name}, {to_spec(given)}, cannot change its unit with the length's; leave the deck in its "
                "own, or state all of the problem in a case file."
            )
        return multiplied(given, self.factor ** -self.powers[name]) if self.powers[name] else given
