"""Reductions over edges and clusters: rows that belong to segments, in any order. O(rows), no padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Gather(torch.autograd.Function):
    """rows[index]; the backward pass is one `index_add_`, several times quicker on a CPU than indexing's own."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(index)
        ctx.size = rows.shape[0]
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (index,) = ctx.saved_tensors
        return grad.new_zeros(ctx.size, *grad.shape[1:]).index_add_(0, index, grad.contiguous()), None


class _Sum(torch.autograd.Function):
    """The transpose of `_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, size: int) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(index)
        return rows.new_zeros(size, *rows.shape[1:]).index_add_(0, index, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (index,) = ctx.saved_tensors
        return grad.index_select(0, index), None, None


def gather(rows: Tensor, index: Tensor) -> Tensor:
    """Return rows[index]: (N, ...), (n,) -> (n, ...)."""
    return _Gather.apply(rows, index)


def segment_sum(rows: Tensor, index: Tensor, size: int) -> Tensor:
    """Return the (size, ...) sums of rows (n, ...) over equal `index` (n,); 0 for empty segments."""
    return _Sum.apply(rows, index, size)


def segment_mean(rows: Tensor, index: Tensor, size: int, weight: Tensor | None = None) -> Tensor:
    """Return the (size, ...) means of rows over equal `index`, weighted by `weight` (n,) > 0; 0 for empty segments."""
    shape = (-1, *[1] * (rows.dim() - 1))
    total = segment_sum(rows.new_ones(len(rows)) if weight is None else weight, index, size)
    weighted = rows if weight is None else rows * weight.view(shape)
    return segment_sum(weighted, index, size) / torch.where(total > 0, total, 1.0).view(shape)


def segment_max(rows: Tensor, index: Tensor, size: int) -> Tensor:
    """Return the (size, ...) maxima of rows over equal `index`; 0 for empty segments."""
    at = index.view(-1, *[1] * (rows.dim() - 1)).expand_as(rows)
    return rows.new_zeros(size, *rows.shape[1:]).scatter_reduce(0, at, rows, "amax", include_self=False)
