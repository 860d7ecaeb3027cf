"""Errors of fields on meshes: every norm weighs nodes by mass, so that a graded mesh counts volumes and not points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def relative_l2(prediction: Floats, reference: Floats, mass: Floats) -> float:
    """Return ‖prediction - reference‖ / ‖reference‖, with ‖v‖² = Σ mass |v|², of fields (N,) or (N, C)."""
    return ratio(norm(prediction - reference, mass), norm(reference, mass))


def ratio(error: float, size: float) -> float:
    """Return error / size; where `size` is 0, 1 for any error. What is no number stays so."""
    return float(np.sign(error)) if size == 0 else error / size


def norm(values: Floats, mass: Floats) -> float:
    """Return (Σ mass |v|²)^½ of a field (N,) or (N, C)."""
    return float(np.sqrt(mass @ (np.reshape(values, (len(mass), -1)) ** 2).sum(1)))
