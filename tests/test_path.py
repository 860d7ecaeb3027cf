"""The whole path at small size by the command line: recipe, data set, training, evaluation, a case solved by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import geometries
import geometries.families
from meshops.cli import main

RECIPE = """\
family:
  corners: {cells: 12, cuts: [1, 3], sides: [2, 4]}
equation: heat
conditions:
  outer: {dirichlet: {waves: {amplitude: 1, frequency: 1}}}
"""
CASE = """\
geometry: shape.vtu
equation: heat
conditions:
  outer: {dirichlet: "x - y"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, a trained run, and a case on a shape of the family."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "case.yaml").write_text(CASE)
    (folder / "options.yaml").write_text("width: 16\ncycles: 1\n")
    family = geometries.families.FAMILIES["corners"](cells=12, cuts=(2, 2), sides=(2, 4))
    geometries.write(family.sample(np.random.default_rng(5)), folder / "shape.vtu")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["generate", "recipe.yaml", "-o", "data", "--count", "40", "--workers", "1"]) == 0
        assert main(["train", "data", "-o", "run", "--config", "options.yaml", "--epochs", "25"]) == 0
    return folder


@pytest.fixture(autouse=True)
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_prints_errors_beside_baselines(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "evaluate", "run", "data")
    assert found["operator"] == "multigrid"
    assert found["relative_l2"] == pytest.approx(np.mean(found["per_sample"]))
    assert len(found["per_sample"]) == len(found["samples"]) >= 3
    assert set(found["baselines"]) == {"mean field", "nearest sample", "harmonic extension"}
    assert found["baselines"]["harmonic extension"] < 1e-4
    assert found["relative_l2"] < found["baselines"]["mean field"]


def test_splits_have_their_own_samples(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [said(capsys, "evaluate", "run", "data", "--split", s)["samples"] for s in ("train", "validation", "test")]
    assert sorted(number for part in parts for number in part) == list(range(40))


def test_a_case_is_solved_by_the_surrogate_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "solve", "case.yaml", "-o", "answer.vtu", "--surrogate", "run", "--compare")
    assert 0 < found["relative_l2"] < 1
    mesh = geometries.read("answer.vtu")
    ours, exact = mesh.point_data["temperature"], mesh.points[:, 0] - mesh.points[:, 1]
    assert np.allclose(mesh.point_data["temperature_reference"], exact)
    assert np.allclose(mesh.point_data["temperature_error"], ours - exact)
    outer = mesh.nodes(mesh.outer)
    assert np.abs(ours - exact)[outer].max() < 1e-12


def test_a_run_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("run/operator.safetensors").read_bytes()
    assert main(["train", "data", "-o", "run", "--epochs", "1"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert Path("run/operator.safetensors").read_bytes() == before


def test_generate_again_keeps_the_bytes() -> None:
    files = sorted(Path("data").rglob("*.*"))
    before = [file.read_bytes() for file in files]
    assert main(["generate", "recipe.yaml", "-o", "data", "--count", "40", "--workers", "1"]) == 0
    assert [file.read_bytes() for file in files] == before


def test_a_solid_is_refused_by_a_surrogate_of_plates(capsys: pytest.CaptureFixture[str]) -> None:
    geometries.write(geometries.families.FAMILIES["grid"](shape=(2, 2, 2)).sample(np.random.default_rng(0)), "cube.vtu")
    Path("cube.yaml").write_text(CASE.replace("shape.vtu", "cube.vtu").replace("outer", "left"))
    assert main(["solve", "cube.yaml", "-o", "cube-solved.vtu", "--surrogate", "run"]) == 2
    assert "3-D" in capsys.readouterr().err
    assert not Path("cube-solved.vtu").exists()
