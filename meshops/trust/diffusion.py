"""-∇·(k ∇u) = f on straight P1 and P2 simplices, assembled by whole arrays: the system that `assemble` gives, sooner.

Same quadrature, same forms; `assemble` is the reference. The load alone costs a fraction, for many loads on one part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array

from geometries.conditions import Dirichlet, Neumann, Robin
from meshops.equations import Case, LinearSystem, assemble
from meshops.trust.errors import TrustError
from meshops.trust.raviart_thomas import quadrature
from meshops.trust.simplices import DIFFUSION, Sides, Simplices, sides_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def system_of(case: Case, matrix: csr_array | None = None) -> LinearSystem:
    """Return the linear system of a case: quickly where this module can, else by `assemble`.

    With `matrix`, that of another load on the same part (a certificate's), only the load is assembled.
    """
    if not _is_plain(case):
        return assemble(case)
    try:
        diffusion = Diffusion.of(case)
    except TrustError:
        return assemble(case)
    given = case.fixed[:, 0]
    fixed = ~np.isnan(given)
    matrix = diffusion.matrix() if matrix is None else matrix
    return LinearSystem(matrix, diffusion.load(), fixed, np.where(fixed, given, 0.0))


def _is_plain(case: Case) -> bool:
    """Whether a case is -∇·(k ∇u) = f with a scalar k and conditions that this module assembles."""
    known = all(isinstance(part.condition, Dirichlet | Neumann | Robin) for part in case.parts)
    if not known or not case.linear or case.transient or case.equation.name != "heat":
        return False
    return case.given("loss") == 0.0 and case.shape_of("conductivity") == ()


@dataclass(frozen=True, eq=False)
class Diffusion:
    """A diffusion case on simplices, at the quadrature points of `assemble`."""

    case: Case
    simplices: Simplices
    points: Floats
    weights: Floats

    @classmethod
    def of(cls, case: Case) -> Diffusion:
        """Read a case. Raises `TrustError` for other equations, cells, and conditions inside the mesh."""
        if case.equation.name not in DIFFUSION:
            raise TrustError(f"{case.equation.name} is no diffusion equation; this is for {sorted(DIFFUSION)}.")
        simplices = Simplices.of(case.mesh)
        return cls(case, simplices, *quadrature(simplices.dim, 2 * simplices.order + 1))

    @cached_property
    def sides(self) -> list[Sides]:
        """The outer sides, with the fluxes at u = 0."""
        zero = np.zeros(self.case.mesh.num_points)
        return sides_of(self.simplices, self.case, zero, 2 * self.simplices.order + 1)

    def local_matrices(self) -> Floats:
        """Return (C, n, n) the cells' matrices ∫ k ∇N_i·∇N_j."""
        simplices = self.simplices
        k = simplices.data(self.case, DIFFUSION[self.case.equation.name], self.points)
        metric = simplices.det[:, None, None] * (simplices.inverse @ simplices.inverse.transpose(0, 2, 1))
        slopes = simplices.slopes(self.points)
        table = np.einsum("q,qni,qmj->qijnm", self.weights, slopes.swapaxes(0, 1), slopes.swapaxes(0, 1))
        if simplices.order == 1:  # one slope in the whole cell
            k, table = (k @ self.weights)[:, None], table[:1] / self.weights[0]
        nodes = table.shape[-1]
        return (_outer(k, metric) @ table.reshape(-1, nodes**2)).reshape(-1, nodes, nodes)

    def matrix(self) -> csr_array:
        """Return the natural matrix (N, N), exchange included."""
        n, cells, local = self.case.mesh.num_points, self.simplices.cells, self.local_matrices()
        first, second = np.triu_indices(cells.shape[1], 1)
        pairs = [(cells[:, first].ravel(), cells[:, second].ravel(), local[:, first, second].ravel())]
        diagonal = np.bincount(cells.ravel(), np.einsum("cii->ci", local).ravel(), n)
        for side in self.sides:
            at = np.flatnonzero((side.exchange > 0).any(1))
            shape, nodes = self.simplices.shape(side.points), self.simplices.cells[side.cells[at]]
            block = np.einsum("sq,nq,mq->snm", side.weights[at] * side.exchange[at], shape, shape)
            pairs.append((nodes[:, first].ravel(), nodes[:, second].ravel(), block[:, first, second].ravel()))
            diagonal += np.bincount(nodes.ravel(), np.einsum("cii->ci", block).ravel(), n)
        row, column, value = (np.concatenate(x) for x in zip(*pairs, strict=True))
        low, high = np.minimum(row, column).astype(np.int32), np.maximum(row, column).astype(np.int32)
        half = coo_array((value, (low, high)), shape=(n, n)).tocsr()
        return csr_array(half + half.T + diags_array(diagonal))

    def load(self) -> Floats:
        """Return the load (N,) of source and conditions."""
        n, simplices = self.case.mesh.num_points, self.simplices
        source = simplices.data(self.case, "source", self.points)
        local = (source @ (self.weights * simplices.shape(self.points)).T) * simplices.det[:, None]
        load = np.bincount(simplices.cells.ravel(), local.ravel(), n)
        for side in self.sides:
            at = np.flatnonzero(~np.isnan(side.flux[:, 0]))
            local = (side.weights * side.flux)[at] @ simplices.shape(side.points).T
            load += np.bincount(simplices.cells[side.cells[at]].ravel(), local.ravel(), n)
        return load


def _outer(k: Floats, metric: Floats) -> Floats:
    """(C, Q d d) k at each point times the metric."""
    return (k[:, :, None, None] * metric[:, None]).reshape(len(k), -1)
