"""One data set, made once by two workers, and a way to generate without Dask."""

from contextlib import nullcontext

import pytest

from meshops.data import Recipe, generate
from tests.data.tiny import COUNT, TINY


@pytest.fixture(scope="session")
def tiny():
    return Recipe.from_spec(TINY)


@pytest.fixture(scope="session")
def dataset(tiny, tmp_path_factory):
    return generate(tiny, tmp_path_factory.mktemp("data") / "tiny", count=COUNT, seed=3, workers=2)


@pytest.fixture
def here(monkeypatch):
    """Make shards in this process."""
    module = "meshops.data.generation"
    monkeypatch.setattr(f"{module}.client", lambda workers, scheduler: nullcontext())
    monkeypatch.setattr(f"{module}.run", lambda _, make, jobs, apart: ((job, make(job)) for job in jobs))
