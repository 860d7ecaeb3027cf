"""The progress bar."""

# The module that these hooks get is always ours, so they say so:
# mypy: disable-error-code="override"

from __future__ import annotations

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from meshops.training.module import Training


class Bar(L.Callback):
    """One bar on stderr for the whole run, with the losses so far."""

    def on_train_start(self, trainer: L.Trainer, module: Training) -> None:
        """Draw the bar."""
        if not trainer.is_global_zero:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        self._bar = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), redirect_stdout=False
        )
        self._task = self._bar.add_task("training", total=1.0, completed=module.progress)
        self._bar.start()

    def on_train_batch_end(self, trainer: L.Trainer, module: Training, *_: object) -> None:
        """Move the bar."""
        self._update(module)

    def on_validation_end(self, trainer: L.Trainer, module: Training) -> None:
        """Show the validation error."""
        self._update(module)

    def _update(self, module: Training) -> None:
        if not hasattr(self, "_bar"):
            return
        losses = f"loss {module.total / max(module.count, 1):.3f}  validation {module.error:.3f}"
        self._bar.update(self._task, completed=module.progress, description=f"step {module.step}  {losses}")

    def teardown(self, trainer: L.Trainer, module: Training, stage: str) -> None:
        """Leave the bar as it stands, at the end or on an error."""
        if hasattr(self, "_bar"):
            self._bar.stop()
