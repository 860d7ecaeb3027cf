"""Bi-stride multi-scale graph network."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, EdgeMLP, Neighbors, Stride, bistride, edge_features, edge_width, node_features, node_width
from meshops.operators.base import Operator

HIDDEN = 2  # hidden layers of every MLP


class BiStrideUNet(Operator):
    """A U-Net on a mesh whose coarser graphs keep every other front of a breadth-first search.

        h = MLP(features);  h ← MP(h) on the mesh and, going down, on each of `depth` coarser graphs
        down:  h_c = Σ_j p_jc m_j h_j / Σ_j p_jc m_j;   up:  h_j ← h_j + Σ_c p_jc h_c, then h ← MP(h)
        MP:    h_i ← h_i + MLP(h_i, Σ_j MLP(h_j, h_i, x_j - x_i, its direction, log of its length));  u_i = MLP(h_i)

    Shapes: h (n_l, width) on graph l, of about half the nodes of the one above. p_jc is node j's equal share in each of
    the kept nodes within one edge of it: means going down and interpolation going up, without weights to learn.
    The search starts in the middle of each connected part, and so depends neither on the order of the nodes nor on the
    batch; pooling needs no remeshing and keeps parts apart that are near in space alone.

    Differs from the paper: shares are by mass, where it starts from ones; the coarser graphs are found in each pass, on
    the CPU (for ten thousand nodes 26 ms of a core in 2-D, 80 in 3-D); edges of a coarser graph join nodes one or two
    edges apart, so that those of all coarser graphs are three times the mesh's own in 2-D, and up to six in 3-D.
    """

    name: ClassVar[str] = "bistride_unet"
    reference: ClassVar[str] = "arXiv 2210.02573"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, schema: Schema, *, width: int = 128, depth: int = 6) -> None:
        """`depth` is the number of coarser graphs."""
        super().__init__(schema)
        edge, hidden = edge_width(schema.dim), [width] * HIDDEN
        self.encode = MLP(node_width(schema), *hidden, width, norm=True)
        self.down = nn.ModuleList(_Step(width, edge) for _ in range(depth))
        self.bottom = _Step(width, edge)
        self.up = nn.ModuleList(_Step(width, edge) for _ in range(depth))
        self.decode = MLP(width, *hidden, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        h, grids, transfers = self.encode(node_features(graph, self.schema)), *self._grids(graph)
        fine = []
        for step, grid, transfer in zip(self.down, grids, transfers, strict=False):
            fine.append(step(h, grid))
            h = transfer.pool(fine[-1])
        h = self.bottom(h, grids[-1])
        for i in reversed(range(len(fine))):
            h = self.up[i](fine[i] + transfers[i].spread(h), grids[i])
        return self.decode(h)

    def _grids(self, graph: MeshGraph) -> tuple[list[_Grid], list[_Transfer]]:
        pos, mass, edge_index = graph.pos, graph.mass, graph.edge_index
        grids, transfers = [_Grid(pos, edge_index)], []
        for _ in self.down:
            coarse = bistride(pos, mass, edge_index)
            transfers.append(_Transfer(mass, coarse))
            pos, mass, edge_index = coarse.pos, coarse.mass, coarse.edge_index
            grids.append(_Grid(pos, edge_index))
        return grids, transfers


class _Grid:
    """One graph: its edges with features."""

    def __init__(self, pos: Tensor, edge_index: Tensor) -> None:
        self.edge_index, self.edge = edge_index, edge_features(pos, edge_index)


class _Transfer:
    """The means that go from one graph to the next coarser one, and the interpolation back."""

    def __init__(self, mass: Tensor, coarse: Stride) -> None:
        pairs, share = coarse.transfer, coarse.weight
        self.down = Neighbors.of(pairs, len(coarse.pos), len(mass))
        self.up = Neighbors.of(pairs.flip(0), len(mass), len(coarse.pos))
        part = share * mass.index_select(0, pairs[0])
        part = part / coarse.mass.index_select(0, pairs[1]).clamp_min(1e-30)
        self.part, self.share = part.index_select(0, self.down.order), share.index_select(0, self.up.order)

    def pool(self, h: Tensor) -> Tensor:
        return self.down.sum(h, self.part)

    def spread(self, h: Tensor) -> Tensor:
        return self.up.sum(h, self.share)


class _Step(nn.Module):
    def __init__(self, width: int, edge: int) -> None:
        super().__init__()
        self.message = EdgeMLP(width, hidden=HIDDEN, edge=edge)
        self.update = MLP(2 * width, *[width] * (HIDDEN + 1), norm=True)

    def forward(self, h: Tensor, grid: _Grid) -> Tensor:
        total, _ = self.message(h, grid.edge, grid.edge_index, keep=False)
        return h + self.update(torch.cat([h, total], 1))
