"""Matrix products within each graph of a batch: sums over its nodes, and tables that its nodes read.

Rows of a graph follow one another, as torch_geometric batches them, so that a graph is a slice: no padding, no mask,
no (n, p, q) products in between. Each function stands beside its plain `reference_`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import to_dense_batch

from meshops.graph import gather, segment_mean, segment_sum
from meshops.nn.tuned import tuned


def sizes(batch: Tensor, graphs: int) -> list[int]:
    """Return the number of rows of each graph."""
    return [len(batch)] if graphs == 1 else torch.bincount(batch, minlength=graphs).tolist()


def reference_outer_sum(a: Tensor, b: Tensor, batch: Tensor, graphs: int) -> Tensor:
    """Return the same on a batch padded with zeros."""
    return torch.einsum("bnhp,bnhq->bhpq", *(_padded(rows, batch, graphs) for rows in (a, b)))


@tuned(reference_outer_sum)
def outer_sum(a: Tensor, b: Tensor, batch: Tensor, graphs: int) -> Tensor:
    """Return (B, heads, p, q), the sums Σ a_i b_iᵀ over the rows i of each graph; a (n, heads, p), b (n, heads, q)."""
    counts = sizes(batch, graphs)
    parts = zip(a.transpose(0, 1).split(counts, 1), b.transpose(0, 1).split(counts, 1), strict=True)
    return torch.stack([x.transpose(1, 2) @ y for x, y in parts])


def reference_read(a: Tensor, tables: Tensor, batch: Tensor) -> Tensor:
    """Return the same on a batch padded with zeros."""
    out = torch.einsum("bnhp,bhpq->bnhq", _padded(a, batch, len(tables)), tables)
    return out[to_dense_batch(batch, batch, batch_size=len(tables))[1]]


@tuned(reference_read)
def read(a: Tensor, tables: Tensor, batch: Tensor) -> Tensor:
    """Return (n, heads, q), a_iᵀ T of the row's graph; a (n, heads, p), tables (B, heads, p, q)."""
    parts = zip(a.transpose(0, 1).split(sizes(batch, len(tables)), 1), tables, strict=True)
    found = [x @ table for x, table in parts]
    return (found[0] if len(found) == 1 else torch.cat(found, 1)).transpose(0, 1)


def _padded(rows: Tensor, batch: Tensor, graphs: int) -> Tensor:
    return to_dense_batch(rows, batch, batch_size=graphs)[0]


def share(weight: Tensor, batch: Tensor, graphs: int) -> Tensor:
    """Return weight (n,) over its sum in each graph."""
    return weight / gather(segment_sum(weight, batch, graphs), batch)


def instance_norm(rows: Tensor, batch: Tensor, graphs: int, mass: Tensor) -> Tensor:
    """Return (n, C) rows with mean 0 and variance 1, by mass, over each graph and column (arXiv 1607.08022)."""
    centered = rows - gather(segment_mean(rows, batch, graphs, mass), batch)
    variance = segment_mean(centered.square(), batch, graphs, mass)
    return centered * gather((variance + 1e-5).rsqrt(), batch)
