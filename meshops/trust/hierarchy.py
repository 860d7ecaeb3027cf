"""`Hierarchy`: a symmetric V-cycle B of algebraic multigrid for a symmetric positive definite matrix A."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from scipy.sparse import csr_array, csr_matrix, diags_array, eye_array, kron, tril

from geometries.cells import CellType
from geometries.mesh import Mesh
from meshops.equations import LinearSystem
from meshops.equations.solvers import fixed_numpy_seed, symmetric
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
COARSEST = 200
SMOOTHERS = (("gauss_seidel", {"sweep": "forward"}), ("gauss_seidel", {"sweep": "backward"}))
MOST_LEVELS = 10
DAMPING = 1.6  # of the smoothing of prolongations: between 4/3 and 2 where rows sum to twice their diagonal
STRONG = 0.05  # a coupling's least share of its diagonal to count: the best of 0 to 0.25 on P1, P2 and hexahedra


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The matrix A of the free unknowns, and one V-cycle B of smoothed aggregation.

    `matrix` (n, n) has the rows and columns of fixed unknowns replaced by its diagonal, so that numbers stay those of
    the system. `fixed` (n,) says which. The V-cycle smooths by Gauss-Seidel, forwards before and backwards after the
    coarse correction, with Galerkin coarse matrices. So I - BA = S*(I - T)S with 0 ≤ T ≤ I in the energy inner product,
    and the eigenvalues of BA lie in (0, 1] by construction; how far from 0, `contraction` measures.
    """

    matrix: csr_array
    fixed: Flags
    levels: Any

    @classmethod
    def build(cls, system: LinearSystem, *, components: int = 1, mesh: Mesh | None = None) -> Hierarchy:
        """Return the hierarchy of a system whose unknowns are numbered point * components + component.

        With `mesh`, second-order cells are first coarsened to linear ones. The near-kernel, fields of little energy
        that the coarse levels represent, is the system's `near_null`, or the constants. Raises `TrustError` if the
        matrix is not symmetric or has a diagonal entry that is not positive, and if unknowns are tied.
        """
        matrix, fixed = constrain(system)
        constants = np.tile(np.eye(components), (len(fixed) // components, 1))
        modes = constants if system.near_null is None else system.near_null
        linear = None if mesh is None or len(fixed) <= COARSEST else to_linear(mesh, components)
        with fixed_numpy_seed():
            if linear is None:
                return cls(matrix, fixed, _aggregated(matrix, modes, components))
            prolongation = csr_array(diags_array((~fixed).astype(float)) @ linear[0])
            return cls(matrix, fixed, _through_linear(matrix, prolongation, modes[linear[1]], components))

    def cycle(self, residual: Floats) -> Floats:
        """Return B r (n,): one V-cycle from zero."""
        return self._operator.matvec(residual)

    @property
    def direct(self) -> bool:
        """Whether there is one level, factorised: B = A⁻¹ but for rounding."""
        return len(self.levels.levels) == 1

    @cached_property
    def _operator(self) -> Any:  # noqa: ANN401  (scipy's LinearOperator)
        return self.levels.aspreconditioner(cycle="V")

    @cached_property
    def diagonal(self) -> Floats:
        """(n,) the diagonal of A."""
        return self.matrix.diagonal()

    def rough(self, rng: np.random.Generator) -> Floats:
        """Return a random residual (n,), normal with covariance C ≥ B⁻¹, zero at fixed unknowns.

        The smoother alone is B̄ = M⁻ᵀDM⁻¹ with M the lower triangle and D the diagonal of A, and a coarse correction
        only adds to it: B ≥ B̄, so C = B̄⁻¹ = M D⁻¹ Mᵀ, which M D^(-½) of white noise has.
        """
        white = rng.standard_normal(len(self.fixed)) / np.sqrt(self.diagonal)
        return np.where(self.fixed, 0.0, self._lower @ white)

    @cached_property
    def _lower(self) -> csr_array:
        return csr_array(tril(self.matrix))


class Coarsest:
    """Solves the coarsest level by Cholesky's method, its diagonal scaled to 1, so that jumps of k cost no digits.

    A coarse level may be singular, where aggregates are too small for their modes: then by eigenvalues, those that
    rounding could have made left out, which makes B smaller and never larger.
    """

    def __init__(self) -> None:
        """Know no matrix yet."""
        self._known: tuple[Any, Callable[[Floats], Floats]] | None = None

    def __call__(self, matrix: csr_matrix, load: Floats) -> Floats:
        """Return A⁻¹ b as pyamg asks for it."""
        if self._known is None or self._known[0] is not matrix:
            self._known = (matrix, self._factorised(matrix))
        return self._known[1](load.ravel()).reshape(load.shape)

    @staticmethod
    def _factorised(matrix: csr_matrix) -> Callable[[Floats], Floats]:
        dense, scale = scaled(matrix)
        try:
            factor = cho_factor(dense)
        except LinAlgError:
            sizes, axes = eigh(dense)
            kept = sizes > backward_error(len(dense))
            inverse = (axes[:, kept] / sizes[kept]) @ axes[:, kept].T
            return lambda load: scale * (inverse @ (scale * load))
        return lambda load: scale * cho_solve(factor, scale * load)


def scaled(matrix: csr_array | csr_matrix) -> tuple[Floats, Floats]:
    """Return D^(-½) A D^(-½), dense, and the diagonal of D^(-½); rows without a diagonal entry stay as they are."""
    diagonal = matrix.diagonal()
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    return scale[:, None] * matrix.toarray() * scale, scale


def backward_error(n: int) -> float:
    """Return by how much A changes in norm for which Cholesky's method is exact; A (n, n) has 1 on its diagonal."""
    return 4 * n**2 * float(np.finfo(float).eps)


def constrain(system: LinearSystem) -> tuple[csr_array, Flags]:
    """Return the matrix with fixed unknowns decoupled, and which they are; unknowns of no cell count as fixed.

    Raises `TrustError` if the matrix is not symmetric or has a diagonal entry that is not positive, and if
    unknowns are tied.
    """
    if system.ties is not None:
        raise TrustError(
            "unknowns are tied (periodic boundaries, oblique rollers); take the system of those that are left."
        )
    matrix = csr_array(system.matrix)
    diagonal = matrix.diagonal()
    fixed = system.fixed | (diagonal == 0)
    if (diagonal[~fixed] < 0).any():
        raise TrustError(f"the matrix has a diagonal entry {diagonal[~fixed].min():.3g}; expected above 0.")
    row = np.repeat(np.arange(len(fixed)), np.diff(matrix.indptr))
    kept = ~(fixed[row] | fixed[matrix.indices]) | (row == matrix.indices)
    inner = matrix.copy()
    inner.data = np.where(kept, matrix.data, 0.0)
    inner.eliminate_zeros()
    if (diagonal == 0).any():
        inner = csr_array(inner + diags_array((diagonal == 0).astype(float)))
    if not symmetric(inner):
        raise TrustError("the matrix is not symmetric; bounds hold for symmetric positive definite systems only.")
    return inner, fixed


def to_linear(mesh: Mesh, components: int) -> tuple[csr_array, Ints] | None:
    """Return (n, m) the linear fields of second-order cells, one a corner, and (m,) the corners' unknowns.

    Mid-nodes take means of corners. None if every node is a corner.
    """
    parts = []
    for kind, cells, _ in mesh.blocks():
        local = _means(kind)
        rows, columns = np.nonzero(local)
        values = np.broadcast_to(local[rows, columns], (len(cells), len(rows)))
        parts.append((cells[:, rows].ravel(), cells[:, columns].ravel(), values.ravel()))
    row, column, value = (np.concatenate(x) for x in zip(*parts, strict=True))
    if (row == column).all():
        return None
    n = mesh.num_points
    count = csr_array((np.ones(len(row)), (row, column)), shape=(n, n))
    total = csr_array((value, (row, column)), shape=(n, n))
    total.data /= count.data
    corners = np.unique(column)
    fields = kron(total[:, corners], eye_array(components)) if components > 1 else total[:, corners]
    return csr_array(fields), (corners[:, None] * components + np.arange(components)).ravel()


def _means(kind: CellType) -> Floats:
    """(nodes, nodes) the linear field of each corner at each node."""
    means = np.zeros((kind.nodes, kind.nodes))
    means[: kind.corners, : kind.corners] = np.eye(kind.corners)
    for node, corners in enumerate(kind.middles, kind.corners):
        means[node, list(corners)] = 1 / len(corners)
    return means


def _through_linear(matrix: csr_array, prolongation: csr_array, modes: Floats, components: int) -> Any:  # noqa: ANN401
    """Return pyamg's hierarchy (untyped): the matrix, linear cells by `prolongation`, smoothed aggregation."""
    from pyamg.multilevel import MultilevelSolver
    from pyamg.relaxation.smoothing import change_smoothers

    first = MultilevelSolver.Level()
    first.A, first.P, first.R = _plain(matrix), _plain(prolongation), _plain(prolongation.T)
    coarse = csr_array(first.R @ first.A @ first.P)
    coarse = csr_array(coarse + diags_array((coarse.diagonal() == 0).astype(float)))
    levels = MultilevelSolver([first, *_aggregated(coarse, modes, components).levels], coarse_solver=Coarsest())
    change_smoothers(levels, *SMOOTHERS)
    return levels


def _aggregated(matrix: csr_array, modes: Floats, components: int) -> Any:  # noqa: ANN401
    import pyamg
    from pyamg.relaxation.smoothing import change_smoothers

    plain = _plain(matrix)
    if components == 1:
        levels = _smoothed_aggregation(plain, modes)
    else:
        blocks = plain.tobsr((components, components))
        strength = ("symmetric", {"theta": STRONG})
        levels = pyamg.smoothed_aggregation_solver(
            blocks, B=modes, max_coarse=COARSEST, strength=strength, coarse_solver=Coarsest()
        )
    change_smoothers(levels, *SMOOTHERS)
    return levels


def _smoothed_aggregation(matrix: csr_matrix, modes: Floats) -> Any:  # noqa: ANN401
    """Return pyamg's hierarchy for one unknown a node, by pyamg's aggregates, in half of its time.

    The prolongation is smoothed by 1.6 over the rows' absolute sums, which bound the spectrum and need no iteration.
    """
    from pyamg.aggregation import fit_candidates, standard_aggregation
    from pyamg.multilevel import MultilevelSolver
    from pyamg.strength import symmetric_strength_of_connection

    levels = [MultilevelSolver.Level()]
    levels[0].A = matrix
    while levels[-1].A.shape[0] > COARSEST and len(levels) < MOST_LEVELS:
        fine = levels[-1].A
        aggregates = standard_aggregation(symmetric_strength_of_connection(fine, STRONG))[0]
        if not 0 < aggregates.shape[1] < fine.shape[0]:
            break
        tentative, modes = fit_candidates(aggregates, modes)
        sums = np.asarray(abs(fine).sum(1)).ravel()
        weight = DAMPING / np.where(sums > 0, sums, np.inf)
        tentative = tentative.tocsr()
        smoothed = tentative - diags_array(weight) @ (fine @ tentative)
        levels[-1].P, levels[-1].R = _plain(smoothed), _plain(smoothed.T)
        levels.append(MultilevelSolver.Level())
        levels[-1].A = _plain(levels[-2].R @ fine @ levels[-2].P)
    return MultilevelSolver(levels, coarse_solver=Coarsest())


def _plain(matrix: csr_array) -> csr_matrix:
    """Return the matrix in the form that pyamg takes: 32-bit sorted indices."""
    plain = csr_matrix(matrix)
    plain.sort_indices()
    plain.indices, plain.indptr = plain.indices.astype(np.int32), plain.indptr.astype(np.int32)
    return plain
