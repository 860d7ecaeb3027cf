"""Samples a second of a recipe by one worker and by two: `make bench-data`.

Workers are started beforehand, as a long run amortises them; writing and the card are included. Each figure is the best
of three, since other programs can only slow a run down.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from meshops.data import Recipe
from meshops.data.cluster import client, run
from meshops.data.generation import Plan
from meshops.data.make import Maker, make_shard, make_shard_apart

_RUNS = 3


def rate(recipe: Recipe, count: int, workers: int) -> float:
    """Return samples a second, the shards written to a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, client(workers, None) as dask:
        plan = Plan(recipe, Path(folder), count, 0)
        warm = Plan(recipe, Path(folder), 8 * workers, 1)
        plan.path(plan.jobs[0]).parent.mkdir(parents=True)
        for _ in run(dask, make_shard, warm.jobs, make_shard_apart):
            pass
        best = 0.0
        for _ in range(_RUNS):
            start = time.perf_counter()
            for job, content in run(dask, make_shard, plan.jobs, make_shard_apart):
                plan.path(job).write_bytes(content)
            best = max(best, plan.total / (time.perf_counter() - start))
    return best


def cost(recipe: Recipe, count: int = 64) -> float:
    """Return the seconds of processor time that a sample takes: what other programs can hardly change."""
    maker = Maker(recipe, 0)
    maker.sample(0)
    start = time.process_time()
    for number in range(count):
        maker.sample(number)
    return (time.process_time() - start) / count


def main(names: tuple[str, ...] = ("corners",), count: int = 512) -> None:
    """Write a line for each recipe."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.stdout.write(f"{'samples a second':20}{'1 worker':>12}{'2 workers':>12}{'times':>8}{'CPU ms a sample':>18}\n")
    for name in names:
        one, two = (rate(Recipe.load(name), count, workers) for workers in (1, 2))
        sys.stdout.write(f"{name:20}{one:12.1f}{two:12.1f}{two / one:8.2f}{1e3 * cost(Recipe.load(name)):18.1f}\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ("corners",))
