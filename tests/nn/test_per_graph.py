"""Products within each graph: equal to those through all rows, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from meshops.nn import LinearAttention, instance_norm, outer_sum, read, share
from meshops.nn.per_graph import reference_outer_sum, reference_read
from meshops.operators.gnot import Experts
from tests.nn.test_message_passing import assert_same

SIZES = (5, 0, 1, 8)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def batch() -> Tensor:
    return torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))


def test_sums_of_products_equal_their_reference(batch: Tensor) -> None:
    a, b = (random(len(batch), 2, p).requires_grad_() for p in (3, 5))
    assert_same(outer_sum(a, b, batch, 4), reference_outer_sum(a, b, batch, 4), [a, b])
    one = torch.zeros_like(batch)
    assert_same(outer_sum(a, b, one, 1), reference_outer_sum(a, b, one, 1), [a, b])


def test_reading_equals_its_reference(batch: Tensor) -> None:
    a, table = random(len(batch), 2, 3).requires_grad_(), random(4, 2, 3, 5).requires_grad_()
    assert_same(read(a, table, batch), reference_read(a, table, batch), [a, table])


@pytest.mark.parametrize("normalized", [("key", "value"), ("query", "key")], ids=["galerkin", "fourier"])
def test_linear_attention_equals_the_quadratic_form(batch: Tensor, normalized: tuple[str, str]) -> None:
    attention = LinearAttention(8, 2, heads=2, normalized=normalized).double()
    h, pos, mass = random(len(batch), 8).requires_grad_(), random(len(batch), 2), random(len(batch)).exp()
    leaves = [h, *attention.parameters()]
    ours = attention(h, pos, mass, batch, 4)
    query, key, value = attention._parts(h, pos)
    kernel = torch.einsum("ihc,jhc->hij", query, key) * (batch[:, None] == batch) * share(mass, batch, 4)
    assert_same(ours, attention.out(torch.einsum("hij,jhc->ihc", kernel, value).flatten(1)), leaves)


def test_the_share_of_each_graph_is_one(batch: Tensor) -> None:
    total = torch.zeros(4, dtype=torch.float64).index_add(0, batch, share(random(len(batch)).exp(), batch, 4))
    assert torch.allclose(total, torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64))


def test_instance_norm_gives_mean_zero_and_variance_one_by_mass(batch: Tensor) -> None:
    rows, mass = 3 + 2 * random(len(batch), 4), random(len(batch)).exp()
    out, weight = instance_norm(rows, batch, 4, mass)[-8:], mass[-8:, None] / mass[-8:].sum()
    assert torch.allclose((weight * out).sum(0), torch.zeros(4, dtype=torch.float64), atol=1e-12)
    assert torch.allclose((weight * out.square()).sum(0), torch.ones(4, dtype=torch.float64), rtol=1e-3)


def test_experts_equal_their_sum() -> None:
    experts, h, gate = Experts(8, 3).double(), random(5, 8).requires_grad_(), random(5, 3).softmax(-1)
    expected = torch.stack([expert(h) * gate[:, e, None] for e, expert in enumerate(experts.experts)]).sum(0)
    assert_same(experts(h, gate), expected, [h, *experts.parameters()])
