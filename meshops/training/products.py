"""Matrix products on the CPU: float32 by the library that is quick on this processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import torch
from torch import nn

NARROWEST = 128  # columns; oneDNN makes a kernel for each number of rows, which narrower products do not make up for
EXACT = 1e-6  # relative error of a float32 product against float64


@contextmanager
def quick_products(operator: nn.Module) -> Iterator[bool]:
    """Within, let oneDNN multiply for `operator` where MKL is slow; gives whether it does.

    On AMD's processors MKL takes its generic kernels. oneDNN's of AVX-512, which torch takes for float32 only where it
    lets them round to bfloat16, are twice as quick there and do not round. That is tried first, and they are taken only
    if they are as exact as float32 is.
    """
    quick = _wide(operator) and _quicker()
    with _by_onednn() if quick else nullcontext():
        yield quick


def _wide(operator: nn.Module) -> bool:
    """Return whether `operator` has a matrix of at least `NARROWEST` rows and columns."""
    return any(min(p.shape) >= NARROWEST for p in operator.parameters() if p.ndim == 2)


@cache
def _quicker() -> bool:
    """Return whether this processor is one that MKL is slow on, and oneDNN as exact as it."""
    both = torch.backends.mkl.is_available() and hasattr(torch.backends.mkldnn, "matmul")
    amd = _vendor() == "AuthenticAMD" and torch.backends.cpu.get_cpu_capability() == "AVX512"
    return both and amd and _error() < EXACT


def _vendor() -> str:
    """Return the processor's vendor as Linux tells it, elsewhere an empty string."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), "")


def _error() -> float:
    """Return the largest relative error of oneDNN in a layer of 128 columns: of its rows and its weights' gradient."""
    rows = (torch.arange(4096 * 128) % 1009).sin().view(4096, 128)
    errors = []
    for a, b in ((rows, rows[:128]), (rows.t(), rows)):
        exact = a.double() @ b.double()
        with _by_onednn():
            errors.append(float(((a @ b).double() - exact).norm() / exact.norm()))
    return max(errors)


@contextmanager
def _by_onednn() -> Iterator[None]:
    """Within, torch lets oneDNN multiply float32, and round if it does so on this processor."""
    matmul = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before, matmul.fp32_precision = matmul.fp32_precision, "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before
