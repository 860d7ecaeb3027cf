"""Conditions: their YAML form comes back, and every wrong one is refused at its key."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.conditions import CONDITIONS, Condition, Dirichlet, Neumann, Robin, read_condition, write_condition
from geometries.errors import SpecError

VALUES = st.floats(-1e6, 1e6) | st.sampled_from(["x", "1e4*(1+0.1*sin(x))"]) | st.lists(st.floats(0, 1), min_size=1)

VALUES |= st.just([0.0, None, "x"])
NAMES = st.sampled_from(["left", "hole 1"])


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    kind = draw(st.sampled_from(sorted(CONDITIONS)))
    return CONDITIONS[kind](*(draw(VALUES if f.type == "Value" else NAMES) for f in fields(CONDITIONS[kind])))


@given(condition=conditions())
def test_what_is_written_is_read(condition: Condition) -> None:
    spec = write_condition(condition)
    again = read_condition(spec, ())
    assert type(again) is type(condition)
    assert write_condition(again) == spec
    for f in fields(condition):
        assert np.array_equal(getattr(again, f.name), getattr(condition, f.name))


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ({"dirichlet": 20}, {"dirichlet": {"value": 20}}),
        ({"neumann": "x"}, {"neumann": {"value": "x"}}),
        ({"robin": 12}, {"robin": {"coefficient": 12, "ambient": 0}}),
    ],
)
def test_the_first_value_may_stand_alone(spec: dict, same: dict) -> None:
    assert write_condition(read_condition(spec, ())) == write_condition(read_condition(same, ()))


@pytest.mark.parametrize(
    ("spec", "key", "said"),
    [
        (None, (), "expected one condition"),
        (20, (), "expected one condition"),
        ({}, (), "expected one condition"),
        ({"dirichlet": 1, "neumann": 2}, (), "expected one condition"),
        ({"dirchlet": 1}, ("dirchlet",), "did you mean 'dirichlet'"),
        ({"robin": {"coeficient": 1}}, ("robin", "coeficient"), "did you mean 'coefficient'"),
        ({"robin": {"ambient": 1}}, ("robin",), "needs 'coefficient'"),
        ({"robin": {"coefficient": 1, "ambient": "abc"}}, ("robin", "ambient"), "'abc'"),
        ({"dirichlet": None}, ("dirichlet", "value"), "expected a number"),
        ({"dirichlet": True}, ("dirichlet", "value"), "expected a number"),
        ({"dirichlet": float("nan")}, ("dirichlet", "value"), "finite"),
        ({"neumann": "open('f')"}, ("neumann", "value"), "open"),
        ({"neumann": [1, "abc"]}, ("neumann", "value"), "'abc'"),
        ({"roller": 3}, ("roller",), "has no value"),
        ({"periodic": 3}, ("periodic", "partner"), "name of a boundary"),
    ],
)
def test_a_wrong_condition_names_its_key(spec: object, key: tuple, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        read_condition(spec, ("conditions", "bore"))
    assert caught.value.key == ("conditions", "bore", *key)


def test_conditions_are_checked_and_frozen() -> None:
    with pytest.raises(SpecError, match="finite") as caught:
        Robin(12, ambient=float("inf"))
    assert caught.value.key == ("robin", "ambient")
    condition = Dirichlet([1, 2])
    assert not condition.value.flags.writeable
    with pytest.raises(FrozenInstanceError):
        condition.value = 3
    assert isinstance(Neumann(np.int64(3)).value, float)
