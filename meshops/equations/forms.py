"""What weak forms share beyond scikit-fem's helpers."""

from __future__ import annotations

from typing import Any

import numpy as np


def times(k: Any, g: Any) -> Any:  # noqa: ANN401
    """Return k g of a scalar (C, q) or a tensor (d, d, C, q) and a vector g (d, C, q)."""
    return np.einsum("ij...,j...->i...", k, g) if np.ndim(k) == np.ndim(g) + 1 else k * g
