"""Recipes: shipped ones give solvable cases, plain forms round-trip, wrong keys are named with their line."""

from dataclasses import replace

import numpy as np
import pytest

from geometries.conditions import Neumann, write_condition
from geometries.errors import MeshopsError, SpecError
from meshops.data import Recipe, recipes
from meshops.data.make import Maker
from meshops.equations import solve

GOOD = {
    "family": "corners",
    "equation": "heat",
    "conditions": {"outer": {"dirichlet": 0}},
}


def case_of(recipe, seed):
    return recipe.draw(np.random.default_rng(seed))


SMALL = {  # parameters of the family, where its own make large meshes
    "bracket": {"size": 0.1},
    "bracket-elasticity": {"size": 0.2, "order": 1},
    "burgers": {"shape": (64,)},
    "cavity": {"cells": 8, "height": (0.5, 1.5)},
    "corners": {"cells": 16, "sides": (2, 7)},
    "corners-original": {"cells": 16, "sides": (2, 7)},
    "cylinder-flow": {"size": 0.2, "radius": (0.05, 0.08)},
    "dam": {"size": 0.16},
    "darcy-interface": {"size": 0.08},
    "heat-sink": {"size": 6.0, "fins": (2, 3)},
    "inductor": {"size": 0.1},
    "parts": {"size": 0.1},
    "parts-elasticity": {"size": 0.2, "order": 1},
    "poisson-gauss": {"cells": (10, 14)},
    "polygons": {"size": 0.08},
    "tube": {"cells": 8},
    "unit-cell": {"size": 0.1},
    "wave": {"size": 0.08},
}
TIMES = {"burgers": (0.0, 0.25), "cylinder-flow": (0.0, 0.002)}


@pytest.mark.parametrize("name", recipes())
def test_shipped_recipes_make_twenty_samples_that_vary_and_make_them_again(name):
    recipe = Recipe.load(name)
    small = replace(
        recipe, family=replace(recipe.family, **SMALL.get(name, {})), times=TIMES.get(name, recipe.times), splits={}
    )
    maker = Maker(small, 0)
    made = [maker.sample(number) for number in range(20)]
    assert [entry.get("failed") for entry, _ in made] == [None] * 20
    field = f"solution/{recipe.equation.field}"
    assert all(np.ptp(arrays[field]) > 0 for _, arrays in made)
    assert len({arrays[field].tobytes() for _, arrays in made}) == 20
    again = Maker(small, 0).sample(19)[1]
    assert {key: array.tobytes() for key, array in again.items()} == {k: a.tobytes() for k, a in made[19][1].items()}
    assert recipe.about


@pytest.mark.parametrize("name", [name for name in recipes() if Recipe.load(name).splits])
def test_the_own_splits_of_shipped_recipes_can_be_made(name):
    recipe = Recipe.load(name)
    for split in recipe.splits:
        assert all("geometry" in Maker(recipe, 0, split).sample(number)[0] for number in range(4))


def test_the_source_matters_in_corners_as_much_as_the_boundary():
    recipe, ratios = Recipe.load("corners"), []
    for seed in range(24):
        case = case_of(recipe, seed)
        whole, boundary = solve(case).values, solve(replace(case, source=0.0)).values
        mass = case.mesh.mass
        ratios.append(np.sqrt(mass @ (whole - boundary) ** 2 / (mass @ boundary**2)))
    assert 0.7 < np.median(ratios) < 1.4


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
        ({"source": {"waves": "{speed}"}}, ("source", "waves"), "no parameter 'speed'; there are none."),
        (
            {"parameters": {"low": 1, "high": "2*{low}"}, "source": "{high}"},
            ("parameters", "high"),
            "refers to 'low'; expected no names in braces",
        ),
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
    path.write_text(
        "family: corners\nequation: heat\nparameters: {speed: 1}\n"
        "conditions:\n  outer: {dirichlet: [{uniform: [0, 1]}, '{sped}*x']}\n"
    )
    with pytest.raises(SpecError, match=r"mine\.yaml:5: .*no parameter 'sped'; did you mean 'speed'\?"):
        Recipe.load(path)
    with pytest.raises(MeshopsError, match="did you mean 'corners'"):
        Recipe.load("corner")
    with pytest.raises(MeshopsError, match="no file"):
        Recipe.load("absent.yaml")


def test_a_field_on_the_star_leaves_the_partners_of_periodic_boundaries():
    spec = {"family": {"grid": {"shape": [4, 4]}}, "equation": "heat", "source": 1.0}
    field = {"dirichlet": {"matern": {"length": 0.4}}}
    case = case_of(Recipe.from_spec(spec | {"conditions": {"left": {"periodic": "right"}, "*": field}}), 0)
    assert np.ptp(solve(case).values) > 0
