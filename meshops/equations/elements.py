"""Meshes, elements and degrees of freedom as scikit-fem has them, block by block of a mesh's cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import skfem
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.errors import MeshopsError
from geometries.mesh import Mesh
from meshops.equations.base import Field
from meshops.equations.layout import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class UnsupportedCells(MeshopsError):
    """The reference solver has no element for a cell type."""


@dataclass(frozen=True)
class Reference:
    """scikit-fem's mesh and element for a cell type, the element one order lower, and our local nodes in its order."""

    mesh: type[Any]
    element: type[Any]
    lower: type[Any]
    order: tuple[int, ...]


_HEX = (6, 2, 5, 7, 1, 3, 4, 0)
REFERENCES = {
    "line": Reference(skfem.MeshLine1, skfem.ElementLineP1, skfem.ElementLineP0, (0, 1)),
    "line3": Reference(skfem.MeshLine1, skfem.ElementLineP2, skfem.ElementLineP1, (0, 1, 2)),
    "triangle": Reference(skfem.MeshTri1, skfem.ElementTriP1, skfem.ElementTriP0, (0, 1, 2)),
    "quad": Reference(skfem.MeshQuad1, skfem.ElementQuad1, skfem.ElementQuad0, (0, 1, 2, 3)),
    "tetra": Reference(skfem.MeshTet1, skfem.ElementTetP1, skfem.ElementTetP0, (0, 1, 2, 3)),
    "hexahedron": Reference(skfem.MeshHex1, skfem.ElementHex1, skfem.ElementHex0, _HEX),
    "triangle6": Reference(skfem.MeshTri2, skfem.ElementTriP2, skfem.ElementTriP1, (0, 1, 2, 3, 4, 5)),
    "quad9": Reference(skfem.MeshQuad2, skfem.ElementQuad2, skfem.ElementQuad1, tuple(range(9))),
    "tetra10": Reference(skfem.MeshTet2, skfem.ElementTetP2, skfem.ElementTetP1, tuple(range(10))),
}


@dataclass(frozen=True, eq=False)
class Block:
    """One block of cells as scikit-fem sees it, for all fields at once: `numbers` of its degrees of freedom."""

    mesh: Any
    element: Any
    kind: str
    first: int
    count: int
    points: Ints
    fields: tuple[Field, ...]

    @property
    def quadrature(self) -> int:
        """Order of quadrature: exact for variable coefficients in practice."""
        return 2 * CELLS[self.kind].order + 1

    def basis(self) -> Any:  # noqa: ANN401  (scikit-fem is untyped)
        """Return the basis over cells."""
        return skfem.Basis(self.mesh, self.element, intorder=self.quadrature)

    def facet_basis(self, sides: Ints) -> Any:  # noqa: ANN401
        """Return the basis over `sides`, all of this block."""
        local = self._facets[sides[:, 1]]
        facets = self.mesh.t2f[local, sides[:, 0] - self.first]
        return skfem.FacetBasis(self.mesh, self.element, facets=facets, intorder=self.quadrature)

    def owns(self, sides: Ints) -> NDArray[np.bool_]:
        """Return which sides belong to this block."""
        return (sides[:, 0] >= self.first) & (sides[:, 0] < self.first + self.count)

    @cached_property
    def cells(self) -> Ints:
        """(C,) numbers of its cells."""
        return np.arange(self.first, self.first + self.count)

    @cached_property
    def scalar(self) -> Any:  # noqa: ANN401
        """The basis of a scalar over cells, of the mesh's order: for arrays over points."""
        return skfem.Basis(self.mesh, REFERENCES[self.kind].element(), intorder=self.quadrature)

    def scalar_on(self, basis: Any) -> Any:  # noqa: ANN401
        """Return the basis of a scalar at the quadrature points of `basis`, over cells or facets."""
        return basis if _is_scalar(self.fields) else basis.with_element(REFERENCES[self.kind].element())

    @cached_property
    def _facets(self) -> Ints:
        """(F,) scikit-fem's number for each of our local facets."""
        order = REFERENCES[self.kind].order
        theirs = [frozenset(order[i] for i in facet) for facet in self.mesh.refdom.facets]
        ours = [frozenset(nodes[: CELLS[f].corners]) for f, nodes in CELLS[self.kind].facets]
        return np.array([theirs.index(nodes) for nodes in ours])

    def numbers(self, layout: Layout) -> Ints:
        """Return the number in `layout` of each of this block's degrees of freedom."""
        if len(self.fields) == 1:
            return _spread(layout.numbers[self.fields[0].name], self.points)
        basis = skfem.Basis(self.mesh, self.element, intorder=1)
        out = np.empty(basis.N, np.int64)
        for field, own, part in zip(self.fields, basis.split_indices(), basis.split_bases(), strict=True):
            own_points = _points(part.element_dofs, self._nodes(field), len(field.parts(self.mesh.dim())))
            out[own] = _spread(layout.numbers[field.name], own_points)
        return out

    def _nodes(self, field: Field) -> Ints:
        """(k, C) points that carry a field, in scikit-fem's order of local nodes."""
        dofs = skfem.Dofs(self.mesh, _element(field.lower, self.kind)).element_dofs
        scalar = skfem.Dofs(self.mesh, REFERENCES[self.kind].element()).element_dofs
        return self.points[scalar[: len(dofs)]]


def _spread(numbers: Ints, points: Ints) -> Ints:
    return numbers[points].ravel()


def _points(element_dofs: Ints, nodes: Ints, components: int) -> Ints:
    """(n,) the point of each node of a field whose degrees of freedom are node by node."""
    out = np.empty(int(element_dofs.max()) // components + 1, np.int64)
    out[element_dofs[::components] // components] = nodes
    return out


def _is_scalar(fields: tuple[Field, ...]) -> bool:
    return len(fields) == 1 and not fields[0].components


def _element(lower: bool, kind: str) -> Any:  # noqa: ANN401
    return (REFERENCES[kind].lower if lower else REFERENCES[kind].element)()


def _field_element(field: Field, kind: str, dim: int) -> Any:  # noqa: ANN401
    element = _element(field.lower, kind)
    return skfem.ElementVector(element, len(field.parts(dim))) if field.components else element


def blocks(mesh: Mesh, fields: tuple[Field, ...] = (Field("u", ""),)) -> Iterator[Block]:
    """Yield the blocks of `mesh`; raises `UnsupportedCells` for types that the solver lacks and for manifolds."""
    if mesh.dim != mesh.space_dim:
        raise UnsupportedCells(
            f"cells of dimension {mesh.dim} in {mesh.space_dim}-D space; the reference solver needs as many of both."
        )
    for kind, cells, first in mesh.blocks():
        if kind.name not in REFERENCES:
            raise UnsupportedCells(f"the reference solver has no {kind.name} element; it has {sorted(REFERENCES)}.")
        known = REFERENCES[kind.name]
        order = list(known.order)
        corners = 2 if kind.name == "line3" else len(order)
        sk = known.mesh(*_compact(mesh.points, cells[:, order[:corners]]), sort_t=False)
        dofs = skfem.Dofs(sk, known.element()).element_dofs
        points = np.empty(int(dofs.max()) + 1, np.int64)
        points[dofs] = cells[:, order].T
        parts = [_field_element(field, kind.name, mesh.space_dim) for field in fields]
        element = parts[0] if len(parts) == 1 else skfem.ElementComposite(*parts)
        yield Block(sk, element, kind.name, first, len(cells), points, fields)


def _compact(points: Floats, cells: Ints) -> tuple[Floats, Ints]:
    used, cells = np.unique(cells, return_inverse=True)
    return np.ascontiguousarray(points[used].T), np.ascontiguousarray(cells.reshape(-1, cells.shape[-1]).T)
