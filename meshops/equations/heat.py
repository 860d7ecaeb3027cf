"""Heat conduction, steady and transient; with other names Poisson's and Darcy's equation."""

from __future__ import annotations

from math import asinh
from types import MappingProxyType
from typing import Any

from skfem.helpers import dot, grad

from geometries.conditions import Neumann, Radiation, Robin
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case
from meshops.equations.case_checks import check_level
from meshops.equations.forms import SCALAR_TERMS, times
from meshops.equations.scales import mean, offset_and_scale, relative_slope, scalar_quantities


class Heat(Equation):
    """Heat conduction: c ∂u/∂t - ∇·(k ∇u) + s u = f.

    u is the temperature, k > 0 the conductivity, a number, a symmetric tensor or an expression in u; c the capacity per
    volume, in transient problems; s ≥ 0 a loss to surroundings at 0 (the screened equation, a fin); f the heat released
    per volume. Conditions: `Dirichlet` u = g, `Neumann` k ∂u/∂n = q (heat flux into the body), `Robin` k ∂u/∂n = h (u_a
    - u), `Radiation` k ∂u/∂n = εσ (u_a⁴ - u⁴) with absolute temperatures, `Periodic`; none means insulated. Any
    consistent set of units will do: millimetres with W/(mm K), or metres with W/(m K).

    Read u as the potential or the pressure, k as the permittivity or the permeability, and it is Poisson's or Darcy's
    equation.
    """

    name = "heat"
    title = "c ∂u/∂t - ∇·(k ∇u) + s u = f"
    fields = (Field("temperature", "K or °C"),)
    coefficients = (
        Coefficient("conductivity", "W/(m K)", default=1.0, positive=True, rank=2, vary=True),
        Coefficient("loss", "W/(m³ K)", default=0.0, nonnegative=True),
        Coefficient("capacity", "J/(m³ K)", default=1.0, positive=True, transient=True),
    )
    time_order = 1
    numbers = ("radiation.level", "conductivity.slope")
    terms = MappingProxyType(
        {
            **SCALAR_TERMS,
            Radiation: Terms(
                bilinear=lambda u, v, w: w.coefficient * abs(w.temperature) ** 3 * u * v,
                linear=lambda v, w: w.coefficient * w.ambient**4 * v,
                derivative=lambda u, v, w: 3 * w.coefficient * abs(w.temperature) ** 3 * u * v,
            ),
        }
    )

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """K ∇u · ∇v + s u v."""
        return dot(times(w.conductivity, grad(u)), grad(v)) + w.loss * u * v

    @staticmethod
    def derivative(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """K'(u₀) u ∇u₀ · ∇v."""
        return dot(times(w.conductivity_slope, grad(w.temperature)), grad(v)) * u

    @staticmethod
    def mass(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """C u v."""
        return w.capacity * u * v

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F v."""
        return w.source * v

    def nonlinear(self, case: Case | None) -> bool:
        """Whether the conductivity depends on the temperature."""
        return case is not None and "conductivity" in case.varying

    def check(self, case: Case) -> None:
        """Each piece needs a level, by a condition or by a loss."""
        check_level(case, "loss")

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, k by its mean k₀, u as `offset_and_scale` says, time by c₀ L²/k₀.

        So u' is of order one, and the same part in millimetres and in metres gives one u'. With u = u₀ + U u', what
        is left is arsinh(u₀/U) where it radiates, and U k'(u₀)/k(u₀) where k depends on u.
        """
        mesh, length = case.mesh, case.mesh.length
        k0, c0 = mean(case, "conductivity"), mean(case, "capacity")
        time = c0 * length**2 / k0
        offset, size = offset_and_scale(case, k0, time, loss="loss")
        scale = size or 1.0
        quantities = scalar_quantities(case, k0, offset, scale) | {
            "conductivity": (0.0, k0),
            "loss": (0.0, k0 / length**2),
            "capacity": (0.0, c0),
            "radiation.coefficient": (0.0, k0 / (4 * length * max(abs(offset), scale) ** 3)),
            "radiation.ambient": (offset, scale),
        }
        radiates = any(isinstance(part.condition, Radiation) for part in case.parts)
        varies = "conductivity" in case.varying
        numbers = {
            "radiation.level": asinh(offset / scale) if radiates else 0.0,
            "conductivity.slope": scale * relative_slope(case, "conductivity", offset) if varies else 0.0,
        }
        center = tuple(mesh.centroid.tolist())
        return Scaling(length, center, MappingProxyType(quantities), time, MappingProxyType(numbers), not size)

    def manufactured(self, dim: int) -> Manufactured:
        """U = sin(2x) e^y e^(z/2), k = 1 + x/2."""
        rest = ("", "*exp(y)", "*exp(y)*exp(z/2)")[dim - 1]
        field, slope = f"sin(2*x){rest}", f"2*cos(2*x){rest}"
        squares = (-4.0, -3.0, -2.75)[dim - 1]
        flux = f"(1+x/2)*{slope}"
        return Manufactured(
            fields={"temperature": field},
            source=f"-(1+x/2)*({squares})*{field} - 0.5*{slope}",
            coefficients={"conductivity": "1+x/2"},
            right={"neumann": Neumann(flux), "robin": Robin(3, ambient=f"{field} + {flux}/3")},
        )
