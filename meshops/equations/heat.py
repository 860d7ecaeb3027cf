"""Heat conduction, steady and transient; with other names Poisson's and Darcy's equation."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skfem.helpers import dot, grad

from geometries.conditions import Dirichlet, Neumann, Periodic, Radiation, Robin
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case, Part, on_sides
from meshops.equations.case_checks import check_level
from meshops.equations.forms import times

Floats = NDArray[np.float64]


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
    source_unit = "W/m³"
    coefficients = (
        Coefficient("conductivity", "W/(m K)", default=1.0, positive=True, rank=2, vary=True),
        Coefficient("loss", "W/(m³ K)", default=0.0),
        Coefficient("capacity", "J/(m³ K)", default=1.0, positive=True, transient=True),
    )
    time_order = 1
    terms = MappingProxyType(
        {
            Dirichlet: Terms(),
            Periodic: Terms(),
            Neumann: Terms(linear=lambda v, w: w.value * v),
            Robin: Terms(lambda u, v, w: w.coefficient * u * v, lambda v, w: w.coefficient * w.ambient * v),
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

    def nonlinear(self, case: Case) -> bool:
        """Whether the conductivity depends on the temperature."""
        return "conductivity" in case.varying

    def check(self, case: Case) -> None:
        """Each piece needs a level, unless it loses heat everywhere."""
        if not (case.nodal("loss") > 0).any():
            check_level(case)

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, k by its mean k₀, u by u₀ + U u', time by c₀ L²/k₀.

        u₀ is the mean of the given temperatures, weighted by area and by how tightly each holds (1 for Dirichlet,
        Bi/(1 + Bi) for Robin and radiation, Bi = h L/k₀ with h = 4 εσ u_a³), and of the start's, weighted by
        c₀ L²/(k₀ T) over the duration T; U² = their variance + (Q/G)², with Q = ∫|f| + ∫|q| all heat put in and
        G = k₀/L ∫ weight the conductance out. So u' is of order one, and the same part in mm and in m gives one u'.
        """
        mesh, length = case.mesh, case.mesh.length
        k = case.nodal("conductivity")
        isotropic = k if k.ndim == 1 else np.trace(k, axis1=1, axis2=2) / mesh.space_dim
        k0 = float(mesh.mass @ isotropic / mesh.mass.sum())
        c0 = float(mesh.mass @ case.nodal("capacity") / mesh.mass.sum())
        time = c0 * length**2 / k0
        weights, levels = _held(case, k0, length, time)
        conductance = weights.sum()
        offset = 0.0 if (case.nodal("loss") > 0).any() else float(weights @ levels / conductance)
        heat = float(mesh.mass @ np.abs(case.nodal("source"))) + sum(_heat_in(case, part) for part in case.parts)
        lost = float(mesh.mass @ case.nodal("loss")) * length / k0
        spread = weights @ (levels - offset) ** 2 / max(conductance, 1e-300) if conductance else 0.0
        scale = float(np.sqrt(spread + (heat * length / (k0 * (conductance + lost))) ** 2)) or 1.0
        quantities = {
            self.field: (offset, scale),
            "conductivity": (0.0, k0),
            "loss": (0.0, k0 / length**2),
            "capacity": (0.0, c0),
            "source": (0.0, k0 * scale / length**2),
            "dirichlet.value": (offset, scale),
            "neumann.value": (0.0, k0 * scale / length),
            "robin.coefficient": (0.0, k0 / length),
            "robin.ambient": (offset, scale),
            "radiation.coefficient": (0.0, k0 / (4 * length * max(abs(offset), scale) ** 3)),
            "radiation.ambient": (offset, scale),
        }
        return Scaling(length, tuple(mesh.centroid.tolist()), MappingProxyType(quantities), time)

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


def _held(case: Case, k0: float, length: float, time: float) -> tuple[Floats, Floats]:
    """Return the weights and the levels to which conditions, and the start, hold the field."""
    found = [_held_by(case, part, k0 / length) for part in case.parts]
    if case.transient:
        mesh = case.mesh
        share = length * time / (case.times[-1] - case.times[0]) / (length * length)
        found.append((mesh.mass * share, case.start_values()[case.equation.field][:, 0]))
    weights, levels = zip((np.empty(0), np.empty(0)), *(f for f in found if f is not None), strict=True)
    return np.concatenate(weights), np.concatenate(levels)


def _held_by(case: Case, part: Part, unit: float) -> tuple[Floats, Floats] | None:
    if "coefficient" not in part.values and not isinstance(part.condition, Dirichlet):
        return None
    _, _, area = case.mesh.side_geometry(part.sides)
    if isinstance(part.condition, Dirichlet):
        return area, on_sides(case, part, "value")
    ambient = on_sides(case, part, "ambient")
    exchange = on_sides(case, part, "coefficient")
    if isinstance(part.condition, Radiation):
        exchange = 4 * exchange * np.abs(ambient) ** 3
    biot = exchange / unit
    return area * biot / (1 + biot), ambient


def _heat_in(case: Case, part: Part) -> float:
    if not isinstance(part.condition, Neumann):
        return 0.0
    return float(case.mesh.side_geometry(part.sides)[2] @ np.abs(on_sides(case, part, "value")))
