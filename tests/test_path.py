"""The whole path at small size by the command line: recipe, data set, training, evaluation, a case solved by it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import geometries
import geometries.families
import geometries.formats
from meshops import training_commands
from meshops.cli import main
from meshops.equations import Case, assemble
from meshops.training import Surrogate

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
    assert main([*arguments, "--json"]) in (0, 3)
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
    parts = [said(capsys, "evaluate", "run", "data", "--split", s) for s in ("train", "validation", "test")]
    assert [part["split"] for part in parts] == ["train", "validation", "test"]
    assert sorted(number for part in parts for number in part["samples"]) == list(range(40))


def test_a_case_is_solved_by_the_surrogate_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "solve", "case.yaml", "-o", "answer.vtu", "--surrogate", "run", "--compare")
    assert 0 < found["relative_l2"] < 1
    mesh = geometries.read("answer.vtu")
    ours, exact = mesh.point_data["temperature"], mesh.points[:, 0] - mesh.points[:, 1]
    assert np.allclose(mesh.point_data["temperature_reference"], exact)
    assert np.allclose(mesh.point_data["temperature_error"], ours - exact)
    outer = mesh.nodes(mesh.outer)
    assert np.abs(ours - exact)[outer].max() < 1e-12


def test_a_run_is_not_overwritten(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path("run/operator.safetensors").read_bytes()
    assert main(["train", "data", "-o", "run", "--epochs", "1"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["refine", "run", "data", "-o", "run"]) == 2
    assert "'run' holds a run; refine into another folder." in capsys.readouterr().err
    assert Path("run/operator.safetensors").read_bytes() == before
    monkeypatch.setattr("meshops.objectives.refine", lambda *_, **__: pytest.fail("the work came first"))
    Path("file").write_text("")
    assert main(["refine", "run", "data", "-o", "file"]) == 2


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


WORDS = {"within tolerance": 0, "indicative": 0, "do not use": 3}


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    """Exit code and JSON of a case solved by the run."""
    capsys.readouterr()
    code = main(["solve", "case.yaml", "-o", "answer.vtu", "--surrogate", "run", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_answer_has_a_verdict_in_json_in_the_file_and_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = answered(capsys, "--compare")
    verdict = found["verdict"]
    assert code == WORDS[verdict["word"]]
    assert verdict["guaranteed"] is True
    assert verdict["unusual"] == []
    low, high = verdict["energy_error"]
    mesh = geometries.read("answer.vtu")
    case = Case.read("case.yaml")
    error = mesh.point_data["temperature_error"]
    true = np.sqrt(error @ (assemble(case).matrix @ error))
    assert low <= true <= high
    per_cell = mesh.cell_data["discretisation_error"]
    assert np.sqrt((per_cell**2).sum()) <= verdict["discretisation"]["error"] * (1 + 1e-9)
    assert json.loads(geometries.formats.inspect("answer.vtu").field_data["verdict"]) == verdict
    main(["solve", "case.yaml", "-o", "answer.vtu", "--surrogate", "run"])
    assert f"verdict: {verdict['word']}: error" in capsys.readouterr().out


def test_a_tolerance_is_reached_and_what_it_took_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = answered(capsys, "--tol", "1e-6", "--compare", "--sharpen", "1", "--accelerate")
    assert code == 0
    assert found["verdict"]["word"] == "within tolerance"
    assert found["relative_l2"] < 1e-5
    record = found["made_by"]["polish"]
    assert record["relative_energy_error"] <= 1e-6
    assert record["from_zero"]["measured"] is True
    assert {"graph", "predict", "polish", "verdict", "reference"} <= set(found["seconds"])


def test_a_run_without_a_record_of_its_training_data_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Path("run/guard.safetensors").read_bytes()
    try:
        Path("run/guard.safetensors").unlink()
        assert answered(capsys)[1]["verdict"]["unusual"] is None
        main(["solve", "case.yaml", "-o", "answer.vtu", "--surrogate", "run"])
        assert "no record of its training data" in capsys.readouterr().out
        Path("run/guard.safetensors").write_bytes(kept[: len(kept) // 2])
        assert main(["solve", "case.yaml", "-o", "answer.vtu", "--surrogate", "run"]) == 2
        assert "guard.safetensors" in capsys.readouterr().err
    finally:
        Path("run/guard.safetensors").write_bytes(kept)


def test_a_shape_unlike_the_training_data_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A thin strip: the verdict names it; as the bound is proved all the same, polishing makes the answer good."""
    strip = geometries.families.FAMILIES["grid"](shape=(60, 2)).sample(np.random.default_rng(0))
    points = strip.points * [30.0, 1.0]
    geometries.write(replace(strip, points=points, boundaries={"outer": strip.outer}), "strip.vtu")
    Path("strip.yaml").write_text(CASE.replace("shape.vtu", "strip.vtu"))
    main(["solve", "strip.yaml", "-o", "strip-solved.vtu", "--surrogate", "run", "--json"])
    assert any("extent" in u or "surface" in u for u in json.loads(capsys.readouterr().out)["verdict"]["unusual"])
    assert (
        main(["solve", "strip.yaml", "-o", "s.vtu", "--surrogate", "run", "--tol", "1e-6", "--compare", "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"]["word"] == "within tolerance"
    assert found["relative_l2"] < 1e-5


def test_the_reference_has_its_discretisation_error(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "solve", "case.yaml", "-o", "answer.vtu")
    assert found["discretisation"]["guaranteed"] is True
    assert found["discretisation"]["relative"] < 1e-6
    assert "discretisation_error" in geometries.read("answer.vtu").cell_data


def test_a_hybrid_is_trained_evaluated_and_solved_with(capsys: pytest.CaptureFixture[str]) -> None:
    how = ["--config", "options.yaml", "--epochs", "2", "--lifting", "--augment", "symmetries"]
    assert main(["train", "data", "-o", "hybrid", *how]) == 0
    assert json.loads(Path("hybrid/surrogate.json").read_text())["schema"]["x"][-1] == "lifting.temperature"
    told = said(capsys, "evaluate", "hybrid", "data")
    assert told["operator"] == "multigrid+lifting"
    assert told["relative_l2"] < 5
    found = said(capsys, "solve", "case.yaml", "-o", "hybrid.vtu", "--surrogate", "hybrid", "--compare")
    assert 0 < found["relative_l2"] < 5
    assert main(["refine", "hybrid", "data", "-o", "refined"]) == 0


def test_a_gap_between_seen_and_unseen_samples_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--config", "options.yaml", "--epochs", "1"]
    told = {}
    for name, gap, more in (("wide", 0.0, []), ("none", 1e9, []), ("made", 0.0, ["--augment", "manufactured"])):
        monkeypatch.setattr(training_commands, "GAP", gap)
        assert main(["train", "data", "-o", f"gap-{name}", *small, *more]) == 0
        told[name] = "try --augment manufactured" in capsys.readouterr().err
    assert told == {"wide": True, "none": False, "made": False}


def test_how_training_computes_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    how = ["--config", "options.yaml", "--epochs", "1"]
    assert main(["train", "data", "-o", "half", *how, "--precision", "bf16-mixed", "--recompute"]) == 0
    settings = Surrogate.load("half").training["settings"]
    assert (settings["precision"], settings["recompute"]) == ("bf16-mixed", True)
    assert main(["train", "data", "-o", "other", *how, "--precision", "16"]) == 2
    assert "bf16-mixed" in capsys.readouterr().err
    assert not Path("other").exists()
