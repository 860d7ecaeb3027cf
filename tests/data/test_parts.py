"""Recipes of several parts: their own splits, several cases a shape, several families; and meshes that fail."""

import errno
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from geometries.errors import SpecError, WriteError
from geometries.families import FAMILIES, Grid, ShapeError
from meshops.data import GenerationError, MeshDataset, Recipe, StoreError, generate
from meshops.data.make import Maker
from meshops.data.samples import geometry_id
from tests.data.test_generation import content
from tests.data.tiny import TINY

SPLIT = TINY | {
    "per_shape": 3,
    "splits": {
        "strong": {"count": 0.5, "source": {"waves": {"amplitude": 50}}},
        "quads": {"count": 5, "family": {"corners": {"cells": 6, "sides": [1, 2], "cell": "quad"}}},
    },
}


@pytest.fixture
def parts(here, tmp_path):
    return generate(Recipe.from_spec(SPLIT), tmp_path / "parts", count=24)


def test_the_own_splits_of_a_recipe_follow_the_rest(parts):
    names = ("train", "validation", "test", "strong", "quads")
    assert [len(parts.split(n)) for n in names[3:]] == [12, 5]
    assert sorted(i for n in names for i in parts.split(n).ids) == list(range(24 + 12 + 5))
    assert all(set(parts.split("quads").case(i).mesh.cells) == {"quad"} for i in range(5))
    strength = {n: np.mean([np.ptp(parts.split(n)[i].x[:, 0].numpy()) for i in range(5)]) for n in ("train", "strong")}
    assert strength["strong"] > strength["train"]
    with pytest.raises(StoreError, match="expected train, validation, test, strong, quads"):
        parts.split("weak")
    assert len(MeshDataset.open(parts.folder).split("quads")) == 5


def test_cases_of_a_shape_share_its_mesh_and_split(parts):
    shapes = [geometry_id(parts.case(i).mesh) for i in range(24)]
    assert all(len(set(shapes[i : i + 3])) == 1 for i in range(0, 24, 3))
    assert len(set(shapes)) > 5
    fields = {parts.solution(i).values.tobytes() for i in range(24)}
    assert len(fields) == 24
    splits = {n: {shapes[i] for i in parts.split(n).ids} for n in ("train", "validation", "test")}
    assert not splits["train"] & splits["validation"] | splits["train"] & splits["test"]


def test_a_sample_does_not_depend_on_those_that_share_its_mesh():
    maker = Maker(Recipe.from_spec(SPLIT), 0)
    in_turn = [maker.sample(i)[1] for i in range(6)]
    alone = Maker(maker.recipe, 0).sample(5)[1]
    assert all(np.array_equal(in_turn[5][k], alone[k]) for k in alone)


def test_own_splits_have_their_own_samples():
    recipe = Recipe.from_spec(SPLIT | {"splits": {"more": {"count": 4}}})
    seen = [Maker(recipe, seed, split).sample(i)[1]["solution/temperature"].tobytes() for seed in (0, 1)
            for split in ("", "more") for i in range(4)]  # fmt: skip
    assert len(set(seen)) == 16


def test_a_split_may_have_fewer_cases_a_shape_than_the_others():
    recipe = Recipe.from_spec(SPLIT | {"splits": {"single": {"count": 4, "per_shape": 1}, "more": {"count": 4}}})
    again = Recipe.from_spec(recipe.to_spec())
    assert {name: split.recipe.per_shape for name, split in again.splits.items()} == {"single": 1, "more": 3}
    assert again == recipe


def test_a_larger_count_extends_every_part(here, parts, tmp_path):
    before = [parts.split("strong").solution(i).values for i in range(6)]
    recipe = Recipe.from_spec(SPLIT)
    larger = generate(recipe, parts.folder, count=48)
    assert [len(larger.split(n)) for n in ("strong", "quads")] == [24, 5]
    assert all(np.array_equal(larger.split("strong").solution(i).values, before[i]) for i in range(6))
    assert content(larger.folder) == content(generate(recipe, tmp_path / "again", count=48).folder)


def test_a_stop_is_told_with_the_samples_of_all_parts(here, tmp_path):
    def stop(done, *_):
        if done == 41:
            raise KeyboardInterrupt

    with pytest.raises(GenerationError, match="stopped after 41 of 41 samples"):
        generate(Recipe.from_spec(SPLIT), tmp_path / "d", count=24, progress=stop)


def test_one_shape_is_split_by_sample(here, tmp_path):
    recipe = Recipe.from_spec(TINY | {"family": {"grid": {"shape": [4, 4]}}, "conditions": {"*": {"dirichlet": "x"}}})
    dataset = generate(recipe, tmp_path / "d", count=20)
    assert Counter(r.split for r in dataset.store.manifest.samples) == {"train": 16, "validation": 2, "test": 2}


def test_a_family_may_be_one_of_several():
    families = [{"corners": {"cells": 6, "sides": [1, 2]}}, {"polygon": {"size": 0.08}}]
    recipe = Recipe.from_spec(TINY | {"family": {"one_of": families}, "conditions": {"outer": {"dirichlet": 0}}})
    assert Recipe.from_spec(recipe.to_spec()) == recipe
    cases = [recipe.draw(np.random.default_rng(seed)) for seed in range(8)]
    assert len({"left" in case.mesh.boundaries for case in cases}) == 2
    with pytest.raises(SpecError, match="one dimension"):
        Recipe.from_spec(TINY | {"family": {"one_of": ["bracket", "corners"]}})


def test_some_boundaries_are_drawn_among_those_that_are_free():
    some = {"some": {"of": ["left", "right", "corner*"], "count": [1, 2], "condition": {"neumann": {"normal": [0, 1]}}}}
    spec = TINY | {"conditions": {"loads": some, "left": {"dirichlet": 0}, "*": {"robin": 1}}}
    recipe = Recipe.from_spec(spec)
    assert Recipe.from_spec(recipe.to_spec()) == recipe
    drawn = [recipe.draw(np.random.default_rng(seed)).conditions for seed in range(30)]
    loads = Counter(name for conditions in drawn for name, c in conditions.items() if c.key == "neumann")
    assert {"right", "corner1", "corner4"} <= set(loads) <= {"right", "corner1", "corner2", "corner3", "corner4"}
    assert {sum(c.key == "neumann" for c in conditions.values()) for conditions in drawn} == {1, 2}
    assert all(conditions["left"].key == "dirichlet" for conditions in drawn)
    with pytest.raises(SpecError, match="0 free boundaries match"):
        none = Recipe.from_spec(spec | {"conditions": {"loads": {"some": some["some"] | {"of": ["face*"]}}}})
        none.draw(np.random.default_rng(0))


def test_some_of_few_boundaries_are_those_that_there_are():
    some = {"some": {"of": ["left", "right"], "count": 2, "condition": {"neumann": 1}}}
    conditions = {"left": {"dirichlet": 0}, "loads?": some}
    drawn = Recipe.from_spec(TINY | {"conditions": conditions}).draw(np.random.default_rng(0)).conditions
    assert {name: c.key for name, c in drawn.items()} == {"left": "dirichlet", "right": "neumann"}
    with pytest.raises(SpecError, match="1 free boundaries match"):
        strict = {"left": conditions["left"], "loads": some}
        Recipe.from_spec(TINY | {"conditions": strict}).draw(np.random.default_rng(0))


@dataclass(frozen=True)
class Fragile(Grid):
    """A grid that cannot be meshed with edges of 0.3, for one shape in two."""

    size: float = 0.3

    def draw(self, rng):
        return {"bad": bool(rng.random() < 0.5)}

    def mesh(self, shape=None):
        if shape["bad"] and self.size == 0.3:
            raise ShapeError("no mesh with edges of 0.3.")
        return super().mesh()


def test_a_shape_that_cannot_be_meshed_gets_a_finer_mesh(here, tmp_path, monkeypatch):
    monkeypatch.setitem(FAMILIES, "grid", Fragile)
    conditions = {"*": {"dirichlet": "x"}}
    recipe = Recipe.from_spec(TINY | {"family": {"grid": {"shape": [4, 4]}}, "conditions": conditions})
    dataset = generate(recipe, tmp_path / "d", count=20)
    assert not dataset.failed
    assert 0 < len(dataset.retried) < 20
    assert set(dataset.retried.values()) == {"no mesh with edges of 0.3."}


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"per_shape": 0}, ("per_shape",), "whole number"),
        ({"splits": {"test": {"count": 3}}}, ("splits", "test"), "not ['train'"),
        ({"splits": {"a": {}}}, ("splits", "a"), "expected a count"),
        ({"splits": {"a": {"count": 1.5}}}, ("splits", "a", "count"), "a share below 1"),
        ({"splits": {"a": {"count": 1e300}}}, ("splits", "a", "count"), "a whole number up to 10,000,000"),
        ({"splits": {"a": {"count": float("inf")}}}, ("splits", "a", "count"), "a whole number up to 10,000,000"),
        ({"splits": {"a": {"count": 3, "equation": "heat"}}}, ("splits", "a", "equation"), "unknown key"),
        ({"splits": {"a": {"count": 3, "source": {"wave": 1}}}}, ("splits", "a", "source", "wave"), "'waves'"),
        ({"splits": {"a": {"count": 3, "coefficients": None}}}, ("splits", "a", "coefficients"), "found None;"),
        ({"splits": {"a": {"count": 3, "family": "bracket"}}}, ("splits", "a", "family"), "found shapes in 3-D"),
        ({"family": {"one_of": []}}, ("family", "one_of"), "list of families"),
        ({"conditions": {"a": {"some": {"of": "x"}}}}, ("conditions", "a", "some"), "expected {of"),
        ({"conditions": {"a": {"some": {"of": [], "condition": {"dirichlet": 0}}}}}, ("conditions", "a", "some", "of"),
         "names or patterns"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change, key, said):
    with pytest.raises(SpecError) as error:
        Recipe.from_spec(TINY | change)
    assert (error.value.key, said in str(error.value)) == (key, True)


def test_a_full_disk_is_an_error_that_loses_nothing(here, dataset, tiny, tmp_path, monkeypatch):
    write, written = Path.write_bytes, []

    def full(path, data):
        if len(written) == 3:
            write(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left on device"):
        generate(tiny, tmp_path / "d", count=40, seed=3)
    assert len(content(tmp_path / "d")) == 3
    monkeypatch.setattr(Path, "write_bytes", write)
    done = []
    generate(tiny, tmp_path / "d", count=40, seed=3, progress=lambda *a: done.append(a[0]))
    assert done[0] == 15
    assert content(tmp_path / "d") == content(dataset.folder)
