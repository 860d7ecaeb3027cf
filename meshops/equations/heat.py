"""Steady heat conduction."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skfem.helpers import dot, grad

from geometries.conditions import Dirichlet, Neumann, Robin
from meshops.equations.base import Coefficient, Equation, Manufactured, Scaling, Terms
from meshops.equations.case import Case, Part, on_sides

Floats = NDArray[np.float64]


class Heat(Equation):
    """Steady heat conduction: -∇·(k ∇u) = f.

    u is the temperature, k > 0 the conductivity, f the heat released per volume. Conditions: `Dirichlet` u = g,
    `Neumann` k ∂u/∂n = q (heat flux into the body), `Robin` k ∂u/∂n = h (u_a - u); none means insulated. Any consistent
    set of units will do: millimetres with W/(mm K), or metres with W/(m K).
    """

    name = "heat"
    title = "-∇·(k ∇u) = f"
    field = "temperature"
    unit = "K or °C"
    source_unit = "W/m³"
    coefficients = (Coefficient("conductivity", "W/(m K)", default=1.0, positive=True),)
    terms = MappingProxyType(
        {
            Neumann: Terms(linear=lambda v, w: w.value * v),
            Robin: Terms(lambda u, v, w: w.coefficient * u * v, lambda v, w: w.coefficient * w.ambient * v),
        }
    )

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """K ∇u · ∇v."""
        return w.conductivity * dot(grad(u), grad(v))

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F v."""
        return w.source * v

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, k by its mean k₀, u by u₀ + U u'.

        u₀ is the mean of the given temperatures, weighted by area and by how tightly each holds (1 for Dirichlet,
        Bi/(1 + Bi) for Robin, Bi = h L/k₀); U² = their variance + (Q/G)², with Q = ∫|f| + ∫|q| all heat put in and
        G = k₀/L ∫ weight the conductance out. So u' is of order one, and the same part in mm and in m gives one u'.
        """
        mesh, length = case.mesh, case.mesh.length
        k0 = float(mesh.mass @ case.nodal("conductivity") / mesh.mass.sum())
        held = [_held(case, part, k0 / length) for part in case.parts if not isinstance(part.condition, Neumann)]
        weights, levels = (np.concatenate(v) for v in zip(*held, strict=True))
        conductance = weights.sum()
        offset = float(weights @ levels / conductance)
        heat = float(mesh.mass @ np.abs(case.nodal("source"))) + sum(_heat_in(case, part) for part in case.parts)
        spread = weights @ (levels - offset) ** 2 / conductance + (heat * length / (k0 * conductance)) ** 2
        scale = float(np.sqrt(spread)) or 1.0
        quantities = {
            self.field: (offset, scale),
            "conductivity": (0.0, k0),
            "source": (0.0, k0 * scale / length**2),
            "dirichlet.value": (offset, scale),
            "neumann.value": (0.0, k0 * scale / length),
            "robin.coefficient": (0.0, k0 / length),
            "robin.ambient": (offset, scale),
        }
        return Scaling(length, tuple(mesh.centroid.tolist()), MappingProxyType(quantities))

    def manufactured(self, dim: int) -> Manufactured:
        """U = sin(2x) e^y e^(z/2), k = 1 + x/2."""
        rest = ("", "*exp(y)", "*exp(y)*exp(z/2)")[dim - 1]
        field, slope = f"sin(2*x){rest}", f"2*cos(2*x){rest}"
        squares = (-4.0, -3.0, -2.75)[dim - 1]
        return Manufactured(
            field=field,
            gradient=(slope, field, f"0.5*{field}")[:dim],
            source=f"-(1+x/2)*({squares})*{field} - 0.5*{slope}",
            coefficients={"conductivity": "1+x/2"},
        )


def _held(case: Case, part: Part, unit: float) -> tuple[Floats, Floats]:
    """Return the weights and the levels to which the sides of a Dirichlet or Robin part hold the field."""
    _, _, area = case.mesh.side_geometry(part.sides)
    if isinstance(part.condition, Dirichlet):
        return area, on_sides(case.mesh, part, "value")
    biot = on_sides(case.mesh, part, "coefficient") / unit
    return area * biot / (1 + biot), on_sides(case.mesh, part, "ambient")


def _heat_in(case: Case, part: Part) -> float:
    if not isinstance(part.condition, Neumann):
        return 0.0
    return float(case.mesh.side_geometry(part.sides)[2] @ np.abs(on_sides(case.mesh, part, "value")))
