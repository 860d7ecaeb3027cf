"""Learned V-cycles on the levels of a mesh."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, coarse_batch, gather, segment_mean
from meshops.nn import (
    MLP,
    MessagePassing,
    SliceAttention,
    edge_features,
    edge_width,
    node_features,
    node_width,
    relative,
)
from meshops.operators.base import Operator


class Multigrid(Operator):
    """Learned V-cycles: message passing on every level of `graph.levels`, attention on the coarsest.

    A cycle, with h_0 on the mesh and h_l on level l:

        down:   h_l ← MP(h_l);  h_{l+1} ← h_{l+1} + R mean_{i in cluster} (h_l, x_i - x_cluster), mean by mass
        bottom: h_L ← attention(h_L), then an MLP
        up:     h_l ← h_l + P(h_{l+1} of the cluster, x_i - x_cluster);  h_l ← MP(h_l)

    Cycles have their own weights; the coarse states persist from one cycle to the next. It sees positions only as
    differences. Cost O(N width²). Idea: multigrid (Brandt 1977, doi:10.1090/S0025-5718-1977-0431719-X) with its
    smoothers and transfers learned, as MgNO (arXiv 2310.19809) does on regular grids; here the transfers follow
    aggregation on any mesh.
    """

    name: ClassVar[str] = "multigrid"
    reference: ClassVar[str] = "ours; cf. arXiv 2310.19809"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)
    leading: ClassVar[bool] = True

    def __init__(self, schema: Schema, *, width: int = 64, cycles: int = 2) -> None:
        """Build for the columns of `schema`."""
        super().__init__(schema)
        edges = edge_width(schema.dim)
        self.encode = MLP(node_width(schema), width, width)
        self.cycles = nn.ModuleList(_Cycle(width, edges) for _ in range(cycles))
        self.decode = MLP(width, width, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        grids = _grids(graph)
        states = [self.encode(node_features(graph))]
        for level in graph.levels:
            states.append(segment_mean(states[-1], level.cluster, level.num_nodes))
        for cycle in self.cycles:
            states = cycle(states, grids, graph.size)
        return self.decode(states[0])


class _Grid:
    """What a cycle needs of one level: its edges with features, and its place in the level below."""

    def __init__(self, pos: Tensor, mass: Tensor, edge_index: Tensor, batch: Tensor) -> None:
        self.pos, self.mass, self.edge_index, self.batch = pos, mass, edge_index, batch
        self.edge = edge_features(pos, edge_index)
        self.cluster: Tensor | None = None
        self.offset: Tensor | None = None

    def rest_on(self, cluster: Tensor, pos: Tensor) -> None:
        self.cluster, self.offset = cluster, relative(self.pos - pos.index_select(0, cluster))


def _grids(graph: MeshGraph) -> list[_Grid]:
    batches = [graph.graph_of_node, *coarse_batch(graph.graph_of_node, graph.levels)]
    finest = (graph.pos, graph.mass, graph.edge_index)
    tensors = [finest, *((level.pos, level.mass, level.edge_index) for level in graph.levels)]
    grids = [_Grid(*t, batch) for t, batch in zip(tensors, batches, strict=True)]
    for grid, level in zip(grids[:-1], graph.levels, strict=True):
        grid.rest_on(level.cluster, level.pos)
    return grids


class _Cycle(nn.Module):
    def __init__(self, width: int, edges: int, levels: int = 3) -> None:
        super().__init__()
        self.before = nn.ModuleList(MessagePassing(width, edges) for _ in range(levels))
        self.after = nn.ModuleList(MessagePassing(width, edges) for _ in range(levels))
        self.restrict = nn.ModuleList(MLP(width + edges, width, width) for _ in range(levels))
        self.prolong = nn.ModuleList(MLP(width + edges, width, width) for _ in range(levels))
        self.bottom = nn.ModuleList([MessagePassing(width, edges), MessagePassing(width, edges)])
        self.attention = SliceAttention(width)

    def forward(self, states: list[Tensor], grids: list[_Grid], graphs: int) -> list[Tensor]:
        states = list(states)
        for i, (smooth, restrict) in enumerate(zip(self.before, self.restrict, strict=True)):
            grid, below = grids[i], grids[i + 1]
            states[i] = smooth(states[i], grid.edge_index, grid.edge)
            rows = restrict(torch.cat([states[i], grid.offset], dim=1))
            states[i + 1] = states[i + 1] + segment_mean(rows, grid.cluster, len(below.pos), grid.mass)
        last = grids[-1]
        states[-1] = self.bottom[0](states[-1], last.edge_index, last.edge)
        states[-1] = self.attention(states[-1], last.mass, last.batch, graphs)
        states[-1] = self.bottom[1](states[-1], last.edge_index, last.edge)
        for i in reversed(range(len(self.after))):
            grid = grids[i]
            rows = torch.cat([gather(states[i + 1], grid.cluster), grid.offset], dim=1)
            states[i] = self.after[i](states[i] + self.prolong[i](rows), grid.edge_index, grid.edge)
        return states
