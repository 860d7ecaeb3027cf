"""Training an operator, and the surrogate that comes out."""

from meshops.training.errors import FolderBusy, NonFiniteLoss, SurrogateError, TrainingError, TrainingStopped
from meshops.training.losses import DATA_LOSSES, LABELS, Loss, Total
from meshops.training.settings import Settings
from meshops.training.surrogate import Surrogate, shipped
from meshops.training.train import holds_run, train

__all__ = [
    "DATA_LOSSES",
    "LABELS",
    "FolderBusy",
    "Loss",
    "NonFiniteLoss",
    "Settings",
    "Surrogate",
    "SurrogateError",
    "Total",
    "TrainingError",
    "TrainingStopped",
    "holds_run",
    "shipped",
    "train",
]
