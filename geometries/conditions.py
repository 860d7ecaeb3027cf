"""The types of boundary condition, and their YAML form.

A new type is one class with a `key` and one entry in `CONDITIONS`. Which of them an equation takes, and what their
values mean there, the equation says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import ClassVar

from geometries.errors import SpecError, nearest, short
from geometries.values import Value, as_value, to_spec


@dataclass(frozen=True, eq=False)
class Condition:
    """What holds on a boundary. `of_field` names the values that have the field's components; others are scalars."""

    key: ClassVar[str]
    of_field: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Check the values."""
        for name in self.value_names():
            object.__setattr__(self, name, as_value(getattr(self, name), (self.key, name)))

    @classmethod
    def value_names(cls) -> tuple[str, ...]:
        """Return the names of what may be a number, an expression or an array."""
        return tuple(f.name for f in fields(cls) if f.type == "Value")

    @property
    def values(self) -> dict[str, Value]:
        """The values by name."""
        return {name: getattr(self, name) for name in self.value_names()}


@dataclass(frozen=True, eq=False)
class Dirichlet(Condition):
    """u = value; of a vector, in the components that are not None."""

    key: ClassVar[str] = "dirichlet"
    of_field: ClassVar[tuple[str, ...]] = ("value",)
    value: Value


@dataclass(frozen=True, eq=False)
class Neumann(Condition):
    """k ∂u/∂n = value: the flux into the body (n points outwards); of a vector field, the traction."""

    key: ClassVar[str] = "neumann"
    of_field: ClassVar[tuple[str, ...]] = ("value",)
    value: Value


@dataclass(frozen=True, eq=False)
class Robin(Condition):
    """k ∂u/∂n = coefficient (ambient - u): exchange with surroundings at `ambient`; the coefficient is at least 0."""

    key: ClassVar[str] = "robin"
    of_field: ClassVar[tuple[str, ...]] = ("ambient",)
    coefficient: Value
    ambient: Value = 0.0


@dataclass(frozen=True, eq=False)
class Radiation(Condition):
    """k ∂u/∂n = coefficient (ambient⁴ - u⁴): emissivity times Stefan-Boltzmann's constant, absolute temperatures."""

    key: ClassVar[str] = "radiation"
    coefficient: Value
    ambient: Value


@dataclass(frozen=True, eq=False)
class Pressure(Condition):
    """The traction -value n: a pressure on the boundary (n points outwards)."""

    key: ClassVar[str] = "pressure"
    value: Value


@dataclass(frozen=True, eq=False)
class Roller(Condition):
    """u · n = 0: free to slide along the boundary, held normal to it."""

    key: ClassVar[str] = "roller"


@dataclass(frozen=True, eq=False)
class Absorbing(Condition):
    """Waves that arrive head-on leave: ∂u/∂n = -(1/c) ∂u/∂t."""

    key: ClassVar[str] = "absorbing"


@dataclass(frozen=True, eq=False)
class Periodic(Condition):
    """u equals that on the boundary `partner`, which is this one moved by a translation."""

    key: ClassVar[str] = "periodic"
    partner: str


CONDITIONS: dict[str, type[Condition]] = {
    c.key: c for c in (Dirichlet, Neumann, Robin, Radiation, Pressure, Roller, Absorbing, Periodic)
}


def read_condition(spec: object, key: tuple[str | int, ...]) -> Condition:
    """Turn `{dirichlet: 20}` or `{robin: {coefficient: 12, ambient: 20}}` into a condition; raises `SpecError`."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise SpecError(f"found {short(spec)}; expected one condition such as {{dirichlet: 20}}.", key)
    kind, given = next(iter(spec.items()))
    if kind not in CONDITIONS:
        raise SpecError(f"unknown condition {kind!r}; {nearest(kind, CONDITIONS)}", (*key, kind))
    known = {f.name: f for f in fields(CONDITIONS[kind])}
    if not isinstance(given, Mapping):
        if not known and given is not None:
            raise SpecError(f"found {short(given)}; {kind} has no value: write {{{kind}: {{}}}}.", (*key, kind))
        given = {next(iter(known)): given} if known else {}
    unknown = [k for k in given if k not in known]
    if unknown:
        raise SpecError(f"unknown key {unknown[0]!r} of {kind}; {nearest(unknown[0], known)}", (*key, kind, unknown[0]))
    missing = [name for name, f in known.items() if f.default is MISSING and name not in given]
    if missing:
        raise SpecError(f"{kind} needs {missing[0]!r}.", (*key, kind))
    return CONDITIONS[kind](**{k: _read(v, str(known[k].type), (*key, kind, k)) for k, v in given.items()})


def _read(given: object, wanted: str, key: tuple[str | int, ...]) -> object:
    if wanted == "Value":
        return as_value(given, key)
    if not isinstance(given, str) or not given:
        raise SpecError(f"found {short(given)}; expected the name of a boundary.", key)
    return given


def write_condition(condition: Condition) -> dict[str, object]:
    """Return the plain YAML form; `read_condition` gives the condition back."""
    plain = {f.name: getattr(condition, f.name) for f in fields(condition)}
    given = {name: v if isinstance(v, str) else to_spec(v) for name, v in plain.items()}
    return {condition.key: next(iter(given.values())) if list(given) in (["value"], ["partner"]) else given}
