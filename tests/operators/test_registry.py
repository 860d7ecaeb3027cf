"""The registry: every operator by its name, with its options checked."""

from __future__ import annotations

import json

import pytest

from meshops.graph import MeshopsError
from meshops.operators import OPERATORS, STEPPING, OperatorError, build, completed, describe, options_of
from tests.operators.graphs import schema


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_says_what_it_is(name: str) -> None:
    operator = OPERATORS[name]
    assert operator.name == name
    assert operator.reference
    assert operator.__doc__
    assert operator.cost.startswith("O(")
    assert set(operator.invariances) <= {"translation"}
    assert options_of(name)
    for value in options_of(name).values():  # what a surrogate's file gives back
        assert (value > 0) if type(value) is int else isinstance(value, float | bool | str)


def test_the_description_is_plain() -> None:
    found = describe("multigrid")
    assert json.loads(json.dumps(found)) == found
    assert found["name"] == "multigrid"
    assert found["leading"] is True
    assert found["invariances"] == ["translation"]
    assert found["options"] == {"width": 64, "context": 32, "cycles": 2}


def test_one_operator_leads() -> None:
    assert [name for name, o in OPERATORS.items() if o.leading] == ["multigrid"]


@pytest.mark.parametrize("name", [n for n in OPERATORS if "heads" in options_of(n)])
def test_heads_must_divide_the_width(name: str) -> None:
    with pytest.raises(OperatorError, match="width is 9 with 2 heads; expected a multiple"):
        build(name, schema(2), {"width": 9, "heads": 2})


@pytest.mark.parametrize("name", OPERATORS)
def test_build_passes_schema_and_options(name: str) -> None:
    built = build(name, schema(2), {"width": 16})
    assert type(built) is OPERATORS[name]
    assert built.schema == schema(2)
    assert any(16 in p.shape for p in built.parameters())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("multigird", {}, "no operator is called 'multigird'; did you mean 'multigrid'"),
        ("multigrid", {"widht": 3}, "multigrid has no option 'widht'; did you mean 'width'"),
        ("multigrid", {"schema": 3}, "multigrid has no option 'schema'"),
        ("beno", {"width": "64"}, "width of beno is '64'; expected a whole number above 0, such as 128"),
        ("beno", {"width": 0}, "width of beno is 0; expected a whole number above 0"),
        ("beno", {"steps": True}, "steps of beno is True; expected a whole number"),
        ("beno", {"local": 1}, "local of beno is 1; expected of type bool"),
        ("beno", {"noise": 0.1}, "noise is of operators that go in steps; give bundle"),
    ],
)
def test_what_cannot_be_built_is_said(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(OperatorError, match=message) as caught:
        build(name, schema(2), options)
    assert isinstance(caught.value, MeshopsError)
    assert "\n" not in str(caught.value)


def test_completed_options_have_all_defaults_also_within() -> None:
    fno = options_of("fno")
    assert completed("fno", {"width": 8}) == fno | {"width": 8}
    assert completed("fno", {"bundle": 2}) == fno | STEPPING | {"bundle": 2}
    boost = {"operator": "beno", "options": {"steps": 1}, "scale": 0.5}
    found = completed("fno", {"boost": boost})["boost"]
    assert found == boost | {"options": options_of("beno") | {"steps": 1}}
