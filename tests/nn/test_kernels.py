"""Integrals with learned kernels, to a grid and back, and Fourier series: against sums written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from meshops.nn import Kernel, KernelLayer, LatentGrid, SpectralConv, integrate, plain_forms, quadrature
from tests.nn.test_message_passing import assert_same
from tests.nn.test_per_graph import random

EDGES = torch.tensor([[1, 2, 0, 3, 0, 1, 1], [0, 0, 1, 1, 2, 3, 2]])


def test_the_split_kernel_equals_the_concatenated_one() -> None:
    kernel, source, target = Kernel(3, 4, 5).double(), random(4, 3).requires_grad_(), random(5, 3).requires_grad_()
    ours, theirs = kernel(source, target, EDGES), kernel.reference(source, target, EDGES)
    assert_same(ours, theirs, [source, target, *kernel.parameters()])


def test_an_integral_is_its_sum() -> None:
    kernel, rows, mass = random(7, 4, 4), random(4, 4), random(4).exp()
    share = quadrature(mass, EDGES, 5)
    expected = torch.zeros(5, 4, dtype=torch.float64)
    for (j, i), matrix in zip(EDGES.T.tolist(), kernel, strict=True):
        near = EDGES[0][EDGES[1] == i]
        expected[i] += mass[j] / mass[near].sum() * matrix @ rows[j]
    assert torch.allclose(integrate(kernel, rows, share, EDGES, 5), expected)


def test_one_kernel_for_all_iterations_equals_one_for_each() -> None:
    layer, v, a = KernelLayer(3, 4, 5).double(), random(4, 4).requires_grad_(), random(4, 3)
    share = quadrature(torch.ones(4, dtype=torch.float64), EDGES, 4)
    with plain_forms():
        plain = layer(v, a, share, EDGES, 3)
    assert_same(layer(v, a, share, EDGES, 3), plain, [v, *layer.parameters()])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_grid_gives_linear_functions_back(dim: int) -> None:
    """Multilinear interpolation is exact for them; the mean around a grid point of a constant is the constant."""
    pos, mass = random(9, dim), random(9).exp()
    batch = torch.tensor([0] * 5 + [1] * 4)
    grid = LatentGrid.around(pos, mass, batch, 2, 8)
    ones = torch.ones(len(grid.share), 1, dtype=torch.float64)
    axes = torch.meshgrid(*[torch.arange(8.0, dtype=torch.float64)] * dim, indexing="ij")
    place = torch.stack(axes).expand(2, *[-1] * (dim + 1))
    got = grid.spread(ones, place)
    cell = (pos[:5].amax(0) - pos[:5].amin(0)).amax() / 5
    assert torch.allclose(got[1] - got[0], (pos[1] - pos[0]) / cell)
    constant, density = grid.gather(ones, torch.full((9, 1), 3.0, dtype=torch.float64))
    assert torch.allclose(constant[density > 0], torch.tensor(3.0, dtype=torch.float64))
    assert not constant[density == 0].any()
    assert torch.allclose(density[0].expm1().sum(), mass[:5].sum() / cell**dim)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_spectral_convolution_with_identities_keeps_low_frequencies_only(dim: int) -> None:
    conv = SpectralConv(2, dim, 3).double()
    eye = torch.eye(2, dtype=torch.float64).view(2, 2, *[1] * dim)
    conv.weight.data = torch.stack([eye.expand(conv.weight.shape[:-1]), torch.zeros(conv.weight.shape[:-1])], -1)
    x = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    low, high = (_wave(x, dim, k) for k in (2, 3))
    assert torch.allclose(conv(low), low, atol=1e-12)
    assert torch.allclose(conv(low + high), low, atol=1e-12)


def _wave(x: Tensor, dim: int, k: int) -> Tensor:
    """cos(k x + ... + z + 0.3) on a grid, the first channel; 0 in the second."""
    phase = sum(g * (k if axis == dim - 1 else 1) for axis, g in enumerate(torch.meshgrid(*[x] * dim, indexing="ij")))
    wave = (phase + 0.3).cos()[None]
    return torch.stack([wave, torch.zeros_like(wave)], 1)
