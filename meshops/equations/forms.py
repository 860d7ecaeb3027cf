"""What weak forms share beyond scikit-fem's helpers."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from geometries.conditions import Dirichlet, Neumann, Periodic, Robin
from meshops.equations.base import Terms

SCALAR_TERMS = MappingProxyType(
    {
        Dirichlet: Terms(),
        Periodic: Terms(),
        Neumann: Terms(linear=lambda v, w: w.value * v),
        Robin: Terms(lambda u, v, w: w.coefficient * u * v, lambda v, w: w.coefficient * w.ambient * v),
    }
)


def times(k: Any, g: Any) -> Any:  # noqa: ANN401
    """Return k g of a scalar (C, q) or a tensor (d, d, C, q) and a vector g (d, C, q)."""
    return np.einsum("ij...,j...->i...", k, g) if np.ndim(k) == np.ndim(g) + 1 else k * g
