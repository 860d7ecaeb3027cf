"""Learned V-cycles that are linear in the data of a problem, on the levels of its mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, coarse_batch, gather, segment_mean
from meshops.graph.levels import LEVELS
from meshops.nn import MLP, Linear, MessagePassing, SliceAttention, edge_features, edge_width, relative
from meshops.nn.features import Columns, centered, data_features, problem_features
from meshops.nn.gated import Gate, Gates, SliceMap, Slices, Smoother, halved
from meshops.operators.base import Operator, require_heads

HEADS = 4  # of all attention


class Multigrid(Operator):
    """Learned V-cycles that solve: linear in the data, with weights that the geometry gives.

    Of a linear problem A(geometry, coefficients) u = (sources, values on the boundary) the network learns the inverse
    of A as a function of A, not u as a function of everything: whatever its weights, the output is affine in the data.
    Two streams go over the mesh and `graph.levels`:

        context  c: geometry, kinds of condition, coefficients; message passing down and up, attention on the coarsest
        state    h: h_0 = G((E data) ⊙ (F c)), G global attention with the context's weights on the mesh itself, then
                 V-cycles with gates g, d, r, p that the context gives, all with the same weights, as an iteration:
            down:   h_l ← S(h_l);  h_{l+1} ← h_{l+1} + R mean_{i in cluster} r_i ⊙ h_i, mean by mass
            bottom: h_L ← S(h_L), global attention again, S(h_L)
            up:     h_l ← h_l + p ⊙ P h_{l+1} of the cluster;  h_l ← S(h_l)
            S(h)_i = h_i + V (mean_j g_ij ⊙ (A h)_j + d_i ⊙ (A h)_i)
        before the next cycle h_0 ← G(h_0 + I u + the first h_0), u = D(f ⊙ h_0) with its essential values imposed
        coarser h_l begin as means of the first h_0 and are kept from cycle to cycle
        output:  u = D(f ⊙ h_0) + b(c)

    Of a nonlinear problem, as its equation and the schema's conditions say, the context sees the data too. Of imported
    fields it is not known what is data: the state begins with ones where essential values would be. The context sees
    positions as differences, and about the center of mass. Cost O(N width²). Ideas: multigrid (Brandt 1977,
    doi:10.1090/S0025-5718-1977-0431719-X) with its smoothers and transfers learned, as MgNO (arXiv 2310.19809) on
    regular grids, and linear as the iterators of arXiv 1906.01200; here on any mesh, without its matrix: nothing is
    assembled or solved.
    """

    name: ClassVar[str] = "multigrid"
    reference: ClassVar[str] = "ours; cf. arXiv 2310.19809"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)
    leading: ClassVar[bool] = True

    def __init__(self, schema: Schema, *, width: int = 64, context: int = 32, cycles: int = 2) -> None:
        """Build for the columns of `schema`; raises `OperatorError` for widths that heads do not divide."""
        super().__init__(schema)
        require_heads(width, HEADS)
        require_heads(context, HEADS, "context")
        self.columns = Columns.of(schema)
        self.linear, self.count = schema.linear, cycles
        self.free = not (schema.linear or schema.kinds)  # of no conditions, and perhaps of no data, as imported fields
        data = self.columns.data + len(schema.y)
        problem = self.columns.problem + schema.dim + (0 if self.linear else data)
        self.context = _Context(problem, context, edge_width(schema.dim))
        self.encode, self.entry = Linear(data, width, bias=False), Linear(context, width)
        self.everywhere = SliceMap(context, width, heads=HEADS)
        self.cycle = _Cycle(context, edge_width(schema.dim), width)
        self.again = Linear(len(schema.y), width, bias=False) if cycles > 1 else nn.Identity()  # none is left unused
        self.decode, self.exit = Linear(width, len(schema.y), bias=False), Linear(context, width)
        self.offset = MLP(context, context, len(schema.y))

    @property
    def head(self) -> nn.Linear:
        """The decoder of the state: what it is given is linear in the data."""
        return self.decode

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        grids, data = _grids(graph), self._data(graph)
        problem = [problem_features(graph, self.columns), centered(graph), *([] if self.linear else [data])]
        contexts = self.context(torch.cat(problem, 1), grids, graph.size)
        weights = self.cycle.weights(contexts, grids, graph.size)
        slices = self.everywhere.weights(contexts[0], graph.mass, graph.graph_of_node, graph.size)
        everywhere = partial(self.everywhere, slices=slices, batch=graph.graph_of_node, graphs=graph.size)
        first, leave = everywhere(self.encode(data) * self.entry(contexts[0])), self.exit(contexts[0])
        states = [first]
        for grid, below in pairwise(grids):
            states.append(segment_mean(states[-1], grid.cluster, len(below.pos), grid.mass))
        for number in range(self.count):
            if number:
                u = torch.where(graph.fixed, graph.fixed_value, self.decode(leave * states[0]))
                states[0] = everywhere(states[0] + self.again(u) + first)
            states = self.cycle(states, weights, grids, graph.size)
        return self.decode(leave * states[0]) + self.offset(contexts[0])

    def _data(self, graph: MeshGraph) -> Tensor:
        """Return what the state begins with: the data, and ones in place of values that nothing holds."""
        data = data_features(graph, self.columns)
        return torch.cat([data[:, : self.columns.data], torch.ones_like(graph.fixed_value)], 1) if self.free else data


@dataclass(eq=False)
class _Grid:
    """What a cycle needs of one level: its edges with features, and its place in the level below."""

    pos: Tensor
    mass: Tensor
    edge_index: Tensor
    batch: Tensor
    edge: Tensor
    cluster: Tensor
    offset: Tensor


def _grids(graph: MeshGraph) -> list[_Grid]:
    """Return the mesh and its levels; the last one's nodes stand for themselves."""
    batches = [graph.graph_of_node, *coarse_batch(graph.graph_of_node, graph.levels)]
    finest = (graph.pos, graph.mass, graph.edge_index)
    levels = [finest, *((level.pos, level.mass, level.edge_index) for level in graph.levels)]
    own = torch.arange(len(levels[-1][0]), device=graph.pos.device)
    clusters = [*(level.cluster for level in graph.levels), own]
    centers = [*(level.pos for level in graph.levels), levels[-1][0]]
    grids = []
    for (pos, mass, edge_index), batch, cluster, center in zip(levels, batches, clusters, centers, strict=True):
        offset = relative(pos - center.index_select(0, cluster))
        grids.append(_Grid(pos, mass, edge_index, batch, edge_features(pos, edge_index), cluster, offset))
    return grids


class _Context(nn.Module):
    """Contexts of every level: message passing on the way down, attention at the bottom, and back up."""

    def __init__(self, given: int, width: int, edges: int, *, layers: int = 2) -> None:
        super().__init__()
        self.encode = MLP(given, width, width)
        self.layers = layers
        self.around = nn.ModuleList(MessagePassing(width, edges) for _ in range(layers * (LEVELS + 1)))
        self.down = nn.ModuleList(MLP(width + edges, width, width) for _ in range(LEVELS))
        self.up = nn.ModuleList(MLP(width + edges, width, width) for _ in range(LEVELS))
        self.attention = SliceAttention(width, HEADS)
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(LEVELS + 1))

    def forward(self, features: Tensor, grids: Sequence[_Grid], graphs: int) -> list[Tensor]:
        contexts = [self.encode(features)]
        for i, grid in enumerate(grids):
            for layer in self.around[self.layers * i : self.layers * (i + 1)]:
                contexts[i] = layer(contexts[i], grid.edge_index, grid.edge)
            if i < len(self.down):
                rows = self.down[i](torch.cat([contexts[i], grid.offset], dim=1))
                contexts.append(segment_mean(rows, grid.cluster, len(grids[i + 1].pos), grid.mass))
        contexts[-1] = self.attention(contexts[-1], grids[-1].mass, grids[-1].batch, graphs)
        for i in reversed(range(len(self.up))):
            coarse = torch.cat([gather(contexts[i + 1], grids[i].cluster), grids[i].offset], dim=1)
            contexts[i] = contexts[i] + self.up[i](coarse)
        return [norm(rows) for norm, rows in zip(self.norm, contexts, strict=True)]


@dataclass(frozen=True, eq=False)
class _Weights:
    """What the context gives a cycle: gates before and after on each level, of transfers, and the bottom's slices."""

    before: list[Gate]
    after: list[Gate]
    down: list[Tensor]
    up: list[Tensor]
    slices: Slices


class _Cycle(nn.Module):
    def __init__(self, context: int, edges: int, width: int) -> None:
        super().__init__()
        every = range(LEVELS + 1)
        self.gates_before, self.gates_after = (
            nn.ModuleList(Gates(context, edges, width) for _ in every) for _ in range(2)
        )
        self.before, self.after = (nn.ModuleList(Smoother(width) for _ in every) for _ in range(2))
        self.gate_down, self.gate_up = (
            nn.ModuleList(_transfer(context + edges, width) for _ in range(LEVELS)) for _ in range(2)
        )
        self.restrict, self.prolong = (nn.ModuleList(halved(width) for _ in range(LEVELS)) for _ in range(2))
        self.bottom = SliceMap(context, width, heads=HEADS)

    def weights(self, contexts: Sequence[Tensor], grids: Sequence[_Grid], graphs: int) -> _Weights:
        placed = [torch.cat([c, grid.offset], dim=1) for c, grid in zip(contexts, grids, strict=True)]
        last = grids[-1]
        return _Weights(
            [g(c, grid.edge_index, grid.edge) for g, c, grid in zip(self.gates_before, contexts, grids, strict=True)],
            [g(c, grid.edge_index, grid.edge) for g, c, grid in zip(self.gates_after, contexts, grids, strict=True)],
            [gate(rows) for gate, rows in zip(self.gate_down, placed, strict=False)],
            [gate(rows) for gate, rows in zip(self.gate_up, placed, strict=False)],
            self.bottom.weights(contexts[-1], last.mass, last.batch, graphs),
        )

    def forward(self, states: list[Tensor], weights: _Weights, grids: Sequence[_Grid], graphs: int) -> list[Tensor]:
        h, bottom = list(states), len(grids) - 1
        for i, grid in enumerate(grids):
            h[i] = self.before[i](h[i], weights.before[i], grid.edge_index)
            if i < bottom:
                mean = segment_mean(weights.down[i] * h[i], grid.cluster, len(grids[i + 1].pos), grid.mass)
                h[i + 1] = h[i + 1] + self.restrict[i](mean)
        h[-1] = self.bottom(h[-1], weights.slices, grids[-1].batch, graphs)
        for i in reversed(range(len(grids))):
            if i < bottom:
                h[i] = h[i] + weights.up[i] * gather(self.prolong[i](h[i + 1]), grids[i].cluster)
            h[i] = self.after[i](h[i], weights.after[i], grids[i].edge_index)
        return h


def _transfer(given: int, width: int) -> nn.Linear:
    """Return a linear map whose outputs begin about 1: a gate that lets pass."""
    layer = Linear(given, width)
    with torch.no_grad():
        layer.weight.mul_(0.5)
        layer.bias.fill_(1.0)
    return layer
