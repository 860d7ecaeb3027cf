"""BENO: boundary-embedded neural operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, gather, segment_mean
from meshops.nn import (
    MLP,
    BoundaryTransformer,
    GraphNetwork,
    Padding,
    boundary_distance,
    edge_features,
    edge_width,
    gradient,
    held_width,
    smooth,
    theta_of_nodes,
)
from meshops.operators.base import Operator, require_heads

HIDDEN = 3  # hidden layers of every MLP


class BENO(Operator):
    """u = u₁ + u₂: one branch for the source under homogeneous conditions, one for the conditions without a source.

    A branch is a graph network on the mesh with mean aggregation, each of whose steps has a transformer over the
    boundary, pooled to one vector that enters every node's update:

        b = max over tokens of transformer(tokens)
        m_ij = MLP(h_j, h_i, e_ij);  h_i ← h_i + MLP(h_i, mean_j m_ij, b);  e_ij ← e_ij + m_ij

    Branch 1 sees the source f, f smoothed, the gradient of that, and f at both ends of an edge; branch 2 sees none of
    these, and alone the values of the conditions, in time those held at each, and a hybrid's lifting. Both see
    positions, coefficients, theta, the distance to the boundary with its gradient, and, in tokens, position, kind,
    exchange coefficient, normal, weight and the boundary's turning.
    So u₁ is a function of f and u₂ of the values, each on this domain, as for the linear equation.

    Differs from the paper:

    - meshes in place of pixels: neighbours are those of the mesh; smoothing and gradients act on the graph; the
      distance is to the nearest boundary node and not along the axes.
    - tokens carry geometry in place of an index, so that nothing depends on where a boundary starts; they are masked
      by graph, where the original merges a batch into one sequence; conditions are Dirichlet, Neumann, Robin or mixed.
    - branch 2 has no source on its edges, where the original leaks it. What the paper sets to zero is left out here.
    - `local` gives boundary nodes their own token too. The paper's nodes lie inside, so that it has no such nodes.

    The transformers take O(M²) time in a graph's M boundary nodes, 2·steps·layers times over (memory: see
    `BoundaryTransformer`). Meant for M up to a few thousand.
    """

    name: ClassVar[str] = "beno"
    reference: ClassVar[str] = "arXiv 2401.09323"
    cost: ClassVar[str] = "O(N + M²)"

    def __init__(
        self,
        schema: Schema,
        *,
        width: int = 128,
        steps: int = 10,
        layers: int = 3,
        heads: int = 2,
        feedforward: int = 16,
        local: bool = False,
    ) -> None:
        """Return the untrained operator. `layers`, `heads` and `feedforward` are of each step's transformer.

        Raises `OperatorError` unless `heads` divides `width`.
        """
        super().__init__(schema)
        require_heads(width, heads)
        self.local = local
        self.source = [i for i, name in enumerate(schema.x) if name in schema.data and name not in schema.lifting]
        self.lifting = [schema.x.index(name) for name in schema.lifting]
        self.coefficients = [i for i, name in enumerate(schema.x) if name not in schema.data]
        self.values = [i for i, name in enumerate(schema.boundary_x) if name in schema.data]
        self.kinds = [i for i, name in enumerate(schema.boundary_x) if name not in schema.data]
        transformer = {"layers": layers, "heads": heads, "feedforward": feedforward}
        self.branches = nn.ModuleList(
            _Branch(widths, len(schema.y), width=width, steps=steps, transformer=transformer)
            for widths in self._widths()
        )

    @property
    def pieces(self) -> list[nn.Module]:
        """Those of both branches, step by step."""
        return [part for part in self.modules() if isinstance(part, BoundaryTransformer | GraphNetwork)]

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        padding = Padding.of(graph.graph_of_node[graph.boundary_index], graph.size)
        source, conditions = self.inputs(graph)
        return self.branches[0](source, graph, padding) + self.branches[1](conditions, graph, padding)

    def inputs(self, graph: MeshGraph) -> tuple[Inputs, Inputs]:
        """Return what each branch sees."""
        source = graph.x[:, self.source]
        mean = smooth(source, graph.mass, graph.edge_index)
        slope = gradient(mean, graph).flatten(1)
        ends = source[graph.edge_index].transpose(0, 1).flatten(1)
        node, edge, token = self._domain(graph)
        at = graph.boundary_index
        values = [graph.boundary_x[:, self.values], graph.fixed_value[at][:, : held_width(self.schema)]]
        lifted = torch.cat([node, graph.x[:, self.lifting]], 1)
        given = (
            Inputs(torch.cat([node, source, mean, slope], 1), torch.cat([edge, ends], 1), token),
            Inputs(lifted, edge, torch.cat([token, *values], 1)),
        )
        return tuple(i.at_nodes(at) for i in given) if self.local else given

    def _domain(self, graph: MeshGraph) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of nodes, edges and tokens that both branches see."""
        pos, edge_index = graph.pos, graph.edge_index
        distance = boundary_distance(graph)
        away = gradient(distance, graph).flatten(1)
        node = torch.cat([pos, graph.x[:, self.coefficients], theta_of_nodes(graph), distance, away], 1)
        edge = torch.cat([pos[edge_index[0]], pos[edge_index[1]], edge_features(pos, edge_index)], 1)
        at = pos[graph.boundary_index]
        token = torch.cat([at, graph.boundary_x[:, self.kinds], _turning(at, graph.boundary_edge_index)], 1)
        return node, edge, token

    def _widths(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Return the columns of `inputs`."""
        d, sources = self.schema.dim, len(self.source)
        node = 2 * d + 1 + len(self.coefficients) + len(self.schema.theta)
        edge = 2 * d + edge_width(d)
        token, values = 2 * d + len(self.kinds), len(self.values) + held_width(self.schema)
        own = token + 1 if self.local else 0
        return (
            (node + own + (2 + d) * sources, edge + 2 * sources, token),
            (node + len(self.lifting) + own + (values if self.local else 0), edge, token + values),
        )


@dataclass(frozen=True)
class Inputs:
    """Features of one branch: node (N, ·), edge (E, ·), token (M, ·)."""

    node: Tensor
    edge: Tensor
    token: Tensor

    def at_nodes(self, boundary_index: Tensor) -> Inputs:
        """Return the same with each token, and a flag, among its node's features."""
        own = torch.cat([self.token, self.token.new_ones(len(self.token), 1)], 1)
        spread = own.new_zeros(len(self.node), own.shape[1]).index_copy(0, boundary_index, own)
        return Inputs(torch.cat([self.node, spread], 1), self.edge, self.token)


class _Branch(nn.Module):
    def __init__(
        self, widths: tuple[int, int, int], out: int, *, width: int, steps: int, transformer: dict[str, int]
    ) -> None:
        super().__init__()
        node, edge, token = widths
        hidden = [width] * HIDDEN
        self.encode_node = MLP(node, *hidden, width, norm=True)
        self.encode_edge = MLP(edge, *hidden, width, norm=True)
        self.boundary = nn.ModuleList(BoundaryTransformer(token, width, **transformer) for _ in range(steps))
        self.steps = nn.ModuleList(GraphNetwork(width, hidden=HIDDEN, mean=True, context=width) for _ in range(steps))
        self.decode = MLP(width, *hidden, out)

    def forward(self, given: Inputs, graph: MeshGraph, padding: Padding) -> Tensor:
        h, edge = self.encode_node(given.node), self.encode_edge(given.edge)
        for boundary, step in zip(self.boundary, self.steps, strict=True):
            context = gather(boundary(given.token, padding), graph.graph_of_node)
            h, edge = step(h, edge, graph.edge_index, context)
        return self.decode(h)


def _turning(pos: Tensor, edge_index: Tensor) -> Tensor:
    """Return (M, d) the mean unit vector to a boundary node's neighbours on the boundary: 0 where it is flat."""
    gap = pos[edge_index[0]] - pos[edge_index[1]]
    return segment_mean(gap / gap.norm(dim=1, keepdim=True).clamp_min(1e-12), edge_index[1], len(pos))
