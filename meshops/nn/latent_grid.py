"""A regular grid around each graph of a batch, and integrals from its nodes to the grid and back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from torch import Tensor

from meshops.graph import gather, segment_sum


@dataclass(frozen=True, eq=False)
class LatentGrid:
    """Pairs of nodes and the 2^d corners of the grid cells that they lie in.

    `point` (2^d N,) is the flat number of a corner in (B, resolution^d), `offset` (2^d N, d) the place of the node from
    there, in cells, `share` (2^d N,) its multilinear weight: 1 in sum over a node's corners. `volume` (2^d N,) is the
    mass of the node in units of a cell. Row k N + i is corner k of node i.
    """

    shape: tuple[int, ...]
    point: Tensor
    offset: Tensor
    share: Tensor
    volume: Tensor

    @classmethod
    def around(cls, pos: Tensor, mass: Tensor, batch: Tensor, graphs: int, resolution: int) -> LatentGrid:
        """Lay a cube of `resolution` points a side about each graph, with a margin of about a sixteenth of it."""
        n, d = pos.shape
        at = batch[:, None].expand(n, d)
        low, high = (
            pos.new_zeros(graphs, d).scatter_reduce(0, at, pos, r, include_self=False) for r in ("amin", "amax")
        )
        inner = resolution - 1 - 2 * max(1, resolution // 16)
        cell = (high - low).amax(1, keepdim=True).clamp_min(1e-12) / inner
        place = (pos - (low + high)[batch] / 2) / cell[batch] + (resolution - 1) / 2
        base = place.floor().clamp(0, resolution - 2)
        corners = place.new_tensor(list(product((0.0, 1.0), repeat=d)))[:, None]
        offset = ((place - base) - corners).flatten(0, 1)
        index = (base + corners).long().flatten(0, 1)
        strides = index.new_tensor([resolution**k for k in reversed(range(d))])
        point = batch.repeat(2**d) * resolution**d + (index * strides).sum(1)
        volume = (mass / cell[batch, 0] ** d).repeat(2**d)
        return cls((graphs, *[resolution] * d), point, offset, (1 - offset.abs()).prod(1), volume)

    def gather(self, kernel: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, C, resolution^d), Σ_i w_gi κ_gi v_i / Σ_i w_gi with w = share mass, and (B, 1, ...) log(1 + Σ w).

        `kernel` is (2^d N, C) and multiplies the channels of rows v (N, C). A grid point near no node has 0.
        """
        weight = (self.share * self.volume)[:, None]
        size = self.shape[0] * self.shape[1] ** (len(self.shape) - 1)
        total = segment_sum(weight, self.point, size)
        v = segment_sum(weight * kernel * rows.repeat(len(kernel) // len(rows), 1), self.point, size)
        return self._grid(v / total.clamp_min(1e-12)), self._grid(total.log1p())

    def spread(self, kernel: Tensor, grid: Tensor) -> Tensor:
        """Return (N, C), Σ_g share_gi κ_gi v_g over the corners g around each node, of v (B, C, resolution^d)."""
        rows = gather(grid.movedim(1, -1).flatten(0, -2), self.point)
        corners = 2 ** (len(self.shape) - 1)
        return (self.share[:, None] * kernel * rows).unflatten(0, (corners, -1)).sum(0)

    def _grid(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, self.shape).movedim(-1, 1)
