"""A transformer over the boundary nodes of each graph, for one vector a graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from meshops.graph import segment_max
from meshops.nn.mlp import MLP
from meshops.nn.products import Linear


@dataclass(frozen=True)
class Padding:
    """Where the tokens of B graphs lie in a (B, longest) array: at `place` (M,) once flat; `mask` is true on them."""

    batch: Tensor
    graphs: int
    longest: int
    place: Tensor
    mask: Tensor | None

    @classmethod
    def of(cls, batch: Tensor, graphs: int) -> Padding:
        """Return the padding for tokens of the graphs `batch` (M,), ascending. One graph alone needs no mask."""
        count = torch.bincount(batch, minlength=graphs)
        longest = int(count.max())
        rank = torch.arange(len(batch), device=batch.device) - (count.cumsum(0) - count)[batch]
        mask = torch.arange(longest, device=batch.device) < count[:, None]
        return cls(batch, graphs, longest, batch * longest + rank, mask[:, None, None] if graphs > 1 else None)

    def spread(self, rows: Tensor) -> Tensor:
        """Return (B, longest, C) from rows (M, C); 0 where there is no token."""
        padded = rows.new_zeros(self.graphs * self.longest, rows.shape[1]).index_copy(0, self.place, rows)
        return padded.view(self.graphs, self.longest, rows.shape[1])

    def collect(self, padded: Tensor) -> Tensor:
        """Return the rows (M, C) of (B, longest, C)."""
        return padded.flatten(0, 1).index_select(0, self.place)


class BoundaryTransformer(nn.Module):
    """Embedding, `layers` of softmax attention among a graph's tokens, maximum over them (arXiv 2401.09323, 3.3).

    It knows a token by its features alone: neither the order of the tokens nor what a graph is batched with matters.
    Time is O(M²) in a graph's M tokens. Memory is O(M) where torch's attention is fused (on the CPU, and in float32 and
    bfloat16 on a GPU: 8,000 tokens take 0.24 GB with gradients in float32 at the defaults), else heads·M² numbers a
    layer: 10,000 tokens in float64 on a GPU take 1.6 GB a layer. A batch is padded to its longest boundary.
    """

    def __init__(self, tokens: int, width: int, *, layers: int = 3, heads: int = 2, feedforward: int = 16) -> None:
        """`tokens` is the number of features of a token; `feedforward` the width between an MLP's two layers."""
        super().__init__()
        self.embed = Linear(tokens, width)
        self.layers = nn.ModuleList(_Layer(width, heads, feedforward) for _ in range(layers))

    def forward(self, tokens: Tensor, padding: Padding) -> Tensor:
        """Return (B, width) from tokens (M, C)."""
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, padding)
        return segment_max(x, padding.batch, padding.graphs)


class _Layer(nn.Module):
    """x ← LN(x + attention(x)); x ← LN(x + MLP(x))."""

    def __init__(self, width: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, bias=False)
        self.out = Linear(width, width)
        self.mlp = MLP(width, feedforward, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x: Tensor, padding: Padding) -> Tensor:
        x = self.norms[0](x + self.out(self._attention(x, padding)))
        return self.norms[1](x + self.mlp(x))

    def _attention(self, x: Tensor, padding: Padding) -> Tensor:
        padded = padding.spread(self.qkv(x)).unflatten(2, (3, self.heads, -1))
        q, k, v = padded.permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=padding.mask)
        return padding.collect(mixed.transpose(1, 2).flatten(2))
