"""Advection, diffusion and dispersion in one dimension: from Burgers' equation to Korteweg and de Vries'."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from skfem.helpers import grad

from geometries.conditions import Periodic
from geometries.errors import SpecError
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case
from meshops.equations.scales import held_size, mean


class Combined(Equation):
    """The combined equation of MP-PDE: ∂u/∂t + ∂x(α u² - β ∂x u + γ ∂xx u) = f, periodic in one dimension.

    Brandstetter, Worrall and Welling 2022, arXiv:2202.03376. With α = 1/2, β, γ = 0 it is Burgers' equation, with
    α = 3, γ = 1 Korteweg and de Vries'. u is a velocity for want of a better word. Its third derivative takes a second
    field, the curvature w = ∂xx u, by ∫ w q + ∂x u ∂x q = 0: both are plain values at nodes, unlike the slopes of C¹
    elements, and on an even mesh α u² and γ ∂xx u change neither ∫u nor ∫u². The start's curvature is not needed.

    Galerkin's method, not stabilised: where α u outweighs the rest, β must resolve the fronts, of width about 2β/α|u|,
    by two cells or more. The inviscid regime (E1 of the paper) is the limit of small β on fine meshes.
    """

    name = "combined"
    title = "∂u/∂t + ∂x(α u² - β ∂x u + γ ∂xx u) = f"
    fields = (Field("velocity", "m/s"), Field("curvature", "1/(m s)"))
    coefficients = (
        Coefficient("advection", "1", default=1.0),
        Coefficient("diffusion", "m²/s", default=0.0),
        Coefficient("dispersion", "m³/s", default=0.0),
    )
    dims = (1,)
    time_order = 1
    definite = False
    mirrored = False  # u is a scalar here: ∂x(α u²) and γ ∂xxx u change sign under x → -x, ∂u/∂t does not
    terms = MappingProxyType({Periodic: Terms()})

    @staticmethod
    def bilinear(u: Any, s: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """-(α u₀ u - β ∂x u + γ s) ∂x v + s q + ∂x u ∂x q."""
        flux = w.advection * w.velocity * u - w.diffusion * grad(u)[0] + w.dispersion * s
        return -flux * grad(v)[0] + s * q + grad(u)[0] * grad(q)[0]

    @staticmethod
    def derivative(u: Any, s: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """-α u u₀ ∂x v."""
        return -w.advection * u * w.velocity * grad(v)[0]

    @staticmethod
    def mass(u: Any, s: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """U v."""
        return u * v

    @staticmethod
    def linear(v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """F v."""
        return w.source * v

    def check(self, case: Case) -> None:
        """The ends are periodic, and there are times: any constant is a steady solution."""
        mesh, sides = case.mesh, [np.empty(0, np.int64)]
        for part in case.parts:
            assert isinstance(part.condition, Periodic)
            sides += [mesh.facet_ids(part.sides), mesh.facet_ids(mesh.sides(part.condition.partner))]
        if not np.isin(mesh.facet_ids(mesh.outer), np.concatenate(sides)).all():
            raise SpecError(f"{self.name} has free ends; expected periodic ones.", ("conditions",))
        if not case.transient:
            raise SpecError(f"{self.name} is given without times, where constants solve it; state `times`.", ("times",))

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, u by U, time by T = L²/K with K = |α₀| U L + β₀ + |γ₀|/L.

        U² = mean square of the start + (mean |f| times the duration)². The curvature is scaled by U/δ², with δ the
        width of fronts, where α u² balances the rest, α₀ U δ² = 2 β₀ δ + 4 |γ₀|, at most L: by U/L² they outweigh u.
        """
        mesh, length = case.mesh, case.mesh.length
        put = float(mesh.mass @ np.abs(case.loads) / mesh.mass.sum())
        duration = case.times[-1] - case.times[0]
        size = float(np.hypot(held_size(case), put * duration))
        scale = size or 1.0
        alpha, beta, gamma = (abs(mean(case, c.name)) for c in self.coefficients)
        rate = (alpha * scale * length + beta + gamma / length) / length**2 or 1 / duration
        steep = alpha * scale
        front = (beta + np.sqrt(beta**2 + 4 * steep * gamma)) / steep if steep else length
        quantities = {
            "velocity": (0.0, scale),
            "curvature": (0.0, scale / min(front or length, length) ** 2),
            "source": (0.0, scale * rate),
            "advection": (0.0, rate * length / scale),
            "diffusion": (0.0, rate * length**2),
            "dispersion": (0.0, rate * length**3),
        }
        center = tuple(mesh.centroid.tolist())
        return Scaling(length, center, MappingProxyType(quantities), 1 / rate, arbitrary=not size)

    def manufactured(self, dim: int) -> Manufactured | None:
        """None: the conditions of the common form are not periodic."""
        return None
