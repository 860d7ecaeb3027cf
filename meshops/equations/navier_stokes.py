"""Navier and Stokes's equations: incompressible flow, steady and transient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from skfem.helpers import dot, grad, mul

from meshops.equations.base import Coefficient, Manufactured, Scaling
from meshops.equations.case import Case
from meshops.equations.stokes import Stokes, drive, manufactured, scaled, speed


class NavierStokes(Stokes):
    """Incompressible flow: ρ (∂u/∂t + (u·∇) u) - μ Δu + ∇p = f, ∇·u = 0.

    Fields, conditions, elements and the pressure's level are those of `Stokes`. Steady flow is found by Newton's method
    from rest, and where that fails by way of flows of the same fluid with less inertia (a lower Reynolds number). No
    upwinding is added: the mesh must resolve the boundary layers, and above some hundreds of Re = ρUL/μ behind a bluff
    body steady flow is no longer what happens; march in time there.
    """

    name = "navier_stokes"
    title = "ρ (∂u/∂t + (u·∇) u) - μ Δu + ∇p = f, ∇·u = 0"
    like = None  # the matrix is not symmetric
    coefficients = (Stokes.coefficients[0], Coefficient("density", "kg/m³", default=1.0, positive=True))

    @staticmethod
    def bilinear(u: Any, p: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """Return μ ∇u : ∇v - p ∇·v - q ∇·u + ρ (u₀·∇) u · v."""
        return Stokes.bilinear(u, p, v, q, w) + w.density * dot(mul(grad(u), w.velocity), v)

    @staticmethod
    def derivative(u: Any, p: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """Return ρ (u·∇) u₀ · v."""
        return w.density * dot(mul(grad(w.velocity), u), v)

    def eased(self, case: Case, share: float) -> Case:
        """The case with that share of its density: of its Reynolds number."""
        return replace(case, coefficients={**case.coefficients, "density": share * case.nodal("density").mean()})

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, velocity by U, pressure by P = ρU² + μU/L, time by L/U.

        U is the largest speed that conditions or the start give, and that which the largest pressure, traction or force
        D drives, ρU² + μU/L = D. The viscosity is scaled by ρUL: it becomes 1/Re.
        """
        length, mu, rho = case.mesh.length, *(float(case.nodal(n).mean()) for n in ("viscosity", "density"))
        viscous = mu / length
        driven = (np.sqrt(viscous**2 + 4 * rho * drive(case)) - viscous) / (2 * rho)
        size = speed(case) + float(driven)
        u = size or mu / (rho * length)
        scaling = scaled(case, u, rho * u**2 + viscous * u, viscosity=rho * u * length, time=length / u)
        return replace(scaling, arbitrary=not size)

    def manufactured(self, dim: int) -> Manufactured:
        """Return the flow of `Stokes`, with ρ = 3 and μ = 2."""
        return manufactured(dim, viscosity=2.0, density=3.0)
