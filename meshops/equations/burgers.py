"""Burgers' equation: velocities that carry themselves."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from skfem.helpers import ddot, dot, grad, mul

from geometries.conditions import Dirichlet, Neumann, Periodic
from meshops.equations.base import AXES, Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case
from meshops.equations.case_checks import check_level
from meshops.equations.scales import held_size, mean, put_in


class Burgers(Equation):
    """Burgers' equation with viscosity: ∂u/∂t + (u·∇)u - ∇·(ν ∇u) = f.

    u is a velocity, in one dimension a vector of one component, ν > 0 the viscosity. Conditions: `Dirichlet` u = g,
    `Neumann` ν ∂u/∂n = q (none lets pass what flows out), `Periodic`. Galerkin's method, not stabilised: the mesh must
    resolve the fronts, of width 2ν/|u|, by two cells or more, else they ripple.
    """

    name = "burgers"
    title = "∂u/∂t + (u·∇)u - ∇·(ν ∇u) = f"
    fields = (Field("velocity", "m/s", components=AXES),)
    coefficients = (Coefficient("viscosity", "m²/s", positive=True),)
    dims = (1, 2)
    time_order = 1
    definite = False
    terms = MappingProxyType(
        {Dirichlet: Terms(), Periodic: Terms(), Neumann: Terms(linear=lambda v, w: dot(w.value, v))}
    )

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """Return ν ∇u : ∇v + (u₀·∇)u · v."""
        return w.viscosity * ddot(grad(u), grad(v)) + dot(mul(grad(u), w.velocity), v)

    @staticmethod
    def derivative(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """(u·∇)u₀ · v."""
        return dot(mul(grad(w.velocity), u), v)

    @staticmethod
    def mass(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """U · v."""
        return dot(u, v)

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F · v."""
        return dot(w.source, v)

    def check(self, case: Case) -> None:
        """A steady velocity needs a level."""
        check_level(case)

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, velocities by U, time by L/U, viscosity by U L.

        U² = mean square of the velocities held and of the start + Q L^(1-d) + (ν₀/L)², with Q = ∫|f| + ∫|q| all that is
        put in.
        """
        mesh, length = case.mesh, case.mesh.length
        viscous = mean(case, "viscosity") / length
        scale = float((held_size(case) ** 2 + put_in(case) * length ** (1 - mesh.dim) + viscous**2) ** 0.5)
        quantities = {
            "velocity": (0.0, scale),
            "viscosity": (0.0, scale * length),
            "source": (0.0, scale**2 / length),
            "dirichlet.value": (0.0, scale),
            "neumann.value": (0.0, scale**2),
        }
        return Scaling(length, tuple(mesh.centroid.tolist()), MappingProxyType(quantities), length / scale)

    def manufactured(self, dim: int) -> Manufactured:
        """U = sin(2x), in 2-D (sin x cos y, cos x sin y); ν = 1 + x/2. Steady."""
        if dim == 1:
            return Manufactured(
                fields={"velocity": ("sin(2*x)",)},
                source=("2*sin(2*x)*cos(2*x) + (1+x/2)*4*sin(2*x) - cos(2*x)",),
                coefficients={"viscosity": "1+x/2"},
                right={"neumann": Neumann(("(1+x/2)*2*cos(2*x)",))},
            )
        first, second, slopes = "sin(x)*cos(y)", "cos(x)*sin(y)", ("cos(x)*cos(y)", "-sin(x)*sin(y)")
        return Manufactured(
            fields={"velocity": (first, second)},
            source=(
                f"sin(x)*cos(x)*cos(2*y) + (2+x)*{first} - 0.5*{slopes[0]}",
                f"sin(y)*cos(y)*cos(2*x) + (2+x)*{second} + 0.5*sin(x)*sin(y)",
            ),
            coefficients={"viscosity": "1+x/2"},
            right={"neumann": Neumann((f"(1+x/2)*{slopes[0]}", f"(1+x/2)*({slopes[1]})"))},
        )
