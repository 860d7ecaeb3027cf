"""Recovered fluxes: an estimate of the discretisation error on any mesh.

Zienkiewicz and Zhu 1987, doi:10.1002/nme.1620240206.
"""

from __future__ import annotations

import numpy as np
import skfem
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import cg

from geometries.cells import CELLS
from meshops.equations import Case
from meshops.equations.assembly import Block, blocks
from meshops.trust.discretisation import Discretisation
from meshops.trust.errors import TrustError
from meshops.trust.simplices import DIFFUSION

Floats = NDArray[np.float64]
BECAUSE = ("recovered fluxes give an estimate, not a bound",)


def recover(case: Case, values: Floats) -> Discretisation:
    """Return the estimate η² = Σ_T ‖k^(-½)(G - k ∇u)‖²_T, G the L² projection of k ∇u on continuous fields.

    Good for smooth solutions and coefficients; where k jumps the flux along an interface jumps too, and it says too
    much. Raises `TrustError` for other equations than diffusion.
    """
    if case.equation.name not in DIFFUSION:
        raise TrustError(f"{case.equation.name} has no recovered fluxes; they are for {sorted(DIFFUSION)}.")
    parts = [_Fluxes(case, block, values) for block in blocks(case.mesh)]
    n = case.mesh.num_points
    mass = sum((part.mass(n) for part in parts), csr_array((n, n)))
    loads = sum(part.loads(n) for part in parts)
    smooth = _project(mass, loads)
    squares = np.concatenate([part.mismatch(smooth) for part in parts])
    error, size = float(np.sqrt(squares.sum())), float(np.sqrt(sum(part.size() for part in parts)))
    relative = error / size if size > 0 else float("inf") if error > 0 else 0.0
    return Discretisation(error, relative, False, "recovered fluxes", np.sqrt(squares), BECAUSE)


class _Fluxes:
    """k ∇u at the quadrature points of one block."""

    def __init__(self, case: Case, block: Block, values: Floats) -> None:
        self.block, self.basis = block, skfem.Basis(block.mesh, block.element, intorder=2 * CELLS[block.kind].order + 1)
        name = DIFFUSION[case.equation.name]
        given = case.coefficients[name]
        if isinstance(given, np.ndarray):
            self.k = np.asarray(self.basis.interpolate(given[block.points]))
        else:
            where = np.moveaxis(np.asarray(self.basis.global_coordinates()), 0, -1)
            self.k = case.coefficient(name, where, np.arange(block.first, block.first + block.count))
        self.flux = self.k * np.asarray(self.basis.interpolate(values[block.points]).grad)

    def mass(self, n: int) -> csr_array:
        """Return (n, n) ∫ u v."""
        local = skfem.BilinearForm(lambda u, v, w: u * v).assemble(self.basis).tocoo()
        points = self.block.points
        return csr_array((local.data, (points[local.row], points[local.col])), shape=(n, n))

    def loads(self, n: int) -> Floats:
        """Return (n, d) ∫ k ∂_i u v."""
        form = skfem.LinearForm(lambda v, w: w.q * v)
        columns = [form.assemble(self.basis, q=component) for component in self.flux]
        return np.stack([np.bincount(self.block.points, column, minlength=n) for column in columns], axis=1)

    def mismatch(self, smooth: Floats) -> Floats:
        """Return (C,) ∫ |G - k ∇u|²/k."""
        given = np.array([np.asarray(self.basis.interpolate(column[self.block.points])) for column in smooth.T])
        return (((given - self.flux) ** 2).sum(0) / self.k * self.basis.dx).sum(1)

    def size(self) -> float:
        """Return ∫ k |∇u|²."""
        return float(((self.flux**2).sum(0) / self.k * self.basis.dx).sum())


def _project(mass: csr_array, loads: Floats) -> Floats:
    diagonal = mass.diagonal()
    inverse = diags_array(np.where(diagonal > 0, 1.0 / np.where(diagonal > 0, diagonal, 1.0), 0.0))
    return np.stack([cg(mass, column, rtol=1e-6, M=inverse)[0] for column in loads.T], axis=1)
