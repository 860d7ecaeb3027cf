"""Equilibrated fluxes: a guaranteed bound on the error of a field against the exact solution of -∇·(k ∇u) = f.

For any flux σ with ∇·σ = f on the mean of each cell and σ·n as the conditions ask (Prager and Synge 1947; Ern and
Vohralík 2015, doi:10.1137/130950100):

    ‖u_exact - u‖² ≤ Σ_T ( ‖k^(-½)(σ + k ∇u)‖_T + h_T/(π √k_T) ‖f - ∇·σ‖_T + Σ_F C_F/√k_T ‖g - σ_g‖_F )² + Σ_F ‖h^(-½)
    ϱ‖²_F

in the energy norm, with g the flux of Neumann and Robin conditions, σ_g its projection, C_F the constant of the trace
inequality, and ϱ what is led out through Robin sides beyond their exchange, with g - σ_g where that is less so. σ is
the sum of the fluxes of `patches`. Where u is not quite the discrete solution, the patches leave a remainder of ∇·σ,
which is led along a spanning tree of the cells to a boundary that takes it: the bound holds for every field that has
the Dirichlet values, and is sharp where the field is near the discrete solution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array
from scipy.sparse.csgraph import breadth_first_order
from scipy.sparse.linalg import spsolve_triangular

from geometries.expressions import Expression
from meshops.equations import Case
from meshops.trust.discretisation import Discretisation
from meshops.trust.errors import TrustError
from meshops.trust.patches import Local, Patches, solve_patches
from meshops.trust.raviart_thomas import RaviartThomas, barycentric, moments, raviart_thomas
from meshops.trust.simplices import Sides, Simplices, conductivity, facet_numbers, fans, sides_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# of the fluxes, by dimension and order of u: one more than needed for P1 in 2-D, where it is cheap and a tenth sharper
DEGREE = {(2, 1): 1, (2, 2): 1, (3, 1): 0, (3, 2): 1}


def equilibrate(case: Case, values: Floats) -> Discretisation:
    """Return the bound on ‖u_exact - u‖ for a field (N,), Dirichlet values included, P1 or P2 on straight simplices.

    Guaranteed if k is constant on each cell, the Dirichlet values are polynomials on the sides, and the other data are
    numbers, arrays or polynomials that the quadrature integrates; else `because` says what is not. Raises `TrustError`
    for other equations and meshes.
    """
    problem = _Problem.of(case, values)
    flux = problem.patch_fluxes()
    flux, excess = problem.drained(flux)
    on_sides, exchanged = problem.side_oscillation()
    per_cell = problem.mismatch(flux) + problem.oscillation(flux) + on_sides
    error = float(np.hypot(np.linalg.norm(per_cell), np.sqrt(excess) + np.sqrt(exchanged)))
    because = problem.doubts(case)
    size = problem.size()
    relative = error / size if size > 0 else float("inf") if error > 0 else 0.0
    return Discretisation(error, relative, not because, "equilibrated fluxes", per_cell, because)


@dataclass(frozen=True, eq=False)
class _Problem:
    """A case on simplices: k, f (C, Q) at quadrature points, the field's `values` (C, nodes), and the sides' data."""

    simplices: Simplices
    rt: RaviartThomas
    k: Floats
    f: Floats
    values: Floats
    sides: list[Sides]
    facets: Ints

    @classmethod
    def of(cls, case: Case, values: Floats) -> _Problem:
        name = conductivity(case)
        simplices = Simplices.of(case.mesh)
        order = 2 * simplices.order + 3
        rt = raviart_thomas(simplices.dim, DEGREE[simplices.dim, simplices.order], order)
        k = simplices.data(case, name, rt.points)
        f = simplices.data(case, "source", rt.points)
        nodal = values[simplices.cells]
        return cls(simplices, rt, k, f, nodal, sides_of(simplices, case, values, order), facet_numbers(simplices))

    @cached_property
    def gradient(self) -> Floats:
        """(C, Q, d) ∇u."""
        slopes = self.simplices.slopes(self.rt.points)
        return np.einsum("cn,nqi,cij->cqj", self.values, slopes, self.simplices.inverse, optimize=True)

    @cached_property
    def weights(self) -> Floats:
        """(C, Q) quadrature weights in space."""
        return self.simplices.det[:, None] * self.rt.weights

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """(facets,) where the flux is unknown: everywhere but where a condition gives it."""
        free = np.ones(self.simplices.mesh.num_facets, dtype=bool)
        for side in self.sides:
            free[self.facets[side.cells[~np.isnan(side.flux[:, 0])], side.facet]] = False
        return free

    @cached_property
    def corners(self) -> Ints:
        """(C, d + 1) the patch of each corner of each cell: one a vertex, or several where parts touch there only."""
        return fans(self.simplices, self.facets)

    @cached_property
    def closed(self) -> NDArray[np.bool_]:
        """(V,) patches on no Dirichlet side, where u satisfies the discrete equation."""
        closed = np.ones(self.corners.max() + 1, dtype=bool)
        for side in self.sides:
            held = side.cells[np.isnan(side.flux[:, 0])]
            closed[np.delete(self.corners[held], side.facet, axis=1)] = False
        return closed

    def patch_fluxes(self) -> Floats:
        """Return (C, n) the degrees of freedom of σ."""
        rt, corners = self.rt, self.corners
        known = self._known()
        target = self._target()
        out = known[:, :, rt.facet_dofs.ravel()].sum(2)  # through the surface, on each corner's share
        rest = target[:, :, 0] - out
        vertex = np.bincount(corners.ravel(), rest.ravel())
        patch = np.bincount(corners.ravel(), np.repeat(self.simplices.measure, corners.shape[1]))
        share = np.where(self.closed, vertex / patch, 0.0)
        target[:, :, 0] -= share[corners] * self.simplices.measure[:, None]
        mass = self._mass()
        load = -np.einsum("cnm,cam->can", mass, self._hat_fluxes(), optimize=True)
        divergence = np.einsum("q,nq,mq->nm", rt.weights, rt.divergence, rt.tests)
        patches = Patches(rt, corners, self.facets, self.free)
        return solve_patches(patches, Local(mass, divergence, load, target, known), self.closed)

    def _hat_fluxes(self) -> Floats:
        """(C, a, n) the degrees of freedom of ψ_a k ∇u, with k its mean on the cell."""
        simplices, dim, degree = self.simplices, self.rt.dim, self.rt.degree

        def fields(points: Floats) -> Floats:
            products = np.einsum("aq,nql,jd->anljqd", barycentric(points), simplices.slopes(points), np.eye(dim))
            return products.reshape(-1, len(points), dim)

        table = moments(dim, degree, fields).reshape(len(self.rt.flux), dim + 1, -1, dim, dim)
        k = (self.k * self.weights).sum(1) / self.weights.sum(1)
        metric = np.einsum("c,cji,cli->cjl", k * simplices.det, simplices.inverse, simplices.inverse)
        return np.einsum("cn,cjl,ianlj->cai", self.values, metric, table, optimize=True)

    def _mass(self) -> Floats:
        """(C, n, n) ∫ k⁻¹ φ_i·φ_j."""
        metric = np.einsum("cki,ckj->cij", self.simplices.jacobian, self.simplices.jacobian)
        weight = self.rt.weights / (self.k * self.simplices.det[:, None])
        return np.einsum("cq,nqi,cij,mqj->cnm", weight, self.rt.flux, metric, self.rt.flux, optimize=True)

    def _target(self) -> Floats:
        """(C, a, m) ∫ (ψ_a f - k ∇ψ_a·∇u) q_m."""
        hats = np.einsum("ai,cij->caj", self.rt.gradients, self.simplices.inverse)
        inner = np.einsum("cq,caj,cqj->caq", self.k, hats, self.gradient, optimize=True)
        return np.einsum("cq,caq,mq->cam", self.weights, self.rt.barycentric * self.f[:, None] - inner, self.rt.tests)

    def _known(self) -> Floats:
        """(C, a, n) moments of the known outward flux -ψ_a g through the sides with a condition that gives it."""
        known = np.zeros((*self.simplices.corners.shape, len(self.rt.flux)))
        for side in self.sides:
            at = np.flatnonzero(~np.isnan(side.flux[:, 0]))
            lam = np.delete(barycentric(side.points), side.facet, axis=0)
            tests = lam if self.rt.degree else np.ones((1, lam.shape[1]))
            moments = -np.einsum("sq,aq,jq->saj", (side.weights * side.flux)[at], lam, tests)
            hats = np.delete(np.arange(len(known[0])), side.facet)
            known[side.cells[at][:, None, None], hats[:, None], self.rt.facet_dofs[side.facet]] = moments
        return known

    def divergence(self, flux: Floats) -> Floats:
        """Return (C, Q) ∇·σ."""
        return (flux @ self.rt.divergence) / self.simplices.det[:, None]

    def drained(self, flux: Floats) -> tuple[Floats, float]:
        """Return σ with the right mean divergence in each cell, and Σ ‖h^(-½) ϱ‖² of what leaves by Robin sides."""
        rest = (self.weights * (self.f - self.divergence(flux))).sum(1)
        through, excess = _drain(self, rest)
        thin = raviart_thomas(self.rt.dim, 0, 2 * self.rt.degree + 3)
        embed = np.zeros((len(self.rt.flux), self.rt.dim + 1))  # RT_0 in RT_k
        for facet, dofs in enumerate(self.rt.facet_dofs):
            embed[dofs, facet] = 1.0 / len(dofs)
        if self.rt.degree:
            embed[self.rt.facet_dofs.size :] = np.einsum("q,nqd->dn", thin.weights, thin.flux)
        return flux + through @ embed.T, excess

    def mismatch(self, flux: Floats) -> Floats:
        """Return (C,) ‖k^(-½)(σ + k ∇u)‖ on each cell."""
        sigma = np.einsum("cn,nqi,cji->cqj", flux, self.rt.flux, self.simplices.jacobian, optimize=True)
        sigma = sigma / self.simplices.det[:, None, None] + self.k[..., None] * self.gradient
        return np.sqrt((self.weights / self.k * (sigma**2).sum(2)).sum(1))

    def oscillation(self, flux: Floats) -> Floats:
        """Return (C,) h/(π √k) ‖f - ∇·σ‖ on each cell."""
        rest = np.sqrt((self.weights * (self.f - self.divergence(flux)) ** 2).sum(1))
        return self.simplices.diameter / pi * rest / np.sqrt(self.k.min(1))

    def side_oscillation(self) -> tuple[Floats, float]:
        """Return (C,) the sum of C_F/√k ‖g - σ_g‖ over a cell's sides, and Σ h⁻¹ ‖g - σ_g‖² of sides where it is less.

        For the energy norm holds what is exchanged, too: the error is small where h is large.
        """
        out, dim, exchanged = np.zeros(len(self.k)), self.rt.dim, 0.0
        h, measure = self.simplices.diameter, self.simplices.measure
        for side in self.sides:
            at = np.flatnonzero(~np.isnan(side.flux[:, 0]))
            area, cells = side.weights[at].sum(1), side.cells[at]
            constant = np.sqrt(area / measure[cells] * h[cells] ** 2 * (1 / pi + 2 / dim) / pi)
            rest = _unprojected(side, at, self.rt.degree)
            inside, exchange = constant * rest / np.sqrt(self.k[cells].min(1)), side.exchange[at]
            one = (exchange.min(1) > 0) & (np.ptp(exchange, axis=1) <= 1e-12 * exchange.max(1))  # else ∫ 1/h is inexact
            through = np.full(len(at), np.inf)
            through[one] = rest[one] / np.sqrt(exchange[one].min(1))
            out += np.bincount(cells, np.where(through < inside, 0.0, inside), len(out))
            exchanged += float((through[through < inside] ** 2).sum())
        return out, exchanged

    def size(self) -> float:
        """Return (∫ k |∇u|²)^½, at most the energy norm of u."""
        return float(np.sqrt((self.weights * self.k * (self.gradient**2).sum(2)).sum()))

    def doubts(self, case: Case) -> tuple[str, ...]:
        """Return why the bound is not guaranteed."""
        found = []
        placed = _degree(case.given(conductivity(case)), 0) != 0
        if placed or (np.ptp(self.k, axis=1) > 1e-12 * self.k.max(1)).any():
            found.append("the coefficient varies inside cells, where the discrete equations are integrated inexactly")
        scale = max(float(np.abs(s.field).max(initial=0.0)) for s in self.sides)
        if any((np.abs(s.given - s.field) > 1e-9 * scale).any() for s in self.sides):
            found.append("the Dirichlet values are interpolated, not met")
        sampled = _sampled(case, self.simplices.order)
        if sampled:
            found.append(f"{', '.join(sampled)}: no polynomial of low degree, so known at quadrature points only")
        return tuple(found)


def _sampled(case: Case, order: int) -> list[str]:
    """The data whose squares the quadrature of order 2 `order` + 3 does not integrate exactly."""
    degrees = {"the source": _degree(case.source, order)}
    for part in case.parts:
        of = {name: _degree(value, order) for name, value in part.values.items()}
        if "coefficient" in of:  # h (u_a - u)
            of = {"exchange": of["coefficient"] + max(of["ambient"], order)}
        degrees |= {f"the {part.condition.key} {name} on {part.name}": degree for name, degree in of.items()}
    return [name for name, degree in degrees.items() if degree > order + 1]


def _degree(given: object, order: int) -> float:
    """The degree of a value on a cell as a polynomial, `order` of an array over points; infinite where it is none."""
    if isinstance(given, np.ndarray):
        return order
    if isinstance(given, Expression):
        return np.inf if given.degree is None else given.degree
    return 0


def _unprojected(side: Sides, at: Ints, degree: int) -> Floats:
    """Return (n,) ‖g - σ_g‖ on the sides `at`, σ_g the projection on polynomials of the degree."""
    tests = np.delete(barycentric(side.points), side.facet, axis=0) if degree else np.ones((1, len(side.points)))
    share = side.weights[at[:1]].ravel() / side.weights[at[:1]].sum() if len(at) else np.ones(len(side.points))
    gram = (tests * share) @ tests.T
    flux = side.flux[at]
    rest = flux - (flux * share) @ tests.T @ np.linalg.solve(gram, tests)
    return np.sqrt((side.weights[at] * rest**2).sum(1))


def _drain(problem: _Problem, rest: Floats) -> tuple[Floats, float]:
    """Lead `rest` (C,) along a spanning tree of the cells to Dirichlet and Robin sides.

    Returns the outward fluxes (C, d + 1) and the excess Σ ‖h^(-½) ϱ‖².
    """
    facets, count = problem.facets, len(rest)
    resistance = np.full(problem.simplices.mesh.num_facets, np.inf)  # (∫ 1/h)/area², 0 on Dirichlet sides
    for side in problem.sides:
        at = facets[side.cells, side.facet]
        takes = side.exchange.min(1) > 0
        slowness = np.full(len(at), np.inf)
        slowness[takes] = (side.weights[takes] / side.exchange[takes]).sum(1) / side.weights[takes].sum(1) ** 2
        resistance[at] = np.where(np.isnan(side.flux[:, 0]), 0.0, slowness)
    cells = np.repeat(np.arange(count), facets.shape[1])
    order = np.argsort(facets.ravel(), kind="stable")
    numbers, first, times = np.unique(facets.ravel()[order], return_index=True, return_counts=True)
    one = cells[order[first]]
    other = np.where(times == 2, cells[order[np.minimum(first + 1, len(order) - 1)]], count)
    usable = np.flatnonzero((times == 2) | np.isfinite(resistance[numbers]))
    # a cell may have several sides that drain; a tree needs one
    usable = usable[np.unique(one[usable] * (count + 1) + other[usable], return_index=True)[1]]
    links = csr_array((numbers[usable] + 1, (one[usable], other[usable])), shape=(count + 1, count + 1))
    both = csr_array(links.maximum(links.T))
    ordered, parent = breadth_first_order(both, count, directed=False)
    load = np.append(rest, 0.0)
    up = np.maximum(parent, 0)
    tree = csr_array((np.where(parent >= 0, 1.0, 0.0), (up, np.arange(count + 1))), shape=(count + 1, count + 1))
    if len(ordered) <= count:
        raise TrustError("some cells have no way to a Dirichlet or Robin side; the solution is not unique.")
    back = ordered[::-1]
    # what drains through a cell: (I - tree) total = load, triangular from the leaves to the root
    total = np.empty(count + 1)
    total[back] = spsolve_triangular(csr_array(eye_array(count + 1) - tree[back][:, back]), load[back], lower=True)
    edge = np.array(both[np.arange(count), up[:count]]).ravel().astype(np.int64) - 1
    flux = np.zeros(problem.simplices.mesh.num_facets)
    np.add.at(flux, edge, total[:count])
    leaving = edge[up[:count] == count]
    excess = flux[leaving] ** 2 * resistance[leaving]
    owner = np.full(len(flux), -1)
    owner[edge] = np.arange(count)
    sign = np.where(owner[facets] == np.arange(count)[:, None], 1.0, -1.0)
    return flux[facets] * sign, float(excess.sum())
