"""How to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Protocol

from meshops.data import Normalization
from meshops.graph import MeshGraph
from meshops.training.errors import TrainingError
from meshops.training.losses import DATA_LOSSES, LABELS, Loss

_FREE = {"epochs", "minutes", "accelerator", "devices", "strategy", "recompute", "workers", "save_every", "progress"}

PRECISIONS = ("32-true", "bf16-mixed")  # float16 overflows, and graphs are float32


class Augmentation(Protocol):
    """Makes other samples of a normalized batch, `y` included, by torch's generator; `name` tells runs apart."""

    @property
    def name(self) -> str:
        """What it is called."""

    def __call__(self, graph: MeshGraph, normalization: Normalization) -> MeshGraph:
        """Return the batch of other samples; the one given stays as it is."""


@dataclass(frozen=True)
class Settings:
    """How long and how to train; exactly one of `epochs` and `minutes` is given.

    - `minutes` counts everything from the first step on, validation included, and goes on counting after `resume`.
    - `batch_size` is that of one device. `learning_rate` is the highest of the schedule; see `optimizers`.
    - `accelerator`, `devices`, `strategy` and `precision` (32-true or bf16-mixed) are those of Lightning's `Trainer`.
    - `loss` is what is minimised; see `losses`. With `symmetries` each step sees its samples turned by a random
      signed permutation of the axes, and the loss is that of the answer turned back. `augmentation` makes other samples
      of those of each step, for losses from labels.
    - With `recompute` the results of layers are not kept for the backward pass but computed again: see `Operator`.
    - `workers` processes read the training data; 0 for data in memory. `save_every` seconds a checkpoint is written.

    Raises `TrainingError` for values out of range.
    """

    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    loss: Loss = LABELS
    symmetries: bool = False
    augmentation: Augmentation | None = None
    precision: str = "32-true"
    recompute: bool = False
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = "auto"
    workers: int = 0
    save_every: float = 20.0
    progress: bool = True

    def __post_init__(self) -> None:
        """Check the ranges."""
        if (self.epochs is None) == (self.minutes is None):
            raise TrainingError(f"found epochs={self.epochs} and minutes={self.minutes}; give exactly one of the two.")
        if self.precision not in PRECISIONS:
            raise TrainingError(f"precision is {self.precision!r}; expected one of {', '.join(PRECISIONS)}.")
        for name in ("epochs", "batch_size"):
            self._require(name, lambda v: _whole(v) and v >= 1, "a whole number of at least 1")
        for name in ("seed", "workers"):
            self._require(name, lambda v: _whole(v) and v >= 0, "a whole number of at least 0")
        for name in ("minutes", "learning_rate"):
            self._require(name, lambda v: _number(v) and v > 0, "a number above 0")
        for name in ("weight_decay", "save_every"):
            self._require(name, lambda v: _number(v) and v >= 0, "a number of at least 0")
        if self.augmentation and not set(self.loss.name.split(",")) <= set(DATA_LOSSES):
            found = f"found the loss {self.loss.name} with {self.augmentation.name} samples, which have no cases"
            raise TrainingError(f"{found}; expected losses from labels: {', '.join(DATA_LOSSES)}.")

    def _require(self, name: str, holds: Callable[[Any], bool], expected: str) -> None:
        value = getattr(self, name)
        absent = value is None and name in ("epochs", "minutes")
        if not (absent or holds(value)):
            raise TrainingError(f"{name} is {value!r}; expected {expected}.")

    def identity(self) -> dict[str, object]:
        """Return what a resumed run must have in common with the one that it goes on with."""
        return {name: value for name, value in self.to_json().items() if name not in _FREE}

    def to_json(self) -> dict[str, object]:
        """Return the plain form; the loss and the augmentation are their names."""
        names = {"loss": self.loss.name, "augmentation": self.augmentation.name if self.augmentation else None}
        return {f.name: getattr(self, f.name) for f in fields(self)} | names

    def done(self, *, step: int, seconds: float, epoch_steps: int) -> float:
        """Return how much of the run is done, in [0, 1]."""
        if self.epochs is not None:
            return min(1.0, step / (self.epochs * epoch_steps))
        return min(1.0, seconds / (60 * (self.minutes or 0.0)))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
