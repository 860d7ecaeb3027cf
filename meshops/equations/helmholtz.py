"""Helmholtz' equation: waves of one frequency without damping."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from skfem.helpers import dot, grad

from geometries.conditions import Neumann, Robin
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling
from meshops.equations.case import Case
from meshops.equations.forms import SCALAR_TERMS
from meshops.equations.scales import held_size, mean, put_in


class Helmholtz(Equation):
    """Standing waves: -Δu - k² u = f.

    u is the amplitude of a pressure u cos(ωt), k = ω/c the wavenumber, which may differ from region to region.
    Conditions: `Dirichlet` u = g, `Neumann` ∂u/∂n = q (moving walls; none means rigid ones), `Robin` ∂u/∂n = h (u_a -
    u) (springs), `Periodic`. The matrix is indefinite and factorised with pivots. Near a resonance the solution is
    large, and at one there is none, which no check tells. A wave needs some ten points a length 2π/k, more on long
    ways: the phase's error grows with k³h² (Ihlenburg and Babuška 1995, doi:10.1016/0898-1221(95)00144-N).
    """

    name = "helmholtz"
    title = "-Δu - k² u = f"
    fields = (Field("pressure", "Pa"),)
    coefficients = (Coefficient("wavenumber", "1/m", positive=True),)
    definite = False
    terms = SCALAR_TERMS

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """∇u · ∇v - k² u v."""
        return dot(grad(u), grad(v)) - w.wavenumber**2 * u * v

    @staticmethod
    def norm(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """∇u · ∇v + k² u v."""
        return dot(grad(u), grad(v)) + w.wavenumber**2 * u * v

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F v."""
        return w.source * v

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration; see `wave_scaling`."""
        return wave_scaling(case)

    def manufactured(self, dim: int) -> Manufactured:
        """U = sin(2x) e^y e^(z/2), k = 2 + x/2."""
        rest = ("", "*exp(y)", "*exp(y)*exp(z/2)")[dim - 1]
        field, slope = f"sin(2*x){rest}", f"2*cos(2*x){rest}"
        squares = (-4.0, -3.0, -2.75)[dim - 1]
        return Manufactured(
            fields={"pressure": field},
            source=f"-({squares})*{field} - (2+x/2)**2*{field}",
            coefficients={"wavenumber": "2+x/2"},
            right={"neumann": Neumann(slope), "robin": Robin(3, ambient=f"{field} + {slope}/3")},
        )


def wave_scaling(case: Case) -> Scaling:
    """Return the scaling of time-harmonic waves, with k by 1/L and u by U.

    U² = mean square of the levels held + (Q L^(2-d)/(1 + k₀ L))², with Q = ∫|f| + ∫|q| all that is put in. Lengths are
    scaled by the radius of gyration L.
    """
    mesh, length = case.mesh, case.mesh.length
    driven = put_in(case) * length ** (2 - mesh.dim) / (1 + mean(case, "wavenumber") * length)
    scale = float((held_size(case) ** 2 + driven**2) ** 0.5) or 1.0
    quantities = {
        "pressure": (0.0, scale),
        "wavenumber": (0.0, 1 / length),
        "loss_factor": (0.0, 1.0),
        "source": (0.0, scale / length**2),
        "dirichlet.value": (0.0, scale),
        "neumann.value": (0.0, scale / length),
        "robin.coefficient": (0.0, 1 / length),
        "robin.ambient": (0.0, scale),
    }
    return Scaling(length, tuple(mesh.centroid.tolist()), MappingProxyType(quantities))
