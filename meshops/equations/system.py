"""`LinearSystem`: a matrix, a right-hand side, and what is known of the solution beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """matrix u = rhs over all unknowns (n), with u = fixed_value where `fixed`.

    `matrix` and `rhs` are those of the natural problem; essential conditions are not yet eliminated. Where unknowns are
    tied to each other (periodic boundaries, oblique rollers), u = fixed_value + ties z with `ties` (n, m), whose rows
    are zero where `fixed`. `near_null` (n, k) are the fields that the matrix almost annihilates, for multigrid. Where
    the matrix is symmetric but indefinite, `like` may give a positive definite one as large, to precondition it with.
    `wrong` says which coefficient has the wrong sign at the state of a linearisation, if one has.
    """

    matrix: csr_array
    rhs: Floats
    fixed: NDArray[np.bool_]
    fixed_value: Floats
    ties: csr_array | None = None
    near_null: Floats | None = None
    like: Callable[[], csr_array] | None = None
    wrong: str = ""

    @cached_property
    def free(self) -> NDArray[np.int64]:
        """The unknowns that are not fixed."""
        return np.flatnonzero(~self.fixed)

    @cached_property
    def _rows(self) -> csr_array:
        """The rows of the free unknowns."""
        return csr_array(self.matrix[self.free])

    def reduced(self) -> tuple[csr_array, Floats]:
        """Return the matrix and the right-hand side of z, the unknowns that are left."""
        return self.left_of(self.matrix), self.reduced_rhs(self.rhs, self.fixed_value)

    def left_of(self, matrix: csr_array) -> csr_array:
        """Return what is left of a matrix over all unknowns for z."""
        if self.ties is not None:
            return csr_array(self.ties.T @ matrix @ self.ties)
        return csr_array((self._rows if matrix is self.matrix else csr_array(matrix[self.free]))[:, self.free])

    def reduced_rhs(self, rhs: Floats, fixed_value: Floats) -> Floats:
        """Return the right-hand side of z for another right-hand side and other fixed values of the same matrix."""
        if self.ties is not None:
            return self.ties.T @ (rhs - self.matrix @ fixed_value)
        return rhs[self.free] - self._rows @ np.where(self.fixed, fixed_value, 0.0)

    def expand(self, z: Floats, fixed_value: Floats | None = None) -> Floats:
        """Return (n,) all unknowns from those that are left, perhaps with other fixed values."""
        given = self.fixed_value if fixed_value is None else fixed_value
        if self.ties is not None:
            return given + self.ties @ z
        values = np.where(self.fixed, given, 0.0)
        values[self.free] = z
        return values

    def restrict(self, values: Floats) -> Floats:
        """Return z nearest to (n,) or (n, k) values; `expand` gives them back where they satisfy the conditions."""
        if self.ties is None:
            return values[self.free]
        offset = self.fixed_value if values.ndim == 1 else 0.0
        weight = np.asarray((self.ties.multiply(self.ties)).sum(0)).ravel()
        z = self.ties.T @ (values - offset)
        return z / (weight if values.ndim == 1 else weight[:, None])
