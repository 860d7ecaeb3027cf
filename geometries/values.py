"""Values of conditions, coefficients and sources: a number, an expression, or an array over points or sides."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ExpressionError, SpecError, short
from geometries.expressions import Expression

Floats = NDArray[np.float64]
Value: TypeAlias = float | Expression | Floats


def as_value(given: object, key: tuple[str | int, ...] = ()) -> Value:
    """Turn what a user or a YAML file gives into a `Value`; text becomes an `Expression`.

    Raises `SpecError` at `key` for anything else and for numbers that are not finite.
    """
    if isinstance(given, Expression):
        return given
    if isinstance(given, str):
        try:
            return Expression(given)
        except ExpressionError as error:
            raise SpecError(str(error), key) from None
    if isinstance(given, bool) or not isinstance(given, int | float | np.ndarray | np.generic | list | tuple):
        raise SpecError(f"found {short(given)}; expected a number or an expression in x, y, z, t.", key)
    try:
        array = np.array(given)
    except ValueError:
        raise SpecError(f"found {short(given)}; expected numbers.", key) from None
    if array.dtype.kind not in "iuf":  # text, booleans, integers beyond 64 bits
        raise SpecError(f"found {short(given)}; expected numbers.", key)
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise SpecError(f"found {short(given)}; expected finite numbers.", key)
    array.setflags(write=False)
    return float(array) if array.ndim == 0 else array


def to_spec(value: Value) -> float | str | list[float]:
    """Return the plain YAML form of a value."""
    if isinstance(value, Expression):
        return value.text
    return value.tolist() if isinstance(value, np.ndarray) else value


def evaluate(value: Value, points: Floats, what: str, time: float = 0.0) -> Floats:
    """Return (n,) values at `points` (n, d); an array must already have n entries.

    Raises `SpecError` naming `what` if a value is not finite or an array has another length.
    """
    if isinstance(value, Expression):
        out = value(points, time)
    elif isinstance(value, np.ndarray):
        if value.shape != points.shape[:-1]:
            raise SpecError(f"{what} is an array of shape {value.shape}; expected {points.shape[:-1]}.")
        out = value
    else:
        out = np.full(points.shape[:-1], value)
    bad = np.argwhere(~np.isfinite(out))
    if len(bad):
        where = np.array2string(points[tuple(bad[0])], precision=4)
        raise SpecError(f"{what} is not finite at {len(bad)} of {out.size} points (first: {where}).")
    return out
