"""Advection and diffusion of a scalar, steady and transient, stabilised along the streamlines."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from skfem.helpers import dot, grad

from geometries.conditions import Neumann, Robin
from geometries.errors import SpecError
from geometries.values import names_in
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling
from meshops.equations.case import Case
from meshops.equations.case_checks import check_level
from meshops.equations.forms import SCALAR_TERMS
from meshops.equations.scales import mean, offset_and_scale, scalar_quantities


class AdvectionDiffusion(Equation):
    """Advection and diffusion: ∂u/∂t + a·∇u - ∇·(k ∇u) + r u = f.

    u is a concentration, a the velocity of what carries it, a vector without divergence, k > 0 the diffusivity, r ≥ 0
    the rate of decay, f what is released per volume and time. Conditions: `Dirichlet` u = g, as at an inflow; `Neumann`
    k ∂u/∂n = q, the diffusive flux into the body, where none (q = 0) lets pass what flows out; `Robin` k ∂u/∂n = h (u_a
    - u), which with h = |a·n| is an inflow of concentration u_a whose whole flux is given; `Periodic`.

    Galerkin's method is stabilised by SUPG (Brooks and Hughes 1982, doi:10.1016/0045-7825(82)90071-8): each test
    function is v + τ a·∇v in all terms but diffusion, the time derivative too (with τ free of the time step: Bochev,
    Gunzburger and Shadid 2004, doi:10.1016/j.cma.2004.01.026). With cells of size h and Pe = |a| h/2k, τ = h/2|a| (coth
    Pe - 1/Pe) on linear cells, which in one dimension with constant a, k and f is exact at the nodes. scikit-fem's
    elements have no second derivatives, so that of the residual, ∇·(k ∇u), is left out; so that second-order cells keep
    their order, they take h/2 for h and τ = h/2|a| max(0, 1 - 1/Pe), which is 0 where the mesh resolves the layers.
    """

    name = "advection_diffusion"
    title = "∂u/∂t + a·∇u - ∇·(k ∇u) + r u = f"
    fields = (Field("concentration", "mol/m³"),)
    coefficients = (
        Coefficient("diffusivity", "m²/s", default=1.0, positive=True),
        Coefficient("velocity", "m/s", default=0.0, rank=1),
        Coefficient("decay", "1/s", default=0.0, nonnegative=True),
    )
    time_order = 1
    definite = False
    stabilised = True
    terms = SCALAR_TERMS

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """K ∇u · ∇v + (a·∇u + r u)(v + τ a·∇v)."""
        return w.diffusivity * dot(grad(u), grad(v)) + (dot(w.velocity, grad(u)) + w.decay * u) * upwind(v, w)

    @staticmethod
    def mass(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """U (v + τ a·∇v)."""
        return u * upwind(v, w)

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F (v + τ a·∇v)."""
        return w.source * upwind(v, w)

    def check(self, case: Case) -> None:
        """Each piece needs a level, by a condition or by decay; the velocity may not change in time."""
        check_level(case, "decay")
        given = case.coefficients["velocity"]
        if not isinstance(given, Mapping) and "t" in names_in(given):
            raise SpecError("the velocity depends on t; expected one that stays.", ("coefficients", "velocity"))

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, k by K = k₀ + a₀ L of the means, time by L²/K, u as by diffusion.

        So of k/K and a L/K, whose ratio is the Péclet number, the greater is of order one.
        """
        length = case.mesh.length
        k0 = mean(case, "diffusivity") + mean(case, "velocity") * length
        offset, size = offset_and_scale(case, k0, length**2 / k0, loss="decay")
        quantities = scalar_quantities(case, k0, offset, size or 1.0) | {
            "diffusivity": (0.0, k0),
            "velocity": (0.0, k0 / length),
            "decay": (0.0, k0 / length**2),
        }
        center, time = tuple(case.mesh.centroid.tolist()), length**2 / k0
        return Scaling(length, center, MappingProxyType(quantities), time, arbitrary=not size)

    def manufactured(self, dim: int) -> Manufactured:
        """U = sin(2x) e^y e^(z/2), k = 1 + x/2, a = (1 + y, x, 1), r = 1/2."""
        rest = ("", "*exp(y)", "*exp(y)*exp(z/2)")[dim - 1]
        field, slope = f"sin(2*x){rest}", f"2*cos(2*x){rest}"
        squares = (-4.0, -3.0, -2.75)[dim - 1]
        velocity = (("2",), ("1+y", "x"), ("1+y", "x", "1"))[dim - 1]
        carried = "+".join(f"({a})*{g}" for a, g in zip(velocity, (slope, field, f"0.5*{field}"), strict=False))
        flux = f"(1+x/2)*{slope}"
        return Manufactured(
            fields={"concentration": field},
            source=f"{carried} + 0.5*{field} - (1+x/2)*({squares})*{field} - 0.5*{slope}",
            coefficients={"diffusivity": "1+x/2", "velocity": velocity, "decay": 0.5},
            right={"neumann": Neumann(flux), "robin": Robin(3, ambient=f"{field} + {flux}/3")},
        )


def upwind(v: Any, w: Any) -> Any:  # noqa: ANN401
    """Return the test function v + τ a·∇v of SUPG."""
    return v + delay(w.velocity, w.diffusivity, w.h / w.degree, w.degree) * dot(w.velocity, grad(v))


def delay(a: Any, k: Any, h: Any, degree: int) -> Any:  # noqa: ANN401
    """Return τ, as `AdvectionDiffusion` says, of a velocity (d, ...) and a diffusivity (...) on cells of size h."""
    peclet = np.maximum(np.sqrt(dot(a, a)) * h / (2 * k), 1e-3)  # below, τ/(h²/4k) no longer changes
    share = 1 / np.tanh(peclet) - 1 / peclet if degree == 1 else np.maximum(0.0, 1 - 1 / peclet)
    return h**2 / (4 * k) * share / peclet
