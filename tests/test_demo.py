"""The demo's whole path, with few siblings and seconds of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshops import demo
from meshops.evaluation import BASELINES
from meshops.training import Surrogate, SurrogateError, shipped


def test_the_demo_answers_for_the_part_and_draws_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "COUNT", 12)
    monkeypatch.setattr(demo, "MINUTES", 0.02)
    found = demo.run(tmp_path / "demo")
    assert set(found.part) == set(found.unseen) == {"multigrid", *BASELINES}
    assert all(0 < error < 100 for error in found.part.values())
    assert all(path.stat().st_size > 1000 for path in found.files)


def test_the_shipped_operator_answers_for_the_part_in_seconds(tmp_path: Path) -> None:
    found = demo.run_pretrained(tmp_path / "demo")
    assert found.unseen == {}
    assert found.part["multigrid"] < 0.15
    assert all(path.stat().st_size > 1000 for path in found.files)


@pytest.mark.parametrize("name", ["bracket", "corners"])
def test_shipped_operators_are_small_and_say_how_they_were_trained(name: str) -> None:
    with shipped(name) as folder:
        assert sum(file.stat().st_size for file in folder.iterdir()) < 3e6
        training = Surrogate.load(folder).training
    assert training["val_relative_l2"] < 0.1
    assert training["settings"]["seed"] == 0


def test_other_names_are_refused() -> None:
    with pytest.raises(SurrogateError, match="bracket"), shipped("braket"):
        pass
