"""Operators side by side: rows that are kept, and errors that mean what they say."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import yaml

from geometries.errors import MeshopsError
from geometries.families import FAMILIES
from geometries.files import locked
from meshops.cli import main
from meshops.data import MeshDataset, Recipe, generate
from meshops.data.make import Maker
from meshops.data.manifest import Manifest
from meshops.data.shapes import resized
from meshops.equations import Case, Solution, solve
from meshops.equations.solvers import SolverError
from meshops.evaluation.bench import Plan, Row, bench, measure, seen, shifted
from meshops.evaluation.coarser import carried, coarser, on_mesh
from meshops.evaluation.errors import Errors, laplacian, relative_gradient, seminorm
from meshops.evaluation.metrics import relative_l2
from meshops.evaluation.table import brief, markdown, ranking, summary
from meshops.graph import MeshGraph
from meshops.operators import OperatorError
from meshops.training import FolderBusy, TrainingError

RECIPE = """
family: {polygon: {size: 0.02, holes: [0, 1]}}
equation: heat
coefficients: {conductivity: 1}
source: {trigonometric: {amplitude: 10}}
conditions: {"*": {dirichlet: 1}}
splits:
  strong: {count: 0.2, source: {trigonometric: {amplitude: 30}}}
"""


CAVITY = """
family: {cavity: {cells: 16, height: [1, 2]}}
equation: heat
conditions: {lid: {dirichlet: "x*(1-x)"}, walls: {dirichlet: 0}}
"""


SPOTS = """
family: {polygon: {size: 0.03, holes: [0, 1]}}
equation: heat
coefficients: {conductivity: {exp: {matern: {length: 0.4}}}}
source: {gaussians: {width: 0.1, value: {uniform: [50, 100]}}}
conditions:
  outer: {dirichlet: {harmonics: {amplitude: 1, cutoff: 2}}}
  hole1?: {robin: {coefficient: {exp: {matern: {length: 1}}}, ambient: 1}}
"""
PHASES = """
family: {polygon: {size: 0.03, holes: [0, 0]}}
equation: heat
regions: {hard: {matern: {length: 1}}}
coefficients: {conductivity: {per_region: {"hard?": 2, "background?": 1}}}
source: 1
conditions: {"*": {dirichlet: 0}}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "plain.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def samples(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> MeshDataset:
    return generate(Recipe.load(recipe), tmp_path_factory.mktemp("data") / "set", count=30, workers=1)


def test_the_seminorm_of_a_linear_field_is_its_slope() -> None:
    mesh = FAMILIES["grid"](shape=(5, 4), cell="triangle").sample(np.random.default_rng(0))
    x, y = mesh.points.T
    slope = np.hypot(3, 2) * np.sqrt(mesh.mass.sum())
    assert seminorm((3 * x - 2 * y + 7)[:, None], laplacian(mesh)) == pytest.approx(slope, rel=1e-6)


def test_the_gradient_s_error_ignores_a_shift_and_scales() -> None:
    mesh = FAMILIES["grid"](shape=(5, 4), cell="triangle").sample(np.random.default_rng(0))
    field = (mesh.points[:, :1]) ** 2
    assert relative_gradient(field + 1, field, laplacian(mesh)) < 1e-4
    assert relative_gradient(1.5 * field, field, laplacian(mesh)) == pytest.approx(0.5)


def test_linear_fields_are_carried_over_exactly() -> None:
    coarse, fine = (FAMILIES["grid"](shape=(n, n), cell="triangle").sample(np.random.default_rng(0)) for n in (3, 7))
    linear = [2 * m.points[:, :1] - m.points[:, 1:] for m in (coarse, fine)]
    np.testing.assert_allclose(carried(linear[0], coarse, fine), linear[1], atol=1e-12)


def test_a_coarser_mesh_may_be_one_of_fewer_cells(tmp_path: Path) -> None:
    (tmp_path / "cavity.yaml").write_text(CAVITY, encoding="utf-8")
    made = generate(Recipe.load(tmp_path / "cavity.yaml"), tmp_path / "set", count=30, workers=1)
    found = {factor: errors.mean for factor, errors, _ in coarser(made.split("test"), "test")}
    assert found[1.0] < 1e-6 < found[2.0] < 0.1
    assert found[2.0] < found[4.0]


def test_a_case_that_a_coarser_mesh_cannot_solve_counts_as_an_error_of_one(
    samples: MeshDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(case: Case) -> Solution:
        raise SolverError("no solution")

    monkeypatch.setattr("meshops.evaluation.coarser.solve", fail)
    assert [errors.mean for _, errors, _ in coarser(samples.split("test"), "test")] == pytest.approx([1.0] * 3)


def test_the_reference_on_coarser_meshes_is_the_same_problem_solved_worse(samples: MeshDataset) -> None:
    found = {factor: errors.mean for factor, errors, _ in coarser(samples.split("test"), "test")}
    assert found[1.0] < 1e-6 < found[2.0] < 0.3
    assert found[2.0] < found[4.0]
    own = {factor: errors.mean for factor, errors, _ in coarser(samples.split("strong"), "strong")}
    assert own[1.0] < 1e-6 < own[2.0] < 0.3


@pytest.mark.parametrize("text", [SPOTS, PHASES], ids=["fields", "regions"])
def test_what_is_drawn_on_a_mesh_is_the_same_on_coarser_ones(text: str) -> None:
    recipe = Recipe.from_spec(yaml.safe_load(text))
    fine = recipe.draw(np.random.default_rng([0, 3]))  # as the maker's sample 3
    coarse = on_mesh(fine, Maker(recipe, 0).mesh_of(3, resized(recipe.family, 2)))
    assert coarse.mesh.num_points < fine.mesh.num_points / 2
    found = carried(solve(coarse).values, coarse.mesh, fine.mesh)
    assert relative_l2(found, solve(fine).values, fine.mesh.mass) < 0.06


@pytest.fixture(scope="module")
def plan(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan(str(recipe), tmp_path_factory.mktemp("bench"), ("point_mlp",), 0.01, 2, 30)


def test_rows_of_operators_baselines_and_the_reference(plan: Plan) -> None:
    rows = bench(plan)
    assert [row.operator for row in rows[:2]] == ["point_mlp", "point_mlp"]
    assert {row.operator for row in rows[2:]} >= {"mean field", "nearest sample", "reference, edges x 1"}
    assert all(list(row.splits) == ["test", "strong"] for row in rows)
    assert rows[0].splits["test"] != rows[1].splits["test"]  # of two seeds
    assert all(row.parameters > 0 and row.steps > 0 and row.peak_memory > 1e8 for row in rows[:2])
    page = markdown(plan, rows)
    assert page.count("\n| ") == 2 + len(rows) - 1  # head, rule, and one line for both seeds
    before = plan.row("point_mlp", 2e-3, 0).read_bytes()
    assert bench(plan)[:2] == rows[:2]  # nothing is trained again
    assert plan.row("point_mlp", 2e-3, 0).read_bytes() == before


def test_a_hybrid_stands_beside_the_operator_in_a_class_of_its_own(plan: Plan) -> None:
    pair = replace(plan, operators=("point_mlp", "point_mlp+lifting"), seeds=1)
    own, hybrid, *others = bench(pair)
    assert (own.kind, hybrid.kind) == ("operator", "hybrid")
    assert hybrid.parameters > own.parameters
    assert {row.kind for row in others} == {"baseline", "reference"}
    assert "| point_mlp+lifting | hybrid | " in markdown(pair, [own, hybrid, *others])


def test_validation_chooses_the_learning_rate(plan: Plan) -> None:
    both = replace(plan, rates=(2e-3, 1e-6), seeds=1)
    row, tried = bench(both)[0], [json.loads(both.row("point_mlp", rate, 0).read_text()) for rate in both.rates]
    assert row.validation == min(t["validation"] for t in tried)
    assert row.learning_rate == min(tried, key=lambda t: t["validation"])["learning_rate"]


def test_a_run_that_another_process_trains_ends_the_bench(plan: Plan, samples: MeshDataset) -> None:
    other = replace(plan, minutes=0.011, seeds=1)
    folder = other.run("point_mlp", 2e-3, 0)
    folder.mkdir(parents=True)
    with locked(folder, MeshopsError("never raised")), pytest.raises(FolderBusy, match="another run is training"):
        bench(other)
    assert not other.row("point_mlp", 2e-3, 0).exists()


def test_rows_of_an_operator_with_other_options_are_others(
    plan: Plan, samples: MeshDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(plan, folder=samples.folder.parent)
    monkeypatch.setattr(Plan, "data", samples.folder)
    before = own.row("point_mlp", 2e-3, 0)
    monkeypatch.setattr("meshops.evaluation.bench.options_of", lambda name: {"width": 7})
    assert own.row("point_mlp", 2e-3, 0) != before


def test_a_training_process_ends_with_the_bench_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("""
import os, signal, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from meshops.evaluation.bench import _end_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), _end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    os.kill(os.getpid(), signal.SIGKILL)
""")
    # it returns when both have ended: the one that was started has its output too
    subprocess.run([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, timeout=120, check=False)


def test_only_splits_that_nothing_was_chosen_by_are_tested_on(samples: MeshDataset) -> None:
    assert shifted(samples) == ["test", "strong"]


@pytest.mark.parametrize(
    "given",
    [
        {"minutes": 0.0},
        {"seeds": 0},
        {"count": 10},
        {"rates": (2e-3, float("inf"))},
        {"rates": ()},
        {"operators": ("multigird",)},
        {"operators": ("omega", "multigrid", "omega")},
        {"rates": (2e-3, 0.002)},
    ],
)
def test_what_cannot_be_compared_is_refused(given: dict, tmp_path: Path) -> None:
    with pytest.raises(MeshopsError, match=r"expected|called"):
        Plan("corners", tmp_path, **given)


def test_the_command_prints_rows(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    bench(plan)
    folder = plan.folder.parent / plan.folder.name
    again = [plan.recipe, "-o", str(folder), "--operators", "point_mlp", "--budget", "0.01", "--count", "30", "--json"]
    assert main(["bench", *again]) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["rows"][0]["operator"] == "point_mlp"
    assert given["rows"][0]["relative_l2"] > 0
    assert main(["bench", *again, "--rates", "2e-3;1e-6"]) == 2
    assert "expected numbers with commas" in capsys.readouterr().err


def test_the_terminal_s_table_is_a_part_of_the_page_s(plan: Plan) -> None:
    rows = bench(plan)
    columns, lines = brief(rows)
    assert columns == ["", "parameters", *(f"L2 {split}" for split in rows[-1].splits), "ms"]
    every, all_lines = summary(rows)
    assert [line[-1] for line in lines] == [line[every.index("ms")] for line in all_lines]


def test_the_page_s_command_is_one_to_paste() -> None:
    plan = Plan("my recipe.yaml", Path("a b/my recipe"), operators=("omega",))
    assert "`meshops bench 'my recipe.yaml' -o 'a b' --operators omega --budget 3 " in markdown(plan, [])


def test_a_page_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "corners/table.md"
    page.parent.mkdir()
    page.write_text("whole")

    def full(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("meshops.evaluation.bench.bench", lambda *_, **__: [])
    monkeypatch.setattr(Path, "write_text", full)
    assert main(["bench", "corners", "-o", str(tmp_path)]) == 2
    assert page.read_text() == "whole"


def test_a_run_that_fails_is_told_and_the_others_go_on(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    bench(plan)
    monkeypatch.setattr("meshops.evaluation.bench._make", _fail)
    both, notes = replace(plan, operators=("omega", "point_mlp")), []
    rows = bench(both, note=notes.append)
    assert [row.failure for row in rows[:2]] == ["omega diverged"] * 2
    assert rows[0].to_json()["relative_l2"] is None
    assert rows[2].relative_l2 > 0
    assert "omega diverged" in notes
    page = markdown(both, rows)
    assert "| omega (2 of 2 failed) | operator | – |" in page
    assert page.endswith("\nomega diverged\n")
    assert not both.row("omega", 2e-3, 0).exists()


def _fail(*_: object) -> None:
    raise TrainingError("omega diverged")


def test_the_ranking_counts_operators_only_and_those_that_failed_last(plan: Plan) -> None:
    row = bench(plan)[0]
    errors = {"omega": 0.4, "gno": 0.1, "fno": 0.2, "coral": None, "mean field": 0.01}

    def made(name: str, mean: float | None) -> Row:
        if mean is None:
            return replace(row, operator=name, failure="coral diverged", splits={})
        kind = "baseline" if name == "mean field" else "operator"
        return replace(row, operator=name, kind=kind, splits={"test": replace(row.splits["test"], mean=mean)})

    said = ranking([made(*item) for item in errors.items()])
    assert said.startswith(
        "Of 4 operators the median has 0.3 on the test split, the best, gno, 0.1 (0.33 of the median)"
    )
    assert said.endswith("the next, fno, 0.2.")
    assert ranking([made("gno", 0.1), made("fno", 0.2)]) == ""


def test_a_row_or_run_of_other_data_is_not_used(plan: Plan, tmp_path: Path) -> None:
    bench(plan)
    manifest, moved = Manifest.read(plan.data), replace(plan, folder=tmp_path)
    moved.data.mkdir()
    manifest.write(moved.data)
    names = [path(p, "point_mlp", 2e-3, 0).name for path in (Plan.row, Plan.run) for p in (plan, moved)]
    assert names[0::2] == names[1::2]
    replace(manifest, shards=dict.fromkeys(manifest.shards, "0")).write(moved.data)
    assert not {path(moved, "point_mlp", 2e-3, 0).name for path in (Plan.row, Plan.run)} & set(names)


def test_whatever_keeps_an_operator_from_training_is_one_kind_of_error(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench(plan)
    for error in (OperatorError("too many times"), RuntimeError("can't\nallocate"), MemoryError()):
        monkeypatch.setattr("meshops.evaluation.bench.train", Mock(side_effect=error))
        with pytest.raises(TrainingError, match=r"^point_mlp, seed 7, learning rate 0\.002: .*$"):
            measure(plan, "point_mlp", 2e-3, 7)


def test_an_operator_whose_process_is_killed_is_told(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshops.evaluation.bench.measure", _killed)
    row = bench(replace(plan, seeds=1, rates=(5e-3,)))[0]
    assert row.failure.startswith("point_mlp, seed 0, learning rate 0.005: its process was ended")


def _killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_split_that_some_rows_lack_is_a_dash(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = {"test": (1.0, 2.0), "strong": (1.0, 4.0)}
    errors = Errors(0.1, 0.1, 0.1, 3)
    monkeypatch.setattr("meshops.evaluation.bench.coarser", lambda _, name: [(f, errors, 0.1) for f in factors[name]])
    rows = bench(plan)
    assert [row.operator for row in rows[-2:]] == ["reference, edges x 1", "reference, edges x 2"]
    columns, lines = summary(rows)
    assert [columns[i] for i, cell in enumerate(lines[-1]) if columns[i][:2] == "L2" and cell == "–"] == ["L2 strong"]
    assert "strong: 6" in markdown(plan, rows)


def test_the_peak_of_a_finished_run_is_that_of_its_training(plan: Plan) -> None:
    assert bench(plan)[0].peak_memory == measure(plan, "point_mlp", 2e-3, 0).peak_memory


def test_the_last_batch_of_an_epoch_counts_as_many_as_it_has() -> None:
    assert [seen(steps, 25) for steps in (6, 7, 8, 14)] == [24, 25, 29, 50]


def test_baselines_are_timed_on_the_test_split(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        name = "slow elsewhere"

        def predict(self, case: Case, graph: MeshGraph) -> np.ndarray:
            time.sleep(0.2 * (graph.sample.item() >= plan.count))  # a sample of the split `strong`
            return graph.y.numpy()

    monkeypatch.setattr("meshops.evaluation.bench.fit_baselines", lambda _: [Slow()])
    slow = next(row for row in bench(plan) if row.operator == Slow.name)
    assert slow.infer_seconds < 0.1
