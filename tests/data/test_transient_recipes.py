"""Recipes with parameters, times and starts; conditions without values, and several on one boundary."""

import numpy as np
import pytest

from geometries.errors import SpecError
from meshops.data import Recipe, generate
from tests.data.tiny import TINY

COOLING = TINY | {
    "parameters": {"level": {"uniform": [10, 20]}, "height": 3},
    "coefficients": {"conductivity": {"uniform": [1, 2]}},
    "conditions": {"left": {"dirichlet": "{level}*(1+0.1*y)"}, "*": [{"neumann": 1}, {"robin": [0.1]}]},
    "initial": {"temperature": {"waves": {"amplitude": "{height}", "mean": "2*{level}"}}},
    "times": {"end": 0.5, "count": 4},
}
COOLING["conditions"]["*"] = [{"neumann": 1}, {"robin": {"coefficient": 0.1, "ambient": "{level}"}}]


def test_the_plain_form_gives_the_recipe_back():
    recipe = Recipe.from_spec(COOLING)
    assert Recipe.from_spec(recipe.to_spec()) == recipe


def test_transient_samples_are_made_and_come_back(here, tmp_path):
    dataset = generate(Recipe.from_spec(COOLING), tmp_path / "d", count=8)
    assert dataset.failed == {}
    solution = dataset.solution(1)
    assert solution.fields["temperature"].shape[0] == 4
    assert dataset.schema.y == ("temperature@1", "temperature@2", "temperature@3")
    assert dataset[1].y.shape == (solution.case.mesh.num_points, 3)
    assert solution.case.times == pytest.approx((0, 1 / 6, 1 / 3, 1 / 2))
    mesh = dataset.store.read_mesh(1)
    np.testing.assert_array_equal(mesh.point_data["temperature"], solution.fields["temperature"][-1, :, 0])


def test_a_parameter_is_one_number_throughout_a_case():
    case = Recipe.from_spec(COOLING).draw(np.random.default_rng(0))
    level = case.conditions["left"].value(np.zeros((1, 2)))[0]
    assert 10 <= level <= 20
    ambient = case.conditions["*"][1].ambient
    assert ambient == pytest.approx(level)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "{levl}"}, "did you mean 'level'"),
        ({"parameters": {"level": "x"}}, "found a field"),
        ({"times": [0]}, "expected a list of times"),
        ({"times": {"end": 1, "count": [3, 5]}}, r"found \[3, 5\]; expected a whole number from 2"),
        ({"times": {"end": 1, "count": 1}}, "found 1; expected a whole number from 2"),
        ({"source": "{level"}, "not an expression"),
    ],
)
def test_what_is_wrong_is_named(change, said):
    with pytest.raises(SpecError, match=said):
        Recipe.from_spec(COOLING | change).draw(np.random.default_rng(0))
