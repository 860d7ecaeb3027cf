"""Assembly by scikit-fem: from a case to a linear system whose unknowns are the mesh's points.

Each block of cells is assembled on its own and scattered to point numbers, so that blocks of several types add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import skfem
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometries.cells import CELLS
from geometries.errors import MeshopsError
from geometries.mesh import Mesh
from geometries.values import Value, evaluate
from meshops.equations.base import Form
from meshops.equations.case import Case, Part

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# cell type: scikit-fem's mesh and element, and our local nodes in its order
_ELEMENTS: dict[str, tuple[type[Any], type[Any], tuple[int, ...]]] = {
    "line": (skfem.MeshLine1, skfem.ElementLineP1, (0, 1)),
    "triangle": (skfem.MeshTri1, skfem.ElementTriP1, (0, 1, 2)),
    "quad": (skfem.MeshQuad1, skfem.ElementQuad1, (0, 1, 2, 3)),
    "tetra": (skfem.MeshTet1, skfem.ElementTetP1, (0, 1, 2, 3)),
    "hexahedron": (skfem.MeshHex1, skfem.ElementHex1, (6, 2, 5, 7, 1, 3, 4, 0)),
    "triangle6": (skfem.MeshTri2, skfem.ElementTriP2, (0, 1, 2, 3, 4, 5)),
    "quad9": (skfem.MeshQuad2, skfem.ElementQuad2, (0, 1, 2, 3, 4, 5, 6, 7, 8)),
    "tetra10": (skfem.MeshTet2, skfem.ElementTetP2, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
}


class UnsupportedCells(MeshopsError):
    """The reference solver has no element for a cell type."""


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """matrix u = rhs over all points (N), with u = fixed_value where `fixed`.

    `matrix` and `rhs` are those of the natural problem; essential conditions are not yet eliminated.
    """

    matrix: csr_array
    rhs: Floats
    fixed: NDArray[np.bool_]
    fixed_value: Floats


@dataclass(frozen=True, eq=False)
class Block:
    """One block of cells as scikit-fem sees it: its mesh, element, and the point of each degree of freedom."""

    mesh: Any
    element: Any
    kind: str
    first: int
    count: int
    points: Ints

    def basis(self) -> Any:  # noqa: ANN401  (scikit-fem is untyped)
        """Return the basis over cells, with quadrature exact for variable coefficients in practice."""
        return skfem.Basis(self.mesh, self.element, intorder=2 * CELLS[self.kind].order + 1)

    def facet_basis(self, sides: Ints) -> Any:  # noqa: ANN401
        """Return the basis over `sides`, all of this block."""
        local = _skfem_facets(self.kind, self.mesh)[sides[:, 1]]
        facets = self.mesh.t2f[local, sides[:, 0] - self.first]
        return skfem.FacetBasis(self.mesh, self.element, facets=facets, intorder=2 * CELLS[self.kind].order + 1)

    def owns(self, sides: Ints) -> NDArray[np.bool_]:
        """Return which sides belong to this block."""
        return (sides[:, 0] >= self.first) & (sides[:, 0] < self.first + self.count)


def blocks(mesh: Mesh) -> Iterator[Block]:
    """Yield the blocks of `mesh`; raises `UnsupportedCells` for types that the solver lacks and for manifolds."""
    if mesh.dim != mesh.space_dim:
        raise UnsupportedCells(
            f"cells of dimension {mesh.dim} in {mesh.space_dim}-D space; the reference solver needs as many of both."
        )
    for kind, cells, first in mesh.blocks():
        if kind.name not in _ELEMENTS:
            raise UnsupportedCells(f"the reference solver has no {kind.name} element; it has {sorted(_ELEMENTS)}.")
        mesh_type, element, order = _ELEMENTS[kind.name]
        sk = mesh_type(*_compact(mesh.points, cells[:, list(order)]), sort_t=False)
        dofs = skfem.Dofs(sk, element()).element_dofs
        points = np.empty(int(dofs.max()) + 1, np.int64)
        points[dofs] = cells[:, list(order)].T
        yield Block(sk, element(), kind.name, first, len(cells), points)


def _compact(points: Floats, cells: Ints) -> tuple[Floats, Ints]:
    used, cells = np.unique(cells, return_inverse=True)
    return np.ascontiguousarray(points[used].T), np.ascontiguousarray(cells.reshape(-1, cells.shape[-1]).T)


def _skfem_facets(kind: str, mesh: Any) -> Ints:  # noqa: ANN401
    """(F,) scikit-fem's number for each of our local facets."""
    order = _ELEMENTS[kind][2]
    theirs = [frozenset(order[i] for i in facet) for facet in mesh.refdom.facets]
    ours = [frozenset(nodes[: CELLS[f].corners]) for f, nodes in CELLS[kind].facets]
    return np.array([theirs.index(nodes) for nodes in ours])


def assemble(case: Case) -> LinearSystem:
    """Assemble the weak form of the case's equation with its coefficients, source and conditions."""
    n, equation = case.mesh.num_points, case.equation
    matrix, rhs = csr_array((n, n)), np.zeros(n)
    for block in blocks(case.mesh):
        basis = block.basis()
        data = _cell_data(case, block, basis)
        matrix = matrix + _matrix(block, basis, equation.bilinear, data, n)
        rhs += _vector(block, basis, equation.linear, data, n)
        for part in case.parts:
            inside = block.owns(part.sides)
            terms = equation.terms.get(type(part.condition))
            if terms is None or not inside.any():
                continue
            basis = block.facet_basis(part.sides[inside])
            data = _side_data(case.mesh, part, block, basis)
            matrix = matrix + _matrix(block, basis, terms.bilinear, data, n)
            rhs += _vector(block, basis, terms.linear, data, n)
    fixed = ~np.isnan(case.fixed)
    return LinearSystem(csr_array(matrix), rhs, fixed, np.where(fixed, case.fixed, 0.0))


def _cell_data(case: Case, block: Block, basis: Any) -> dict[str, Floats]:  # noqa: ANN401
    where = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
    cells = np.arange(block.first, block.first + block.count)
    data = {}
    for name, given in {"source": case.source, **case.coefficients}.items():
        if isinstance(given, np.ndarray):
            data[name] = _sample(given, block, basis, where, name)
        else:
            data[name] = case.coefficient(name, where, cells)
    return data


def _side_data(mesh: Mesh, part: Part, block: Block, basis: Any) -> dict[str, Floats]:  # noqa: ANN401
    where = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
    nodes, inside = mesh.nodes(part.sides), block.owns(part.sides)
    data = {}
    for name, given in part.values.items():
        label = f"{part.condition.key} {name} on {part.name!r}"
        if isinstance(given, np.ndarray) and given.shape == (len(part.sides),) and len(nodes) != len(part.sides):
            data[name] = np.broadcast_to(given[inside][:, None], where.shape[:-1])
        elif isinstance(given, np.ndarray):
            spread = np.zeros(mesh.num_points)
            spread[nodes] = given
            data[name] = _sample(spread, block, basis, where, label)
        else:
            data[name] = evaluate(given, where, label)
    return data


def _sample(given: Value, block: Block, basis: Any, where: Floats, what: str) -> Floats:  # noqa: ANN401
    """Return values at quadrature points (C, q); an array over points is interpolated by the element."""
    if isinstance(given, np.ndarray):
        return np.asarray(basis.interpolate(given[block.points]))
    return evaluate(given, where, what)


def _matrix(block: Block, basis: Any, form: Form | None, data: dict[str, Floats], n: int) -> csr_array:  # noqa: ANN401
    if form is None:
        return csr_array((n, n))
    local = skfem.BilinearForm(form).assemble(basis, **data).tocoo()
    return csr_array((local.data, (block.points[local.row], block.points[local.col])), shape=(n, n))


def _vector(block: Block, basis: Any, form: Form | None, data: dict[str, Floats], n: int) -> Floats:  # noqa: ANN401
    if form is None:
        return np.zeros(n)
    return np.bincount(block.points, skfem.LinearForm(form).assemble(basis, **data), minlength=n)
