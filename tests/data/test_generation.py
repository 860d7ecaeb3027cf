"""Generation: the same bits for any number of workers and after any interruption; one bad sample costs one sample."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from geometries.errors import WriteError
from meshops.data import GenerationError, MeshDataset, Recipe, StoreError, generate, generation
from meshops.data.generation import Plan
from meshops.data.make import Job, Maker, make_shard, make_shard_apart
from meshops.data.store import SHARDS, _opened
from meshops.data.threads import one_thread
from tests.data.tiny import COUNT, TINY

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = f"""
import time
from meshops.data import Recipe, generate
recipe = Recipe.from_spec({TINY!r})
generate(recipe, FOLDER, count={COUNT}, seed=3, workers=1, progress=lambda *a: time.sleep(0.2))
"""


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def spec(low, high):
    """Heat exchange with a coefficient that is refused where it is negative."""
    return TINY | {"conditions": {"outer": {"robin": {"coefficient": {"uniform": [low, high]}}}}}


def interrupted(folder, number, after):
    """Generate in another process, and send it a signal some seconds after its next shard."""
    script = SCRIPT.replace("FOLDER", repr(str(folder)))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    before = len(list(folder.glob("shards/0*")))
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and len(list(folder.glob("shards/0*"))) == before:
            time.sleep(0.02)
        time.sleep(after)
        process.send_signal(number)
        said = process.communicate()[1]
        return process.returncode, said


def test_two_workers_make_what_no_worker_makes(dataset, tiny):
    plan = Plan(tiny, dataset.folder, COUNT, 3)
    assert {plan.path(job).name: make_shard(job) for job in plan.jobs} == {
        path.name: path.read_bytes() for path in (dataset.folder / SHARDS).iterdir()
    }


def test_a_sample_does_not_depend_on_those_before_it():
    family = {"polygon": {"size": 0.06}}
    recipe = Recipe.from_spec({"family": family, "equation": "heat", "conditions": {"*": {"dirichlet": "x"}}})
    in_turn = [Maker(recipe, 0).sample(i)[1] for i in range(4)]
    alone = Maker(recipe, 0).sample(3)[1]
    assert all(np.array_equal(in_turn[3][k], alone[k]) for k in alone)


def test_stopped_and_killed_runs_end_as_an_unbroken_one(here, dataset, tiny, tmp_path):
    code, said = interrupted(tmp_path / "d", signal.SIGTERM, 0.1)
    assert code == 1
    assert "GenerationStopped: stopped after" in said
    assert "run it again to go on" in said
    code, _ = interrupted(tmp_path / "d", signal.SIGKILL, random.uniform(0, 0.5))
    assert code == -signal.SIGKILL
    kept = content(tmp_path / "d")
    assert len(kept) >= 2
    with pytest.raises(StoreError, match="was stopped, run it again"):
        MeshDataset.open(tmp_path / "d")
    done = []
    generate(tiny, tmp_path / "d", count=COUNT, seed=3, progress=lambda *a: done.append(a))
    assert done[0][0] > 0
    assert content(tmp_path / "d") == content(dataset.folder)


@pytest.mark.slow
def test_runs_killed_at_twenty_random_moments_end_as_an_unbroken_one(here, dataset, tiny, tmp_path):
    folders = [tmp_path / str(n) for n in range(20)]
    current = iter(folders)
    folder = next(current)
    for _ in range(20):
        interrupted(folder, signal.SIGKILL, random.uniform(0, 1.5))
        if (folder / "manifest.json").exists():
            folder = next(current)
    for begun in filter(Path.exists, folders):
        generate(tiny, begun, count=COUNT, seed=3)
        assert content(begun) == content(dataset.folder)


def test_a_whole_set_is_kept_and_a_damaged_or_missing_shard_replaced(here, tiny, tmp_path):
    made = []
    folder = tmp_path / "d"
    generate(tiny, folder, count=20, progress=lambda *a: made.append(a))
    assert made[0] == (0, 20, 0)
    assert made[-1] == (20, 20, 0)
    whole = content(folder)
    first, second, third, *_ = sorted((folder / SHARDS).iterdir())
    times = {p: p.stat().st_mtime_ns for p in (folder / SHARDS).iterdir()}
    first.write_bytes(whole[f"shards/{first.name}"][:-1] + b"\x99")
    second.unlink()
    third.write_bytes(b"nonsense")
    (folder / SHARDS / ".0123abcd.safetensors").write_bytes(b"left by a kill")
    generate(tiny, folder, count=20)
    assert content(folder) == whole
    again = {p: p.stat().st_mtime_ns for p in (folder / SHARDS).iterdir()}
    assert {p for p in times if again[p] != times[p]} == {first, second, third}


def test_a_larger_count_extends_a_set(here, tiny, tmp_path):
    small = generate(tiny, tmp_path / "d", count=10)
    before = [small.solution(i).values for i in range(10)]
    large = generate(tiny, tmp_path / "d", count=30)
    assert len(large) == 30
    assert all(np.array_equal(large.solution(i).values, before[i]) for i in range(10))
    assert content(tmp_path / "d") == content(generate(tiny, tmp_path / "e", count=30).folder)
    with pytest.raises(StoreError, match="holds 30 samples"):
        generate(tiny, tmp_path / "d", count=10)


def test_what_a_larger_run_left_is_not_deleted_by_a_smaller_one(here, tiny, tmp_path):
    folder = generate(tiny, tmp_path / "d", count=30).folder
    (folder / "manifest.json").unlink()
    kept = content(folder)
    with pytest.raises(StoreError, match="holds 30 samples; ask for as many or more"):
        generate(tiny, folder, count=10)
    assert content(folder) == kept
    assert len(generate(tiny, folder, count=30)) == 30


def test_shards_of_an_older_version_are_refused(here, tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("meshops.data.manifest.VERSION", (1, 1))
        folder = generate(tiny, tmp_path / "d", count=4).folder
    (folder / "manifest.json").unlink()
    _opened.cache_clear()
    with pytest.raises(StoreError, match=r"version 1\.1; .* delete the data set, and make it again"):
        generate(tiny, folder, count=4)


def test_what_is_in_a_folder_is_checked_under_the_lock(here, tiny, tmp_path, monkeypatch):
    alone = generation.alone

    def late(folder):  # another generation has the lock first
        other.setattr(generation, "alone", alone)
        generate(Recipe.from_spec(TINY | {"source": 1}), folder, count=4)
        return alone(folder)

    with monkeypatch.context() as other:
        other.setattr(generation, "alone", late)
        with pytest.raises(StoreError, match="another recipe"):
            generate(tiny, tmp_path / "d", count=4)
    assert len(MeshDataset.open(tmp_path / "d")) == 4


def test_a_growth_that_does_not_begin_leaves_the_set(here, tiny, tmp_path, monkeypatch):
    generate(tiny, tmp_path / "d", count=4)

    def unreachable(workers, scheduler):
        raise GenerationError("no scheduler answers")

    monkeypatch.setattr(generation, "client", unreachable)
    with pytest.raises(GenerationError, match="no scheduler"):
        generate(tiny, tmp_path / "d", count=8)
    assert len(MeshDataset.open(tmp_path / "d")) == 4


def test_a_growth_for_which_there_is_no_room_leaves_the_set(here, tiny, tmp_path, monkeypatch):
    generate(tiny, tmp_path / "d", count=4)
    whole = content(tmp_path / "d")

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="No space left on device"):
            generate(tiny, tmp_path / "d", count=8)
    assert content(tmp_path / "d") == whole


def test_a_hopeless_split_is_named(here, tmp_path):
    recipe = spec(1, 3) | {"splits": {"bad": {"count": 4, "conditions": spec(-3, -1)["conditions"]}}}
    with pytest.raises(GenerationError, match="3 of 3 samples of the split 'bad' failed"):
        generate(Recipe.from_spec(recipe), tmp_path / "d", count=40)


def test_a_folder_of_something_else_is_left_alone(here, tiny, tmp_path):
    generate(tiny, tmp_path / "d", count=4)
    with pytest.raises(StoreError, match="another seed"):
        generate(tiny, tmp_path / "d", count=4, seed=1)
    other = Recipe.from_spec(TINY | {"source": 1})
    with pytest.raises(StoreError, match="another recipe"):
        generate(other, tmp_path / "d", count=4)
    (tmp_path / "d/manifest.json").unlink()
    with pytest.raises(StoreError, match="another recipe"):
        generate(other, tmp_path / "d", count=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    with pytest.raises(StoreError, match="not empty"):
        generate(tiny, tmp_path / "mine", count=4)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_two_runs_do_not_share_a_folder(here, tiny, tmp_path):
    def second(*_):
        with pytest.raises(StoreError, match="another run"):
            generate(tiny, tmp_path / "d", count=4)

    generate(tiny, tmp_path / "d", count=4, progress=second)


def test_a_bad_sample_costs_one_sample(here, tmp_path):
    dataset = generate(Recipe.from_spec(spec(-1, 3)), tmp_path / "d", count=40)
    assert 0 < len(dataset.failed) < 20
    assert sorted([*dataset.failed, *dataset.ids]) == list(range(40))
    assert all("expected at least 0" in reason for reason in dataset.failed.values())
    assert len(list(dataset)) == len(dataset)
    with pytest.raises(StoreError, match="was not made"):
        dataset.store.read_graph(next(iter(dataset.failed)))


@pytest.mark.parametrize(("count", "done"), [(20, range(20)), (1000, range(65))])
def test_a_hopeless_recipe_is_an_error_with_its_commonest_reason(here, tmp_path, count, done):
    with pytest.raises(GenerationError, match=r"samples failed, .* expected at least 0"):
        seen = []
        generate(Recipe.from_spec(spec(-3, -1)), tmp_path / "d", count=count, progress=lambda *a: seen.append(a[0]))
    assert max(seen) in done


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 2.5}, {"count": 4, "seed": -1}])
def test_wrong_numbers_are_refused(tiny, tmp_path, wrong):
    with pytest.raises(GenerationError, match="expected a whole number"):
        generate(tiny, tmp_path / "d", **wrong)


def test_no_scheduler_is_named(tiny, tmp_path):
    import dask
    import distributed  # noqa: F401  what is set before it comes would end with the block, and its defaults too

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), pytest.raises(GenerationError, match="no Dask"):
        generate(tiny, tmp_path / "d", count=4, scheduler="tcp://127.0.0.1:9")


def test_workers_that_end_at_once_are_an_error(tiny, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif any('spawn_main' in word for word in sys.orig_argv):\n    os._exit(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    with pytest.raises(GenerationError, match="2 worker processes did not start"):
        generate(tiny, tmp_path / "d", count=COUNT, workers=2)


@pytest.fixture
def crashing(tmp_path, monkeypatch):
    """Every process started from here on ends by SIGSEGV in some samples; return which."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(
        "import copy, os, signal\n"
        "from geometries.families.corners import Corners\n"
        "draw = Corners.draw\n"
        "def crash(self, rng):\n"
        "    if copy.deepcopy(rng).random() < 0.1:\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return draw(self, rng)\n"
        "Corners.draw = crash\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), str(ROOT)]))
    return [i for i in range(COUNT) if deepcopy(np.random.default_rng([3, i])).random() < 0.1]


def test_a_native_crash_costs_one_sample(crashing, tiny, dataset):
    first = 1
    assert [i for i in (1, 2) if i in crashing] == [2]
    shard = make_shard_apart(Job(tiny.to_spec(), 3, first, 2))
    assert shard.count(b"failed") == 1
    assert b"its process was ended by SIGSEGV" in shard
    assert np.float64(dataset.solution(first).values).tobytes() in shard


@pytest.mark.slow
def test_crashes_do_not_stop_a_run(crashing, tiny, tmp_path, dataset):
    made = generate(tiny, tmp_path / "d", count=COUNT, seed=3, workers=2)
    assert list(made.failed) == crashing
    assert Counter(made.failed.values()) == {"its process was ended by SIGSEGV": len(crashing)}
    assert all(np.array_equal(made.solution(n).values, dataset.solution(i).values) for n, i in enumerate(made.ids))


def test_one_thread_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="of the body"), one_thread():
            assert torch.get_num_threads() == 1
            raise ValueError("of the body")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
