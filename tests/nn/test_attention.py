"""Attention within each graph: no graph sees another, nor the order or number of its rows' neighbours in a batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from meshops.nn import BoundaryTransformer, Padding, SliceAttention

SIZES = (5, 1, 8)


@pytest.fixture
def rows() -> Tensor:
    return torch.randn(sum(SIZES), 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch() -> Tensor:
    return torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))


def zeros(n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.long)


def test_slice_attention_does_not_see_the_batch(rows: Tensor, batch: Tensor) -> None:
    attention = SliceAttention(8, heads=2, slices=4).double()
    mass = torch.rand(len(rows), dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1
    together = attention(rows, mass, batch, len(SIZES)).split(SIZES)
    for part, m, out in zip(rows.split(SIZES), mass.split(SIZES), together, strict=True):
        assert torch.allclose(attention(part, m, zeros(len(part)), 1), out, rtol=1e-12)


def test_slice_attention_takes_half_a_node_twice_for_the_node(rows: Tensor, batch: Tensor) -> None:
    """Tokens are means by mass."""
    attention = SliceAttention(8, heads=2, slices=4).double()
    mass = torch.ones(len(rows), dtype=torch.float64)
    double = attention(*(t.repeat_interleave(2, 0) for t in (rows, mass / 2, batch)), len(SIZES))
    assert torch.allclose(double[::2], attention(rows, mass, batch, len(SIZES)), rtol=1e-12)


def test_the_boundary_transformer_does_not_see_the_batch(rows: Tensor, batch: Tensor) -> None:
    transformer = BoundaryTransformer(8, 16).double()
    together = transformer(rows, Padding.of(batch, len(SIZES)))
    for part, out in zip(rows.split(SIZES), together, strict=True):
        assert torch.allclose(transformer(part, Padding.of(zeros(len(part)), 1))[0], out, rtol=1e-12)


def test_the_boundary_transformer_does_not_see_the_order(rows: Tensor, batch: Tensor) -> None:
    transformer = BoundaryTransformer(8, 16).double()
    padding = Padding.of(batch, len(SIZES))
    order = torch.cat([part.flip(0) for part in torch.arange(len(rows)).split(SIZES)])
    assert torch.allclose(transformer(rows[order], padding), transformer(rows, padding), rtol=1e-12)


def test_a_graph_without_tokens_is_zero_and_hurts_nobody(rows: Tensor) -> None:
    transformer = BoundaryTransformer(8, 16).double()
    out = transformer(rows, Padding.of(zeros(len(rows)) + 1, 3))
    assert not out[0].any() and not out[2].any()
    assert torch.allclose(out[1], transformer(rows, Padding.of(zeros(len(rows)), 1))[0])
    out.sum().backward()
    assert all(p.grad.isfinite().all() for p in transformer.parameters())


def test_padding_is_undone(rows: Tensor, batch: Tensor) -> None:
    padding = Padding.of(batch, len(SIZES))
    spread = padding.spread(rows)
    assert spread.shape == (3, 8, 8)
    assert torch.equal(padding.collect(spread), rows)
    assert torch.equal(spread[padding.mask[:, 0, 0]], rows)
    assert not spread[~padding.mask[:, 0, 0]].any()
