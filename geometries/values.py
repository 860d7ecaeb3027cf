"""Values of conditions, coefficients and sources: a number, an expression, an array, or one of these a component."""

from __future__ import annotations

from typing import TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ExpressionError, SpecError, short
from geometries.expressions import Expression

Floats = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]
Value: TypeAlias = Union[float, Expression, Floats, "tuple[Value | None, ...]"]

_SHORT = 9  # numbers: a list of more is meant as values at points


def as_value(given: object, key: tuple[str | int, ...] = ()) -> Value:
    """Turn what a user or a YAML file gives into a `Value`.

    Text becomes an `Expression`, a list of numbers an array, any other list a tuple of values, one a component, where
    None leaves a component open. Raises `SpecError` at `key` for anything else and for numbers that are not finite.
    """
    if isinstance(given, Expression):
        return given
    if isinstance(given, str):
        try:
            return Expression(given)
        except ExpressionError as error:
            raise SpecError(str(error), key) from None
    if isinstance(given, list | tuple) and any(_is_mixed(item) for item in given):
        return tuple(None if item is None else as_value(item, key) for item in given)
    if isinstance(given, bool) or not isinstance(given, int | float | np.ndarray | np.generic | list | tuple):
        raise SpecError(f"found {short(given)}; expected a number or an expression in x, y, z, t.", key)
    return _numbers(given, key)


def _is_mixed(item: object) -> bool:
    """Whether a list that holds `item` is one value a component and not an array of numbers."""
    if isinstance(item, list | tuple):
        return any(_is_mixed(inner) for inner in item)
    return item is None or isinstance(item, str | Expression | np.ndarray)


def _numbers(given: object, key: tuple[str | int, ...]) -> float | Floats:
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


def to_spec(value: Value) -> object:
    """Return the plain YAML form of a value: numbers, text and lists."""
    if isinstance(value, tuple):
        return [None if item is None else to_spec(item) for item in value]
    if isinstance(value, Expression):
        return value.text
    return value.tolist() if isinstance(value, np.ndarray) else value


def names_in(value: Value) -> frozenset[str]:
    """Return the variables that a value's expressions use."""
    if isinstance(value, Expression):
        return value.names
    if isinstance(value, tuple):
        return frozenset().union(*(names_in(item) for item in value if item is not None))
    return frozenset()


def multiplied(value: Value, by: float) -> Value:
    """Return a value times a number; open components stay open."""
    if isinstance(value, tuple):
        return tuple(None if item is None else multiplied(item, by) for item in value)
    return Expression(f"{by!r}*({value.text})") if isinstance(value, Expression) else value * by


def slope_by_field(value: Value, points: Floats, *, time: float, u: Floats) -> Value:
    """Return the derivative of a value by the field u (*n) at `points` (*n, d), for `evaluate` at the same points."""
    if isinstance(value, tuple):
        return tuple(None if item is None else slope_by_field(item, points, time=time, u=u) for item in value)
    if isinstance(value, Expression):
        return value.slope(points, time, u)
    return np.zeros_like(value) if isinstance(value, np.ndarray) else 0.0


def evaluate(
    value: Value, points: Floats, what: str, *, shape: Shape = (), time: float = 0.0, u: Floats | None = None
) -> Floats:
    """Return (*n, *shape) values at `points` (*n, d), where the unknown field is `u` (*n).

    `shape` is () for a scalar, (c,) for a vector, (d, d) for a tensor. An array has that shape, for a constant, or
    (*n, *shape). One number stands for a tensor's isotropic part, a list of d for its diagonal, 0 for a vector of
    zeros, any number for a vector of one component. Open components are NaN. Raises `SpecError` naming `what` for
    another shape and for values not finite.
    """
    if isinstance(value, tuple):
        return _components(value, points, what, shape, time, u)
    if isinstance(value, np.ndarray):
        return _array(value, points.shape[:-1], what, shape)
    out = value(points, time, u) if isinstance(value, Expression) else np.full(points.shape[:-1], value)
    bad = np.argwhere(~np.isfinite(out))
    if len(bad):
        where = np.array2string(points[tuple(bad[0])], precision=4)
        raise SpecError(f"{what} is not finite at {len(bad)} of {out.size} points (first: {where}).")
    if len(shape) == 2:
        return out[..., None, None] * np.eye(shape[0])
    if shape not in ((), (1,)) and np.any(out):
        raise SpecError(f"{what} is one value, {value}; expected {shape[0]}, one a component.")
    return np.broadcast_to(out.reshape(*out.shape, *(1 for _ in shape)), (*out.shape, *shape))


def _components(
    value: tuple[Value | None, ...], points: Floats, what: str, shape: Shape, time: float, u: Floats | None
) -> Floats:
    if not shape or len(value) != shape[0]:
        raise _miscounted(len(value), what, shape)
    diagonal = len(shape) == 2 and not any(isinstance(item, tuple | np.ndarray) for item in value)
    inner: Shape = () if diagonal else shape[1:]
    open_ = np.full((*points.shape[:-1], *inner), np.nan)
    parts = [
        open_ if item is None else evaluate(item, points, f"{what}[{i}]", shape=inner, time=time, u=u)
        for i, item in enumerate(value)
    ]
    stacked = np.stack(parts, axis=points.ndim - 1)
    return stacked[..., None] * np.eye(shape[0]) if diagonal else stacked


def _miscounted(found: int, what: str, shape: Shape) -> SpecError:
    expected = f"{shape[0]} components" if shape else "one: give one number"
    return SpecError(f"{what} has {found} component{'s' * (found != 1)}; expected {expected}.")


def _array(value: Floats, count: Shape, what: str, shape: Shape) -> Floats:
    if value.shape == (*count, *shape):
        return value
    if shape and value.shape == shape:
        return np.broadcast_to(value, (*count, *shape))
    if len(shape) == 2 and value.shape == shape[:1]:
        return np.broadcast_to(np.diag(value), (*count, *shape))
    if value.ndim == 1 and len(value) <= _SHORT:
        raise _miscounted(len(value), what, shape)
    raise SpecError(f"{what} is an array of shape {value.shape}; expected {(*count, *shape)}.")
