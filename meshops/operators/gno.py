"""The graph neural operator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import csr_matrix, identity
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, KernelLayer, node_features, node_width, quadrature
from meshops.operators.base import Operator


class GNO(Operator):
    """An integral over the neighbourhood of each node, iterated: v ← act(W v + ∫ κ(x, y, a(x), a(y)) v(y) dy).

        v_i = MLP(a_i, x_i),  a the features
        v_i ← gelu(W v_i + b + Σ_j w_ij κ(a_j, x_j, a_i, x_i) v_j),  w_ij = m_j / Σ_j m_j, `steps` times
        u_i = MLP(v_i)

    κ is an MLP to a matrix: shapes v (N, width), κ (E, width, width). As in the paper's code, all steps share W and κ,
    so κ is computed once. The integral is by mass over mesh neighbours and, with `hops` 2 or more, over those that so
    many edges reach: a neighbourhood that follows the mesh's own resolution and never crosses a slit, where the paper
    takes a ball of one radius, the node itself with it, for which here W stands. Act is GELU, in its code ReLU. Its
    width, 64 with kernels 1024 wide, takes 16 kB an edge; the default is 32 and 128. Memory is O(E width²), linear in N
    with a large factor.
    """

    name: ClassVar[str] = "gno"
    reference: ClassVar[str] = "arXiv 2003.03485"
    cost: ClassVar[str] = "O(N)"

    def __init__(self, schema: Schema, *, width: int = 32, steps: int = 6, kernel: int = 128, hops: int = 1) -> None:
        """`kernel` is the width within κ, `hops` the reach of the integral in mesh edges."""
        super().__init__(schema)
        given = schema.dim + node_width(schema)
        self.steps, self.hops = steps, hops
        self.encode, self.decode = MLP(given, width, width), MLP(width, width, len(schema.y))
        self.layer = KernelLayer(given, width, kernel)

    @property
    def head(self) -> nn.Linear:
        """The decoder's last layer."""
        return self.decode.layers[-1]

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        a = torch.cat([graph.pos, node_features(graph, self.schema)], 1)
        edge_index = within(graph.edge_index, len(a), self.hops)
        share = quadrature(graph.mass, edge_index, len(a))
        return self.decode(self.layer(self.encode(a), a, share, edge_index, self.steps))


@torch.compiler.disable
@torch.no_grad()
def within(edge_index: Tensor, nodes: int, hops: int) -> Tensor:
    """Return (2, E') the pairs of different nodes at most `hops` edges apart, sorted by target; on the CPU."""
    if hops == 1:
        return edge_index
    source, target = (ends.cpu().numpy() for ends in edge_index)
    near = csr_matrix((np.ones(len(source), np.float32), (target, source)), (nodes, nodes)) + identity(
        nodes, np.float32
    )
    reach = near
    for _ in range(hops - 1):
        reach = (reach @ near).tocsr()
    reach.setdiag(0)
    reach.eliminate_zeros()
    reach.sort_indices()
    target, source = reach.nonzero()
    return torch.from_numpy(np.stack([source, target]).astype(np.int64)).to(edge_index.device)
