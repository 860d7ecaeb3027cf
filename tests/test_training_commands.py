"""The commands that train: what a refused run leaves, and what a run is told of itself."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from geometries.errors import MeshopsError
from meshops.cli import main
from meshops.data import MeshDataset
from meshops.training import Surrogate
from meshops.training.files import METRICS
from meshops.training_commands import _gap


def test_a_refused_refinement_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Surrogate, "load", Mock())
    monkeypatch.setattr(MeshDataset, "open", Mock())
    monkeypatch.setattr("meshops.objectives.refine", Mock(side_effect=MeshopsError("the run is refined already.")))
    (tmp_path / "mine").mkdir()
    for name in ("new", "mine"):
        assert main(["refine", "run", "data", "-o", str(tmp_path / name)]) == 2
    assert "refined already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(("unseen", "tried"), [(1.0, 0), (9.0, 1)])
def test_what_would_help_is_tried_where_there_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unseen: float, tried: int
) -> None:
    made = Mock()
    monkeypatch.setattr("meshops.data.Manufactured", made)
    (tmp_path / METRICS).write_text(json.dumps({"step": 1, "val_loss_labels": unseen, "loss": 1.0}))
    assert bool(_gap(tmp_path, Mock(), {})) == bool(tried)
    assert made.call_count == tried


@pytest.mark.parametrize("found", ["", "{damaged}\n"])
def test_a_run_whose_course_is_lost_is_told_nothing(tmp_path: Path, found: str) -> None:
    (tmp_path / METRICS).write_text(found)
    assert _gap(tmp_path, Mock(), {}) == ""
