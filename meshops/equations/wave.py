"""The wave equation: membranes, strings and sound."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from skfem.helpers import dot, grad

from geometries.conditions import Absorbing, Neumann, Robin
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case
from meshops.equations.case_checks import check_level
from meshops.equations.forms import SCALAR_TERMS
from meshops.equations.scales import held_size, mean, put_in, scalar_quantities


class Wave(Equation):
    """The wave equation: ∂²u/∂t² + d ∂u/∂t - ∇·(c² ∇u) = f.

    u is the displacement of a membrane or a string, or a pressure; c > 0 the speed of waves, d ≥ 0 the damping, f the
    force per mass. The start is `displacement` and `displacement.rate` in `initial`. Conditions: `Dirichlet` u = g,
    `Neumann` c² ∂u/∂n = q (none means free), `Robin` c² ∂u/∂n = h (u_a - u) (springs), `Absorbing` c ∂u/∂n = -∂u/∂t,
    which waves leave by that arrive head-on; at an angle θ the share (1 - cos θ)/(1 + cos θ) of the amplitude comes
    back (Engquist and Majda 1977, doi:10.1090/S0025-5718-1977-0436612-4); `Periodic`. Without damping and forces the
    energy (∫ (∂u/∂t)² + c² |∇u|²)/2 stays, to rounding by Newmark's method. Without times it is the shape at rest.
    After a jump of u_a a spring rings against the cells beside it where h times their size over c² is not below 1/2 (by
    4 % of the jump there, by half of it at 4); hold the boundary by `Dirichlet` instead of a stiffer one.
    """

    name = "wave"
    title = "∂²u/∂t² + d ∂u/∂t - ∇·(c² ∇u) = f"
    fields = (Field("displacement", "m"),)
    coefficients = (
        Coefficient("speed", "m/s", default=1.0, positive=True),
        Coefficient("damping", "1/s", default=0.0, transient=True, nonnegative=True),
    )
    time_order = 2
    terms = MappingProxyType({**SCALAR_TERMS, Absorbing: Terms(damping=lambda u, v, w: w.speed * u * v)})

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """C² ∇u · ∇v."""
        return w.speed**2 * dot(grad(u), grad(v))

    @staticmethod
    def mass(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """U v."""
        return u * v

    @staticmethod
    def damping(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """D u v."""
        return w.damping * u * v

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F v."""
        return w.source * v

    def check(self, case: Case) -> None:
        """A shape at rest needs a level."""
        check_level(case)

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, speeds by their mean c₀, time by L/c₀.

        U² = mean square of the levels held and of the start + that of the start's rates (L/c₀)² + (Q L^(2-d)/c₀²)²,
        with Q = ∫|f| + ∫|q| all that is put in.
        """
        mesh, length, c0 = case.mesh, case.mesh.length, mean(case, "speed")
        rates = case.start_values(".rate")[self.field][:, 0] if case.transient else 0.0 * mesh.mass
        struck = float(mesh.mass @ rates**2 / mesh.mass.sum()) * (length / c0) ** 2
        driven = put_in(case) * length ** (2 - mesh.dim) / c0**2
        size = float((held_size(case) ** 2 + struck + driven**2) ** 0.5)
        speeds = {"speed": (0.0, c0), "damping": (0.0, c0 / length)}
        quantities = MappingProxyType(scalar_quantities(case, c0**2, 0.0, size or 1.0) | speeds)
        return Scaling(length, tuple(mesh.centroid.tolist()), quantities, length / c0, arbitrary=not size)

    def manufactured(self, dim: int) -> Manufactured:
        """U = (1 + t) sin(2x) e^y e^(z/2), c = 1 + x/2, d = 0.7."""
        rest = ("", "*exp(y)", "*exp(y)*exp(z/2)")[dim - 1]
        shape, slope = f"sin(2*x){rest}", f"2*cos(2*x){rest}"
        squares = (-4.0, -3.0, -2.75)[dim - 1]
        flux = f"(1+t)*(1+x/2)**2*{slope}"
        return Manufactured(
            fields={"displacement": f"(1+t)*{shape}"},
            rates={"displacement": shape},
            source=f"0.7*{shape} - (1+t)*((1+x/2)**2*({squares})*{shape} + (1+x/2)*{slope})",
            coefficients={"speed": "1+x/2", "damping": 0.7},
            right={
                "neumann": Neumann(flux),
                "robin": Robin(3, ambient=f"(1+t)*{shape} + {flux}/3"),
                "absorbing": (Absorbing(), Neumann(f"{flux} + (1+x/2)*{shape}")),
            },
            times=(0.0, 0.5),
        )
