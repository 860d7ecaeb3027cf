"""Expressions: numpy's own values on any arithmetic; every other text is refused, quickly and without effects."""

from __future__ import annotations

import copy
import operator
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.errors import ExpressionError, MeshopsError
from geometries.expressions import FUNCTIONS, Expression

POINTS = np.random.default_rng(0).normal(size=(6, 3)) * 2
Node = tuple[str, Callable[[], np.ndarray]]

NUMPY = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "exp": np.exp, "log": np.log,
    "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "floor": np.floor, "sign": np.sign,
    "step": lambda a: np.heaviside(a, 1.0), "min": np.minimum, "max": np.maximum, "hypot": np.hypot,
    "where": lambda test, a, b: np.where(test != 0, a, b),
}  # fmt: skip
BINARY = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": np.divide, "**": np.power,
    "<": lambda a, b: np.less(a, b) * 1.0, "<=": lambda a, b: np.less_equal(a, b) * 1.0,
    ">": lambda a, b: np.greater(a, b) * 1.0, ">=": lambda a, b: np.greater_equal(a, b) * 1.0,
}  # fmt: skip
LEAVES = st.sampled_from(
    [(n, lambda i=i: POINTS[:, i]) for i, n in enumerate("xyz")]
    + [("t", lambda: np.float64(0.5)), ("pi", lambda: np.float64(np.pi)), ("e", lambda: np.float64(np.e))]
) | st.floats(0, 1e6).map(lambda v: (repr(v), lambda: np.float64(v)))


def combined(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    binary = st.tuples(st.sampled_from(sorted(BINARY)), inner, inner).map(
        lambda n: (f"({n[1][0]} {n[0]} {n[2][0]})", lambda: BINARY[n[0]](n[1][1](), n[2][1]()))
    )
    calls = st.sampled_from(sorted(FUNCTIONS)).flatmap(
        lambda name: st.tuples(*[inner] * FUNCTIONS[name][0]).map(
            lambda a: (f"{name}({', '.join(n[0] for n in a)})", lambda: NUMPY[name](*(n[1]() for n in a)))
        )
    )
    minus = inner.map(lambda n: (f"(-{n[0]})", lambda: -n[1]()))
    return st.integers(0, 5).flatmap(lambda i: minus if i == 0 else calls if i == 1 else binary)


@given(node=st.recursive(LEAVES, combined, max_leaves=20))
def test_any_arithmetic_is_numpys(node: Node) -> None:
    text, reference = node
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(reference(), len(POINTS))
    found = Expression(text)(POINTS, 0.5)
    np.testing.assert_array_equal(found, wanted)
    assert found.shape == (len(POINTS),)
    assert found.dtype == np.float64


def test_every_function_is_tested() -> None:
    assert NUMPY.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2**2", -4), ("2**3**2", 512), ("1-2-3", -4), ("8/4/2", 1), ("8/4*2", 4), ("(1-2)*3", -3),
        ("(5-3)/2-1", 0), ("1+2*3", 7), ("-3-+2", -5),
        ("1 < 2", 1), ("2 < 1", 0), ("(1<2)+(2<3)", 2), ("-(1<2)", -1), ("(1<2)-(1<3)", 0), ("1e3", 1000), (" 7 ", 7),
        ("where(0, 1, 2)", 2), ("step(0)", 1), ("1_000", 1000), ("0x10", 16), (".5", 0.5), ("2+\t3", 5),
    ],
)  # fmt: skip
def test_precedence_is_pythons(text: str, value: float) -> None:
    assert Expression(text)(POINTS)[0] == value


def test_values_have_the_shape_of_the_points() -> None:
    points = np.ones((4, 5, 2))
    assert Expression("3")(points).shape == Expression("x+y")(points).shape == (4, 5)
    assert Expression("x")(np.empty((0, 2))).shape == (0,)
    assert Expression("x").names == {"x"}
    assert Expression("sin(t)*2")(points, 1.0)[0, 0] == np.sin(1.0) * 2


def test_the_result_is_its_own_array() -> None:
    points = np.ones((3, 2))
    Expression("x")(points)[:] = 7
    assert (points == 1).all()


def test_it_pickles_and_copies_as_its_text() -> None:
    given = Expression("sin(x) + 1")
    given(POINTS)
    for again in (pickle.loads(pickle.dumps(given)), copy.deepcopy(given)):
        assert again == given
        assert np.array_equal(again(POINTS), given(POINTS))
    assert hash(given) == hash(Expression("sin(x) + 1"))


def test_a_coordinate_that_the_space_lacks_is_refused() -> None:
    with pytest.raises(ExpressionError, match="uses 'z'"):
        Expression("x + z")(POINTS[:, :2])


HOSTILE = [
    "__import__('os').system('touch {canary}')",
    "open('{canary}', 'w')",
    'eval(\'open("{canary}", "w")\')',
    "exec('1')",
    "(lambda: open('{canary}', 'w'))()",
    "[open('{canary}', 'w') for x in (1,)]",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.tofile('{canary}')",
    "sin.__globals__",
    "sin.__self__",
    "x[0]",
    "x[:]",
    "f'{{open(1)}}'",
    "'text'",
    "b'bytes'",
    "1j",
    "True",
    "None",
    "...",
    "x if y else z",
    "x and y",
    "not x",
    "~1",
    "x // 2",
    "x % 2",
    "x @ y",
    "1 << 99999999",
    "1 | 2",
    "x == y",
    "x != y",
    "x is y",
    "x in y",
    "0 < x < 1",
    "(y := 3)",
    "{{x}}",
    "{{1: 2}}",
    "(x, y)",
    "[x]",
    "*x",
    "min(*x)",
    "sin(x=1)",
    "sin(x, y=1)",
    "sin(**x)",
    "sin()",
    "sin(x, y)",
    "sin(x)(y)",
    "sin",
    "await x",
    "yield",
    "lambda: 1",
    "x = 3",
    "x; y",
    "x\ny",
    "import os",
    "print(x)",
    "exit()",
    "__debug__",
    "nan",
    "inf",
    "",
    " ",
    "#",
    "x +",
    "(x",
    "x y",
    "\x00",
    "1\x00",
    "\ud800",
    "1__0",
    "0777",
    "$x",
    "x!",
    "{{}}",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: ascii(t)[:30])
def test_what_is_not_arithmetic_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(ExpressionError) as caught:
        Expression(text.format(canary=canary))
    assert not canary.exists()
    assert capsys.readouterr() == ("", "")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("given", [3, None, b"x", ["x"]])
def test_what_is_no_text_is_refused(given: object) -> None:
    with pytest.raises(ExpressionError, match="expected text"):
        Expression(given)


LONG = {
    "power tower": "9**9**9**9**9",
    "huge number": "9" * 4000,
    "huge hexadecimal": "0x" + "f" * 15_000,
    "sum": "+".join(["x"] * 900),
    "longest sum": "+".join(["x"] * 10_000),
    "too long": "x+" * 20_000 + "x",
    "millions": "x" * 5_000_000,
    "parentheses": "(" * 150 + "x" + ")" * 150,
    "more parentheses": "(" * 9_000 + "x" + ")" * 9_000,
    "open": "(" * 19_999,
    "signs": "-" * 19_999 + "x",
    "calls": "sin(" * 55 + "x" + ")" * 55,
    "more calls": "sin(" * 5_000 + "x" + ")" * 5_000,
    "powers": "x**" * 6_000 + "x",
    "deep right": "x-(" * 90 + "x" + ")" * 90,
    "name": "a" * 19_999,
    "function": "a" * 19_990 + "(x)",
    "strings": "'" * 19_998,
    "comparisons": "x<" * 9_000 + "x",
    "attributes": "x" + ".a" * 9_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_and_deep_texts_end_quickly(text: str) -> None:
    start = time.perf_counter()
    try:
        Expression(text)(POINTS)
    except MeshopsError as error:
        assert len(str(error)) < 300
    assert time.perf_counter() - start < 2


def test_a_long_sum_is_a_sum() -> None:
    np.testing.assert_allclose(Expression("+".join(["x"] * 900))(POINTS), 900 * POINTS[:, 0])


SLOPES = ("1+u**2", "u**u", "2**u", "-u*x/(1+u)", "where(u < 0.5, u**2, 3*u)", "x", "atan2(u, x)", "atan2(y, u)",
          "hypot(u, x)", "hypot(y, u)", "min(u, x)*max(u, y)", "min(x, u)/max(y, u)", "step(u-0.5)*u",
          "u < 0.5", "t*u", "(u-2)**2", "+u", "u**0")  # fmt: skip


@pytest.mark.parametrize("text", [*SLOPES, *(f"{name}(u)" for name, (count, _) in FUNCTIONS.items() if count == 1)])
def test_the_slope_is_the_limit_of_differences(text: str) -> None:
    rng, h = np.random.default_rng(0), 1e-6
    points, u, expression = rng.uniform(0.1, 0.9, (50, 2)), rng.uniform(0.1, 0.9, 50), Expression(text)
    differences = (expression(points, 1.5, u + h) - expression(points, 1.5, u - h)) / (2 * h)
    np.testing.assert_allclose(expression.slope(points, 1.5, u), differences, atol=1e-8)


DEGREES = {"3": 0, "sin(pi)/2": 0, "x*y - 2*x**3/7": 3, "-(x + t)**2": 2}
NO_POLYNOMIAL = ("1/x", "x**0.5", "where(x < 0.5, 1, 2)", "exp(x)", "u", "2**x", "x**-1")


@pytest.mark.parametrize(("text", "degree"), [*DEGREES.items(), *((text, None) for text in NO_POLYNOMIAL)])
def test_the_degree_of_a_polynomial(text: str, degree: int | None) -> None:
    assert Expression(text).degree == degree
