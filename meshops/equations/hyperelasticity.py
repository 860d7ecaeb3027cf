"""Hyperelasticity at large strains: the compressible neo-Hookean solid, in space and in plane strain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skfem.helpers import ddot, det, dot, eye, grad, inv, mul, transpose

from geometries.conditions import Condition, Dirichlet, Neumann, Periodic, Pressure, Robin, Roller
from geometries.values import as_value, multiplied
from meshops.equations.base import AXES, Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case, every
from meshops.equations.recovery import recovered
from meshops.equations.solids import Solid, forces, lame, scaled, von_mises, whole

Floats = NDArray[np.float64]


def _deformation(w: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """Return F, F^-T and ln det F (not a number where cells turn over), worked out once for all of an assembly."""
    if "deformation" not in w:
        gradient = grad(w.displacement)
        f = gradient + eye(np.ones(gradient.shape[2:]), len(gradient))
        volume = det(f)
        with np.errstate(all="ignore"):
            w["deformation"] = f, transpose(inv(f)), np.log(np.where(volume > 0, volume, np.nan))
    return w["deformation"]  # type: ignore[no-any-return]


def _pushed(v: Any, w: Any) -> Any:  # noqa: ANN401
    """A pressure's work: p J F^-T n · v, with n and areas as they were before."""
    _, g, log_volume = _deformation(w)
    return w.value * np.exp(log_volume) * dot(mul(g, w.n), v)


def _pushed_slope(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
    """Its derivative: p J ((F^-T : ∇u) F^-T - F^-T ∇uᵀ F^-T) n · v."""
    _, g, log_volume = _deformation(w)
    turned = ddot(g, grad(u)) * g - mul(mul(g, transpose(grad(u))), g)
    return w.value * np.exp(log_volume) * dot(mul(turned, w.n), v)


class Hyperelasticity(Solid, Equation):
    """A neo-Hookean solid: -∇·P = f with P = μ (F - F^-T) + λ ln J F^-T, F = 1 + ∇u and J = det F.

    The strain energy is μ/2 (tr FᵀF - 3 - 2 ln J) + λ/2 (ln J)² (Bonet and Wood 1997, eq. 5.28); E = `young` and
    ν = `poisson` give λ and μ as in `Elasticity`, which it tends to for small strains. All is referred to the shape
    before: f is the force per volume, and `Neumann` P n = g the traction per area that there was then, of fixed
    direction. `Pressure` stays normal to the surface as it moves. `Dirichlet` u = g in the components that are not
    None, `Roller` u·n = 0, `Periodic`, `Robin` P n = k (u_a - u); none means free. Plane strain in 2-D.

    Newton's method starts from `initial`; a step in which a cell would turn over is shortened. Where it fails, the
    loads, all displacements, tractions, pressures and forces that are given, grow from zero in steps.

    Derived: Cauchy's `stress` P Fᵀ/J, xx, yy, zz, xy, yz, xz, and `von_mises`.
    """

    name = "hyperelasticity"
    numbers = ("strain",)
    title = "-∇·P(∇u) = f, neo-Hookean, plane strain in 2-D"
    fields = (Field("displacement", "m", AXES),)
    coefficients = (
        Coefficient("young", "Pa", default=1.0, positive=True),
        Coefficient("poisson", "1", default=0.3),
    )
    dims = (2, 3)
    terms = MappingProxyType(
        {
            Dirichlet: Terms(),
            Roller: Terms(),
            Periodic: Terms(),
            Neumann: Terms(linear=lambda v, w: dot(w.value, v)),
            Pressure: Terms(bilinear=_pushed_slope, residual=_pushed),
            Robin: Terms(lambda u, v, w: w.coefficient * dot(u, v), lambda v, w: w.coefficient * dot(w.ambient, v)),
        }
    )

    @staticmethod
    def residual(v: Any, w: Any) -> Any:  # noqa: ANN401
        """P : ∇v."""
        return ddot(_piola(w), grad(v))

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """(μ ∇u + (μ - λ ln J) F^-T ∇uᵀ F^-T + λ (F^-T : ∇u) F^-T) : ∇v."""
        (_, g, log_volume), (lam, mu) = _deformation(w), lame(w.young, w.poisson)
        turned = mul(mul(g, transpose(grad(u))), g)
        return ddot(mu * grad(u) + (mu - lam * log_volume) * turned + lam * ddot(g, grad(u)) * g, grad(v))

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """F · v."""
        return dot(w.source, v)

    def eased(self, case: Case, share: float) -> Case:
        """The case with that share of its loads."""
        return replace(
            case,
            conditions={n: tuple(_eased(c, share) for c in every(given)) for n, given in case.conditions.items()},
            source={region: multiplied(v, share) for region, v in case.source.items()}
            if isinstance(case.source, Mapping)
            else multiplied(case.source, share),
        )

    def derived(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return Cauchy's `stress` (N, 6), recovered, and `von_mises` (N, 1)."""
        stress = recovered(case, fields, _cauchy)
        return {"stress": stress, "von_mises": von_mises(stress)}

    def quantities(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, float]:
        """Return the force of each support on the part, component by component."""
        return forces(case, fields)

    def scaling(self, case: Case) -> Scaling:
        """See `meshops.equations.solids.scaled`; what is left is the load's strain, log U/L."""
        found = scaled(case)
        strain = float(np.log(found.quantities["displacement"][1] / found.length))
        return replace(found, numbers=MappingProxyType({"strain": strain}))

    def manufactured(self, dim: int) -> Manufactured:
        """Return u_x = sin(2x) e^y cos(z)/8 with u_y = sin(y)/4, u_z = sin(z)/4, and E = 1 + x/2."""
        return _manufactured(dim)


def _piola(w: Any) -> Any:  # noqa: ANN401
    (f, g, log_volume), (lam, mu) = _deformation(w), lame(w.young, w.poisson)
    return mu * f + (lam * log_volume - mu) * g


def _cauchy(w: Any) -> Any:  # noqa: ANN401
    (f, _, log_volume), (lam, _) = _deformation(w), lame(w.young, w.poisson)
    volume = np.exp(log_volume)
    return whole(mul(_piola(w), transpose(f)) / volume, lam * log_volume / volume)


def _eased(condition: Condition, share: float) -> Condition:
    given = {name: multiplied(v, share) for name, v in condition.values.items() if name != "coefficient"}
    return replace(condition, **given)


def _manufactured(dim: int) -> Manufactured:
    """F = 1 + ∇u is upper triangular, with a = F_xx, b = F_jj, s = F_xj and L = ln J; f = -E ∇·P - E' P e_x."""
    lam, mu = lame(1.0, 0.25)
    rest = "exp(y)" if dim == 2 else "exp(y)*cos(z)"
    wave, a, a_x = f"sin(2*x)*{rest}/8", f"(1+cos(2*x)*{rest}/4)", f"(-sin(2*x)*{rest}/2)"
    shears = [(wave, f"(cos(2*x)*{rest}/4)"), ("(-sin(2*x)*exp(y)*sin(z)/8)", "(-cos(2*x)*exp(y)*sin(z)/4)")]
    sides = "*".join(f"(1+cos({j})/4)" for j in "yz"[: dim - 1])
    log = f"log({a}*{sides})"
    field, pull, push = [wave], [f"({mu}*({a}-1/{a}) + {lam}*{log}/{a})"], [sides]
    spread = [f"{a_x}*({mu}*(1+1/{a}**2) + {lam}*(1-{log})/{a}**2)" + (f" + {mu}*{wave}" if dim == 2 else "")]
    for j, (s, s_x) in zip("yz"[: dim - 1], shears, strict=False):
        b, b_j = f"(1+cos({j})/4)", f"(-sin({j})/4)"
        field.append(f"sin({j})/4")
        pull.append(f"({mu}-{lam}*{log})*{s}/({a}*{b})")
        push.append(f"-{s}*{sides}/{b}")
        spread.append(
            f"-{lam}*{a_x}*{s}/({a}**2*{b}) + ({mu}-{lam}*{log})*({s_x}-{s}*{a_x}/{a})/({a}*{b})"
            f" + {b_j}*({mu}*(1+1/{b}**2) - {lam}*{log}/{b}**2) + {lam}*({s_x}/{a}+{b_j}/{b})/{b}"
        )
    traction = [f"1.5*{p}" for p in pull]
    held = [f"{t} + 0.1*y*{p}" for t, p in zip(traction, push, strict=True)]
    return Manufactured(
        fields={"displacement": tuple(field)},
        source=tuple(f"-(1+x/2)*({d}) - {p}/2" for d, p in zip(spread, pull, strict=True)),
        coefficients={"young": "1+x/2", "poisson": 0.25},
        right={
            "neumann": Neumann(tuple(traction)),
            "pressure": (Pressure("0.1*y"), Neumann(tuple(held))),
            "robin": Robin(3, ambient=as_value([f"{u} + {t}/3" for u, t in zip(field, traction, strict=True)])),
            "one component": (Dirichlet((None, *field[1:])), Neumann(tuple(traction))),
        },
    )
