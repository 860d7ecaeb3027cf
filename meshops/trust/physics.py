"""Losses that need no labels: the residual in the dual norm, and the Ritz energy. Pure functions of tensors.

Both take the unknowns u (n,) or (n, B) of a linear system, in its own units, and impose the fixed values themselves;
gradients are zero there. The V-cycle runs on the CPU in float64, whatever the device and type of u; the matrix never
becomes a tensor. `loss` makes losses of training of them. Both raise `TrustError` where unknowns are tied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meshops.equations import LinearSystem
from meshops.trust.errors import TrustError
from meshops.trust.hierarchy import Hierarchy

Floats = NDArray[np.float64]


def dual_norm(u: Tensor, hierarchy: Hierarchy, system: LinearSystem) -> Tensor:
    """Return rᵀB r, r = b - A u: one number, or (B,); between (1 - δ)‖u_h - u‖²_A and ‖u_h - u‖²_A.

    The residual in the norm of H⁻¹, as it should be, and not in that of L², which weighs rough errors by 1/h². The
    gradient is -2 A B r: one more product with the matrix and no second V-cycle.
    """
    return _DualNorm.apply(u, hierarchy, system)


def ritz(u: Tensor, system: LinearSystem) -> Tensor:
    """Return ½ uᵀA u - bᵀu: one number, or (B,); ½‖u_h - u‖²_A above its least value. The gradient is A u - b."""
    return _Ritz.apply(u, system)


class _DualNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, hierarchy: Hierarchy, system: LinearSystem) -> Tensor:  # noqa: ANN401
        residual = _residual(_imposed(u, system), system)
        cycled = np.stack([hierarchy.cycle(column) for column in residual.T], axis=1)
        ctx.slope = -2.0 * (hierarchy.matrix @ cycled)
        ctx.slope[hierarchy.fixed] = 0.0
        return _like((residual * cycled).sum(0), u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _pull(ctx.slope, grads[0]), None, None


class _Ritz(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, system: LinearSystem) -> Tensor:  # noqa: ANN401
        values = _imposed(u, system)
        residual = system.rhs[:, None] - system.matrix @ values
        ctx.slope = np.where(system.fixed[:, None], 0.0, -residual)
        return _like(-0.5 * (values * (residual + system.rhs[:, None])).sum(0), u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return _pull(ctx.slope, grads[0]), None


def _imposed(u: Tensor, system: LinearSystem) -> Floats:
    if system.ties is not None:
        raise TrustError("unknowns are tied (periodic boundaries, oblique rollers); train on labels there.")
    values = u.detach().cpu().double().numpy().reshape(len(system.rhs), -1)
    return np.where(system.fixed[:, None], system.fixed_value[:, None], values)


def _residual(values: Floats, system: LinearSystem) -> Floats:
    """(n, B) b - A u, zero where u is fixed."""
    return np.where(system.fixed[:, None], 0.0, system.rhs[:, None] - system.matrix @ values)


def _like(values: Floats, u: Tensor) -> Tensor:
    out = torch.from_numpy(values).to(device=u.device, dtype=u.dtype)
    return out[0] if u.ndim == 1 else out


def _pull(slope: Floats, grad: Tensor) -> Tensor:
    out = torch.from_numpy(slope).to(device=grad.device, dtype=grad.dtype) * grad.reshape(1, -1)
    return out[:, 0] if grad.ndim == 0 else out
