"""The optimizer and the course of its learning rate. To change either, change it here."""

from __future__ import annotations

from math import cos, pi

from torch import nn
from torch.optim import Optimizer

from meshops.training.muon import MuonAdamW

WARM_UP = 0.05  # of the run
LAST = 0.01  # of the highest learning rate: the first and the last


def configure(operator: nn.Module, *, learning_rate: float, weight_decay: float) -> Optimizer:
    """Return the optimizer of an operator: Muon on its inner matrices, AdamW (arXiv 1711.05101) on the rest.

    Each group holds its highest learning rate as `initial_lr`; `adjust` sets the one in force.
    """
    optimizer = MuonAdamW(operator.parameters(), learning_rate, weight_decay)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def adjust(optimizer: Optimizer, progress: float) -> None:
    """Set the learning rate for `progress` in [0, 1] of the run."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * course(progress)


def course(progress: float) -> float:
    """Return the share of the highest learning rate: linear from 1 % to 1 in the first 5 %, a half cosine to 1 %."""
    if progress < WARM_UP:
        return LAST + (1 - LAST) * progress / WARM_UP
    rest = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return LAST + (1 - LAST) * (1 + cos(pi * rest)) / 2
