"""Small cases and a small operator; a module of its own, so that child processes can import it."""

from __future__ import annotations

import signal
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from geometries.conditions import Dirichlet, Robin
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import Case, Heat, solve
from meshops.graph import MeshGraph, build_graph, schema_of
from meshops.training import Settings, Surrogate, train
from meshops.training.files import LAST

SCHEMA = schema_of(Heat(), 2)
OPTIONS = {"width": 32, "cycles": 1}  # wide enough for the optimizer of matrices
TRAIN = 6  # of the eight; the others validate


def case(number: int, *, unit: float = 1.0, noise: float = 0.02) -> Case:
    """A turned plate of one metre, in units of 1/`unit` metres. Without `noise` its edges come in equal lengths."""
    rng = np.random.default_rng(number)
    plate = Grid(shape=(6, 6)).mesh()
    points = plate.points @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + noise * rng.normal(size=plate.points.shape)
    mesh = Mesh(points=points * unit, cells=plate.cells, boundaries=plate.boundaries)
    held, ambient, heat = rng.normal(20, 10, size=3)
    conditions = {"left": Dirichlet(held), "top": Robin(2.0 / unit**2, ambient=ambient)}
    coefficients = {"conductivity": 1.5 / unit}
    return Case(mesh, Heat(), conditions=conditions, coefficients=coefficients, source=10 * heat / unit**3)


@cache
def graphs() -> list[MeshGraph]:
    """The eight graphs with their solutions."""
    return [build_graph(c, solve(c)) for c in map(case, range(8))]


def train_small(folder: Path, *, train_set: object = None, resume: bool = False, **given: object) -> Surrogate:
    """Train the small operator; steps of two, so that an epoch has three."""
    options = given.pop("options", OPTIONS)
    how = {"epochs": 4, "batch_size": 2, "learning_rate": 1e-2, "accelerator": "cpu", "progress": False} | given
    if how.get("minutes"):
        how["epochs"] = None
    chosen = graphs()[:TRAIN] if train_set is None else train_set
    settings = Settings(**how)
    return train(
        chosen, graphs()[TRAIN:], schema=SCHEMA, folder=folder, options=options, settings=settings, resume=resume
    )


def same_bits(one: Path, other: Path) -> bool:
    """Whether two runs ended with the same best surrogate, weights and optimizer."""
    a, b = (load_file(f / "operator.safetensors") for f in (one, other))
    best = a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    return best and _equal(*(_lasting(f / LAST) for f in (one, other)))


def _lasting(path: Path) -> dict[str, object]:
    checkpoint = torch.load(path, weights_only=True)
    state = {k: v for k, v in checkpoint["state"].items() if k != "seconds"}
    return {"weights": checkpoint["state_dict"], "optimizer": checkpoint["optimizer_states"], "state": state}


def _equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a == b


class Watched:
    """Graphs that send this process a signal when they are read for the n-th time after training has begun."""

    def __init__(self, graphs: list[MeshGraph], at: int, number: signal.Signals = signal.SIGTERM) -> None:
        self.graphs, self.at, self.number = graphs, at, number
        self.reads = -1 - len(graphs)  # a look at the first, and the normalization's

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: int) -> MeshGraph:
        if index >= len(self.graphs):
            raise IndexError(index)
        self.reads += 1
        if self.reads == self.at:
            signal.raise_signal(self.number)
        return self.graphs[index]
