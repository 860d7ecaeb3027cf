"""Rows times a matrix: equal to torch's own choice; by oneDNN where that is as exact, and in few numbers of rows."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshops.nn import plain_forms, products
from meshops.nn.products import Linear, linear, onednn, times
from tests.nn.test_message_passing import assert_same
from tests.nn.test_per_graph import random

pytestmark = pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="torch is older than 2.9")


def setting() -> str:
    return torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A processor that MKL is slow on, whatever this one is; gives "oneDNN" for each part that is handed to it."""
    handed: list[str] = []

    def library() -> nullcontext:
        handed.append("oneDNN")
        return nullcontext()

    monkeypatch.setattr(products, "quicker", lambda: True)
    monkeypatch.setattr(products, "onednn", library)
    return handed


@settings(max_examples=40, deadline=None)
@given(n=st.integers(0, 200), k=st.integers(1, 20), m=st.integers(1, 20), plus=st.sampled_from([None, "row", "rows"]))
def test_products_in_parts_equal_the_plain_form_with_their_gradients(n: int, k: int, m: int, plus: str | None) -> None:
    leaves = [random(n, k).requires_grad_(), random(m, k).requires_grad_()]
    leaves += [random(*{"row": (m,), "rows": (n, m)}[plus]).requires_grad_()] if plus else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_quick", lambda *_: True)
        patch.setattr(products, "onednn", nullcontext)
        ours = linear(*leaves)
        with plain_forms():
            theirs = linear(*leaves)
        assert_same(ours, theirs, leaves)


def test_they_are_differentiated_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_quick", lambda *_: True)
    monkeypatch.setattr(products, "onednn", nullcontext)
    leaves = [random(19, 3).requires_grad_(), random(4, 3).requires_grad_(), random(4).requires_grad_()]
    assert torch.autograd.gradcheck(lambda *t: linear(*t).sin(), leaves)
    assert torch.autograd.gradgradcheck(lambda *t: linear(*t).sin(), leaves)


@pytest.mark.usefixtures("handed")
def test_numbers_of_rows_are_few_and_little_is_left() -> None:
    first = {}
    for n in range(64, 4097):
        at, *left = (part for part, _ in products._parts(n))
        first[n] = at.stop
        assert [part.start for part in left] == [at.stop] * (at.stop < n)
        assert n - at.stop <= n / 8
    assert len(set(first.values())) == 8 * 6 + 1  # eight for each of six doublings, and the last


def test_only_large_products_of_float32_are_handed_over(handed: list[str]) -> None:
    large, matrix = torch.ones(2**15, 16), torch.ones(16, 16)
    times(large[: 2**13], matrix)
    times(large.double(), matrix.double())
    with torch.autocast("cpu", torch.bfloat16):
        linear(large, matrix)
    assert not handed
    times(large, matrix)
    Linear(16, 16)(large)
    assert handed == ["oneDNN"] * 2


def test_the_setting_holds_within_and_goes_back_even_after_an_error() -> None:
    before = setting()
    with pytest.raises(ZeroDivisionError), onednn():
        assert setting() == "bf16"
        raise ZeroDivisionError
    assert setting() == before


def test_a_library_that_rounds_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_vendor", lambda: "AuthenticAMD")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for error, quick in ((2e-3, False), (2e-7, True)):
        monkeypatch.setattr(products, "_error", lambda error=error: error)
        assert products.quicker.__wrapped__() is (quick and torch.backends.mkl.is_available())


def test_products_are_as_exact_as_float32_on_this_processor() -> None:
    for n, k, m in ((5000, 64, 64), (17, 128, 700), (30_000, 5, 64)):
        a, b = random(n, k), random(k, m)
        assert (times(a.float(), b.float()).double() - a @ b).norm() < 1e-6 * (a @ b).norm()
