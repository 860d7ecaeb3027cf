"""Losses that need no labels: the residual in the dual norm, and the Ritz energy. Pure functions of tensors.

Both take the unknowns u (n,) or (n, B) of a linear system, in its own units, and impose the fixed values themselves;
gradients are zero there. The V-cycle runs on the CPU in float64, whatever the device and type of u; the matrix never
becomes a tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meshops.equations import LinearSystem
from meshops.trust.certificate import Certificate
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]


def dual_norm(u: Tensor, certificate: Certificate, system: LinearSystem) -> Tensor:
    """Return rᵀB r, r = b - A u: one number, or (B,); between (1 - δ)‖u_h - u‖²_A and ‖u_h - u‖²_A.

    The residual in the norm of H⁻¹, as it should be, and not in that of L², which weighs rough errors by 1/h². The
    gradient is -2 A B r: one more product with the matrix and no second V-cycle.
    """
    return _DualNorm.apply(u, certificate, system)


def ritz(u: Tensor, certificate: Certificate, system: LinearSystem) -> Tensor:
    """Return ½ uᵀA u - bᵀu: one number, or (B,); ½‖u_h - u‖²_A above its least value. The gradient is A u - b."""
    return _Ritz.apply(u, certificate, system)


class _DualNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, certificate: Certificate, system: LinearSystem) -> Tensor:  # noqa: ANN401
        residual = _residual(u, certificate, system)
        cycled = np.stack([certificate.hierarchy.cycle(column) for column in residual.T], axis=1)
        ctx.slope = -2.0 * (certificate.hierarchy.matrix @ cycled)
        ctx.slope[certificate.hierarchy.fixed] = 0.0
        return _like((residual * cycled).sum(0), u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _pull(ctx.slope, grads[0]), None, None


class _Ritz(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, certificate: Certificate, system: LinearSystem) -> Tensor:  # noqa: ANN401
        values, residual = _imposed(u, system), _residual(u, certificate, system)
        ctx.slope = -residual
        image = certificate.matrix @ values
        return _like((values * (0.5 * image - system.rhs[:, None])).sum(0), u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _pull(ctx.slope, grads[0]), None, None


def _imposed(u: Tensor, system: LinearSystem) -> Floats:
    values = u.detach().cpu().double().numpy().reshape(len(system.rhs), -1)
    return np.where(system.fixed[:, None], system.fixed_value[:, None], values)


def _residual(u: Tensor, certificate: Certificate, system: LinearSystem) -> Floats:
    """(n, B) b - A u, zero where u is fixed."""
    residual = system.rhs[:, None] - certificate.matrix @ _imposed(u, system)
    if certificate.ties is not None:
        raise TrustError("unknowns are tied (periodic boundaries, oblique rollers); train on labels there.")
    return np.where(certificate.hierarchy.fixed[:, None], 0.0, residual)


def _like(values: Floats, u: Tensor) -> Tensor:
    out = torch.from_numpy(values).to(device=u.device, dtype=u.dtype)
    return out[0] if u.ndim == 1 else out


def _pull(slope: Floats, grad: Tensor) -> Tensor:
    out = torch.from_numpy(slope).to(device=grad.device, dtype=grad.dtype) * grad.reshape(1, -1)
    return out[:, 0] if grad.ndim == 0 else out
