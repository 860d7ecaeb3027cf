"""Attention over the nodes of each graph of a batch, in linear memory."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from meshops.graph import segment_sum
from meshops.nn.per_graph import outer_sum, read
from meshops.nn.products import Linear


def through_slices(
    weight: Tensor, value: Tensor, mass: Tensor, batch: Tensor, graphs: int, mix: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return (n, heads, c): values averaged to a token a slice, `mix` among the tokens, and read back.

    weight (n, heads, slices), value (n, heads, c) and mass (n,); `mix` maps tokens (B, heads, slices, c).
    """
    part = weight * mass[:, None, None]
    total = segment_sum(part, batch, graphs).clamp_min(1e-12)
    return read(weight, mix(outer_sum(part, value, batch, graphs) / total[..., None]), batch)


class SliceAttention(nn.Module):
    """Global attention through a few tokens a graph (Transolver, arXiv 2402.02366), in O(n slices).

    For each head: w = softmax(W x / τ) over slices; token = Σ m w x / Σ m w, with m the nodes' mass; softmax attention
    among a graph's tokens; each node reads its tokens back with the same w. Differs from the paper in that tokens are
    means by mass, so that a refined mesh gives the same tokens, and in that τ is bounded below by 0.1.
    """

    def __init__(self, width: int, heads: int = 4, slices: int = 16) -> None:
        """Build for (n, width)."""
        super().__init__()
        self.heads, self.slices = heads, slices
        self.norm = nn.LayerNorm(width)
        self.assign = Linear(width, heads * slices)
        self.value = Linear(width, width)
        self.qkv = Linear(width // heads, 3 * (width // heads), bias=False)
        self.out = Linear(width, width)
        self.temperature = nn.Parameter(0.5 * self.assign.weight.new_ones(heads))

    def forward(self, h: Tensor, mass: Tensor, batch: Tensor, graphs: int) -> Tensor:
        """Return (n, width) from h (n, width), mass (n,), and the graph of each node (n,)."""
        n, x = len(h), self.norm(h)
        temperature = self.temperature[:, None].clamp_min(0.1)
        weight = (self.assign(x).view(n, self.heads, self.slices) / temperature).softmax(-1)
        value = self.value(x).view(n, self.heads, -1)
        return h + self.out(through_slices(weight, value, mass, batch, graphs, self._mix).reshape(n, -1))

    def _mix(self, tokens: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(*self.qkv(tokens).chunk(3, dim=-1))
