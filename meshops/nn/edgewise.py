"""Messages along edges, computed a block of edges at a time, so that on a CPU they stay in its cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor, nn

from meshops.graph import gather, segment_sum
from meshops.nn.chain import HELD, Chain, by_blocks
from meshops.nn.products import add_sums, linear, times

BLOCK = 2**19  # numbers in the rows of a block of edges: in float32, 2 MiB


def messages(
    ends: tuple[Tensor, Tensor],
    edge: Tensor,
    edge_index: Tensor,
    *,
    weight: Tensor,
    rest: nn.Module,
    keep: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return (N, W) sums over each node's incoming edges of m_ij = rest(s_j + t_i + weight e_ij); see `keep`.

    `ends` are s and t, (N, C) each, `edge` is (E, K), `weight` (C, K), `edge_index` (2, E) with the sources j in row 0.
    With `keep`, K is W and the second result the advanced edges (E, W). On a CPU, where `Chain` takes the layers of
    `rest`, edges are gone through in blocks, forward and again backward. What the layers hold for the backward pass is
    kept for at most `HELD` edges, so that on larger graphs memory is that of the arguments and results alone.
    """
    if by_blocks(edge) and Chain.takes(rest):
        return _by_blocks("both" if keep else "sums", ends, edge, edge_index, weight=weight, rest=rest)
    rows = rest(_ends(ends, edge_index) + linear(edge, weight))
    return segment_sum(rows, edge_index[1], len(ends[1])), edge + rows if keep else None


def edge_rows(
    ends: tuple[Tensor, Tensor], edge: Tensor, edge_index: Tensor, *, weight: Tensor, rest: nn.Module
) -> Tensor:
    """Return (E, W) m_ij = rest(s_j + t_i + weight e_ij) themselves; arguments as of `messages`."""
    if by_blocks(edge) and Chain.takes(rest):
        return _by_blocks("rows", ends, edge, edge_index, weight=weight, rest=rest)[1]
    return rest(_ends(ends, edge_index) + linear(edge, weight))


def degree(edge_index: Tensor, like: Tensor) -> Tensor:
    """Return (N, 1) numbers of incoming edges, at least 1, for nodes with rows `like`."""
    ones = like.new_ones(edge_index.shape[1], 1)
    return segment_sum(ones, edge_index[1], len(like)).clamp_min(1)


def _ends(ends: tuple[Tensor, Tensor], edge_index: Tensor) -> Tensor:
    """Return (E, C) s_j + t_i."""
    return gather(ends[0], edge_index[0]) + gather(ends[1], edge_index[1])


_Give = Literal["sums", "rows", "both"]  # sums of messages, messages, or sums and edges advanced by messages


@dataclass(frozen=True, eq=False)
class _How:
    """What `_Blocks` takes besides tensors: the layers, what it gives, whether blocks are held."""

    chain: Chain
    give: _Give
    hold: bool


def _by_blocks(
    give: _Give, ends: tuple[Tensor, Tensor], edge: Tensor, edge_index: Tensor, *, weight: Tensor, rest: nn.Module
) -> tuple[Tensor, Tensor]:
    how = _How(Chain(rest), give, torch.is_grad_enabled() and give != "rows" and len(edge) <= HELD)
    return _Blocks.apply(how, edge_index, *ends, edge, weight, *how.chain.weights)


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, how: _How, edge_index: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ANN401
        first, edge, weights = tensors[:4], tensors[2], tensors[4:]
        ctx.how, ctx.given, held = how, len(tensors), []
        ctx.set_materialize_grads(False)
        total, new = None, None
        for at, j, i in blocks(edge_index, tensors[0].shape[1]):
            rows, kept = how.chain.forward(_first(first, at, j, i), weights)
            if how.give != "rows":
                total = rows.new_zeros(len(tensors[1]), rows.shape[1]) if total is None else total
                total.index_add_(0, i, rows)
            if how.give != "sums":
                new = rows.new_empty(len(edge), rows.shape[1]) if new is None else new
                if how.give == "both":
                    torch.add(edge[at], rows, out=new[at])
                else:
                    new[at] = rows
            if how.hold:
                held += [tensor for layer in kept for tensor in layer]
                ctx.counts = [len(layer) for layer in kept]
        ctx.save_for_backward(edge_index, *tensors, *held)
        return total, new  # type: ignore[return-value]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_total: Tensor | None, d_new: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        if d_total is None and d_new is None:
            return (None,) * len(ctx.needs_input_grad)
        edge_index, *saved = ctx.saved_tensors
        tensors, held = saved[: ctx.given], iter(saved[ctx.given :])
        chain, first, weights = ctx.how.chain, tensors[:4], tensors[4:]
        found, d_weights = [torch.zeros_like(t) for t in first[:2]], [torch.zeros_like(w) for w in weights]
        found.append(torch.empty_like(first[2]))
        found.append(first[3].new_zeros(first[3].t().shape))  # few rows: BLAS is ten times faster than with few columns
        for at, j, i in blocks(edge_index, first[0].shape[1]):
            if ctx.how.hold:
                kept = [list(islice(held, count)) for count in ctx.counts]
            else:
                kept = chain.forward(_first(first, at, j, i), weights)[1]
            grad = chain.backward(_given(d_total, d_new, at, i), kept, weights, d_weights)
            found[0].index_add_(0, j, grad)
            found[1].index_add_(0, i, grad)
            add_sums(found[3], first[2][at], grad)
            if ctx.needs_input_grad[4]:
                if d_new is not None and ctx.how.give == "both":
                    times(grad, first[3], d_new[at], out=found[2][at])
                else:
                    times(grad, first[3], out=found[2][at])
        source, target, edge, weight = found
        return None, None, source, target, edge if ctx.needs_input_grad[4] else None, weight.t(), *d_weights


def _first(first: Sequence[Tensor], at: slice, j: Tensor, i: Tensor) -> Tensor:
    """Return s_j + t_i + weight e_ij of a block."""
    source, target, edge, weight = first
    return source.index_select(0, j).add_(target.index_select(0, i)).addmm_(edge[at], weight.t())


def _given(d_total: Tensor | None, d_new: Tensor | None, at: slice, i: Tensor) -> Tensor:
    """Return the gradient of the messages of a block, to be overwritten."""
    if d_total is None:
        return d_new[at].clone()  # type: ignore[index]
    given = d_total.index_select(0, i)
    return given if d_new is None else given.add_(d_new[at])


def blocks(edge_index: Tensor, width: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield the place, sources and targets of each block of edges, of `width` numbers each; at least one block."""
    (sources, targets), size = edge_index, max(1, BLOCK // width)
    for start in range(0, max(1, len(sources)), size):
        at = slice(start, start + size)
        yield at, sources[at], targets[at]
