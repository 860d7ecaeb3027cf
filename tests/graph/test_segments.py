"""Segment reductions against plain loops, their gradients, and their independence of order."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from meshops.graph import gather, segment_max, segment_mean, segment_sum


@st.composite
def segments(draw) -> tuple[Tensor, Tensor, int]:
    """Rows (n, 2), their segments in any order, and the number of segments, some of them empty."""
    size = draw(st.integers(1, 6))
    index = draw(st.lists(st.integers(0, size - 1), max_size=12))
    value = st.floats(-100, 100, width=32)
    rows = draw(st.lists(st.tuples(value, value), min_size=len(index), max_size=len(index)))
    return torch.tensor(rows, dtype=torch.float64).view(-1, 2), torch.tensor(index, dtype=torch.long), size


def loop(rows: Tensor, index: Tensor, size: int, reduce) -> Tensor:
    """`reduce` of the rows of each segment; 0 for empty ones."""
    parts = [rows[index == k] for k in range(size)]
    return torch.stack([reduce(p) if len(p) else rows.new_zeros(rows.shape[1]) for p in parts])


@given(segments())
def test_sums_means_and_maxima_are_those_of_a_loop(drawn) -> None:
    rows, index, size = drawn
    assert torch.allclose(segment_sum(rows, index, size), loop(rows, index, size, lambda p: p.sum(0)))
    assert torch.allclose(segment_mean(rows, index, size), loop(rows, index, size, lambda p: p.mean(0)))
    assert torch.equal(segment_max(rows, index, size), loop(rows, index, size, lambda p: p.amax(0)))


@given(segments(), st.randoms(use_true_random=False))
def test_a_weighted_mean_is_that_of_a_loop(drawn, random) -> None:
    rows, index, size = drawn
    weight = torch.tensor([random.uniform(0.1, 2.0) for _ in index], dtype=torch.float64)
    joined = torch.cat([rows, weight[:, None]], 1)
    expected = loop(joined, index, size, lambda p: (p[:, 2:] * p).sum(0) / p[:, 2].sum())
    assert torch.allclose(segment_mean(rows, index, size, weight), expected[:, :2])


@given(segments(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(drawn, random) -> None:
    rows, index, size = drawn
    order = list(range(len(index)))
    random.shuffle(order)
    for reduce in (segment_sum, segment_mean, segment_max):
        assert torch.allclose(reduce(rows[order], index[order], size), reduce(rows, index, size))


@given(segments())
def test_gather_picks_rows_and_is_the_transpose_of_the_sum(drawn) -> None:
    rows, index, size = drawn
    ends = torch.arange(2.0 * size, dtype=torch.float64).view(size, 2)
    assert torch.equal(gather(ends, index), ends[index])
    assert torch.allclose((gather(ends, index) * rows).sum(), (ends * segment_sum(rows, index, size)).sum())


@pytest.mark.parametrize("reduce", [segment_sum, segment_mean, segment_max])
def test_gradients_are_exact(reduce) -> None:
    index = torch.tensor([2, 0, 2, 4, 0, 2])
    rows = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: reduce(r, index, 5), rows)


def test_gradients_of_gather_and_of_weights_are_exact() -> None:
    index = torch.tensor([2, 0, 2, 1])
    rows = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: gather(r, index), rows)
    assert torch.autograd.gradcheck(lambda r, w: segment_mean(r, index, 3, w), (rows, weight))


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_rows_may_have_any_number_of_dimensions(shape: tuple[int, ...]) -> None:
    rows, index = torch.ones(4, *shape), torch.tensor([0, 0, 1, 3])
    for reduce in (segment_mean, segment_max):
        assert torch.equal(
            reduce(rows, index, 5), torch.tensor([1.0, 1, 0, 1, 0]).view(5, *[1] * len(shape)).expand(5, *shape)
        )
