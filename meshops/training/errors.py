"""What can go wrong when training, and with what it leaves."""

from __future__ import annotations

from collections.abc import Iterable

from meshops.graph import MeshopsError


class SurrogateError(MeshopsError):
    """A folder is no surrogate, or a case or graph is none that the surrogate was trained for."""


class TrainingError(MeshopsError):
    """The settings, the data or the run's folder do not allow training."""


class TrainingStopped(TrainingError):
    """A signal ended training early; the checkpoint is saved."""


class FolderBusy(TrainingError):
    """Another run is training in the folder."""


class NonFiniteLoss(TrainingError):
    """A loss or gradient is not finite. `samples` are those at fault, as the data set numbers them."""

    def __init__(self, what: str, samples: Iterable[int], step: int) -> None:
        """Say `what` is not finite, at which step."""
        self.samples = tuple(samples)
        listed = ", ".join(map(str, self.samples))
        super().__init__(
            f"{what} is not finite at step {step}, on sample {listed}; the last checkpoint is kept. Look at these "
            "samples, or lower the learning rate."
        )
