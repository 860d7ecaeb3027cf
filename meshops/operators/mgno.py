"""MgNO: multigrid as the linear map of each layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch_geometric.utils import scatter

from meshops.graph import MeshGraph, Schema, gather, segment_mean
from meshops.graph.levels import LEVELS
from meshops.nn import (
    MLP,
    Linear,
    Neighbors,
    degree,
    edge_features,
    edge_width,
    linear,
    node_features,
    node_width,
    tuned,
)
from meshops.operators.base import Operator

HIDDEN = 16  # width within the MLP from an edge's geometry to its weights


class MgNO(Operator):
    """Layers u ← act(V-cycle(u) + W u + b), whose V-cycle is linear in u, with learned operators on each level.

        V-cycle for the right-hand side f_0 = u:
        down, l = 0..L:   v_l = S_l f_l,  f_{l+1} = R_l (f_l - A_l v_l)
        up, l = L-1..0:   v_l ← v_l + P_l v_{l+1};  v_l ← v_l + S'_l (f_l - A_l v_l);  the result is v_0
        A, S: (A v)_i = A_0 v_i + Σ_r A_r mean_j φ_r(e_ij) v_j,  φ = MLP(x_j - x_i, its direction, log of its length)

    Shapes: u (N, width), A_r (width, width), φ (E, rank). R is the mean by mass over a cluster of `graph.levels`, P its
    transpose, each followed by a matrix of channels. The first layer takes the features as they are, without lifting,
    and the last matrix gives the columns of `y`.

    Differs from the paper, whose A and S are 3×3 convolutions on a regular grid: a convolution has a matrix for each
    of its nine offsets, here the matrix is a sum of `rank` ones with weights from an edge's geometry. A level smooths
    once before and once after.
    """

    name: ClassVar[str] = "mgno"
    reference: ClassVar[str] = "arXiv 2310.19809"
    cost: ClassVar[str] = "O(N)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, schema: Schema, *, width: int = 24, layers: int = 5, rank: int = 4) -> None:
        """`layers` is the number of V-cycles, `rank` that of terms of each edge-wise map."""
        super().__init__(schema)
        widths = [node_width(schema), *[width] * layers]
        self.layers = nn.ModuleList(_Layer(a, b, edge=edge_width(schema.dim), rank=rank) for a, b in pairwise(widths))
        self.decode = Linear(width, len(schema.y))

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        u, grids = node_features(graph, self.schema), _grids(graph)
        for layer in self.layers:
            u = layer(u, grids)
        return self.decode(u)


class _Grid:
    """One level: its edges with features, sorted for sums, and its place in the level below."""

    def __init__(self, pos: Tensor, mass: Tensor, edge_index: Tensor) -> None:
        self.mass, self.neighbors = mass, Neighbors.of(edge_index, len(pos))
        edge_index = self.neighbors.edge_index
        self.edge = edge_features(pos, edge_index)
        self.share = (1 / degree(edge_index, pos)).index_select(0, edge_index[1])
        self.cluster: Tensor | None = None

    def restrict(self, rows: Tensor, size: int) -> Tensor:
        return segment_mean(rows, self.cluster, size, self.mass)


def _grids(graph: MeshGraph) -> list[_Grid]:
    finest = _Grid(graph.pos, graph.mass, graph.edge_index)
    grids = [finest, *(_Grid(level.pos, level.mass, level.edge_index) for level in graph.levels)]
    for grid, level in zip(grids, graph.levels, strict=False):
        grid.cluster = level.cluster
    return grids


class _EdgeMap(nn.Module):
    """v_i ↦ A_0 v_i + Σ_r A_r mean_j φ_r(e_ij) v_j: linear in v."""

    def __init__(self, given: int, out: int, *, edge: int, rank: int) -> None:
        super().__init__()
        self.weights = MLP(edge, HIDDEN, rank)
        self.mix = Linear((rank + 1) * given, out, bias=False)

    def on(self, grid: _Grid) -> Callable[[Tensor], Tensor]:
        """Return the map on one level; the weights of its edges are computed once."""
        weights = (self.weights(grid.edge) * grid.share).t().contiguous()
        return partial(self, weights=weights, neighbors=grid.neighbors)

    def reference(self, v: Tensor, weights: Tensor, neighbors: Neighbors) -> Tensor:
        """Return the same by messages of gathered rows, as they are usually written."""
        source, target = neighbors.edge_index
        rows = weights.t()[:, :, None] * v.index_select(0, source)[:, None]
        own, around = self.mix.weight.tensor_split([v.shape[1]], 1)
        message = nn.functional.linear(rows.flatten(1), around)
        return nn.functional.linear(v, own) + scatter(message, target, 0, len(v), reduce="sum")

    @tuned(reference)
    def forward(self, v: Tensor, weights: Tensor, neighbors: Neighbors) -> Tensor:
        """Return (N, out) from v (N, given) and φ (rank, E) times shares of a mean; the matrices act on sums."""
        own, *around = self.mix.weight.chunk(1 + len(weights), 1)
        total = linear(v, own)
        for weight, part in zip(weights, around, strict=True):
            total = linear(neighbors.sum(v, weight), part, total)
        return total


class VCycle(nn.Module):
    """The linear map of a layer of `MgNO`: from (N, given) to (N, out)."""

    def __init__(self, given: int, out: int, *, edge: int, rank: int) -> None:
        """`edge` is the number of edge features."""
        super().__init__()

        def maps(a: int, b: int, count: int) -> nn.ModuleList:
            return nn.ModuleList(_EdgeMap(a, b, edge=edge, rank=rank) for _ in range(count))

        self.operator = maps(out, given, LEVELS)
        self.before, self.after = maps(given, out, LEVELS + 1), maps(given, out, LEVELS)
        self.restrict = nn.ModuleList(Linear(given, given, bias=False) for _ in range(LEVELS))
        self.prolong = nn.ModuleList(Linear(out, out, bias=False) for _ in range(LEVELS))

    def forward(self, f: Tensor, grids: list[_Grid]) -> Tensor:
        """Return (N, out) from f (N, given)."""
        operator, before, after = (_on(maps, grids) for maps in (self.operator, self.before, self.after))
        right, v = [f], [before[0](f)]
        for i, restrict in enumerate(self.restrict):
            residual = right[i] - operator[i](v[i])
            right.append(restrict(grids[i].restrict(residual, len(grids[i + 1].mass))))
            v.append(before[i + 1](right[-1]))
        for i in reversed(range(len(self.prolong))):
            v[i] = v[i] + gather(self.prolong[i](v[i + 1]), grids[i].cluster)
            v[i] = v[i] + after[i](right[i] - operator[i](v[i]))
        return v[0]


def _on(maps: Iterable[_EdgeMap], grids: list[_Grid]) -> list[Callable[[Tensor], Tensor]]:
    return [one.on(grid) for one, grid in zip(maps, grids, strict=False)]


class _Layer(nn.Module):
    def __init__(self, given: int, out: int, *, edge: int, rank: int) -> None:
        super().__init__()
        self.cycle, self.local = VCycle(given, out, edge=edge, rank=rank), Linear(given, out)

    def forward(self, u: Tensor, grids: list[_Grid]) -> Tensor:
        return nn.functional.gelu(self.cycle(u, grids) + self.local(u))
