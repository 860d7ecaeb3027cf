"""Linear quantities of interest: a mean over a region, a flux through a boundary, the value at a point, with bounds.

For J(u) = jᵀu, the dual solution A z = j gives J(u_h) - J(u) = zᵀr. With z near it,

    |J(u_h) - J(u) - zᵀr| ≤ ‖z_h - z‖_A ‖u_h - u‖_A,

both factors bounded by the same V-cycle: the dual-weighted residual (Becker and Rannacher 2001,
doi:10.1017/S0962492901000010) with a proof of what it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries.conditions import Condition, Dirichlet, Neumann, Robin
from geometries.errors import nearest
from meshops.equations import Case, LinearSystem, Solution
from meshops.equations.assembly import Assembler
from meshops.equations.case import Part, every
from meshops.equations.layout import Layout
from meshops.trust.bounds import bounds, corrected, rounding
from meshops.trust.certificate import Certificate, certify
from meshops.trust.diffusion import system_of
from meshops.trust.errors import TrustError
from meshops.trust.fields import unknowns
from meshops.trust.simplices import conductivity

Floats = NDArray[np.float64]
CYCLES = 8  # spent on the dual solution
Functional = Callable[[Case, LinearSystem], "Linear"]


@dataclass(frozen=True, eq=False)
class Linear:
    """J(u) = `weights` · u + `offset`, weights (n,) over the unknowns."""

    weights: Floats
    offset: float = 0.0

    def __call__(self, values: Floats) -> float:
        """Return J(u)."""
        return float(self.weights @ values) + self.offset


@dataclass(frozen=True)
class Quantity:
    """A quantity of the field, corrected by the dual-weighted residual, and an interval that holds the discrete one.

    `interval` is proved, but for `failure_probability`, where the certificate is.
    """

    of_field: float
    corrected: float
    interval: tuple[float, float]
    failure_probability: float


def quantity(solution: Solution, functional: Functional, *, certificate: Certificate | None = None) -> Quantity:
    """Return a quantity of interest of a solution's field, such as `quantity(s, mean_over("core"))`.

    Raises `TrustError` for systems that are not symmetric positive definite.
    """
    certificate = certify(solution.case) if certificate is None else certificate
    system = system_of(solution.case, certificate.matrix)
    values = certificate.imposed(unknowns(solution), system)
    goal = functional(solution.case, system)
    # the dual problem, whose fixed values are 0: its error after these cycles is at most (most - found)^½
    found, most, dual = corrected(certificate, certificate.reduced(goal.weights), CYCLES)
    value = goal(values)
    better = value + float(dual @ certificate.residual(values, system.rhs))
    left = np.sqrt(max(most - found, 0.0)) + rounding(certificate, certificate.spread(dual))
    spread = float(left * bounds(certificate, system, values).upper) if left > 0 else 0.0  # that may be infinite
    interval = (better - spread, better + spread)
    return Quantity(value, better, interval, certificate.contraction.failure)


def mean_over(region: str | None = None) -> Functional:
    """Return the mean of the field over a region, over the whole domain where none is named."""

    def build(case: Case, system: LinearSystem) -> Linear:
        mesh = case.mesh
        if region is not None and region not in mesh.regions:
            raise TrustError(f"no region is named {region!r}; {nearest(region, mesh.regions)}")
        cells = np.arange(mesh.num_cells) if region is None else mesh.regions[region]
        name = "_" + "_".join(mesh.regions)  # one that no region has
        chosen = replace(mesh, regions={**mesh.regions, name: cells})
        source = replace(_homogeneous(case), mesh=chosen, source={name: 1.0})
        load = system_of(source, system.matrix).rhs
        return Linear(load / load.sum())  # of u = 1 it is 1, whatever the quadrature makes of the measure

    return build


def flux_through(boundary: str) -> Functional:
    """Return the flux into the body through a boundary with a Dirichlet or a Robin condition.

    Through a Dirichlet boundary it is the reaction Σ (A u - b) over its points, which converges twice as fast as ∫ k
    ∂u/∂n. At points that several Dirichlet boundaries share, each has its own ∫ k ∂u/∂n against their shape functions,
    and an equal part of what the reaction there differs from the sum of these: exact for u linear with k constant, else
    off by O(h^(p + 1)) with elements of order p where u is smooth. Through a Robin boundary it is what is exchanged,
    without a flux that is given there besides. Over all boundaries the fluxes and what is put in sum to zero, to the
    last bits of the solver.
    """

    def build(case: Case, system: LinearSystem) -> Linear:
        parts = [p for p in case.parts if p.name == boundary]
        if not parts:
            raise TrustError(f"no condition is named {boundary!r}; {nearest(boundary, case.conditions)}")
        for part in parts:
            if isinstance(part.condition, Dirichlet):
                return _held(case, part, system)
            if isinstance(part.condition, Robin):
                return _exchanged(case, boundary, part.condition, system)
        raise TrustError(f"the flux through {boundary!r} is given ({parts[0].condition.key}), not found.")

    return build


def value_at(point: ArrayLike, component: int = 0) -> Functional:
    """Return the field's value, or one component of it, at the point of a cell that is nearest to `point` (d,)."""

    def build(case: Case, system: LinearSystem) -> Linear:
        at, dim = np.atleast_1d(np.asarray(point, float)), case.mesh.space_dim
        if at.shape != (dim,) or not np.isfinite(at).all():
            raise TrustError(f"the point is {at.tolist()}; expected {dim} finite numbers.")
        numbers = Layout(case.mesh, case.equation.fields).numbers[case.equation.field]
        if not 0 <= component < numbers.shape[1]:
            raise TrustError(f"found component {component}; expected 0 to {numbers.shape[1] - 1}.")
        weights = np.zeros(len(system.rhs))
        far = np.where(case.mesh.mass > 0, np.linalg.norm(case.mesh.points - at, axis=1), np.inf)
        weights[numbers[far.argmin(), component]] = 1.0
        return Linear(weights)

    return build


def _homogeneous(case: Case) -> Case:
    """The case without loads: values, ambients and sources 0, given fluxes gone. `TrustError` if no diffusion."""
    conductivity(case)
    kept: dict[str, tuple[Condition, ...]] = {}
    for name, given in case.conditions.items():
        quiet = [_quiet(c) for c in every(given) if not isinstance(c, Neumann)]
        if quiet:
            kept[name] = tuple(quiet)
    return replace(case, conditions=kept, source=0.0)


def _quiet(condition: Condition) -> Condition:
    return replace(condition, ambient=0.0) if isinstance(condition, Robin) else Dirichlet(0.0)


def _held(case: Case, part: Part, system: LinearSystem) -> Linear:
    """Σ (A u - b) over a part's points; those that several parts hold are shared as `flux_through` says."""
    if case.equation.fields[0].components:
        raise TrustError(
            f"{case.equation.name} has a vector field, and no flux; `reactions` gives its supports' forces."
        )
    parts = [p for p in case.parts if isinstance(p.condition, Dirichlet)]
    own = np.zeros(case.mesh.num_points)
    own[case.mesh.nodes(part.sides)] = 1.0
    holders = np.zeros(case.mesh.num_points)
    for other in parts:
        holders[case.mesh.nodes(other.sides)] += 1.0
    share = own / np.maximum(holders, 1.0)
    weights = system.matrix.T @ share
    if (holders[own > 0] > 1).any():
        assembler = Assembler(case)
        for other in parts:
            at = np.where(holders > 1, own * (other is part) - share, 0.0)
            weights = weights + assembler.flux_through(other, at, case.start)
    return Linear(weights, -float(share @ system.rhs))


def _exchanged(case: Case, boundary: str, condition: Robin, system: LinearSystem) -> Linear:
    """∫ h (u_a - u): the load of ambient 1 weighs u, and that of the true ambient is the offset."""

    def load(ambient: object) -> Floats:
        bare = _homogeneous(case)
        conditions = {**bare.conditions, boundary: replace(condition, ambient=ambient)}
        return system_of(replace(bare, conditions=conditions), system.matrix).rhs

    return Linear(-load(1.0), float(load(condition.ambient).sum()))
