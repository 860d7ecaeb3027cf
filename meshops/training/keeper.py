"""What a run leaves in its folder: the last checkpoint, the best surrogate, the course of its errors."""

# The module that these hooks get is always ours, so they say so:
# mypy: disable-error-code="override"

from __future__ import annotations

import json
import time
from math import inf
from pathlib import Path

import lightning as L

from meshops.training.errors import TrainingStopped
from meshops.training.files import LAST, METRICS, atomic_write
from meshops.training.memory import peak_memory
from meshops.training.module import Training
from meshops.training.signals import Signals
from meshops.training.surrogate import Surrogate


class Keeper(L.Callback):
    """Saves between steps, never within one, and only states that a run passes through, stopped or not.

    At the end of a round it logs, then saves the surrogate if the validation error is the lowest so far. A checkpoint
    is due at the start and the end of the run, every `save_every` seconds, and at a signal, which raises
    `TrainingStopped`.
    """

    def __init__(self, folder: Path, signals: Signals) -> None:
        """Keep to `folder`; stop at what `signals` receives."""
        self._folder, self._signals = folder, signals
        self._saved = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, module: Training) -> None:
        """Save, so that a run can be resumed from its first moment; forget metrics that are newer."""
        self._save(trainer)
        if trainer.is_global_zero:
            trim(self._folder / METRICS, module.step)

    def on_train_batch_end(self, trainer: L.Trainer, module: Training, *_: object) -> None:
        """Save if it is time; what ends a round is saved after its validation."""
        if not trainer.is_last_batch:
            self._keep(trainer, module)

    def on_train_epoch_end(self, trainer: L.Trainer, module: Training) -> None:
        """End a round."""
        if trainer.is_global_zero:
            self._log(trainer, module)
            if module.error < module.best:
                self._surrogate(module).save(self._folder)
        module.best = min(module.best, module.error)
        module.total, module.count = 0.0, 0
        trainer.should_stop = module.progress >= 1
        self._keep(trainer, module)

    def _keep(self, trainer: L.Trainer, module: Training) -> None:
        due = time.monotonic() - self._saved >= module.settings.save_every
        due, name = trainer.strategy.broadcast((due, self._signals.received))
        if due or name or trainer.should_stop:
            self._save(trainer)
        if name:
            done = f"stopped by {name} at step {module.step}, {module.progress:.0%} done"
            raise TrainingStopped(f"{done}; {str(self._folder / LAST)!r} is saved. Resume to go on (--resume).")

    def _save(self, trainer: L.Trainer) -> None:
        trainer.save_checkpoint(self._folder / LAST)
        self._saved = time.monotonic()

    @staticmethod
    def _surrogate(module: Training) -> Surrogate:
        run = module.run
        record = {
            "val_relative_l2": module.error,
            "step": module.step,
            "seconds": round(module.seconds, 3),
            "parameters": sum(p.numel() for p in module.operator.parameters()),
            "training_graphs": len(run.train_set),
            "validation_graphs": len(run.validation_set),
            "settings": run.settings.to_json(),
            "shapes": run.shapes,
        }
        return Surrogate(module.operator, run.normalization, run.name, run.options, record)

    def _log(self, trainer: L.Trainer, module: Training) -> None:
        row = {
            "step": module.step,
            "epoch": round(module.step / module.order.steps, 3),
            "seconds": round(module.seconds, 3),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "loss": module.total / max(module.count, 1),
            "val_relative_l2": module.error,
            "val_loss_labels": module.normalized_error,
            "peak_memory": peak_memory(),
        }
        with (self._folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _step(line: str) -> float:
    """Return the step of a line of metrics, infinity of what is none."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return inf


def trim(path: Path, step: int) -> None:
    """Drop the lines of `path` beyond `step`, and those cut short or damaged."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _step(line) <= step]
    with atomic_write(path) as beside:
        beside.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
