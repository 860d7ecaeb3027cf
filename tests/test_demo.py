"""The demo's whole path, with few siblings and seconds of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshops import demo
from meshops.evaluation import BASELINES


def test_the_demo_answers_for_the_part_and_draws_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "COUNT", 12)
    monkeypatch.setattr(demo, "MINUTES", 0.02)
    found = demo.run(tmp_path / "demo")
    assert set(found.part) == set(found.unseen) == {"multigrid", *BASELINES}
    assert all(0 < error < 100 for error in found.part.values())
    assert all(path.stat().st_size > 1000 for path in found.files)
