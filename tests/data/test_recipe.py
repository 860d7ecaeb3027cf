"""Recipes: shipped ones give solvable cases, plain forms round-trip, wrong keys are named with their line."""

import numpy as np
import pytest

from geometries.conditions import Neumann, write_condition
from geometries.errors import MeshopsError, SpecError
from meshops.data import Recipe, recipes
from meshops.equations import solve

GOOD = {
    "family": "corners",
    "equation": "heat",
    "conditions": {"outer": {"dirichlet": 0}},
}


def case_of(recipe, seed):
    return recipe.draw(np.random.default_rng(seed))


@pytest.mark.parametrize("name", recipes())
def test_shipped_recipes_give_cases_that_vary_and_are_solved(name):
    recipe = Recipe.load(name)
    solutions = [solve(case_of(recipe, seed)) for seed in range(3)]
    assert all(np.ptp(s.values) > 0 for s in solutions)
    assert len({s.values.tobytes() for s in solutions}) == 3
    assert recipe.about


@pytest.mark.parametrize("name", recipes())
def test_the_plain_form_gives_the_recipe_back(name):
    recipe = Recipe.load(name)
    again = Recipe.from_spec(recipe.to_spec())
    assert again == recipe
    assert again.to_spec() == recipe.to_spec()


def test_the_generator_is_all_the_randomness(tiny):
    one, same, other = (case_of(tiny, seed) for seed in (5, 5, 6))
    plain = [({n: write_condition(c) for n, c in case.conditions.items()}, case.source) for case in (one, same, other)]
    np.testing.assert_array_equal(one.mesh.points, same.mesh.points)
    assert plain[0] == plain[1] != plain[2]


def test_the_kind_of_a_condition_may_be_random(tiny):
    assert {case_of(tiny, seed).conditions["outer"].key for seed in range(20)} == {"dirichlet", "robin"}


def test_an_optional_boundary_is_left_out_where_there_is_none():
    conditions = {"left": {"dirichlet": 0}, "corner1?": {"neumann": 1}}
    recipe = Recipe.from_spec(GOOD | {"family": {"corners": {"cuts": [2, 2]}}, "conditions": conditions})
    cases = [case_of(recipe, seed) for seed in range(10)]
    found = ["corner1" in case.conditions for case in cases]
    assert found == ["corner1" in case.mesh.boundaries for case in cases]
    assert len(set(found)) == 2
    assert all(isinstance(c.conditions["corner1"], Neumann) for c, has in zip(cases, found, strict=True) if has)


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"famly": 1}, ("famly",), "did you mean 'family'?"),
        ({"family": "brackt"}, ("family", "brackt"), "did you mean 'bracket'?"),
        ({"family": {"corners": {"cell_s": 3}}}, ("family", "corners", "cell_s"), "did you mean 'cells'?"),
        ({"family": {"corners": {"cells": 1}}}, ("family", "corners", "cells"), "3 to 4096"),
        ({"family": {"corners": 3}}, ("family", "corners"), "expected names"),
        ({"equation": "heet"}, ("equation",), "did you mean 'heat'?"),
        ({"coefficients": {"conductivty": 1}}, ("coefficients", "conductivty"), "did you mean"),
        ({"source": {"wave": 1}}, ("source", "wave"), "did you mean 'waves'?"),
        ({"conditions": {"outer": 3}}, ("conditions", "outer"), "one condition"),
        ({"conditions": {"outer": {"dirichle": 3}}}, ("conditions", "outer", "dirichle"), "did you mean 'dirichlet'?"),
        ({"conditions": {"outer": {"robin": {"ambient": 3}}}}, ("conditions", "outer", "robin"), "'coefficient'"),
        (
            {"conditions": {"outer": {"one_of": [{"robin": {"coefficient": {"uniform": 1}}}]}}},
            ("conditions", "outer", "one_of", 0, "robin", "coefficient", "uniform"),
            "two numbers",
        ),
    ],
)
def test_what_is_wrong_is_named(change, key, said):
    with pytest.raises(SpecError) as error:
        Recipe.from_spec(GOOD | change)
    assert (error.value.key, said in str(error.value)) == (key, True)


def test_a_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("family: corners\nequation: heat\nconditions:\n  outer: {dirichlet: {unifrm: [0, 1]}}\n")
    with pytest.raises(SpecError, match=r"mine\.yaml:4: .*did you mean 'uniform'\?"):
        Recipe.load(path)
    with pytest.raises(MeshopsError, match="did you mean 'corners'"):
        Recipe.load("corner")
    with pytest.raises(MeshopsError, match="no file"):
        Recipe.load("absent.yaml")
