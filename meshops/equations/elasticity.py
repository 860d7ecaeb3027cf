"""Linear elasticity: in space and in plane strain, and in plane stress."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skfem.assembly.form.form import FormExtraParams
from skfem.helpers import ddot, div, dot, eye, sym_grad

from geometries.conditions import Dirichlet, Neumann, Periodic, Pressure, Robin, Roller
from geometries.values import as_value
from meshops.equations.base import AXES, Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case
from meshops.equations.recovery import recovered
from meshops.equations.solids import Solid, forces, lame, scaled, von_mises, whole

Floats = NDArray[np.float64]


class Elasticity(Solid, Equation):
    """Linear elasticity: -∇·σ = f with σ = 2μ ε + λ tr(ε) 1 - β T 1 and ε = (∇u + ∇uᵀ)/2; plane strain in 2-D.

    u is the displacement, small; f the force per volume; E = `young` > 0 Young's modulus and ν = `poisson` Poisson's
    ratio, -1 < ν < 1/2, give λ = E ν/((1 + ν)(1 - 2ν)) and μ = E/(2(1 + ν)). T = `temperature_rise` is the temperature
    over that at which the part is free of stress, `expansion` the coefficient α of thermal expansion, β = (3λ + 2μ) α.

    Conditions: `Dirichlet` u = g in the components that are not None, `Roller` u·n = 0, `Periodic`, `Neumann` the
    traction σ n = g, `Pressure` σ n = -p n, `Robin` σ n = k (u_a - u), a bed of springs; none means free. Any
    consistent set of units will do: millimetres with MPa and N/mm³, or metres with Pa and N/m³.

    Derived: `stress` xx, yy, zz, xy, yz, xz, and `von_mises`. Near ν = 1/2 first-order cells lock: take order 2.
    """

    name = "elasticity"
    title = "-∇·σ(u) = f, plane strain in 2-D"
    fields = (Field("displacement", "m", AXES),)
    coefficients = (
        Coefficient("young", "Pa", default=1.0, positive=True),
        Coefficient("poisson", "1", default=0.3),
        Coefficient("expansion", "1/K", default=0.0),
        Coefficient("temperature_rise", "K", default=0.0, load=True),
    )
    dims = (2, 3)
    terms = MappingProxyType(
        {
            Dirichlet: Terms(),
            Roller: Terms(),
            Periodic: Terms(),
            Neumann: Terms(linear=lambda v, w: dot(w.value, v)),
            Pressure: Terms(linear=lambda v, w: -w.value * dot(w.n, v)),
            Robin: Terms(lambda u, v, w: w.coefficient * dot(u, v), lambda v, w: w.coefficient * dot(w.ambient, v)),
        }
    )

    @classmethod
    def bilinear(cls, u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """2μ ε(u) : ε(v) + λ ∇·u ∇·v."""
        lam, mu, _ = cls.moduli(w)
        return 2 * mu * ddot(sym_grad(u), sym_grad(v)) + lam * div(u) * div(v)

    @classmethod
    def linear(cls, v: Any, w: Any) -> Any:  # noqa: ANN401
        """F · v + β T ∇·v."""
        return dot(w.source, v) + cls.moduli(w)[2] * w.temperature_rise * div(v)

    @classmethod
    def moduli(cls, w: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
        """Return λ, μ and β, as they stand in the strains of the plane or of space."""
        lam, mu = lame(w.young, w.poisson)
        return lam, mu, w.young / (1 - 2 * w.poisson) * w.expansion

    @classmethod
    def stress(cls, w: Any) -> Any:  # noqa: ANN401
        """Return (d, d, C, q) σ of the displacement in `w`."""
        (lam, mu, beta), u = cls.moduli(w), w.displacement
        return 2 * mu * sym_grad(u) + eye(lam * div(u) - beta * w.temperature_rise, len(u))

    @classmethod
    def across(cls, w: Any) -> Any:  # noqa: ANN401
        """Return (C, q) σ_zz in the plane."""
        lam, _, beta = cls.moduli(w)
        return lam * div(w.displacement) - beta * w.temperature_rise

    def derived(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the recovered `stress` (N, 6) and `von_mises` (N, 1)."""
        stress = recovered(case, fields, lambda w: whole(self.stress(w), self.across(w)))
        return {"stress": stress, "von_mises": von_mises(stress)}

    def quantities(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, float]:
        """Return the force of each support on the part, component by component."""
        return forces(case, fields)

    def scaling(self, case: Case) -> Scaling:
        """See `meshops.equations.solids.scaled`."""
        return scaled(case)

    def manufactured(self, dim: int) -> Manufactured:
        """Return u with u_x = 0 on x = 1, E = 1 + x/2 and T = xy; 1 - 2ν = 1/2."""
        return _manufactured(type(self), dim)


class PlaneStress(Elasticity):
    """Linear elasticity of a thin sheet in its plane: σ_zz = 0. See `Elasticity`; forces are per thickness.

    λ = E ν/(1 - ν²), β = E α/(1 - ν).
    """

    name = "plane_stress"
    title = "-∇·σ(u) = f, plane stress"
    dims = (2,)

    @classmethod
    def moduli(cls, w: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
        """Return λ, μ and β with ε_zz eliminated."""
        young, nu = w.young, w.poisson
        return young * nu / (1 - nu**2), young / (2 * (1 + nu)), young / (1 - nu) * w.expansion

    @classmethod
    def across(cls, w: Any) -> Any:  # noqa: ANN401
        """Return 0."""
        return 0.0

    def doubts(self, case: Case) -> tuple[str, ...]:
        """Return nothing: a sheet is free to thin, so that its cells do not lock."""
        return ()


# u, Δu, ∇·u, ∇(∇·u) and the strains ε_xx, ε_xy, ... on the axis x
_EXACT: dict[int, tuple[tuple[str, ...], tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]] = {
    2: (
        ("sin(x-1)*exp(y)", "x**2*cos(y)"),
        ("0", "(2-x**2)*cos(y)"),
        "(cos(x-1)*exp(y) - x**2*sin(y))",
        ("(-sin(x-1)*exp(y) - 2*x*sin(y))", "(cos(x-1)*exp(y) - x**2*cos(y))"),
        ("cos(x-1)*exp(y)", "(x*cos(y) + sin(x-1)*exp(y)/2)"),
    ),
    3: (
        ("sin(x-1)*exp(y)*cos(z)", "(x**2*cos(y) + z**2)", "y*z*cos(x)"),
        ("(-sin(x-1)*exp(y)*cos(z))", "((2-x**2)*cos(y) + 2)", "(-y*z*cos(x))"),
        "(cos(x-1)*exp(y)*cos(z) - x**2*sin(y) + y*cos(x))",
        (
            "(-sin(x-1)*exp(y)*cos(z) - 2*x*sin(y) - y*sin(x))",
            "(cos(x-1)*exp(y)*cos(z) - x**2*cos(y) + cos(x))",
            "(-cos(x-1)*exp(y)*sin(z))",
        ),
        ("cos(x-1)*exp(y)*cos(z)", "(x*cos(y) + sin(x-1)*exp(y)*cos(z)/2)", "(-y*z*sin(x) - sin(x-1)*exp(y)*sin(z))/2"),
    ),
}


def _manufactured(law: type[Elasticity], dim: int) -> Manufactured:
    """With s = 2μ ε + λ ∇·u 1 of E = 1: f = -E ∇·s - E' s e_x + ∇(β T), and on x = 1 the traction σ e_x."""
    nu, alpha = 0.25, 0.2
    lam, mu, beta = law.moduli(FormExtraParams(young=1.0, poisson=nu, expansion=alpha))
    field, laplace, spread, gradient, strain = _EXACT[dim]
    onto_x = [f"(2*{mu}*{e}{f' + {lam}*{spread}' if i == 0 else ''})" for i, e in enumerate(strain)]
    warming = (f"{beta}*y*(1+x)", f"{beta}*(1+x/2)*x", "0")  # ∇(β T)
    source = [
        f"-(1+x/2)*({mu}*{laplace[i]} + {lam + mu}*{gradient[i]}) - {onto_x[i]}/2 + {warming[i]}" for i in range(dim)
    ]
    pull = [f"(1.5*{s}{f' - 1.5*{beta}*y' if i == 0 else ''})" for i, s in enumerate(onto_x)]
    traction = Neumann(tuple(pull))
    return Manufactured(
        fields={"displacement": field},
        source=tuple(source),
        coefficients={"young": "1+x/2", "poisson": nu, "expansion": alpha, "temperature_rise": "x*y"},
        right={
            "neumann": traction,
            "pressure": (Pressure("1+y"), Neumann((f"{pull[0]} + 1 + y", *pull[1:]))),
            "robin": Robin(3, ambient=as_value([f"{u} + {p}/3" for u, p in zip(field, pull, strict=True)])),
            "roller": (Roller(), traction),
            "one component": (Dirichlet((None, *field[1:])), traction),
        },
    )
