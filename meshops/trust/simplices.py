"""A mesh of straight triangles or tetrahedra, and a diffusion case's data at quadrature points of cells and sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.mesh import Mesh
from geometries.sides import components, over_sides
from geometries.values import evaluate
from meshops.equations import Case
from meshops.equations.case import Part
from meshops.trust.errors import TrustError
from meshops.trust.raviart_thomas import barycentric, facet_points, quadrature

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DIFFUSION = {"heat": ("conductivity", "loss")}  # equations -∇·(k ∇u) + s u = f, and the names of k and s
_ORDERS = {"triangle": 1, "triangle6": 2, "tetra": 1, "tetra10": 2}
_STRAIGHT = 1e-9  # of a cell's size, by which a mid-node may lie off the middle


def conductivity(case: Case) -> str:
    """Return the name of k, where a case is -∇·(k ∇u) = f with a scalar k; raises `TrustError` where it is not."""
    if case.equation.name not in DIFFUSION:
        raise TrustError(f"{case.equation.name} is no diffusion; fluxes are known of {sorted(DIFFUSION)}.")
    name, loss = DIFFUSION[case.equation.name]
    strange = [p.condition.key for p in case.parts if not isinstance(p.condition, Dirichlet | Neumann | Robin)]
    found = {
        f"a {name} that is a tensor": case.shape_of(name) != (),
        "a nonlinear problem": not case.linear,
        "times": case.transient,
        f"a {loss}": not (isinstance(case.given(loss), float) and case.given(loss) == 0.0),
        f"the condition {strange[:1]}": bool(strange),
    }
    if any(found.values()):
        raise TrustError(f"found {next(k for k, v in found.items() if v)}; expected steady -∇·(k ∇u) = f, scalar k.")
    return name


@dataclass(frozen=True, eq=False)
class Simplices:
    """`cells` (C, n) with the nodes of P1 or P2, `jacobian` (C, d, d), its inverse and its determinant `det` (C,)."""

    mesh: Mesh
    kind: str
    cells: Ints
    jacobian: Floats
    inverse: Floats
    det: Floats

    @classmethod
    @lru_cache(maxsize=2)  # all loads on one part share it
    def of(cls, mesh: Mesh) -> Simplices:
        """Read a mesh. Raises `TrustError` unless it is of straight triangles or tetrahedra of one order."""
        kinds = list(mesh.cells)
        if len(kinds) != 1 or kinds[0] not in _ORDERS or mesh.dim != mesh.space_dim:
            raise TrustError(f"the mesh has {kinds}; equilibrated fluxes need one of {sorted(_ORDERS)} alone.")
        cells, kind = mesh.cells[kinds[0]], CELLS[kinds[0]]
        corners = mesh.points[cells[:, : kind.corners]]
        jacobian = np.ascontiguousarray((corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1))
        if kind.order == 2:
            pairs = np.array(kind.middles)
            off = np.abs(corners[:, pairs].mean(2) - mesh.points[cells[:, kind.corners :]]).max(initial=0.0)
            if off > _STRAIGHT * np.abs(jacobian).max():
                raise TrustError("the mesh has curved cells; equilibrated fluxes need straight ones.")
        return cls(mesh, kinds[0], cells, jacobian, *_invert(jacobian))

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.mesh.dim

    @property
    def order(self) -> int:
        """1 or 2."""
        return _ORDERS[self.kind]

    @cached_property
    def corners(self) -> Ints:
        """(C, d + 1) corner points of the cells."""
        return self.cells[:, : self.dim + 1]

    @cached_property
    def measure(self) -> Floats:
        """(C,) areas or volumes."""
        return self.det / factorial(self.dim)

    @cached_property
    def diameter(self) -> Floats:
        """(C,) longest edges."""
        corners = self.mesh.points[self.corners]
        first, second = np.triu_indices(self.dim + 1, 1)
        return np.linalg.norm(corners[:, first] - corners[:, second], axis=2).max(1)

    def at(self, points: Floats, cells: Ints | slice = slice(None)) -> Floats:
        """Return (C, Q, d) where reference points (Q, d) lie in `cells`."""
        jacobian, start = self.jacobian[cells], self.mesh.points[self.corners[cells, 0]]
        offset = (jacobian.reshape(-1, self.dim) @ points.T).reshape(len(start), self.dim, -1)
        return (start[:, :, None] + offset).swapaxes(1, 2)

    @cached_property
    def _seen(self) -> dict[bytes, Floats]:
        return {}

    def quadrature_points(self, points: Floats) -> Floats:
        """Return `at(points)`, remembered: coefficients and sources ask for the same."""
        key = points.tobytes()
        if key not in self._seen:
            self._seen[key] = self.at(points)
        return self._seen[key]

    def shape(self, points: Floats) -> Floats:
        """Return (n, Q) the nodal basis at reference points (Q, d)."""
        lam = barycentric(points)
        if self.order == 1:
            return lam
        edges = [4 * lam[i : i + 1] * lam[j : j + 1] for i, j in CELLS[self.kind].middles]
        return np.vstack([lam * (2 * lam - 1), *edges])

    def slopes(self, points: Floats) -> Floats:
        """Return (n, Q, d) the reference gradients of the nodal basis at reference points (Q, d)."""
        lam = barycentric(points)
        grad = np.vstack([-np.ones(self.dim), np.eye(self.dim)])[:, None]
        if self.order == 1:
            return np.broadcast_to(grad, (self.dim + 1, len(points), self.dim))
        lam = lam[:, :, None]
        edges = [4 * (lam[i] * grad[j] + lam[j] * grad[i]) for i, j in CELLS[self.kind].middles]
        return np.concatenate([(4 * lam - 1) * grad, np.array(edges)])

    def data(self, case: Case, name: str, points: Floats) -> Floats:
        """Return (C, Q) a coefficient or the `source` at reference points; an array over points is interpolated."""
        given = case.source if name == "source" else case.coefficients[name]
        if isinstance(given, np.ndarray):
            return given[self.cells] @ self.shape(points)
        if isinstance(given, float):
            return np.full((len(self.cells), len(points)), given)
        return case.coefficient(name, self.quadrature_points(points), np.arange(len(self.cells)))


@dataclass(frozen=True, eq=False)
class Sides:
    """The outer sides of one local facet: `cells` (n,), reference points (Q, d), `weights` (n, Q) with area.

    `flux` (n, Q) is k ∂u/∂n as the conditions give it for the field at hand, NaN on Dirichlet sides; `exchange`
    (n, Q) the exchange coefficient; `given` (n, Q) the Dirichlet value, NaN elsewhere; `field` (n, Q) the field's own.
    """

    cells: Ints
    facet: int
    points: Floats
    weights: Floats
    flux: Floats
    exchange: Floats
    given: Floats
    field: Floats


def sides_of(simplices: Simplices, case: Case, values: Floats, order: int) -> list[Sides]:
    """Return the outer sides by local facet number, with the conditions' data at quadrature points of order `order`."""
    mesh, dim = simplices.mesh, simplices.dim
    reference, weights = quadrature(dim - 1, order)
    numbers = np.full(mesh.num_facets, -1)
    numbers[mesh.facet_ids(mesh.outer)] = np.arange(len(mesh.outer))
    if any((numbers[mesh.facet_ids(part.sides)] < 0).any() for part in case.parts):
        raise TrustError("a condition holds inside the mesh; fluxes are known on outer sides only.")
    out = []
    area = mesh.side_geometry(mesh.outer)[2]
    for facet in range(dim + 1):
        at = np.flatnonzero(_opposite(simplices, mesh.outer) == facet)
        cells = mesh.outer[at, 0]
        points = facet_points(dim, facet, reference)
        data = _Data(simplices, cells, facet, points, np.full((4, len(at), len(weights)), np.nan))
        data.arrays[3] = values[simplices.cells[cells]] @ simplices.shape(points)
        data.arrays[0], data.arrays[1] = 0.0, 0.0
        place = np.full(len(mesh.outer), -1)
        place[at] = np.arange(len(at))
        for part in case.parts:
            outer = numbers[mesh.facet_ids(part.sides)]
            _impose(data, part, np.where(outer >= 0, place[outer], -1))
        scaled = area[at][:, None] * weights / weights.sum()
        flux, exchange, given, field = data.arrays
        out.append(Sides(cells, facet, points, scaled, flux, exchange, given, field))
    return out


@dataclass(frozen=True, eq=False)
class _Data:
    simplices: Simplices
    cells: Ints
    facet: int
    points: Floats
    arrays: Floats  # flux, exchange, given, field


def _impose(data: _Data, part: Part, place: Ints) -> None:
    """Write the values of a part's condition where its sides are among those at hand; `place` (sides,) or -1."""
    mine = np.flatnonzero(place >= 0)
    if not len(mine):
        return
    rows = place[mine]
    values = {name: _side_values(data, part, given, mine, rows) for name, given in part.values.items()}
    if isinstance(part.condition, Dirichlet):
        data.arrays[0, rows], data.arrays[2, rows] = np.nan, values["value"]
    elif isinstance(part.condition, Neumann):
        data.arrays[0, rows] += values["value"]
    elif isinstance(part.condition, Robin):
        data.arrays[0, rows] += values["coefficient"] * (values["ambient"] - data.arrays[3, rows])
        data.arrays[1, rows] += values["coefficient"]


def _side_values(data: _Data, part: Part, given: object, mine: Ints, rows: Ints) -> Floats:
    mesh, simplices = data.simplices.mesh, data.simplices
    cells = data.cells[rows]
    if not isinstance(given, np.ndarray):
        return evaluate(given, simplices.at(data.points, cells), part.condition.key)
    if over_sides(mesh, part.sides, given):
        return np.broadcast_to(given[mine][:, None], (len(mine), len(data.points)))
    spread = np.zeros(mesh.num_points)
    spread[mesh.nodes(part.sides)] = given
    return spread[simplices.cells[cells]] @ simplices.shape(data.points)


def _invert(matrices: Floats) -> tuple[Floats, Floats]:
    """Return the inverses and determinants of (C, d, d) matrices, d = 2 or 3, by cofactors: far quicker than LAPACK."""
    a = np.moveaxis(matrices, 0, -1)
    if len(a) == 2:
        cofactors = np.array([[a[1, 1], -a[0, 1]], [-a[1, 0], a[0, 0]]])
    else:
        rows = [[a[(i + 1) % 3], a[(i + 2) % 3]] for i in range(3)]
        columns = [[(j + 1) % 3, (j + 2) % 3] for j in range(3)]
        cofactors = np.array([[p[k] * q[m] - p[m] * q[k] for p, q in rows] for k, m in columns])
    det = (a[0] * cofactors[:, 0]).sum(0)
    return np.ascontiguousarray(np.moveaxis(cofactors / det, -1, 0)), det


def _opposite(simplices: Simplices, sides: Ints) -> Ints:
    """(n,) the local corner opposite to each side."""
    facets = CELLS[simplices.kind].facets
    corners = set(range(simplices.dim + 1))
    return np.array([(corners - set(nodes)).pop() for _, nodes in facets])[sides[:, 1]]


def facet_numbers(simplices: Simplices) -> Ints:
    """Return (C, d + 1) the mesh's facet number opposite to each corner of each cell."""
    count, width = len(simplices.cells), simplices.dim + 1
    sides = np.stack(np.broadcast_arrays(np.arange(count)[:, None], np.arange(width)), -1).reshape(-1, 2)
    out = np.empty((count, width), np.int64)
    out[sides[:, 0], _opposite(simplices, sides)] = simplices.mesh.facet_ids(sides)
    return out


def fans(simplices: Simplices, facets: Ints) -> Ints:
    """Return (C, d + 1) for each corner of each cell the number of its fan: cells around a vertex that share facets.

    There is one fan a vertex, but where parts touch in a point or in an edge only. `facets` are `facet_numbers`.
    """
    corners, width = simplices.corners, simplices.dim + 1
    apart = np.broadcast_to(~np.eye(width, dtype=bool), (len(corners), width, width))  # the facet has the corner
    shape = apart.shape
    joint = (np.broadcast_to(facets[:, None, :], shape) * (corners.max() + 1) + corners[:, :, None])[apart]
    links = np.unique(joint, return_inverse=True)[1].ravel()
    one = np.broadcast_to(np.arange(corners.size).reshape(*corners.shape, 1), shape)[apart]
    joined = np.stack([one, corners.size + links], axis=1)
    label = components(joined, corners.size + int(links.max()) + 1)[: corners.size]
    return np.unique(label, return_inverse=True)[1].reshape(corners.shape)
