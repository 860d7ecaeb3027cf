"""Mixed problems on the vertex patches of a mesh of simplices, all at once: patches of one size are solved in a batch.

On the patch of vertex a, σ_a minimises ‖k^(-½)(σ_a + ψ_a k ∇u)‖ over Raviart-Thomas fluxes with ∇·σ_a given, no flux
through the facets opposite a, and the given flux through facets of Neumann and Robin conditions (Ern and Vohralík
2015, doi:10.1137/130950100).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometries.sides import ranks
from meshops.trust.raviart_thomas import RaviartThomas

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BATCH = 2**22  # numbers in the matrices of one batch


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches of all vertices: for each corner of each cell, where its local fluxes stand in its vertex's patch.

    `corners` (C, d + 1) vertices, told apart where their cells share no facets (`simplices.fans`), `facets` (C, d + 1)
    facet numbers opposite to them, `free` (facets,) whether the flux through a facet is unknown (inside the mesh, or on
    a Dirichlet boundary).
    """

    rt: RaviartThomas
    corners: Ints
    facets: Ints
    free: NDArray[np.bool_]

    @cached_property
    def sign(self) -> Floats:
        """(C, d + 1) +1 where the cell is the first of the facet opposite, -1 where it is the second."""
        first = np.full(len(self.free), len(self.corners))
        np.minimum.at(first, self.facets, np.arange(len(self.corners))[:, None])
        return np.where(first[self.facets] == np.arange(len(self.corners))[:, None], 1.0, -1.0)

    @cached_property
    def rank(self) -> Ints:
        """(C, d + 1, d) place of each facet's corners, in the cell's order, among its corners sorted by number."""
        width = self.corners.shape[1]
        others = np.array([[j for j in range(width) if j != i] for i in range(width)])
        return np.argsort(np.argsort(self.corners[:, others], axis=2), axis=2)

    @cached_property
    def slot(self) -> Ints:
        """(C, d + 1) place of the cell in the patch of each of its corners."""
        return ranks(self.corners.ravel()).reshape(self.corners.shape)

    @cached_property
    def size(self) -> Ints:
        """(V,) cells in each patch."""
        return np.bincount(self.corners.ravel())

    @cached_property
    def _spokes(self) -> tuple[Ints, Ints]:
        """(C, a, i) place of free facet i of a cell in the patch of corner a, or -1; (V,) their number."""
        width = self.corners.shape[1]
        vertex = np.broadcast_to(self.corners[:, :, None], (len(self.corners), width, width))
        facet = np.broadcast_to(self.facets[:, None, :], vertex.shape)
        mine = self.free[facet] & ~np.eye(width, dtype=bool)
        keys, which = np.unique(vertex[mine] * np.int64(len(self.free)) + facet[mine], return_inverse=True)
        owner = keys // len(self.free)
        place = np.full(vertex.shape, -1)
        place[mine] = ranks(owner)[which.ravel()]
        return place, np.bincount(owner, minlength=len(self.size))

    def places(self, corner: int) -> Ints:
        """Return (C, n) the unknown of each local flux in the patch of that corner, -1 where it is known."""
        per_facet = self.rt.facet_dofs.shape[1]
        place, count = self._spokes
        spoke = place[:, corner, :, None]
        at = spoke * per_facet + (self.rank if self.rt.degree else 0)
        facets = np.where(spoke >= 0, at, -1).reshape(len(self.corners), -1)
        inner = self.rt.flux.shape[0] - facets.shape[1]
        start = count[self.corners[:, corner]] * per_facet + self.slot[:, corner] * inner
        return np.concatenate([facets, start[:, None] + np.arange(inner)], axis=1)

    @cached_property
    def dof_sign(self) -> Floats:
        """(C, n) the sign of each local flux against the facet's own."""
        inner = self.rt.flux.shape[0] - self.rt.facet_dofs.size
        facets = np.repeat(self.sign, self.rt.facet_dofs.shape[1], axis=1)
        return np.concatenate([facets, np.ones((len(self.corners), inner))], axis=1)

    def unknowns(self, vertices: Ints) -> tuple[Ints, Ints]:
        """Return (n,) the numbers of fluxes and of multipliers in the patches of `vertices`."""
        inner = self.rt.flux.shape[0] - self.rt.facet_dofs.size
        fluxes = self._spokes[1][vertices] * self.rt.facet_dofs.shape[1] + self.size[vertices] * inner
        return fluxes, self.size[vertices] * len(self.rt.tests)

    def batches(self) -> Iterator[Ints]:
        """Yield vertices whose patches have one size, as many as memory allows."""
        vertices = np.flatnonzero(self.size)
        fluxes, multipliers = self.unknowns(vertices)
        _, group = np.unique(np.column_stack([fluxes, multipliers]), axis=0, return_inverse=True)
        group = group.ravel()
        order = np.argsort(group, kind="stable")
        for members in np.split(vertices[order], np.flatnonzero(np.diff(group[order])) + 1):
            width = sum(int(n[0]) for n in self.unknowns(members[:1]))
            yield from np.array_split(members, max(1, -(-len(members) * width**2 // BATCH)))


@dataclass(frozen=True, eq=False)
class Local:
    """What the patch problems are made of.

    mass (C, n, n), divergence (n, m), and for each corner a of each cell the load (C, a, n), the divergence asked for
    (C, a, m), and the known fluxes (C, a, n), zero where unknown.
    """

    mass: Floats
    divergence: Floats
    load: Floats
    target: Floats
    known: Floats


def solve_patches(patches: Patches, local: Local, closed: NDArray[np.bool_]) -> Floats:
    """Return (C, n) the sum of all patches' fluxes.

    `closed` (V,) are the vertices through whose patch's surface the whole flux is known.
    """
    width = patches.corners.shape[1]
    flux = local.known.sum(1)
    places = np.stack([patches.places(corner) for corner in range(width)], axis=1)
    order = np.argsort(patches.corners.ravel(), kind="stable")
    start = np.concatenate([[0], np.cumsum(patches.size)])
    for vertices in patches.batches():
        n = int(patches.size[vertices[0]])
        cell, corner = np.divmod(order[start[vertices][:, None] + np.arange(n)], width)
        unknown = _solve_batch(patches, local, cell, corner, places[cell, corner], closed[vertices])
        np.add.at(flux, cell, unknown)
    return flux


def _solve_batch(
    patches: Patches, local: Local, cell: Ints, corner: Ints, place: Ints, closed: NDArray[np.bool_]
) -> Floats:
    """Return (P, cells, n) the local fluxes of patches of `cells` (P, cells); `place` their unknowns or -1."""
    count, cells, _ = place.shape
    tests = local.divergence.shape[1]
    fluxes = int(patches.unknowns(patches.corners[cell[:1, 0], corner[:1, 0]])[0][0])
    size = fluxes + cells * tests
    sign = patches.dof_sign[cell]
    rows = np.where(place >= 0, place, size)
    last = fluxes + np.arange(cells * tests).reshape(cells, tests)
    last = np.broadcast_to(last, (count, cells, tests))
    mass = local.mass[cell]
    known = local.known[cell, corner]
    patch = np.arange(count)[:, None, None]
    matrix = _scatter(rows, rows, mass * sign[..., :, None] * sign[..., None, :], size + 1)
    coupling = _scatter(rows, last, sign[..., None] * local.divergence, size + 1)
    matrix += coupling + coupling.transpose(0, 2, 1)
    load = np.zeros((count, size + 1))
    np.add.at(load, (patch, rows), sign * (local.load[cell, corner] - np.einsum("pcij,pcj->pci", mass, known)))
    load[patch, last] = local.target[cell, corner] - known @ local.divergence
    matrix, load = matrix[:, :size, :size], load[:, :size]
    # where the flux through the patch's surface is known, a constant multiplier is free: set its mean to zero
    scale = 1.0 / np.maximum(np.einsum("pcii->p", mass) / cells, np.finfo(float).tiny)
    constant = fluxes + np.arange(cells) * tests
    matrix[:, constant[:, None], constant] -= np.where(closed, scale, 0.0)[:, None, None]
    solution = np.concatenate([_solve(matrix, load), np.zeros((count, 1))], axis=1)
    return np.where(
        place >= 0, sign * np.take_along_axis(solution, rows.reshape(count, -1), 1).reshape(rows.shape), 0.0
    )


def _scatter(rows: Ints, columns: Ints, values: Floats, size: int) -> Floats:
    """Return (P, size, size) with values (P, c, i, j) added at rows (P, c, i) and columns (P, c, j)."""
    first = np.arange(len(rows))[:, None, None, None] * size**2
    at = first + rows[..., :, None] * size + columns[..., None, :]
    return np.bincount(at.ravel(), values.ravel(), len(rows) * size**2).reshape(len(rows), size, size)


def _solve(matrix: Floats, load: Floats) -> Floats:
    try:
        return np.linalg.solve(matrix, load[..., None])[..., 0]
    except np.linalg.LinAlgError:  # cells that meet in a vertex only
        return np.einsum("pij,pj->pi", np.linalg.pinv(matrix), load)
