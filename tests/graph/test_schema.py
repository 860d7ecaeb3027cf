"""The plain form of a schema: what is none is refused."""

import pytest

from meshops.equations import Heat
from meshops.graph import Schema, SchemaError, schema_of


@pytest.mark.parametrize("changed", [{"dim": "2"}, {"times": None}, {"equation": 3}, {"x": "source"}, {"y": [1]}])
def test_a_plain_form_of_other_kinds_is_refused(changed):
    with pytest.raises(SchemaError, match=f"{next(iter(changed))} of a schema is"):
        Schema.from_json(schema_of(Heat(), 2).to_json() | changed)


@pytest.mark.parametrize("given", [[], None, "heat"])
def test_what_is_no_plain_form_is_refused(given):
    with pytest.raises(SchemaError, match="plain form"):
        Schema.from_json(given)
