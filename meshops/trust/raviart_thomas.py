"""Raviart-Thomas fluxes RT_k, k = 0 or 1, on the reference simplex, with the degrees of freedom that patches share.

A flux σ = J σ̂ / det J on a cell (Piola) has the degrees of freedom of σ̂: on facet i, opposite corner i, the moments
∫ σ·n q over the outward normal, q = 1 for k = 0 and the barycentric coordinates of the facet's corners, in the cell's
order, for k = 1; and for k = 1 the d integrals of σ̂ over the reference cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import skfem
from numpy.typing import NDArray
from skfem.quadrature import get_quadrature

Floats = NDArray[np.float64]
Fields = Callable[[Floats], Floats]
_REFERENCE = {1: skfem.refdom.RefLine, 2: skfem.refdom.RefTri, 3: skfem.refdom.RefTet}


@dataclass(frozen=True, eq=False)
class RaviartThomas:
    """Values at quadrature points X (Q, d) with weights W (Q,) on the reference simplex.

    `flux` (n, Q, d) the basis, `divergence` (n, Q), `tests` (m, Q) an L²-orthogonal basis of the polynomials of
    degree k whose first is 1, `barycentric` (d + 1, Q), `gradients` (d + 1, d) of these. `facet_dofs` (d + 1, j) are
    numbers of basis functions.
    """

    degree: int
    points: Floats
    weights: Floats
    flux: Floats
    divergence: Floats
    tests: Floats
    barycentric: Floats
    gradients: Floats
    facet_dofs: NDArray[np.int64]

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.points.shape[1]


@lru_cache
def raviart_thomas(dim: int, degree: int, order: int) -> RaviartThomas:
    """Return RT_`degree` on the `dim`-simplex with quadrature exact to `order`."""
    points, weights = quadrature(dim, order)
    transform = np.linalg.inv(
        moments(dim, degree, lambda x: _prime(x, degree)[0])
    )  # columns: coefficients of the nodal basis
    values, divergence = _prime(points, degree)
    per_facet = 1 if degree == 0 else dim
    return RaviartThomas(
        degree=degree,
        points=points,
        weights=weights,
        flux=np.einsum("pn,pqd->nqd", transform, values),
        divergence=np.einsum("pn,pq->nq", transform, divergence),
        tests=_orthogonal(points, weights, degree),
        barycentric=barycentric(points),
        gradients=np.vstack([-np.ones(dim), np.eye(dim)]),
        facet_dofs=np.arange((dim + 1) * per_facet).reshape(dim + 1, per_facet),
    )


def quadrature(dim: int, order: int) -> tuple[Floats, Floats]:
    """Return points (Q, dim) and weights (Q,) on the reference simplex; one point of weight 1 for `dim` 0."""
    if dim == 0:
        return np.zeros((1, 0)), np.ones(1)
    points, weights = get_quadrature(_REFERENCE[dim], order)
    return np.ascontiguousarray(points.T), weights


def barycentric(points: Floats) -> Floats:
    """Return (d + 1, Q) barycentric coordinates of reference points (Q, d)."""
    return np.vstack([1.0 - points.sum(1), points.T])


def facet_points(dim: int, facet: int, points: Floats) -> Floats:
    """Return (Q, d) where points (Q, d - 1) of the reference facet lie in the cell; corners in the cell's order."""
    corners = np.delete(np.vstack([np.zeros(dim), np.eye(dim)]), facet, axis=0)
    return barycentric(points).T @ corners


def _prime(points: Floats, degree: int) -> tuple[Floats, Floats]:
    """Return (p, Q, d) a basis of RT_degree and (p, Q) its divergence: P_k^d and x P̃_k."""
    count, dim = points.shape
    one, zero = np.ones(count), np.zeros(count)
    scalars = [(one, np.zeros((count, dim)))]
    scalars += [(points[:, i], np.tile(np.eye(dim)[i], (count, 1))) for i in range(dim)] if degree else []
    values, divergence = [], []
    for (scalar, slope), axis in itertools.product(scalars, range(dim)):
        values.append(np.column_stack([scalar if i == axis else zero for i in range(dim)]))
        divergence.append(slope[:, axis])
    for scalar, _ in scalars[-dim:] if degree else scalars:  # x q with q homogeneous: div = (d + k) q
        values.append(points * scalar[:, None])
        divergence.append((dim + degree) * scalar)
    return np.array(values), np.array(divergence)


def moments(dim: int, degree: int, fields: Fields) -> Floats:
    """Return (n, p) the degrees of freedom of p vector fields; `fields` maps points (Q, d) to values (p, Q, d)."""
    rows = []
    points, weights = quadrature(dim - 1, 2 * degree + 3)
    for facet in range(dim + 1):
        normal = np.ones(dim) if facet == 0 else -np.eye(dim)[facet - 1]  # times the ratio of measures
        through = fields(facet_points(dim, facet, points)) @ normal
        tests = barycentric(points) if degree else np.ones((1, len(points)))
        rows += list(np.einsum("q,jq,pq->jp", weights, tests, through))
    if degree:
        points, weights = quadrature(dim, 2 * degree + 3)
        rows += list(np.einsum("q,pqd->dp", weights, fields(points)))
    return np.array(rows)


def _orthogonal(points: Floats, weights: Floats, degree: int) -> Floats:
    """Return (m, Q) polynomials orthonormal up to the measure: mean of square 1."""
    functions = np.vstack([np.ones(len(points)), *([points.T] if degree else [])])
    share = weights / weights.sum()
    lower = np.linalg.cholesky((functions * share) @ functions.T)
    return np.linalg.solve(lower, functions)
