"""Safe arithmetic in x, y, z, t and u: a whitelist over Python's syntax tree. Nothing is ever evaluated as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.dual import Dual
from geometries.errors import ExpressionError, nearest, short

Floats = NDArray[np.float64]
Scope = Mapping[str, Floats]
Term = Callable[[Scope], Floats]

NAMES = ("x", "y", "z", "t", "u")
CONSTANTS = {"pi": np.pi, "e": np.e}
FUNCTIONS: dict[str, tuple[int, Callable[..., Floats]]] = {
    "sin": (1, np.sin), "cos": (1, np.cos), "tan": (1, np.tan),
    "asin": (1, np.arcsin), "acos": (1, np.arccos), "atan": (1, np.arctan), "atan2": (2, np.arctan2),
    "sinh": (1, np.sinh), "cosh": (1, np.cosh), "tanh": (1, np.tanh),
    "exp": (1, np.exp), "log": (1, np.log), "log10": (1, np.log10), "sqrt": (1, np.sqrt), "abs": (1, np.abs),
    "floor": (1, np.floor), "sign": (1, np.sign), "step": (1, lambda a: np.heaviside(a, 1.0)),
    "min": (2, np.minimum), "max": (2, np.maximum), "hypot": (2, np.hypot),
    "where": (3, lambda test, a, b: np.where(test != 0, a, b)),
}  # fmt: skip


def _test(function: Callable[..., NDArray[np.bool_]]) -> Callable[..., Floats]:
    return lambda a, b: np.asarray(function(a, b), dtype=np.float64)


_BINARY: dict[type[ast.AST], Callable[..., Floats]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: np.divide, ast.Pow: np.power,
    ast.Lt: _test(np.less), ast.LtE: _test(np.less_equal), ast.Gt: _test(np.greater), ast.GtE: _test(np.greater_equal),
}  # fmt: skip
_UNARY: dict[type[ast.AST], Callable[..., Floats]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_LONGEST = 20_000
_DEEPEST = 60


@dataclass(frozen=True)
class Expression:
    """Arithmetic in x, y, z, t, u: + - * / **, comparisons (1 or 0), the usual functions, `pi`, `e`.

    `u` is the unknown field itself, for coefficients that depend on it. Raises `ExpressionError` for anything else,
    naming it; coordinates that the space lacks, and `u` where no field is known, are refused when called.
    """

    text: str

    def __post_init__(self) -> None:
        """Compile once, to refuse a wrong text at birth."""
        _ = self._term

    def __reduce__(self) -> tuple[type[Expression], tuple[str]]:
        """Pickle as the text, not as what it was compiled to."""
        return Expression, (self.text,)

    @cached_property
    def _term(self) -> Term:
        if not isinstance(self.text, str) or len(self.text) > _LONGEST:
            raise ExpressionError(f"found {short(self.text)}; expected text of at most {_LONGEST} characters.")
        try:
            tree = ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError):
            raise ExpressionError(f"{short(self.text)} is not an expression in x, y, z, t.") from None
        except (RecursionError, MemoryError):
            raise ExpressionError(f"{short(self.text)} has too many terms or is nested too deep.") from None
        return _Compiler(self.text).term(tree.body, 0)

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that it uses."""
        tree = ast.parse(self.text.strip(), mode="eval")
        return frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in NAMES)

    @cached_property
    def degree(self) -> int | None:
        """Its degree as a polynomial in x, y and z; None where it is none, or not plainly one."""
        try:
            return _degree(ast.parse(self.text.strip(), mode="eval").body)
        except RecursionError:
            return None

    def __call__(self, points: Floats, time: float = 0.0, u: Floats | None = None) -> Floats:
        """Return the (...) values at `points` (..., d), where the field is `u` (...)."""
        return _spread(self._found(points, time, {} if u is None else {"u": u}), points)

    def slope(self, points: Floats, time: float, u: Floats) -> Floats:
        """Return the (...) derivatives by u at `points` (..., d), exact to rounding."""
        found = self._found(points, time, {"u": Dual(u, np.ones_like(u))})
        return _spread(found.slope if isinstance(found, Dual) else 0.0, points)

    def _found(self, points: Floats, time: float, field: Mapping[str, Any]) -> Any:  # noqa: ANN401  (values, or a Dual)
        scope = {name: points[..., i] for i, name in enumerate(NAMES[: points.shape[-1]])}
        scope |= {"t": np.asarray(time, dtype=np.float64), **field}
        missing = sorted(self.names - set(scope))
        if missing:
            raise ExpressionError(f"{short(self.text)} uses {missing[0]!r}, but the points have {sorted(scope)} only.")
        with np.errstate(all="ignore"):
            return self._term(scope)

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def _degree(node: ast.AST) -> int | None:
    if isinstance(node, ast.Name):
        return None if node.id == "u" else int(node.id in NAMES[:3])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
        base, power = _degree(node.left), node.right.value
        whole = isinstance(power, int) and power >= 0
        return base * int(power) if base is not None and whole else 0 if base == 0 else None
    parts = [_degree(n) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr) and not _called(node, n)]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return sum(known)
    linear = isinstance(node, ast.UnaryOp) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub))
    divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and known[1] == 0
    return max(known, default=0) if linear or divided or not any(known) else None


def _called(node: ast.AST, part: ast.AST) -> bool:
    return isinstance(node, ast.Call) and part is node.func


def _spread(found: Any, points: Floats) -> Floats:  # noqa: ANN401
    return np.broadcast_to(np.asarray(found, dtype=np.float64), points.shape[:-1]).copy()


@dataclass(frozen=True)
class _Compiler:
    """Turns a syntax tree into nested closures over numpy functions."""

    text: str

    def term(self, node: ast.AST, depth: int) -> Term:
        if depth > _DEEPEST:
            raise ExpressionError(f"{short(self.text)} is nested more than {_DEEPEST} deep.")
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self.chain(node, depth)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            return _apply(_UNARY[type(node.op)], [self.term(node.operand, depth + 1)])
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
            return _apply(_BINARY[type(node.ops[0])], [self.term(n, depth + 1) for n in (node.left, *node.comparators)])
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        raise self.refuse(node)

    def chain(self, node: ast.AST, depth: int) -> Term:
        """Walk a + b + c + ... along its left spine, so that long sums need no depth."""
        steps = []
        while isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            steps.append((_BINARY[type(node.op)], self.term(node.right, depth + 1)))
            node = node.left
        first = self.term(node, depth + 1)

        def run(scope: Scope) -> Floats:
            value = first(scope)
            for function, right in reversed(steps):
                value = function(value, right(scope))
            return value

        return run

    def constant(self, node: ast.Constant) -> Term:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.refuse(node)
        try:
            value = np.float64(node.value)
        except OverflowError:
            raise self.refuse(node) from None
        return lambda scope: value

    def name(self, node: ast.Name) -> Term:
        if node.id in CONSTANTS:
            value = np.float64(CONSTANTS[node.id])
            return lambda scope: value
        if node.id not in NAMES:
            hint = nearest(node.id, [*NAMES, *CONSTANTS])
            raise ExpressionError(f"{short(self.text)} uses {short(node.id)}; {hint}")
        return lambda scope: scope[node.id]

    def call(self, node: ast.Call, depth: int) -> Term:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise self.refuse(node)
        if node.func.id not in FUNCTIONS:
            raise ExpressionError(f"{short(self.text)} calls {short(node.func.id)}; {nearest(node.func.id, FUNCTIONS)}")
        count, function = FUNCTIONS[node.func.id]
        if len(node.args) != count:
            raise ExpressionError(f"{node.func.id} takes {count} values, {len(node.args)} given in {short(self.text)}.")
        return _apply(function, [self.term(a, depth + 1) for a in node.args])

    def refuse(self, node: ast.AST) -> ExpressionError:
        part = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
        return ExpressionError(
            f"{short(part)} is not allowed in an expression; use numbers, x, y, z, t, + - * / **, < > and functions."
        )


def _apply(function: Callable[..., Floats], terms: list[Term]) -> Term:
    return lambda scope: function(*(term(scope) for term in terms))
