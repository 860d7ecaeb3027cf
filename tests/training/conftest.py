"""Eight small cases, solved, and a quick way to train on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshops.graph import MeshGraph
from meshops.training import Surrogate
from tests.training.small import graphs, train_small


@pytest.fixture(scope="session")
def samples() -> list[MeshGraph]:
    return graphs()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Surrogate]:
    """A finished run: its folder and its surrogate."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train_small(folder)
