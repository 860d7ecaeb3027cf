"""Multilayer perceptrons."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from meshops.nn.tuned import tuned

NARROW = 16  # columns below which BLAS is up to ten times slower at gradᵀ x than at xᵀ grad


class MLP(nn.Module):
    """Linear layers with `activation` between them; optionally a LayerNorm at the end.

    `sizes` are the widths from input to output, so `MLP(8, 64, 64, 1)` has two hidden layers.
    """

    def __init__(self, *sizes: int, norm: bool = False, activation: type[nn.Module] = nn.SiLU) -> None:
        """Build the layers; `norm` adds the LayerNorm."""
        super().__init__()
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise(sizes)):
            layers += [nn.Linear(a, b) if a >= NARROW else Narrow(a, b)] + (
                [activation()] if i < len(sizes) - 2 else []
            )
        self.layers = nn.Sequential(*layers, *([nn.LayerNorm(sizes[-1])] if norm else []))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., sizes[0]) to (..., sizes[-1])."""
        return self.layers(x)


class Narrow(nn.Linear):
    """A linear layer of few inputs and many rows; the gradient of its weights is a product that BLAS is quick at."""

    reference = nn.Linear.forward

    @tuned(reference)
    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return torch.matmul(x, self.weight.t().contiguous()) + self.bias
