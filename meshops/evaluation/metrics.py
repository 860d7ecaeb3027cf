"""Errors of fields on meshes: every norm weighs nodes by mass, so that a graded mesh counts volumes and not points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def relative_l2(prediction: Floats, reference: Floats, mass: Floats) -> float:
    """Return ‖prediction - reference‖ / ‖reference‖, with ‖v‖² = Σ mass |v|², of fields (N,) or (N, C)."""
    error, size = norm(prediction - reference, mass), norm(reference, mass)
    return error / size if size > 0 else float(error > 0)


def norm(values: Floats, mass: Floats) -> float:
    """Return (Σ mass |v|²)^½ of a field (N,) or (N, C)."""
    return float(np.sqrt(mass @ (np.reshape(values, (len(mass), -1)) ** 2).sum(1)))
