"""Recovered gradients: an estimate of the discretisation error of any equation, on any mesh.

Zienkiewicz and Zhu 1987, doi:10.1002/nme.1620240206.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import skfem
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import cg
from skfem.assembly.form.form import FormExtraParams

from geometries.cells import CELLS
from geometries.mesh import Mesh
from meshops.equations import Case
from meshops.equations.assembly import Assembler
from meshops.equations.elements import REFERENCES, Block
from meshops.trust.discretisation import Discretisation
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BECAUSE = ("recovered gradients give an estimate, not a bound",)


def recover(case: Case, values: Floats) -> Discretisation:
    """Return the estimate η² = Σ_T a_T(G - ∇u), G the L² projection of ∇u on fields continuous in each region.

    a_T is the energy of a gradient by the equation's own form, its terms without derivatives left out; of an equation
    with several fields that of the first. `values` (n,) are the unknowns. Good for smooth solutions; a region whose
    coefficients differ from its neighbour's must be named, for the gradient jumps there. What it is blind to, such
    as locking, is in `because`, by the equation's `doubts`.

    Raises `TrustError` where the energy is not positive, as of a solid about to buckle, where no two cells of a region
    meet, so that nothing jumps, and of problems with times.
    """
    if case.transient:
        raise TrustError("the solution has times; its discretisation error is not assessed.")
    assembler, regions = Assembler(case), _regions(case.mesh)
    parts = []
    for block, basis, numbers in assembler.blocks:
        data = assembler.inside(block, basis, values[numbers], case.start)
        parts.append(_Gradients(case, block, basis, regions[block.first : block.first + block.count], data))
    keys = [part.keys for part in parts]
    used, places = np.unique(np.concatenate([k.ravel() for k in keys]), return_inverse=True)
    if len(used) == len(places):
        raise TrustError("no two cells of a region meet; gradients that do not jump tell nothing of the error.")
    split = np.split(places.ravel(), np.cumsum([k.size for k in keys])[:-1])
    nodes = [place.reshape(key.shape) for place, key in zip(split, keys, strict=True)]
    smooth = _project(parts, nodes, len(used))
    squares = np.concatenate([p.energy(p.gradient - p.at(smooth[n])) for p, n in zip(parts, nodes, strict=True)])
    whole = float(sum(part.energy(part.gradient).sum() for part in parts))
    total = float(squares.sum())
    if not (np.isfinite(total) and total >= 0 and whole >= 0):
        raise TrustError("the energy of gradients is not positive here; the discretisation error is not assessed.")
    error, size = np.sqrt(total), np.sqrt(whole)
    relative = error / size if size > 0 else float("inf") if error > 0 else 0.0
    per_cell = np.sqrt(np.maximum(squares, 0.0))
    because = (*BECAUSE, *case.equation.doubts(case))
    return Discretisation(float(error), float(relative), False, "recovered gradients", per_cell, because)


def _regions(mesh: Mesh) -> Ints:
    """(C,) a number for each combination of regions that a cell may lie in."""
    inside = np.zeros((mesh.num_cells, len(mesh.regions)), bool)
    for column, cells in enumerate(mesh.regions.values()):
        inside[cells, column] = True
    return np.unique(inside, axis=0, return_inverse=True)[1].ravel()


@dataclass(frozen=True, eq=False)
class _Gradients:
    """∇u of the first field at the quadrature points of one block, and its energy there."""

    case: Case
    block: Block
    basis: Any
    regions: Ints
    data: dict[str, Any]

    @cached_property
    def gradient(self) -> Floats:
        """(..., C, Q) ∇u, of a vector its components first."""
        return np.asarray(self.data[self.case.equation.field].grad)

    @cached_property
    def _scalar(self) -> Any:  # noqa: ANN401
        known = REFERENCES[self.block.kind]
        return self.basis.with_element((known.element if CELLS[self.block.kind].order == 1 else known.lower)())

    @cached_property
    def keys(self) -> Ints:
        """(C, k) a number for each node of each cell, one for all cells of a region that meet there."""
        points = self.block.nodes[:, : len(self._scalar.element_dofs)]
        return self.regions[:, None] * self.case.mesh.num_points + points

    @cached_property
    def shape(self) -> Floats:
        """(C, k, Q) the nodal basis."""
        size = self.basis.dx.shape
        functions = [np.broadcast_to(np.asarray(f[0]), size) for f in self._scalar.basis]
        return np.ascontiguousarray(np.moveaxis(np.array(functions), 0, 1))

    def mass(self) -> Floats:
        """Return (C, k, k) ∫ φ_i φ_j."""
        return (self.shape * self.basis.dx[:, None]) @ self.shape.swapaxes(1, 2)

    @cached_property
    def loads(self) -> Floats:
        """Return (C, k, m) ∫ φ_i ∂u."""
        columns = self.gradient.reshape(-1, *self.basis.dx.shape)
        return (self.shape * self.basis.dx[:, None]) @ np.moveaxis(columns, 0, -1)

    def at(self, smooth: Floats) -> Floats:
        """Return (..., C, Q) the field whose values at the nodes are (C, k, m)."""
        return np.moveaxis(self.shape.swapaxes(1, 2) @ smooth, -1, 0).reshape(self.gradient.shape)

    def energy(self, gradient: Floats) -> Floats:
        """Return (C,) the integral of the equation's form for a field of value 0 and this gradient."""
        nothing = [skfem.DiscreteField(*(_zero(part) for part in self.data[f.name].astuple)) for f in self._others]
        value = np.zeros_like(np.asarray(self.data[self.case.equation.field]))
        field = skfem.DiscreteField(value=value, grad=gradient)
        given = FormExtraParams(**self.basis.default_parameters(), **self.data)
        density = self.case.equation.bilinear(field, *nothing, field, *nothing, given)
        return (np.asarray(density) * self.basis.dx).sum(-1)

    @property
    def _others(self) -> tuple[Any, ...]:
        return self.case.equation.fields[1:]


def _zero(part: Any) -> Any:  # noqa: ANN401
    return None if part is None else np.zeros_like(np.asarray(part))


def _project(parts: list[_Gradients], nodes: list[Ints], count: int) -> Floats:
    """Return (count, m) the values at nodes of the L² projection."""
    mass, loads = csr_array((count, count)), np.zeros((count, parts[0].loads.shape[2]))
    for part, at in zip(parts, nodes, strict=True):
        local = part.mass()
        rows, columns = np.broadcast_arrays(at[:, :, None], at[:, None, :])
        mass = mass + csr_array((local.ravel(), (rows.ravel(), columns.ravel())), shape=(count, count))
        given = part.loads
        for column, one in zip(loads.T, np.moveaxis(given, -1, 0), strict=True):
            column += np.bincount(at.ravel(), one.ravel(), minlength=count)
    inverse = diags_array(1.0 / mass.diagonal())
    return np.stack([cg(mass, column, rtol=1e-6, M=inverse)[0] for column in loads.T], axis=1)
