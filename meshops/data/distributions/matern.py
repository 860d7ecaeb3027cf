"""Matérn random fields on any mesh, curve or surface, by their stochastic partial differential equation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import factorial, gamma, pi, sqrt
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from geometries.cells import CELLS, CellType
from geometries.errors import SpecError
from geometries.mesh import Mesh
from meshops.data.distributions.base import Distribution, Named, Place
from meshops.data.distributions.numbers import ONE, ZERO

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ROBIN = 1.42  # Roininen, Huttunen, Lasanen 2014, doi:10.3934/ipi.2014.8.561: least effect of the rim on the variance


@dataclass(frozen=True)
class Matern(Named):
    """A Gaussian field with Matérn covariance on the place's points: its mesh, or a boundary as a curve or surface.

    With ν = 2s - m/2, s the `smoothness` (1 or 2) and m the dimension of the place, and κ = √(8ν)/`length`, it solves
    (κ² - Δ)^s u = W, W white noise (Lindgren, Rue, Lindström 2011, doi:10.1111/j.1467-9868.2011.00777.x), by linear
    elements. At a distance of `length`, relative to the longest side of the bounding box, the correlation is about 0.1.
    Mean `mean`, standard deviation `amplitude`: that of the field on all space, which a Robin condition
    (∂u/∂n = -κ/1.42 u) keeps nearly up to the rim; with Lindgren's Neumann condition it would grow by √2 there.
    """

    key: ClassVar[str] = "matern"
    plain: ClassVar[tuple[str, ...]] = ("smoothness",)
    length: Distribution
    amplitude: Distribution = ONE
    mean: Distribution = ZERO
    smoothness: int = 1

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if self.smoothness not in (1, 2):
            raise SpecError(f"found {self.smoothness!r}; expected 1 or 2.", ("smoothness",))

    def draw(self, rng: np.random.Generator, place: Place) -> Floats:
        """Draw a field."""
        length, amplitude, mean = self.numbers(rng, place)
        if not length > 0:
            raise SpecError(f"a correlation length of {length:g}; expected above 0.")
        operator = _operator(place.mesh, place.boundary, place.taken, length, self.smoothness)
        return mean + amplitude * operator.apply(rng.normal(size=len(operator.mass)))


@dataclass(frozen=True, eq=False)
class _Operator:
    """Solves for the field: `factor` of κ²C + G + rim, C the lumped `mass` (n,) of the corners; `take` interpolates."""

    factor: Any
    mass: Floats
    smoothness: int
    deviation: float
    take: csr_array

    def apply(self, noise: Floats) -> Floats:
        """Return a field of variance 1 at the place's points from (n,) independent normal numbers."""
        field = self.factor.solve(np.sqrt(self.mass) * noise)
        for _ in range(self.smoothness - 1):
            field = self.factor.solve(self.mass * field)
        return self.take @ (field / self.deviation)


@lru_cache(maxsize=4)
def _operator(mesh: Mesh, boundary: str, taken: tuple[str, ...], length: float, smoothness: int) -> _Operator:
    place = Place(mesh, boundary, taken)
    inside, rim = Simplices.of(place), Simplices.rim_of(place)
    nu = 2 * smoothness - inside.dim / 2
    kappa = sqrt(8 * nu) / (length * place.size)
    nodes = np.unique(inside.cells)
    mass = inside.mass[nodes]
    matrix = inside.stiffness[nodes][:, nodes] + diags_array(kappa**2 * mass + kappa / _ROBIN * rim.mass[nodes])
    factor = splu(csc_array(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    variance = gamma(nu) / (gamma(2 * smoothness) * (4 * pi) ** (inside.dim / 2) * kappa ** (2 * nu))
    return _Operator(factor, mass, smoothness, sqrt(variance), _interpolation(place, nodes))


def _interpolation(place: Place, nodes: Ints) -> csr_array:
    """Return what takes values at `nodes` to the place's points; mid-nodes get the mean of their neighbours."""
    size = len(place.nodes)
    known = np.isin(place.nodes, nodes)
    take = csr_array((np.ones(len(nodes)), (np.flatnonzero(known), np.arange(len(nodes)))), shape=(size, len(nodes)))
    pairs = np.searchsorted(place.nodes, np.concatenate([_pairs(kind, cells) for kind, cells in _blocks(place)]))
    both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0).T
    links = csr_array((np.ones(both.shape[1]), (both[0], both[1])), shape=(size, size))
    while True:
        degree = links @ known.astype(float)
        fresh = ~known & (degree > 0)
        if not fresh.any():
            return take
        take = csr_array(take + diags_array(np.where(fresh, 1 / np.maximum(degree, 1), 0.0)) @ links @ take)
        known = known | fresh


def _pairs(kind: CellType, cells: Ints) -> Ints:
    return cells[:, np.asarray(kind.edges, dtype=np.int64).reshape(-1, 2)].reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Simplices:
    """Linear elements: `cells` (T, m+1) into `points` (N, d). m may be below d: curves, surfaces, points."""

    points: Floats
    cells: Ints

    @classmethod
    def of(cls, place: Place) -> Simplices:
        """Take the cells of a mesh, or the facets of a boundary; those that are no simplices are split."""
        return cls(place.mesh.points, _split(_blocks(place)))

    @classmethod
    def rim_of(cls, place: Place) -> Simplices:
        """Take the outer facets of a mesh, or the rim of a boundary: none where that is closed."""
        mesh = place.mesh
        if not place.boundary:
            return cls(mesh.points, _split((kind, points) for kind, _, points in mesh.facets(mesh.outer)))
        sides = [
            np.sort(cells[:, list(nodes[: CELLS[facet].corners])], axis=1)
            for kind, cells in _blocks(place)
            for facet, nodes in kind.facets
        ]
        found, count = np.unique(np.concatenate(sides), axis=0, return_counts=True)
        return cls(mesh.points, found[count == 1])

    @property
    def dim(self) -> int:
        """Their dimension."""
        return self.cells.shape[1] - 1

    @cached_property
    def gram(self) -> Floats:
        """(T, m, m) the inner products of each simplex's edges from its first corner."""
        spans = self.points[self.cells[:, 1:]] - self.points[self.cells[:, :1]]
        return spans @ np.moveaxis(spans, 1, 2)

    @cached_property
    def volumes(self) -> Floats:
        """(T,) their measures, 1 for points."""
        return np.sqrt(np.linalg.det(self.gram)) / factorial(self.dim)

    @property
    def mass(self) -> Floats:
        """(N,) the lumped mass matrix."""
        shares = np.broadcast_to(self.volumes[:, None] / self.cells.shape[1], self.cells.shape)
        return np.bincount(self.cells.ravel(), shares.ravel(), len(self.points))

    @property
    def stiffness(self) -> csr_array:
        """(N, N) ∫ ∇u·∇v of hat functions, with tangential gradients on curves and surfaces."""
        differences = np.concatenate([-np.ones((1, self.dim)), np.eye(self.dim)])
        local = self.volumes[:, None, None] * (differences @ np.linalg.inv(self.gram) @ differences.T)
        rows = np.broadcast_to(self.cells[:, :, None], local.shape)
        cols = np.broadcast_to(self.cells[:, None, :], local.shape)
        n = len(self.points)
        return csr_array((local.ravel(), (rows.ravel(), cols.ravel())), shape=(n, n))


def _blocks(place: Place) -> Iterator[tuple[CellType, Ints]]:
    """Yield the cells of a mesh, or the facets of a boundary, by type."""
    if place.boundary:
        return ((kind, points) for kind, _, points in place.mesh.facets(place.sides))
    return ((kind, cells) for kind, cells, _ in place.mesh.blocks())


def _split(blocks: Iterator[tuple[CellType, Ints]]) -> Ints:
    return np.concatenate([cells[:, list(corners)] for kind, cells in blocks for corners in kind.simplices])
