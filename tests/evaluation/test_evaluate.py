"""Evaluation takes the data that a surrogate was trained for, and no sample that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometries import write
from geometries.families import Grid
from geometries.mesh import Mesh
from meshops.cli import main
from meshops.data import MeshDataset, Recipe, StoreError, generate
from meshops.data.imports import import_data
from meshops.evaluation import evaluate
from meshops.objectives import refine
from meshops.training import Settings, Surrogate, SurrogateError, train
from tests.data.tiny import TINY

Make = Callable[..., MeshDataset]
HEAT = TINY | {"coefficients": {"conductivity": 1}, "conditions": {"outer": {"dirichlet": {"waves": 1}}}}
MAGNETIC = HEAT | {"equation": "magnetostatics", "coefficients": {"permeability": 1}}


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    module = "meshops.data.generation"
    monkeypatch.setattr(f"{module}.client", lambda workers, scheduler: nullcontext())
    monkeypatch.setattr(f"{module}.run", lambda _, make, jobs, apart: ((job, make(job)) for job in jobs))
    return lambda spec, name, count: generate(Recipe.from_spec(spec), tmp_path / name, count=count)


def trained(samples: MeshDataset, folder: Path, **options: object) -> Surrogate:
    sets = samples.split("train"), samples.split("validation")
    settings = Settings(epochs=1, accelerator="cpu", progress=False)
    return train(*sets, folder=folder, settings=settings, operator="point_mlp", options={"width": 8} | options)


def test_data_of_another_equation_are_refused(make: Make, tmp_path: Path) -> None:
    heat, other = make(HEAT, "heat", 8), make(MAGNETIC, "other", 8)
    surrogate = trained(heat, tmp_path / "run")
    assert evaluate(surrogate, heat.split("test"), heat.split("train")).relative_l2 > 0
    with pytest.raises(SurrogateError, match="'magnetostatics' in 2-D; this surrogate was trained for 'heat'"):
        evaluate(surrogate, other.split("test"), other.split("train"))
    with pytest.raises(SurrogateError, match="'magnetostatics'"):
        refine(surrogate, other)
    with pytest.raises(SurrogateError, match="'heat' in 2-D at 5 times; this surrogate was trained for 'heat' in 2-D:"):
        surrogate.require_data(replace(heat.schema, times=5))
    with pytest.raises(SurrogateError, match="trained for 'heat' in 2-D with other columns: give data of its recipe"):
        surrogate.require_data(replace(heat.schema, x=("source",)))


def test_samples_that_were_trained_on_are_refused(make: Make, tmp_path: Path) -> None:
    samples = make(HEAT, "data", 8)
    first = trained(samples, tmp_path / "run")
    assert set(first.training["shapes"]) == samples.split("train").shapes
    manifest = samples.store.manifest
    dealt = {"train": "test", "test": "validation", "validation": "train"}
    records = tuple(replace(record, split=dealt[record.split]) for record in manifest.samples)
    redealt = MeshDataset(replace(samples.store, manifest=replace(manifest, samples=records)), samples.ids)
    with pytest.raises(SurrogateError, match="trained on 6 of the 6 shapes"):
        evaluate(first, redealt.split("test"), redealt.split("train"))
    second = trained(redealt, tmp_path / "second", boost=first)
    assert set(second.training["shapes"]) == samples.split("train").shapes | redealt.split("train").shapes
    with pytest.raises(SurrogateError, match="trained on 1 of the 1 shapes"):
        refine(second, samples)
    with pytest.raises(SurrogateError, match="trained on 1 of the 1 shapes"):
        trained(samples, tmp_path / "third", boost=second)


def test_a_surrogate_whose_shapes_are_not_known_is_not_tested(make: Make, tmp_path: Path) -> None:
    samples = make(HEAT, "data", 8)
    surrogate = trained(samples, tmp_path / "run")
    old = replace(surrogate, training={k: v for k, v in surrogate.training.items() if k != "shapes"})
    with pytest.raises(SurrogateError, match="does not tell the shapes"):
        evaluate(old, samples.split("test"), samples.split("train"))


def test_a_grown_set_tests_on_what_was_not_trained_on(make: Make, tmp_path: Path) -> None:
    surrogate = trained(make(HEAT, "data", 10), tmp_path / "run")
    grown = make(HEAT, "data", 30)
    test = grown.split("test")
    assert evaluate(surrogate, test, grown.split("train")).samples == test.ids
    assert len(test) >= 3


def test_a_split_without_samples_is_said_to_be_empty(make: Make, tmp_path: Path) -> None:
    samples = make(HEAT, "data", 4)
    surrogate = trained(samples, tmp_path / "run")
    with pytest.raises(StoreError, match="found no samples to test on"):
        evaluate(surrogate, MeshDataset(samples.store, ()), samples.split("train"))


def test_imported_samples_are_trained_on_and_compared_with_what_needs_no_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "source").mkdir()
    for i in range(6):
        mesh = Grid(shape=(3 + i, 4)).mesh()
        u = np.sin(mesh.points @ [1.0, 2.0] + i)
        write(Mesh(points=mesh.points, cells=mesh.cells, point_data={"u": u}), tmp_path / f"source/{i}.vtu")
    samples = import_data(tmp_path / "source", tmp_path / "data")
    (tmp_path / "small.yaml").write_text("{width: 16, context: 8, cycles: 1}")
    how = ["--config", str(tmp_path / "small.yaml"), "--epochs", "1"]
    assert main(["train", str(samples.folder), "-o", str(tmp_path / "run"), *how]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), str(samples.folder), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["baselines"]) == {"mean field", "nearest sample"}
