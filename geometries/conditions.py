"""The types of boundary condition, and their YAML form.

A new type is one class with a `key` and one entry in `CONDITIONS`. Which of them an equation takes, and what their
values mean there, the equation says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

from geometries.errors import SpecError, nearest, short
from geometries.values import Value, as_value, to_spec


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """u = value."""

    key: ClassVar[str] = "dirichlet"
    value: Value

    def __post_init__(self) -> None:
        """Check the value."""
        _check(self)


@dataclass(frozen=True, eq=False)
class Neumann:
    """k ∂u/∂n = value: the flux into the body (n points outwards)."""

    key: ClassVar[str] = "neumann"
    value: Value

    def __post_init__(self) -> None:
        """Check the value."""
        _check(self)


@dataclass(frozen=True, eq=False)
class Robin:
    """k ∂u/∂n = coefficient (ambient - u): exchange with surroundings at `ambient`; the coefficient is at least 0."""

    key: ClassVar[str] = "robin"
    coefficient: Value
    ambient: Value = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        _check(self)


Condition: TypeAlias = Dirichlet | Neumann | Robin
CONDITIONS: dict[str, type[Condition]] = {c.key: c for c in (Dirichlet, Neumann, Robin)}


def read_condition(spec: object, key: tuple[str | int, ...]) -> Condition:
    """Turn `{dirichlet: 20}` or `{robin: {coefficient: 12, ambient: 20}}` into a condition; raises `SpecError`."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise SpecError(f"found {short(spec)}; expected one condition such as {{dirichlet: 20}}.", key)
    kind, given = next(iter(spec.items()))
    if kind not in CONDITIONS:
        raise SpecError(f"unknown condition {kind!r}; {nearest(kind, CONDITIONS)}", (*key, kind))
    names = [f.name for f in fields(CONDITIONS[kind])]
    if not isinstance(given, Mapping):
        given = {names[0]: given}
    unknown = [k for k in given if k not in names]
    if unknown:
        raise SpecError(f"unknown key {unknown[0]!r} of {kind}; {nearest(unknown[0], names)}", (*key, kind, unknown[0]))
    if names[0] not in given:
        raise SpecError(f"{kind} needs {names[0]!r}.", (*key, kind))
    return CONDITIONS[kind](**{k: as_value(v, (*key, kind, k)) for k, v in given.items()})


def write_condition(condition: Condition) -> dict[str, object]:
    """Return the plain YAML form; `read_condition` gives the condition back."""
    given = {f.name: to_spec(getattr(condition, f.name)) for f in fields(condition)}
    return {condition.key: given["value"] if list(given) == ["value"] else given}


def _check(condition: Condition) -> None:
    for f in fields(condition):
        object.__setattr__(condition, f.name, as_value(getattr(condition, f.name), (condition.key, f.name)))
