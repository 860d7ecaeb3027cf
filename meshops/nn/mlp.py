"""Multilayer perceptrons."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from meshops.nn.products import Linear


class MLP(nn.Module):
    """Linear layers with `activation` between them; optionally a LayerNorm at the end.

    `sizes` are the widths from input to output, so `MLP(8, 64, 64, 1)` has two hidden layers.
    """

    def __init__(self, *sizes: int, norm: bool = False, activation: type[nn.Module] = nn.SiLU) -> None:
        """Build the layers; `norm` adds the LayerNorm."""
        super().__init__()
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise(sizes)):
            layers += [Linear(a, b), *([activation()] if i < len(sizes) - 2 else [])]
        self.layers = nn.Sequential(*layers, *([nn.LayerNorm(sizes[-1])] if norm else []))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., sizes[0]) to (..., sizes[-1])."""
        return self.layers(x)
