"""A run that was stopped, however, and resumed ends with the bits of one that was not."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from meshops.operators import options_of
from meshops.training import Settings, TrainingError, TrainingStopped
from meshops.training.files import LAST, METRICS
from meshops.training.keeper import trim
from meshops.training.run import make_run
from tests.training.small import OPTIONS, SCHEMA, TRAIN, Watched, graphs, same_bits, train_small

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.training.small", "meshops.training.module"])


def child(folder: Path, resume: bool) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    train_small(folder, resume=resume, save_every=0.0)


def run_and_kill(folder: Path, rng: np.random.Generator) -> bool:
    """Start or go on in a child and kill it after a few checkpoints, at any moment; whether it ended before."""
    process = CHILDREN.Process(target=child, args=(folder, (folder / LAST).exists()))
    process.start()
    seen, last, wanted = 0, None, int(rng.integers(2, 7))
    while process.is_alive() and seen < wanted:
        now = (folder / LAST).stat().st_ino if (folder / LAST).exists() else None
        seen, last = seen + (now != last), now
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.05))
    process.kill()
    process.join()
    return process.exitcode == 0


def test_a_killed_run_resumes_to_the_same_bits(trained, tmp_path):
    rng = np.random.default_rng()
    kills = 0
    while not run_and_kill(tmp_path, rng):
        kills += 1
        assert not list(tmp_path.glob("*.tmp"))
        assert kills < 20
    assert kills
    assert same_bits(trained[0], tmp_path)


@pytest.mark.parametrize("reads", [1, 7, 12, 20])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_resumes_to_the_same_bits(trained, tmp_path, reads, number):
    with pytest.raises(TrainingStopped, match=f"{number.name}.*resume"):
        train_small(tmp_path, train_set=Watched(graphs()[:TRAIN], reads, number))
    step = torch.load(tmp_path / LAST, weights_only=True)["done"]["step"]
    assert 0 < step < 12
    train_small(tmp_path, resume=True)
    assert same_bits(trained[0], tmp_path)


def test_metrics_are_those_of_an_unbroken_run(trained, tmp_path):
    with pytest.raises(TrainingStopped):
        train_small(tmp_path, train_set=Watched(graphs()[:TRAIN], 9))
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 999}\n{damaged}\n{"lost": 1}\n{"ste')
    train_small(tmp_path, resume=True)
    whole, broken = (
        [json.loads(line) for line in (f / METRICS).read_text().splitlines()] for f in (trained[0], tmp_path)
    )
    own = {"seconds": 0, "peak_memory": 0}
    assert [row | own for row in whole] == [row | own for row in broken]


def test_a_resumed_run_keeps_the_better_surrogate_from_before(tmp_path):
    with pytest.raises(TrainingStopped):
        train_small(tmp_path, train_set=Watched(graphs()[:TRAIN], 12))
    found = torch.load(tmp_path / LAST, weights_only=True)
    before = found["done"]["step"]
    assert 0 < found["state"]["best"] < 1
    found["state"]["best"] = 0.0
    torch.save(found, tmp_path / LAST)
    assert train_small(tmp_path, resume=True).training["step"] <= before


def test_a_finished_run_resumes_at_once_and_can_be_lengthened(trained, tmp_path):
    first = train_small(tmp_path, epochs=1)
    again = train_small(tmp_path, epochs=1, resume=True)
    assert again.training == first.training
    train_small(tmp_path, epochs=2, resume=True)
    assert torch.load(tmp_path / LAST, weights_only=True)["done"]["step"] == 6


def test_the_signal_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingStopped):
        train_small(tmp_path, train_set=Watched(graphs()[:TRAIN], 1))
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"options": {"width": 16, "cycles": 1}}, "has options {'width': 32}, this one {'width': 16};"),
        ({"seed": 1}, "seed"),
        ({"batch_size": 3}, "batch_size"),
        ({"train_set": graphs()[1:TRAIN]}, "training graphs"),
        ({"train_set": graphs()[1 : TRAIN + 1]}, "training data"),
    ],
)
def test_another_run_is_not_resumed(trained, change, named):
    with pytest.raises(TrainingError, match=f"{named}.*another folder"):
        train_small(trained[0], resume=True, **change)


@pytest.mark.parametrize("unit", [1.0, 1e-9])
def test_imported_data_are_told_apart_in_any_unit(samples, unit):
    runs = []
    for factor in (1, 2):
        small = [graph.clone() for graph in samples]
        for graph in small:
            graph.y = factor * unit * graph.y
        schema, settings = replace(SCHEMA, equation="imported"), Settings(epochs=1)
        runs.append(make_run(small, small, schema=schema, name="point_mlp", options={}, settings=settings))
    assert runs[0].following(runs[0].origin()).settings == runs[0].settings
    with pytest.raises(TrainingError, match="training data"):
        runs[0].following(runs[1].origin())


def test_weights_of_the_operator_before_it_was_changed_are_refused(trained, tmp_path):
    found = torch.load(trained[0] / LAST, weights_only=True)
    found["done"] = {"step": 0, "seconds": 0.0, "epoch_steps": 3}
    found["state_dict"]["operator.decode.weight"] = torch.zeros(2, 32)
    torch.save(found, tmp_path / LAST)
    with pytest.raises(TrainingError, match=r"other weights than multigrid now .size mismatch.*decode") as caught:
        train_small(tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_default_spelled_out_is_the_same_run(trained):
    again = train_small(trained[0], resume=True, options={**OPTIONS, "context": options_of("multigrid")["context"]})
    assert again.training == trained[1].training


def test_a_run_from_before_that_tells_fewer_options_is_resumed(trained, tmp_path):
    found = torch.load(trained[0] / LAST, weights_only=True)
    identity = json.loads(found["run"]["identity"])
    found["run"]["identity"] = json.dumps(identity | {"options": OPTIONS})
    trained[1].save(tmp_path)
    torch.save(found, tmp_path / LAST)
    assert train_small(tmp_path, resume=True).training == trained[1].training


def test_a_folder_with_a_run_is_not_overwritten(trained):
    with pytest.raises(TrainingError, match="--resume"):
        train_small(trained[0])


def test_nothing_is_resumed_from_nothing(tmp_path):
    with pytest.raises(TrainingError, match="no checkpoint"):
        train_small(tmp_path, resume=True)


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "foreign"])
def test_a_damaged_checkpoint_is_said_to_be(trained, tmp_path, damage):
    whole = (trained[0] / LAST).read_bytes()
    half = len(whole) // 2
    flipped = whole[:half] + bytes(byte ^ 1 for byte in whole[half : half + 256]) + whole[half + 256 :]  # past padding
    found = {"cut": whole[:half], "flip": flipped, "text": b"hello", "foreign": b""}[damage]
    (tmp_path / LAST).write_bytes(found)
    if damage == "foreign":
        torch.save({"weights": torch.zeros(2)}, tmp_path / LAST)
    with pytest.raises(TrainingError, match=LAST):
        train_small(tmp_path, resume=True)


def test_damaged_lines_of_metrics_are_dropped(tmp_path):
    path, whole = tmp_path / "metrics.jsonl", [b'{"step": 1}', b'{"step": 2}']
    damaged = [b'{"a": 1}', b"{}}", b'{"step": "x"}', b"\xff}"]
    path.write_bytes(b"\n".join([*whole, *damaged, b'{"step": 9}']))
    trim(path, 2)
    assert path.read_bytes().splitlines() == whole
