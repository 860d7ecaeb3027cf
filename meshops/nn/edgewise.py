"""Messages along edges, computed a block of edges at a time, so that on a CPU they stay in its cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from meshops.graph import gather, segment_sum

BLOCK = 2048  # edges; of 128 channels in float32, 1 MiB
LEAST = 2**15  # edges below which blocks do not pay
Message = Callable[[Tensor, Tensor], Tensor]


def messages(
    message: Message,
    weights: Sequence[Tensor],
    ends: tuple[Tensor, Tensor],
    edge: Tensor,
    edge_index: Tensor,
    *,
    keep: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return (N, W) sums over each node's incoming edges of m_ij = message(s_j + t_i, e_ij); with `keep`, (E, W) m too.

    `ends` are s and t, (N, C) each, `edge` is (E, K), `edge_index` (2, E) with the sources j in row 0. `weights` are
    the parameters within `message`. Many edges on a CPU are gone through in blocks, forward and again backward: what a
    block needs stays in the cache, and memory is that of the arguments and results alone. Otherwise all at once.
    """
    if _blocks_pay(edge, edge_index):
        total, rows = _Blocks.apply(message, keep, edge_index, *ends, edge, *weights)
        return total, rows if keep else None
    source, target = edge_index
    rows = message(gather(ends[0], source) + gather(ends[1], target), edge)
    return segment_sum(rows, target, len(ends[0])), rows if keep else None


def degree(edge_index: Tensor, like: Tensor) -> Tensor:
    """Return (N, 1) numbers of incoming edges, at least 1, for nodes with rows `like`."""
    ones = like.new_ones(edge_index.shape[1], 1)
    return segment_sum(ones, edge_index[1], len(like)).clamp_min(1)


def _blocks_pay(edge: Tensor, edge_index: Tensor) -> bool:
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    return edge.device.type == "cpu" and edge_index.shape[1] > LEAST


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, message: Message, keep: bool, edge_index: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        source, target, edge, *_ = tensors
        ctx.message = message
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(edge_index, *tensors)
        total = rows = None
        for at, j, i in _blocks(edge_index):
            block = message(source.index_select(0, j) + target.index_select(0, i), edge[at])
            if total is None or rows is None:
                total = block.new_zeros(len(source), block.shape[1])
                rows = block.new_empty(len(edge) if keep else 0, block.shape[1])
            total.index_add_(0, i, block)
            if keep:
                rows[at] = block
        return total, rows

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_total: Tensor | None, d_rows: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        edge_index, *inputs = ctx.saved_tensors
        source, target, edge, *weights = inputs
        wanted = ctx.needs_input_grad[5]
        d_ends = [torch.zeros_like(source), torch.zeros_like(target)]
        d_edge, d_weights = torch.zeros_like(edge) if wanted else None, [torch.zeros_like(w) for w in weights]
        for at, j, i in _blocks(edge_index):
            with torch.enable_grad():
                ends = (source.index_select(0, j) + target.index_select(0, i)).requires_grad_()
                own = edge[at].detach().requires_grad_(wanted)
                block = ctx.message(ends, own)
            found = torch.autograd.grad(
                block, [ends, *([own] if wanted else []), *weights], _given(d_total, d_rows, at, i)
            )
            d_ends[0].index_add_(0, j, found[0])
            d_ends[1].index_add_(0, i, found[0])
            if d_edge is not None:
                d_edge[at] = found[1]
            for total, part in zip(d_weights, found[len(found) - len(weights) :], strict=True):
                total += part
        return None, None, None, *d_ends, d_edge, *d_weights


def _given(d_total: Tensor | None, d_rows: Tensor | None, at: slice, target: Tensor) -> Tensor:
    """Return the gradient that reaches the messages of a block."""
    parts = ([] if d_total is None else [d_total.index_select(0, target)]) + ([] if d_rows is None else [d_rows[at]])
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _blocks(edge_index: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield the place, sources and targets of each block of edges."""
    for start in range(0, edge_index.shape[1], BLOCK):
        at = slice(start, start + BLOCK)
        yield at, edge_index[0, at], edge_index[1, at]
