"""What an operator costs: time and memory of a training step and of inference, and the ratio to its plain form."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import torch

from geometries.conditions import Dirichlet, Robin
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case
from meshops.graph import MeshGraph, build_graph, schema_of
from meshops.nn import plain_forms
from meshops.operators import Operator, build
from meshops.training.memory import keep_memory, peak_memory

SIZES = (1_000, 10_000, 100_000)
MEMORY = 10 * 2**30  # a step that would take more is left out
PLAIN_UP_TO = 10_000  # nodes; the plain forms are slow
REPEATS = 2  # timed calls up to so many nodes, after one that does not count; above, the first and only call counts


@dataclass(frozen=True)
class Cost:
    """Seconds and bytes of one inference and one training step on a mesh; None where it was left out.

    Seconds are processor time of one thread, so that what else runs on the machine enters as little as may be. Bytes
    are what the process grew by, at its peak. `plain_seconds` is a step with every tuned kernel in its plain form
    (concatenated messages with torch_geometric's scatter, padded batches) and torch's own choice of library for its
    products, measured in turns with `step_seconds`.
    """

    operator: str
    nodes: int
    infer_seconds: float
    infer_bytes: int
    step_seconds: float | None = None
    step_bytes: int | None = None
    plain_seconds: float | None = None

    @property
    def speedup(self) -> float | None:
        """How many times as long the plain form's step takes."""
        return (
            None if self.plain_seconds is None or self.step_seconds is None else self.plain_seconds / self.step_seconds
        )


def costs(name: str, sizes: Sequence[int] = SIZES, repeats: int = REPEATS) -> list[Cost]:
    """Return the costs of the operator `name` at its default size on plane meshes, smallest first.

    Each mesh has a process of its own, for its memory. A step whose memory, growing as the nodes, would exceed `MEMORY`
    is left out.
    """
    found: list[Cost] = []
    for size in sizes:
        last = found[-1] if found else None
        expected = (last.step_bytes or math.inf) * size / last.nodes if last else 0.0
        with _process() as pool:
            found.append(pool.submit(measure, name, size, repeats=repeats, step=expected < MEMORY).result())
    return found


def exponent(found: Sequence[Cost]) -> float:
    """Return p of seconds ~ nodes^p, of inference between the two largest meshes."""
    small, large = found[-2:]
    return math.log(large.infer_seconds / small.infer_seconds) / math.log(large.nodes / small.nodes)


def measure(name: str, nodes: int, *, repeats: int = REPEATS, step: bool = True, recompute: bool = False) -> Cost:
    """Return the cost of the operator `name` in this process, on about so many nodes; the best of `repeats`.

    With `recompute` a step is one with activation checkpointing, see `Operator.recompute`.
    """
    keep_memory()
    trial = _Trial.of(name, nodes)
    if recompute:
        trial.operator.recompute()
    repeats = repeats if nodes <= PLAIN_UP_TO else 0
    start = _memory()
    seconds = _best([trial.infer], repeats)
    cost = Cost(name, trial.graph.num_nodes, seconds[0], _grown(start))
    if not step:
        return cost
    first = trial.step()
    cost = replace(cost, step_seconds=first, step_bytes=_grown(start))
    if not repeats:
        return cost
    with _process() as pool:
        times = _best([trial.step, lambda: pool.submit(_plain_step, name, nodes).result()], repeats)
    return replace(cost, step_seconds=times[0], plain_seconds=times[1])


@dataclass(frozen=True, eq=False)
class _Trial:
    """An operator at its default size and a graph to try it on; each method returns the seconds that it took."""

    operator: Operator
    graph: MeshGraph

    @classmethod
    def of(cls, name: str, nodes: int) -> _Trial:
        return cls(build(name, schema_of(EQUATIONS["heat"], 2), {}), plane_graph(nodes))

    def infer(self) -> float:
        begun = time.process_time()
        with torch.no_grad():
            self.operator(self.graph)
        return time.process_time() - begun

    def step(self) -> float:
        begun = time.process_time()
        self.operator.zero_grad()
        self.operator(self.graph).square().mean().backward()
        return time.process_time() - begun


def _plain_step(name: str, nodes: int) -> float:
    """Return the seconds of a step in the plain form; the process keeps what it is tried on."""
    with plain_forms():
        return _tried(name, nodes).step()


_tried = cache(_Trial.of)


def _process() -> ProcessPoolExecutor:
    """Return a process of one thread that has nothing of this one."""
    return ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,))


def plane_graph(nodes: int) -> MeshGraph:
    """Return the graph of a heat case on a square of about so many nodes."""
    side = max(1, round(math.sqrt(nodes)) - 1)
    conditions = {"left": Dirichlet("1 + y"), "right": Robin("y", 2.0)}
    mesh = Grid(shape=(side, side)).mesh()
    return build_graph(Case(mesh, EQUATIONS["heat"], conditions=conditions, source="sin(5*x)"))


def _best(turns: Sequence[Callable[[], float]], repeats: int) -> list[float]:
    """Return the least of each, called in turns, after one call that does not count unless it is the only."""
    times = [[run() for run in turns] for _ in range(repeats + 1)]
    return [min(taken) for taken in zip(*(times[1:] or times), strict=True)]


def _memory() -> int:
    """Return the bytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _grown(start: int) -> int:
    """Return by how much the most that this process has held exceeds `start`; Linux counts that most a little late."""
    return max(0, peak_memory() - start)
