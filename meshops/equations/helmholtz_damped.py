"""Helmholtz' equation with damping and open sides: a complex amplitude as two fields."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from skfem.helpers import ddot, dot, grad

from geometries.conditions import Absorbing, Dirichlet, Neumann, Periodic, Robin
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case
from meshops.equations.helmholtz import wave_scaling


class DampedHelmholtz(Equation):
    """Waves of one frequency that fade or leave: -Δu - k² (1 + iη) u = f.

    u = u_real + i u_imag is the complex amplitude of a pressure Re(u e^(-iωt)), so that e^(ikx) runs towards +x; k =
    ω/c is the wavenumber, η ≥ 0 the loss factor: a wave fades as e^(-kηx/2) for small η. Conditions: `Dirichlet` u = g,
    `Neumann` ∂u/∂n = q, `Robin` ∂u/∂n = h (u_a - u) with a real h, `Absorbing` ∂u/∂n = iku (Sommerfeld's, of first
    order: exact for waves that arrive head-on), `Periodic`. `Absorbing` and `Neumann` on one boundary let a wave in:
    with n = -x, q = -2ik sends e^(ikx) and absorbs what comes back. Values and sources have a real and an imaginary
    part. As `Helmholtz` says, a wave needs some ten points a length.
    """

    name = "helmholtz_damped"
    title = "-Δu - k² (1 + iη) u = f"
    fields = (Field("pressure", "Pa", components=("real", "imag")),)
    coefficients = (
        Coefficient("wavenumber", "1/m", positive=True),
        Coefficient("loss_factor", "1", default=0.0, nonnegative=True),
    )
    definite = False
    terms = MappingProxyType(
        {
            Dirichlet: Terms(),
            Periodic: Terms(),
            Neumann: Terms(linear=lambda v, w: dot(w.value, v)),
            Robin: Terms(
                bilinear=lambda u, v, w: w.coefficient * dot(u, v),
                linear=lambda v, w: w.coefficient * dot(w.ambient, v),
            ),
            Absorbing: Terms(bilinear=lambda u, v, w: w.wavenumber * turned(u, v)),
        }
    )

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """∇u : ∇v - k² u · v - k² η (i u) · v."""
        square = w.wavenumber**2
        return ddot(grad(u), grad(v)) - square * dot(u, v) + square * w.loss_factor * turned(u, v)

    @staticmethod
    def norm(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """∇u : ∇v + k² u · v."""
        return ddot(grad(u), grad(v)) + w.wavenumber**2 * dot(u, v)

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F · v."""
        return dot(w.source, v)

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration; see `wave_scaling`."""
        return wave_scaling(case)

    def manufactured(self, dim: int) -> Manufactured:
        """U = (sin(2x) + i cos(x)) e^y e^(z/2), k = 2 + x/2, η = 0.3."""
        rest = ("", "*exp(y)", "*exp(y)*exp(z/2)")[dim - 1]
        real, imag = f"sin(2*x){rest}", f"cos(x){rest}"
        slopes = f"2*cos(2*x){rest}", f"-sin(x){rest}"
        square, k = (0.0, 1.0, 1.25)[dim - 1], "(2+x/2)"
        return Manufactured(
            fields={"pressure": (real, imag)},
            source=(
                f"({4 - square} - {k}**2)*{real} + 0.3*{k}**2*{imag}",
                f"({1 - square} - {k}**2)*{imag} - 0.3*{k}**2*{real}",
            ),
            coefficients={"wavenumber": k, "loss_factor": 0.3},
            right={
                "neumann": Neumann(slopes),
                "robin": Robin(3, ambient=(f"{real} + {slopes[0]}/3", f"{imag} + {slopes[1]}/3")),
                "absorbing": (Absorbing(), Neumann((f"{slopes[0]} + {k}*{imag}", f"{slopes[1]} - {k}*{real}"))),
            },
        )


def turned(u: Any, v: Any) -> Any:  # noqa: ANN401
    """Return -(i u) · v of the pairs of real and imaginary parts."""
    return u[1] * v[0] - u[0] * v[1]
