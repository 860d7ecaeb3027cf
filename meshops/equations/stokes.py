"""Stokes flow: slow flow of a viscous fluid, steady and transient."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skfem.helpers import ddot, div, dot, grad

from geometries.conditions import Dirichlet, Neumann, Periodic, Pressure, Roller
from geometries.errors import SpecError
from meshops.equations.base import AXES, Coefficient, Equation, Field, Manufactured, Scaling, Terms
from meshops.equations.case import Case, Part, on_sides
from meshops.equations.case_checks import check_level, pieces

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_UNBALANCED = 0.05  # of the flow through the boundary, by its values at points: what may enter and not leave


class Stokes(Equation):
    """Stokes flow: ρ ∂u/∂t - μ Δu + ∇p = f, ∇·u = 0.

    u is the velocity, p the pressure, μ the dynamic viscosity and ρ the density (in transient problems), each one
    number; f a force per volume. In 2-D all is per unit of depth. Conditions: `Dirichlet` u = g, component by
    component; `Roller` u·n = 0, a plane of symmetry or a wall that lets slip; `Neumann` μ ∂u/∂n - p n = t; `Pressure`
    μ ∂u/∂n - p n = -value n, an opening at that pressure; `Periodic`; none is `Pressure` 0, an outlet that channel flow
    leaves undisturbed ("do nothing", doi:10.1002/(SICI)1097-0363(19960315)22:5<325::AID-FLD307>3.0.CO;2-Y). On walls
    that hold the fluid μ ∂u/∂n - p n is the traction, since there (∇u)ᵀ n = n (∇·u) = 0.

    Taylor and Hood's elements: velocity of second order, pressure of first. A first-order mesh is solved with mid-nodes
    added, and the values at its own points are what `solve` returns. Where nothing is open the pressure has no level:
    one unknown is pinned while solving, and the mean over the domain is made 0.
    """

    name = "stokes"
    title = "ρ ∂u/∂t - μ Δu + ∇p = f, ∇·u = 0"
    fields = (Field("velocity", "m/s", AXES), Field("pressure", "Pa", lower=True))
    coefficients = (
        Coefficient("viscosity", "Pa s", default=1.0, positive=True),
        Coefficient("density", "kg/m³", default=1.0, positive=True, transient=True),
    )
    dims = (2, 3)
    time_order = 1
    definite = False
    terms = MappingProxyType(
        {
            Dirichlet: Terms(),
            Roller: Terms(),
            Periodic: Terms(),
            Neumann: Terms(linear=lambda v, q, w: dot(w.value, v)),
            Pressure: Terms(linear=lambda v, q, w: -w.value * dot(w.n, v)),
        }
    )

    @staticmethod
    def bilinear(u: Any, p: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """Return μ ∇u : ∇v - p ∇·v - q ∇·u."""
        return w.viscosity * ddot(grad(u), grad(v)) - p * div(v) - q * div(u)

    @staticmethod
    def like(u: Any, p: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """Return μ ∇u : ∇v + p q/μ: the Schur complement is as large as the last term (doi:10.1137/0731070)."""
        return w.viscosity * ddot(grad(u), grad(v)) + p * q / w.viscosity

    norm = like

    @staticmethod
    def mass(u: Any, p: Any, v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """Return ρ u · v."""
        return w.density * dot(u, v)

    @staticmethod
    def linear(v: Any, q: Any, w: Any) -> Any:  # noqa: ANN401
        """F · v."""
        return dot(w.source, v)

    def floating(self, case: Case) -> str | None:
        """The pressure, where no part of the boundary is open."""
        return None if len(_openings(case)) else "pressure"

    def check(self, case: Case) -> None:
        """Viscosity and density are uniform; of a closed domain as much leaves as enters; something holds the fluid."""
        for info in self.coefficients:
            values = case.nodal(info.name)
            if np.ptp(values) > 1e-9 * values.max():
                raise SpecError(f"{info.name} varies; {self.name} needs one number.", ("coefficients", info.name))
        check_level(case)
        _check_vessels(case)
        if not len(_openings(case)):
            _check_balance(case)

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration L, velocity by U, pressure and traction by P = μU/L, time by ρL²/μ.

        U is the largest speed that conditions or the start give, and that which the largest pressure, traction or force
        D = max(|p|, |t|, |f| L) drives: U = D L/μ. All are invariant under a change of units.
        """
        length, mu, rho = case.mesh.length, *(float(case.nodal(n).mean()) for n in ("viscosity", "density"))
        size = speed(case) + drive(case) * length / mu
        u = size or mu / (rho * length)
        scaling = scaled(case, u, mu * u / length, viscosity=mu, time=rho * length**2 / mu)
        return replace(scaling, arbitrary=not size)

    def manufactured(self, dim: int) -> Manufactured:
        """U = sin(2(x - 1)) e^y, and more, with p = sin(2x - 1) e^y; μ = 2."""
        return manufactured(dim, viscosity=2.0, density=0.0)


def manufactured(dim: int, *, viscosity: float, density: float) -> Manufactured:
    """Return an exact flow with u·n = 0 on x = 1 and a pressure of mean 0; the density is that in ρ (u·∇)u."""
    a, c, p = "sin(2*(x-1))*exp(y)", "cos(2*(x-1))*exp(y)", "sin(2*x-1)*exp(y)"
    velocity = [a, f"x**2-2*{c}"]
    slopes = [[f"2*{c}", a], [f"4*{a}+2*x", f"-2*{c}"]]
    laplacians = [f"-3*{a}", f"6*{c}+2"]
    if dim == 3:
        velocity = [f"{a}+(x-1)*sin(2*z)", velocity[1], "cos(2*z)/2+sin(x+y)"]
        slopes = [
            [f"2*{c}+sin(2*z)", a, "2*(x-1)*cos(2*z)"],
            [*slopes[1], "0"],
            ["cos(x+y)", "cos(x+y)", "-sin(2*z)"],
        ]
        laplacians = [f"-3*{a}-4*(x-1)*sin(2*z)", laplacians[1], "-2*cos(2*z)-2*sin(x+y)"]
    lift = ["2*cos(2*x-1)*exp(y)", p, "0"]
    source = [
        f"-{viscosity}*({laplacians[i]}) + {lift[i]} + {density}*("
        + " + ".join(f"({u})*({s})" for u, s in zip(velocity, slopes[i], strict=True))
        + ")"
        for i in range(dim)
    ]
    along = [f"{viscosity}*({row[0]})" for row in slopes]
    traction = (f"{along[0]} - {p}", *along[1:])
    return Manufactured(
        fields={"velocity": tuple(velocity), "pressure": p},
        source=tuple(source),
        coefficients={"viscosity": viscosity, "density": density or 1.0},
        right={
            "neumann": Neumann(traction),
            "pressure": (Pressure(p), Neumann(tuple(along))),
            "roller": (Roller(), Neumann(traction)),
        },
    )


# -- what is open ------------------------------------------------------------------------------------------------------
def _openings(case: Case) -> Ints:
    """(n, 2) the outer sides that the fluid may cross at a speed that no condition gives."""
    ids = case.mesh.facet_ids
    closed = [np.empty(0, np.int64)]
    for part in case.parts:
        if isinstance(part.condition, Periodic):
            closed += [ids(part.sides), ids(case.mesh.sides(part.condition.partner))]
        elif isinstance(part.condition, Roller):
            closed.append(ids(part.sides))
        elif isinstance(part.condition, Dirichlet):
            _, normals, _ = case.mesh.side_geometry(part.sides)
            free = np.isnan(on_sides(case, part, "value")) & (np.abs(normals) > 1e-9)
            closed.append(ids(part.sides)[~free.any(1)])
    return case.mesh.outer[~np.isin(ids(case.mesh.outer), np.concatenate(closed))]


def _check_vessels(case: Case) -> None:
    """One closed piece has the pressure whose mean is 0; beside other pieces there would be several such levels."""
    _, piece = pieces(case)
    parts = np.unique(piece[case.mesh.mass > 0])
    closed = np.setdiff1d(parts, piece[case.mesh.nodes(_openings(case))])
    if len(closed) and len(parts) > 1:
        where = case.mesh.points[np.flatnonzero(piece == closed[0])[0]].round(6).tolist()
        raise SpecError(
            f"{len(closed)} of {len(parts)} connected pieces (one at {where}) are closed, where the pressure has no "
            "level; give each its own case, or an opening.",
            ("conditions",),
        )


def _check_balance(case: Case) -> None:
    flows = [np.zeros(1)]
    for part in case.parts:
        if isinstance(part.condition, Dirichlet):
            _, normals, areas = case.mesh.side_geometry(part.sides)
            flows.append(areas * np.sum(np.nan_to_num(on_sides(case, part, "value")) * normals, axis=1))
    through = np.concatenate(flows)
    net, total = float(through.sum()), float(np.abs(through).sum()) / 2
    if abs(net) > _UNBALANCED * total:
        more, less = ("leaves", "enters") if net > 0 else ("enters", "leaves")
        raise SpecError(
            f"{abs(net):.6g} more {more} than {less} a domain "
            "with no opening; give velocities that balance, or leave an outlet without a condition.",
            ("conditions",),
        )


# -- scales ------------------------------------------------------------------------------------------------------------
def scaled(case: Case, speed: float, pressure: float, *, viscosity: float, time: float) -> Scaling:
    """Return the scaling by these; `neumann.value` and `pressure.value` are tractions."""
    mesh = case.mesh
    quantities = {
        "velocity": (0.0, speed),
        "pressure": (0.0, pressure),
        "viscosity": (0.0, viscosity),
        "density": (0.0, float(case.nodal("density").mean())),
        "source": (0.0, pressure / mesh.length),
        "dirichlet.value": (0.0, speed),
        "neumann.value": (0.0, pressure),
        "pressure.value": (0.0, pressure),
    }
    return Scaling(mesh.length, tuple(mesh.centroid.tolist()), MappingProxyType(quantities), time)


def speed(case: Case) -> float:
    """The largest speed that a Dirichlet condition or the start gives."""
    given = [on_sides(case, part, "value") for part in case.parts if isinstance(part.condition, Dirichlet)]
    found = [case.start_values()["velocity"], *given]
    return max(float(np.linalg.norm(np.nan_to_num(v), axis=1).max(initial=0.0)) for v in found)


def drive(case: Case) -> float:
    """The largest pressure or traction given, or force per volume times L."""
    found = [float(np.linalg.norm(case.loads, axis=1).max()) * case.mesh.length]
    return max(*found, *(_traction(case, part) for part in case.parts), 0.0)


def _traction(case: Case, part: Part) -> float:
    if not isinstance(part.condition, Neumann | Pressure):
        return 0.0
    values = on_sides(case, part, "value").reshape(len(part.sides), -1)
    return float(np.linalg.norm(values, axis=1).max(initial=0.0))
