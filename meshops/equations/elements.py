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
from geometries.defects import folds
from geometries.errors import MeshError, MeshopsError
from geometries.mesh import Mesh
from geometries.objects import SKFEM_ORDERS, skfem_facets
from meshops.equations.base import Field
from meshops.equations.layout import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PIECE = 1 << 26  # numbers in the basis of cells that are assembled at once: what bounds the memory of a large mesh
_OFF = 1e-6  # of a line's length, between its mid-node and its middle: rounding
KEPT = 1 << 28  # numbers in bases that are kept


class UnsupportedCells(MeshopsError):
    """The reference solver has no element for a cell type."""


class Components(skfem.ElementVector):  # type: ignore[misc]
    """A vector of any number of components; scikit-fem's own must have as many as space, whose dimension is `dim`."""

    def __init__(self, element: Any, count: int) -> None:  # noqa: ANN401
        """Make of `element` one of `count` components."""
        self._made = False
        super().__init__(element, count)
        self.count, self._made = count, True

    @property
    def dim(self) -> int:
        """The number of components while its parent counts degrees of freedom; then the dimension of space."""
        return self.elem.dim if self._made else self._dim

    def gbasis(self, mapping: Any, X: Any, i: int, tind: Any = None) -> Any:  # noqa: ANN401
        """Return the i-th basis function: one of the scalar's, in one component."""
        scalar, component = divmod(i, self.count)
        own = np.eye(self.count)[component]
        values = self.elem.gbasis(mapping, X, scalar, tind)[0].astuple
        return (skfem.DiscreteField(*(None if v is None else np.multiply.outer(own, v) for v in values)),)


@dataclass(frozen=True)
class Reference:
    """scikit-fem's mesh and element for a cell type, the element one order lower, and our local nodes in its order."""

    mesh: type[Any]
    element: type[Any]
    lower: type[Any]
    order: tuple[int, ...]


_HEX27 = (*SKFEM_ORDERS["hexahedron"], 18, 13, 14, 9, 10, 17, 12, 19, 15, 8, 11, 16, 21, 25, 23, 22, 24, 20, 26)
_ORDERS = {**SKFEM_ORDERS, "line3": (0, 1, 2), "hexahedron27": _HEX27}
_CLASSES = {
    "line": (skfem.MeshLine1, skfem.ElementLineP1, skfem.ElementLineP0),
    "line3": (skfem.MeshLine1, skfem.ElementLineP2, skfem.ElementLineP1),
    "triangle": (skfem.MeshTri1, skfem.ElementTriP1, skfem.ElementTriP0),
    "quad": (skfem.MeshQuad1, skfem.ElementQuad1, skfem.ElementQuad0),
    "tetra": (skfem.MeshTet1, skfem.ElementTetP1, skfem.ElementTetP0),
    "hexahedron": (skfem.MeshHex1, skfem.ElementHex1, skfem.ElementHex0),
    "triangle6": (skfem.MeshTri2, skfem.ElementTriP2, skfem.ElementTriP1),
    "quad9": (skfem.MeshQuad2, skfem.ElementQuad2, skfem.ElementQuad1),
    "hexahedron27": (skfem.MeshHex2, skfem.ElementHex2, skfem.ElementHex1),
    "tetra10": (skfem.MeshTet2, skfem.ElementTetP2, skfem.ElementTetP1),
}
REFERENCES = {kind: Reference(*classes, _ORDERS[kind]) for kind, classes in _CLASSES.items()}


@dataclass(frozen=True, eq=False)
class Block:
    """One block of cells as scikit-fem sees it, for all fields at once: `numbers` of its degrees of freedom.

    Its basis is made once if it is `kept`, else each time.
    """

    mesh: Any
    element: Any
    kind: str
    first: int
    count: int
    points: Ints
    fields: tuple[Field, ...]
    kept: bool = True

    @property
    def quadrature(self) -> int:
        """Order of quadrature: exact for variable coefficients in practice."""
        return 2 * CELLS[self.kind].order + 1

    def basis(self) -> Any:  # noqa: ANN401  (scikit-fem is untyped)
        """Return the basis over cells."""
        return self._basis if self.kept else self._new_basis()

    @cached_property
    def _basis(self) -> Any:  # noqa: ANN401
        return self._new_basis()

    def _new_basis(self) -> Any:  # noqa: ANN401
        return skfem.Basis(self.mesh, self.element, intorder=self.quadrature)

    def facet_basis(self, sides: Ints) -> Any:  # noqa: ANN401
        """Return the basis over `sides`, all of this block."""
        local = self._facets[sides[:, 1]]
        facets = self.mesh.t2f[local, sides[:, 0] - self.first]
        return skfem.FacetBasis(self.mesh, self.element, facets=facets, intorder=self.quadrature)

    @cached_property
    def nodes(self) -> Ints:
        """(C, k) points of each cell, in the order of the element's own nodes."""
        return self.points[skfem.Dofs(self.mesh, REFERENCES[self.kind].element()).element_dofs].T

    def nodal_basis(self) -> Any:  # noqa: ANN401
        """Return the basis over cells whose points of evaluation are `nodes`."""
        at = REFERENCES[self.kind].element.doflocs.T
        return skfem.Basis(self.mesh, self.element, quadrature=(at, np.ones(at.shape[1])))

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
        return skfem_facets(CELLS[self.kind], REFERENCES[self.kind].order, self.mesh.refdom)

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
    return Components(element, len(field.parts(dim))) if field.components else element


def blocks(mesh: Mesh, fields: tuple[Field, ...] = (Field("u", ""),)) -> Iterator[Block]:
    """Yield the blocks of `mesh`, those of many cells in pieces, whose bases are not kept.

    Raises `UnsupportedCells` for types that the solver lacks, of several orders and for manifolds, `MeshError` for
    cells that fold over and for `line3` cells whose mid-node is not in the middle.
    """
    reason = unsupported(mesh)
    if reason:
        raise UnsupportedCells(reason)
    for line in folds(mesh):
        raise MeshError(f"{line}.")
    for kind, cells, first in mesh.blocks():
        parts = [_field_element(field, kind.name, mesh.space_dim) for field in fields]
        element = parts[0] if len(parts) == 1 else skfem.ElementComposite(*parts)
        each = _numbers_in_basis(kind.name, fields, mesh.space_dim)
        size, kept = max(PIECE // each, 1), mesh.num_cells * each <= KEPT
        for start in range(0, len(cells), size):
            piece = cells[start : start + size]
            sk, points = _meshed(mesh.points, kind.name, piece)
            yield Block(sk, element, kind.name, first + start, len(piece), points, fields, kept)


def unsupported(mesh: Mesh) -> str:
    """Return why the reference solver has no elements for the cells of a mesh, empty where it has."""
    if mesh.dim != mesh.space_dim:
        return f"cells of dimension {mesh.dim} in {mesh.space_dim}-D space; the reference solver needs as many of both."
    for kind, _, _ in mesh.blocks():
        if kind.name not in REFERENCES:
            return f"the reference solver has no {kind.name} element; it has {sorted(REFERENCES)}."
    if len({kind.order for kind, _, _ in mesh.blocks()}) > 1:
        return f"{' and '.join(mesh.cells)} cells, of first and of second order; mesh with cells of one order."
    return ""


def _numbers_in_basis(kind: str, fields: tuple[Field, ...], dim: int) -> int:
    """How many numbers the basis of one cell holds: values and gradients of its functions at quadrature points."""
    refdom = REFERENCES[kind].element.refdom
    points = skfem.quadrature.get_quadrature(refdom, 2 * CELLS[kind].order + 1)[1].size
    return points * CELLS[kind].nodes * (1 + dim) * sum(len(field.parts(dim)) ** 2 for field in fields)


def _meshed(points: Floats, kind: str, cells: Ints) -> tuple[Any, Ints]:
    """Return scikit-fem's mesh of these cells, and our number of the point of each node of its scalar element."""
    known = REFERENCES[kind]
    order = list(known.order)
    corners = 2 if kind == "line3" else len(order)
    if kind == "line3":
        _check_middles(points[cells, 0])
    sk = known.mesh(*_compact(points, cells[:, order[:corners]]), sort_t=False)
    dofs = skfem.Dofs(sk, known.element()).element_dofs
    numbers = np.empty(int(dofs.max()) + 1, np.int64)
    numbers[dofs] = cells[:, order].T
    return sk, numbers


def _check_middles(ends: Floats) -> None:
    """Raise `MeshError` unless the last of (C, 3) positions is amid the others: scikit-fem's lines have no mid-node."""
    off = np.abs(ends[:, 2] - ends[:, :2].mean(1)) / np.abs(ends[:, 1] - ends[:, 0])
    if off.max(initial=0.0) > _OFF:
        a, b, middle = ends[off.argmax()]
        raise MeshError(
            f"a line3 cell from {a:.6g} to {b:.6g} has its mid-node at {middle:.6g}; expected in the middle: move it "
            "there, or mesh with line cells."
        )


def _compact(points: Floats, cells: Ints) -> tuple[Floats, Ints]:
    used, cells = np.unique(cells, return_inverse=True)
    return np.ascontiguousarray(points[used].T), np.ascontiguousarray(cells.reshape(-1, cells.shape[-1]).T)
