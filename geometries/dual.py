"""Values with their derivatives: forward differentiation of numpy's arithmetic, exact to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# ufunc: its partial derivatives, from the arguments
_SLOPES: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.add: (lambda a, b: 1.0, lambda a, b: 1.0),
    np.subtract: (lambda a, b: 1.0, lambda a, b: -1.0),
    np.multiply: (lambda a, b: b, lambda a, b: a),
    np.divide: (lambda a, b: 1 / b, lambda a, b: -a / b**2),
    np.power: (lambda a, b: np.where(b == 0, 0.0, b * np.power(a, b - 1)), lambda a, b: np.power(a, b) * np.log(a)),
    np.negative: (lambda a: -1.0,),
    np.positive: (lambda a: 1.0,),
    np.sin: (np.cos,),
    np.cos: (lambda a: -np.sin(a),),
    np.tan: (lambda a: 1 + np.tan(a) ** 2,),
    np.arcsin: (lambda a: 1 / np.sqrt(1 - a**2),),
    np.arccos: (lambda a: -1 / np.sqrt(1 - a**2),),
    np.arctan: (lambda a: 1 / (1 + a**2),),
    np.arctan2: (lambda a, b: b / (a**2 + b**2), lambda a, b: -a / (a**2 + b**2)),
    np.sinh: (np.cosh,),
    np.cosh: (np.sinh,),
    np.tanh: (lambda a: 1 - np.tanh(a) ** 2,),
    np.exp: (np.exp,),
    np.log: (lambda a: 1 / a,),
    np.log10: (lambda a: 1 / (a * np.log(10)),),
    np.sqrt: (lambda a: 0.5 / np.sqrt(a),),
    np.abs: (np.sign,),
    np.floor: (np.zeros_like,),
    np.sign: (np.zeros_like,),
    np.heaviside: (lambda a, b: np.zeros_like(a), lambda a, b: 0.0),
    np.minimum: (lambda a, b: a <= b, lambda a, b: a > b),
    np.maximum: (lambda a, b: a >= b, lambda a, b: a < b),
    np.hypot: (lambda a, b: a / np.hypot(a, b), lambda a, b: b / np.hypot(a, b)),
}
_COMPARISONS = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)


@dataclass(frozen=True, eq=False)
class Dual(NDArrayOperatorsMixin):
    """A value and its derivative; numpy's functions of it are again such pairs, and comparisons are plain.

    Where a function has a kink, as |a| at 0, the derivative is that of one side, or the mean of both.
    """

    value: Floats
    slope: Floats

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *given: Any, **options: Any) -> Any:  # noqa: ANN401
        """Apply the chain rule."""
        if method != "__call__" or options:
            return NotImplemented
        values = [a.value if isinstance(a, Dual) else a for a in given]
        if ufunc in _COMPARISONS:
            return ufunc(*values)
        if ufunc not in _SLOPES:
            return NotImplemented
        terms = [
            partial(*values) * a.slope
            for a, partial in zip(given, _SLOPES[ufunc], strict=True)
            if isinstance(a, Dual)  # no slope of a constant exponent, whose logarithm need not exist
        ]
        return Dual(ufunc(*values), sum(terms[1:], terms[0]))

    def __array_function__(self, function: Any, types: Any, given: Any, options: Any) -> Any:  # noqa: ANN401
        """Choose by `np.where`, the one function that is no ufunc."""
        if function is not np.where or options:
            return NotImplemented
        test, a, b = given
        (a0, a1), (b0, b1) = (((c.value, c.slope) if isinstance(c, Dual) else (c, 0.0)) for c in (a, b))
        return Dual(np.where(test, a0, b0), np.where(test, a1, b1))
