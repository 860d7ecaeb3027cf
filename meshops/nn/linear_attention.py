"""Attention without softmax, in linear time and memory: an integral with a kernel of finite rank."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meshops.nn.per_graph import outer_sum, read, share
from meshops.nn.products import Linear

START = 1e-2  # of the maps to q, k and v: the gain of their random part, and what is added to their diagonal


class LinearAttention(nn.Module):
    """z_i = Σ_j w_j (q_i · k_j) v_j for each head, with w_j = m_j / Σ m the quadrature weights (arXiv 2105.14995).

    `normalized` names the two of `query`, `key` and `value` that have a LayerNorm for each head; coordinates are joined
    to all three after it. Key and value make the Galerkin type, query and key the Fourier type. The sum is
    Q (Kᵀ W V), in O(n (width/heads)²) time and O(n) memory; the paper writes the Fourier type as (Q Kᵀ) V / n, which
    is the same numbers in O(n²).
    """

    def __init__(self, width: int, dim: int, *, heads: int, normalized: tuple[str, str]) -> None:
        """Build for states (n, width) at points (n, dim)."""
        super().__init__()
        self.heads, self.normalized = heads, normalized
        maps = {name: Linear(width, width) for name in ("query", "key", "value")}
        self.norms = nn.ModuleDict({name: _HeadNorm(heads, width // heads) for name in normalized})
        self.out = Linear(width + heads * dim, width)
        for layer in maps.values():
            nn.init.xavier_uniform_(layer.weight, gain=START)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight += START * torch.eye(width)
        self.maps = nn.ModuleDict(maps)

    def forward(self, h: Tensor, pos: Tensor, mass: Tensor, batch: Tensor, graphs: int) -> Tensor:
        """Return (n, width) from h (n, width), pos (n, dim), mass (n,) and the graph of each row (n,)."""
        query, key, value = self._parts(h, pos)
        weighted = key * share(mass, batch, graphs)[:, None, None]
        return self.out(read(query, outer_sum(weighted, value, batch, graphs), batch).flatten(1))

    def _parts(self, h: Tensor, pos: Tensor) -> list[Tensor]:
        """Return query, key and value, (n, heads, width/heads + dim) each."""
        at = pos[:, None].expand(-1, self.heads, -1)
        parts = {name: layer(h).unflatten(1, (self.heads, -1)) for name, layer in self.maps.items()}
        parts |= {name: norm(parts[name]) for name, norm in self.norms.items()}
        return [torch.cat([part, at], 2) for part in parts.values()]


class _HeadNorm(nn.Module):
    """A LayerNorm for each head of (n, heads, c)."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(heads * width)), nn.Parameter(torch.zeros(heads * width))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = (p.view(x.shape[1:]) for p in (self.weight, self.bias))
        return nn.functional.layer_norm(x, x.shape[-1:]) * weight + bias
