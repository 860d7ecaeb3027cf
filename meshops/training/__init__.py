"""Training an operator, and the surrogate that comes out."""

from meshops.training.errors import NonFiniteLoss, SurrogateError, TrainingError, TrainingStopped
from meshops.training.settings import Settings
from meshops.training.surrogate import Surrogate, shipped
from meshops.training.train import train

__all__ = [
    "NonFiniteLoss",
    "Settings",
    "Surrogate",
    "SurrogateError",
    "TrainingError",
    "TrainingStopped",
    "shipped",
    "train",
]
