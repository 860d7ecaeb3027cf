"""Rows times a matrix, on the CPU by the library that is quick at it on this processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from meshops.nn.tuned import tuned

NARROW = 16  # columns below which BLAS is up to five times slower at gradᵀ x than at xᵀ grad
LEAST = 2**22  # multiplications from which handing over to another library pays
EXACT = 1e-6  # relative error of a float32 product against float64


def reference_linear(rows: Tensor, weight: Tensor, plus: Tensor | None = None) -> Tensor:
    """Return the same by torch's own choice."""
    one = plus is None or plus.dim() == 1
    return nn.functional.linear(rows, weight, plus) if one else torch.addmm(plus, rows, weight.t())


@tuned(reference_linear)
def linear(rows: Tensor, weight: Tensor, plus: Tensor | None = None) -> Tensor:
    """Return (..., O) rows weightᵀ + plus; rows (..., K), weight (O, K), plus (O,) or, of rows (N, K), (N, O)."""
    flat = rows if rows.dim() == 2 else rows.reshape(-1, rows.shape[-1])
    if not torch.compiler.is_compiling() and _quick(flat, len(weight)):
        out = _Linear.apply(flat, weight, plus)
    else:
        matrix = weight.t() if flat.shape[1] >= NARROW else weight.t().contiguous()
        out = torch.mm(flat, matrix) if plus is None else torch.addmm(plus, flat, matrix)
    return out if rows.dim() == 2 else out.view(*rows.shape[:-1], len(weight))


class Linear(nn.Linear):
    """torch's linear layer, its products by `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return linear(input, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, plus: Tensor | None) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(rows, weight)
        ctx.summed = plus is not None and plus.dim() == 1
        return times(rows, weight.t(), plus)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        rows, weight = ctx.saved_tensors
        needs = ctx.needs_input_grad
        again = torch.is_grad_enabled()  # to be differentiated once more
        d_rows = d_weight = d_plus = None
        if needs[0]:
            d_rows = grad @ weight if again else times(grad, weight)
        if needs[1]:
            d_weight = grad.t() @ rows if again else add_sums(torch.zeros_like(weight), grad, rows)
        if needs[2]:
            d_plus = grad.sum(0) if ctx.summed else grad
        return d_rows, d_weight, d_plus


def times(rows: Tensor, matrix: Tensor, plus: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return (n, O) rows matrix + plus, in `out` if it is given; rows (n, K), matrix (K, O). Not differentiated."""
    if not _quick(rows, matrix.shape[1]):
        return _product(rows, matrix, plus, out)
    out = rows.new_empty(len(rows), matrix.shape[1]) if out is None else out
    for at, library in _parts(len(rows)):
        with library:
            _product(rows[at], matrix, plus if plus is None or plus.dim() == 1 else plus[at], out[at])
    return out


def _product(rows: Tensor, matrix: Tensor, plus: Tensor | None, out: Tensor | None) -> Tensor:
    return torch.mm(rows, matrix, out=out) if plus is None else torch.addmm(plus, rows, matrix, out=out)


def add_sums(total: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Add to total (K, O) the sums Σ a_i b_iᵀ over rows of a (n, K) and b (n, O), and return it. Not differentiated."""
    if not _quick(a, b.shape[1]):
        return total.addmm_(a.t(), b)
    for at, library in _parts(len(a)):
        with library:
            total.addmm_(a[at].t(), b[at])
    return total


def _parts(n: int) -> Iterator[tuple[slice, Any]]:
    """Yield slices of n rows and within what to multiply them.

    oneDNN makes a kernel for each number of rows, and graphs bring new ones all the time. It is given as many rows as
    four binary digits tell, so that there are eight numbers up to each double; MKL gets the few that are left.
    """
    digits = max(0, n.bit_length() - 4)
    most = n >> digits << digits
    yield slice(most), onednn()
    if most < n:
        yield slice(most, n), nullcontext()


def _quick(rows: Tensor, columns: int) -> bool:
    """Return whether oneDNN is quicker at rows times a matrix of so many columns, here and now."""
    large = rows.numel() * columns >= LEAST and rows.device.type == "cpu" and rows.dtype == torch.float32
    return large and not torch.is_autocast_enabled("cpu") and quicker()


@cache
def quicker() -> bool:
    """Return whether this processor is one that MKL is slow on, and oneDNN as exact as it.

    On AMD's processors MKL takes its generic kernels. oneDNN's of AVX-512, which torch takes for float32 only where it
    lets them round to bfloat16, are twice as quick there and do not round. That is tried first.
    """
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
        with onednn():
            errors.append(float(((a @ b).double() - exact).norm() / exact.norm()))
    return max(errors)


@contextmanager
def onednn() -> Iterator[None]:
    """Within, torch lets oneDNN multiply float32, and round if it does so on this processor."""
    matmul = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before, matmul.fp32_precision = matmul.fp32_precision, "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before
