"""Errors over time: one for each output time, of any operator, at once or step by step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from meshops.cli import main
from meshops.evaluation.errors import by_field, over_time

RECIPE = """
family: {grid: {shape: [5, 5]}}
equation: heat
parameters: {level: {uniform: [10, 20]}}
conditions: {left: {dirichlet: "{level}"}}
initial: {temperature: "{level} + 20*x"}
times: {end: 0.5, count: 5}
"""


def test_each_time_has_the_error_of_its_own_columns() -> None:
    rng = np.random.default_rng(0)
    reference, mass = rng.normal(size=(9, 6)), rng.random(9)  # two components at three times
    factor = np.repeat([1.1, 1.2, 1.5], 2)
    np.testing.assert_allclose(over_time(factor * reference, reference, mass, 4), [0.1, 0.2, 0.5])
    assert over_time(reference, reference, mass, 0) == []


def test_each_field_has_the_error_of_its_own_columns() -> None:
    rng = np.random.default_rng(0)
    columns = [f"{name}@{k}" for k in (1, 2) for name in ("velocity.x", "velocity.y", "pressure")]
    reference, mass = rng.normal(size=(9, 6)), rng.random(9)
    found = by_field(np.array([1.1, 1.1, 3, 1.1, 1.1, 3]) * reference, reference, mass, columns)
    assert found == {"velocity": pytest.approx(0.1), "pressure": pytest.approx(2)}


@pytest.mark.parametrize("options", ["width: 16", "width: 16\nbundle: 2"], ids=["at once", "in steps"])
def test_evaluate_tells_the_growth(
    options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(RECIPE)
    Path("options.yaml").write_text(options)
    assert main(["generate", "recipe.yaml", "-o", "data", "--count", "20", "--workers", "1"]) == 0
    how = ["--operator", "point_mlp", "--config", "options.yaml", "--epochs", "1"]
    assert main(["train", "data", "-o", "run", *how]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", "data", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    growth = told["over_time"]
    assert told["by_field"] == {}
    assert len(growth) == 4
    assert all(error > 0 for error in growth)
    assert main(["evaluate", "run", "data"]) == 0
    assert "output time" in capsys.readouterr().out
