"""The level of a field that a case determines up to a constant only, as the pressure in a closed vessel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from meshops.equations.constraints import Constraints
from meshops.equations.system import LinearSystem

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Level:
    """`weights` (n,): the integral of each unknown's basis function, 0 for other fields than the floating one.

    One unknown is pinned to 0 while solving, which keeps the matrix sparse; `settled` then makes the mean 0.
    """

    weights: Floats

    @property
    def _own(self) -> NDArray[np.bool_]:
        return self.weights != 0

    def pinned(self, held: Constraints) -> Constraints:
        """Return what is held, with the first unknown of the field, and what is tied to it, among it."""
        fixed, first = held.fixed.copy(), int(self._own.argmax())
        fixed[first] = True
        if held.ties is None:
            return replace(held, fixed=fixed)
        gone = held.ties[[first]].indices
        kept = np.setdiff1d(np.arange(held.ties.shape[1]), gone)
        fixed |= np.diff(csr_array(held.ties[:, gone]).indptr) > 0
        return replace(held, fixed=fixed, ties=csr_array(held.ties[:, kept]))

    def balanced(self, system: LinearSystem) -> LinearSystem:
        """Return the system with a right-hand side that it can meet: without the little that values at points leak.

        The field's equations add up to 0 = leak, as the flow through a closed boundary is 0; the leak, of the size of
        the discretisation error, is spread evenly over the domain instead of collecting at the pinned unknown.
        """
        gap = system.rhs - system.matrix @ system.fixed_value
        leak = gap[self._own].sum() / self.weights.sum()
        return replace(system, rhs=system.rhs - leak * self.weights)

    def settled(self, values: Floats) -> Floats:
        """Return the unknowns with the field's mean made 0."""
        mean = self.weights @ values / self.weights.sum()
        return values - mean * self._own
