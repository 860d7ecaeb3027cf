"""Values: what a user gives becomes a number, an expression or an array, and back; the rest is refused at its key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.errors import SpecError
from geometries.expressions import Expression
from geometries.values import as_value, evaluate, to_spec

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POINTS = np.random.default_rng(0).random((5, 2))


@given(spec=FINITE | st.lists(FINITE, min_size=1, max_size=5) | st.sampled_from(["x", "1e4", "sin(x)+y"]))
def test_plain_forms_come_back(spec: float | str | list[float]) -> None:
    value = as_value(spec)
    assert to_spec(value) == spec
    again = as_value(to_spec(value))
    assert type(again) is type(value)
    assert np.array_equal(again, value) if isinstance(value, np.ndarray) else again == value


def test_an_array_is_copied_and_frozen() -> None:
    given = np.arange(3.0)
    value = as_value(given)
    given[:] = 7
    assert value.tolist() == [0, 1, 2]
    assert not value.flags.writeable
    assert isinstance(as_value(np.float32(2)), float)
    assert as_value(Expression("x")) == Expression("x")


@pytest.mark.parametrize(
    "given",
    [None, True, np.True_, float("nan"), float("inf"), -float("inf"), 10**400, [1, float("nan")], [1, True, "x"], [{}],
     [[1], 2], {"a": 1}, {1}, 1j, [1j], b"1", Ellipsis, "abc", "", "x +", "nan"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_finite_number_is_refused_at_its_key(given: object) -> None:
    with pytest.raises(SpecError) as caught:
        as_value(given, ("source", 3))
    assert caught.value.key == ("source", 3)
    assert "\n" not in str(caught.value)


def test_long_values_are_cut_in_errors() -> None:
    with pytest.raises(SpecError) as caught:
        as_value([1.0] * 1000 + [float("nan")])
    assert len(str(caught.value)) < 200


def test_values_are_evaluated_at_points() -> None:
    assert evaluate(3.0, POINTS, "k").tolist() == [3.0] * 5
    np.testing.assert_array_equal(evaluate(Expression("x*y"), POINTS, "k"), POINTS.prod(1))
    np.testing.assert_array_equal(evaluate(as_value([1, 2, 3, 4, 5]), POINTS, "k"), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(evaluate(Expression("t"), POINTS, "k", time=2.0), 2.0)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1/(x-x)", "k is not finite at 5 of 5 points"),
        ("log(-1-x)", "not finite"),
        ("1e999", "not finite"),
        ([1, 2], "k has 2 components; expected one: give one number"),
        ([0.0] * 10, r"k is an array of shape \(10,\); expected \(5,\)"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(value: object, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        evaluate(as_value(value), POINTS, "k")
