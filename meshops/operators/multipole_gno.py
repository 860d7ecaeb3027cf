"""The multipole graph neural operator."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, segment_mean
from meshops.graph.levels import LEVELS
from meshops.nn import MLP, Kernel, Linear, integrate, node_features, node_width, quadrature, tuned
from meshops.operators.base import Operator

LEAST = 16  # the narrowest kernel network


class MultipoleGNO(Operator):
    """Kernel integrals within and between the levels of a mesh, in V-cycles: a low rank for what is far.

        v_0 = MLP(a, x), coarser v_l = its means;  all integrals by mass, K v = Σ_j w_ij κ(a_j, x_j, a_i, x_i) v_j
        down:  v_{l+1} ← σ(v_{l+1} + K_{l+1,l} v_l)
        up:    v_l ← σ(W_l v_l + K_ll v_l + K_{l,l+1} v_{l+1}), from the coarsest, which has no last term
        `steps` such cycles with the same weights;  u = MLP(v_0)

    Shapes: v_l (n_l, width), κ (E, width, width). K_ll is over a level's edges, K between levels over the members of a
    cluster. κ does not depend on v and is computed once for all cycles. Differs from the paper in that levels are
    aggregates of `graph.levels`, each a mean of its members, and not random samples with balls of growing radius; σ is
    GELU, in its code ReLU. Its kernel networks, 256 wide and halved from level to level, start at 128 here, and the
    width is 32, for κ takes width² numbers an edge. Memory is O(E width²), linear in N with a large factor.
    """

    name: ClassVar[str] = "multipole_gno"
    reference: ClassVar[str] = "arXiv 2006.09535"
    cost: ClassVar[str] = "O(N)"

    def __init__(self, schema: Schema, *, width: int = 32, steps: int = 4, kernel: int = 128) -> None:
        """`kernel` is the width within κ on the mesh; each coarser level has half, down to 16."""
        super().__init__(schema)
        given = schema.dim + node_width(schema)
        hidden = [max(LEAST, kernel >> level) for level in range(LEVELS + 1)]
        self.steps = steps
        self.encode, self.decode = MLP(given, width, width), MLP(width, width, len(schema.y))
        self.local = nn.ModuleList(Linear(width, width) for _ in hidden)
        self.within = nn.ModuleList(Kernel(given, width, h) for h in hidden)
        self.down = nn.ModuleList(Kernel(given, width, h) for h in hidden[1:])
        self.up = nn.ModuleList(Kernel(given, width, h) for h in hidden[1:])

    @property
    def head(self) -> nn.Linear:
        """The decoder's last layer."""
        return self.decode.layers[-1]

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        features = node_features(graph, self.schema)
        a, v = [torch.cat([graph.pos, features], 1)], [self.encode(torch.cat([graph.pos, features], 1))]
        mass = graph.mass
        for level in graph.levels:
            features = segment_mean(features, level.cluster, level.num_nodes, mass)
            a.append(torch.cat([level.pos, features], 1))
            v.append(segment_mean(v[-1], level.cluster, level.num_nodes, mass))
            mass = level.mass
        return self.decode(self._cycles(a, v, graph))

    def _plain_cycles(self, a: list[Tensor], v: list[Tensor], graph: MeshGraph) -> Tensor:
        """Return the same with kernels for each cycle."""
        for _ in range(self.steps):
            v = self._cycle(v, self._integrals(a, graph))
        return v[0]

    @tuned(_plain_cycles)
    def _cycles(self, a: list[Tensor], v: list[Tensor], graph: MeshGraph) -> Tensor:
        integrals = self._integrals(a, graph)
        for _ in range(self.steps):
            v = self._cycle(v, integrals)
        return v[0]

    def _cycle(self, v: list[Tensor], integrals: tuple[list[_Integral], ...]) -> list[Tensor]:
        within, down, up = integrals
        v = list(v)
        for coarse, integral in enumerate(down, start=1):
            v[coarse] = nn.functional.gelu(v[coarse] + integral(v[coarse - 1]))
        for level in reversed(range(len(v))):
            new = self.local[level](v[level]) + within[level](v[level])
            v[level] = nn.functional.gelu(new if level == len(up) else new + up[level](v[level + 1]))
        return v

    def _integrals(self, a: list[Tensor], graph: MeshGraph) -> tuple[list[_Integral], ...]:
        levels = graph.levels
        masses = [graph.mass, *(level.mass for level in levels)]
        edges = [graph.edge_index, *(level.edge_index for level in levels)]
        clusters = [
            torch.stack([torch.arange(len(c), device=c.device), c]) for c in (level.cluster for level in levels)
        ]
        within = [_Integral(*p) for p in zip(self.within, a, a, masses, edges, strict=True)]
        down = [_Integral(*p) for p in zip(self.down, a[:-1], a[1:], masses[:-1], clusters, strict=True)]
        back = [pairs.flip(0) for pairs in clusters]
        up = [_Integral(*p) for p in zip(self.up, a[1:], a[:-1], masses[1:], back, strict=True)]
        return within, down, up


class _Integral:
    """v ↦ Σ_j w_ij κ_ij v_j over the edges from one set of nodes to another, with κ as numbers."""

    def __init__(self, kernel: nn.Module, source: Tensor, target: Tensor, mass: Tensor, edge_index: Tensor) -> None:
        self.targets, self.edge_index = len(target), edge_index
        self.kernel = kernel(source, target, edge_index)
        self.share = quadrature(mass, edge_index, self.targets)

    def __call__(self, v: Tensor) -> Tensor:
        return integrate(self.kernel, v, self.share, self.edge_index, self.targets)
