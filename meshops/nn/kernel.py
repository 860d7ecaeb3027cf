"""Integral operators whose kernel is a network of the places and features at both ends of an edge."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from meshops.graph import gather, segment_sum
from meshops.nn.mlp import MLP
from meshops.nn.products import Linear
from meshops.nn.tuned import tuned


class Kernel(nn.Module):
    """κ_ij = MLP(a_j, a_i), a (width, width) matrix for each edge; two hidden layers.

    The first layer is linear in a, places and features, at both ends: it acts on nodes, before gathering.
    """

    def __init__(self, given: int, width: int, hidden: int) -> None:
        """`given` is the number of columns of a, `hidden` the width within the MLP."""
        super().__init__()
        self.width = width
        self.source, self.target = Linear(given, hidden, bias=False), Linear(given, hidden)
        self.rest = nn.Sequential(nn.GELU(), MLP(hidden, hidden, width**2, activation=nn.GELU))
        bound = (2 * given) ** -0.5  # as one layer of both ends would start
        for part in (self.source, self.target):
            nn.init.uniform_(part.weight, -bound, bound)

    def reference(self, source: Tensor, target: Tensor, edge_index: Tensor) -> Tensor:
        """Return the same by concatenation."""
        joined = torch.cat([source.index_select(0, edge_index[0]), target.index_select(0, edge_index[1])], 1)
        weight = torch.cat([self.source.weight, self.target.weight], 1)
        return self._matrices(nn.functional.linear(joined, weight, self.target.bias))

    @tuned(reference)
    def forward(self, source: Tensor, target: Tensor, edge_index: Tensor) -> Tensor:
        """Return (E, width, width) from a at the sources (n, given) and at the targets (m, given)."""
        ends = gather(self.source(source), edge_index[0]) + gather(self.target(target), edge_index[1])
        return self._matrices(ends)

    def _matrices(self, ends: Tensor) -> Tensor:
        return self.rest(ends).unflatten(1, (self.width, self.width))


def integrate(kernel: Tensor, rows: Tensor, share: Tensor, edge_index: Tensor, targets: int) -> Tensor:
    """Return (targets, W), Σ_j w_ij κ_ij v_j, of kernel (E, W, W), rows v (n, W) and quadrature weights w (E,)."""
    message = (kernel @ (gather(rows, edge_index[0]) * share[:, None])[..., None])[..., 0]
    return segment_sum(message, edge_index[1], targets)


def quadrature(mass: Tensor, edge_index: Tensor, targets: int) -> Tensor:
    """Return (E,) the masses of the sources, over their sum at each target: means over a neighbourhood."""
    weight = mass.index_select(0, edge_index[0])
    total = segment_sum(weight, edge_index[1], targets).clamp_min(1e-30)
    return weight / total.index_select(0, edge_index[1])


class KernelLayer(nn.Module):
    """v_i ← act(W v_i + b + Σ_j w_ij κ_ij v_j), `times` over with one kernel; act is GELU.

    The kernel does not depend on v, so it is computed once, where the plain form computes it each time.
    """

    def __init__(self, given: int, width: int, hidden: int) -> None:
        """As for `Kernel`."""
        super().__init__()
        self.kernel, self.local = Kernel(given, width, hidden), Linear(width, width)

    def reference(self, v: Tensor, a: Tensor, share: Tensor, edge_index: Tensor, times: int) -> Tensor:
        """Return the same with a kernel for each iteration."""
        kernels = [self.kernel(a, a, edge_index) for _ in range(times)]
        return self._iterate(v, kernels, share, edge_index)

    @tuned(reference)
    def forward(self, v: Tensor, a: Tensor, share: Tensor, edge_index: Tensor, times: int) -> Tensor:
        """Return (N, width) from v (N, width), a (N, given), quadrature weights share (E,) and the edges (2, E)."""
        return self._iterate(v, [self.kernel(a, a, edge_index)] * times, share, edge_index)

    def _iterate(self, v: Tensor, kernels: Sequence[Tensor], share: Tensor, edge_index: Tensor) -> Tensor:
        for kernel in kernels:
            v = nn.functional.gelu(self.local(v) + integrate(kernel, v, share, edge_index, len(v)))
        return v
