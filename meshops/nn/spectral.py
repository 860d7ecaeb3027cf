"""Convolution by Fourier series on a regular grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpectralConv(nn.Module):
    """v ↦ F⁻¹(R F v), R a matrix of channels for each of the lowest frequencies, 0 for the others (arXiv 2010.08895).

    Weights are pairs of real numbers, so that casting and storing treat them as any others.
    """

    def __init__(self, width: int, dim: int, modes: int) -> None:
        """`modes` is the number of frequencies of each sign in each of `dim` directions."""
        super().__init__()
        self.modes, self.dim = modes, dim
        frequencies = [2 * modes] * (dim - 1) + [modes]
        self.weight = nn.Parameter(torch.rand(width, width, *frequencies, 2) / width)

    def forward(self, v: Tensor) -> Tensor:
        """Return (B, C, n, ...) from v (B, C, n, ...)."""
        with torch.autocast(v.device.type, enabled=False):
            v = v.to(self.weight.dtype)
            grid, axes = v.shape[2:], tuple(range(2, v.dim()))
            low = torch.fft.rfftn(v, dim=axes).narrow(-1, 0, self.modes)
            kept = [self._kept(n, v.device) for n in grid[:-1]]
            for axis, index in zip(axes, kept, strict=False):
                low = low.index_select(axis, index)
            low = torch.einsum("bi...,io...->bo...", low, torch.view_as_complex(self.weight))
            for axis, index in zip(axes, kept, strict=False):
                shape = (*low.shape[:axis], grid[axis - 2], *low.shape[axis + 1 :])
                low = low.new_zeros(shape).index_copy(axis, index, low)
            low = nn.functional.pad(low, (0, grid[-1] // 2 + 1 - self.modes))
            return torch.fft.irfftn(low, s=grid, dim=axes)

    def _kept(self, n: int, device: torch.device) -> Tensor:
        first = torch.arange(self.modes, device=device)
        return torch.cat([first, first + n - self.modes])
