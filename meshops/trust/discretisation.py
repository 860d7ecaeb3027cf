"""What is known of the error of the discrete solution against the exact one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Discretisation:
    """‖u_exact - u_h‖ ≤ `error` in the energy norm if `guaranteed`, else about that; `relative` to ‖u_h‖.

    `per_cell` (C,) are the cells' shares: their squares sum to at most error². `method` names the estimator and
    `because` says, where nothing is guaranteed, why.
    """

    error: float
    relative: float
    guaranteed: bool
    method: str
    per_cell: Floats
    because: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the plain form, without the cells."""
        return {
            "error": self.error,
            "relative": self.relative,
            "guaranteed": self.guaranteed,
            "method": self.method,
            "because": list(self.because),
        }

    def __str__(self) -> str:
        """One line a person reads."""
        return f"discretisation error {'at most' if self.guaranteed else 'about'} {self.relative:.3g} ({self.method})"
