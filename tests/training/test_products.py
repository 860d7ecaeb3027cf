"""oneDNN multiplies only where MKL is slow, where it is as exact as float32, and within the block alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from meshops.training import products
from meshops.training.products import quick_products
from tests.training.small import graphs, train_small

pytestmark = pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="torch is older than 2.9")
WIDE, NARROW = nn.Linear(128, 128), nn.Linear(200, 127)


def setting() -> str:
    return torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that MKL is slow on, whatever this one is."""
    monkeypatch.setattr(products, "_quicker", lambda: True)


@pytest.mark.usefixtures("slow")
def test_the_setting_holds_within_and_goes_back_even_after_an_error() -> None:
    before = setting()
    with pytest.raises(ZeroDivisionError), quick_products(WIDE) as quick:
        assert quick
        assert setting() == "bf16"
        raise ZeroDivisionError
    assert setting() == before


@pytest.mark.usefixtures("slow")
def test_narrow_operators_keep_theirs() -> None:
    before = setting()
    with quick_products(NARROW) as quick:
        assert not quick
        assert setting() == before


def test_a_library_that_rounds_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_vendor", lambda: "AuthenticAMD")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for error, quick in ((2e-3, False), (2e-7, True)):
        monkeypatch.setattr(products, "_error", lambda error=error: error)
        assert products._quicker.__wrapped__() is (quick and torch.backends.mkl.is_available())


@pytest.mark.usefixtures("slow")
def test_training_and_answers_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "NARROWEST", 32)
    seen: list[str] = []
    hook = register_module_forward_pre_hook(lambda *_: seen.append(setting()))
    try:
        surrogate = train_small(tmp_path, epochs=1)
        trained = len(seen)
        surrogate.predict(graphs()[0])
    finally:
        hook.remove()
    assert 0 < trained < len(seen)
    assert set(seen) == {"bf16"}
    assert setting() != "bf16"


def test_products_within_are_as_exact_as_float32() -> None:
    """Whatever the processor: within the block nothing rounds to fewer digits."""
    random = torch.Generator().manual_seed(0)
    for n, k, m in ((5000, 64, 64), (17, 128, 700), (300, 5, 64)):
        a, b = (torch.randn(shape, dtype=torch.float64, generator=random) for shape in ((n, k), (k, m)))
        with quick_products(WIDE):
            found = (a.float() @ b.float()).double()
        assert (found - a @ b).norm() < 1e-6 * (a @ b).norm()
