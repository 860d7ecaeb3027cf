"""Magnetostatics in the plane: the field of currents that run across it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skfem.helpers import dot, grad

from geometries.conditions import Neumann, Robin
from meshops.equations.assembly import Assembler
from meshops.equations.base import Coefficient, Equation, Field, Manufactured, Scaling
from meshops.equations.case import Case
from meshops.equations.case_checks import check_level
from meshops.equations.forms import SCALAR_TERMS
from meshops.equations.recovery import nodal_gradient
from meshops.equations.scales import offset_and_scale, scalar_quantities

Floats = NDArray[np.float64]
VACUUM = 4e-7 * np.pi


class Magnetostatics(Equation):
    """Magnetostatics in the plane: -∇·(1/μ ∇A) = J.

    A is the potential's component across the plane, J the current density there, μ > 0 the permeability (H/m, by
    default that of vacuum), most often a value a region. Conditions: `Dirichlet` A = g (a field line where g is
    constant), `Neumann` 1/μ ∂A/∂n = q (a current sheet, or the tangential field strength), none where field lines cross
    at right angles, as on a plane of symmetry between equal currents; `Robin` 1/μ ∂A/∂n = h (A_a - A), which stands for
    the open space around; `Periodic`. Antiperiodic sides are not there.

    Derived: `flux_density` B = (∂A/∂y, -∂A/∂x) in T, the mean of the cells around a point, which at an interface
    blurs the jump of its tangential part; and `energy` ∫ |B|²/2μ in J a metre of depth, with that beyond `Robin` sides.
    """

    name = "magnetostatics"
    title = "-∇·(1/μ ∇A) = J"
    fields = (Field("potential", "Wb/m"),)
    coefficients = (Coefficient("permeability", "H/m", default=VACUUM, positive=True),)
    dims = (2,)
    terms = SCALAR_TERMS

    @staticmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401
        """1/μ ∇A · ∇v."""
        return dot(grad(u), grad(v)) / w.permeability

    @staticmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """J v."""
        return w.source * v

    def check(self, case: Case) -> None:
        """Each piece needs a level."""
        check_level(case)

    def scaling(self, case: Case) -> Scaling:
        """Scale lengths by the radius of gyration, 1/μ by its mean, A as `offset_and_scale` says."""
        mesh = case.mesh
        k0 = float(mesh.mass @ (1 / case.nodal("permeability")) / mesh.mass.sum())
        offset, size = offset_and_scale(case, k0)
        quantities = scalar_quantities(case, k0, offset, size or 1.0) | {"permeability": (0.0, 1 / k0)}
        return Scaling(mesh.length, tuple(mesh.centroid.tolist()), MappingProxyType(quantities), arbitrary=not size)

    def derived(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return `flux_density` (N, 2)."""
        slope = nodal_gradient(case.mesh, fields[self.field])[:, 0]
        return {"flux_density": np.stack([slope[:, 1], -slope[:, 0]], axis=1)}

    def quantities(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, float]:
        """Return `energy`."""
        assembler = Assembler(case)
        potential = assembler.layout.join(fields)
        return {"energy": float(potential @ (assembler.matrix("bilinear", None, case.start) @ potential)) / 2}

    def manufactured(self, dim: int) -> Manufactured:
        """A = sin(2x) e^y, μ = 1/(1 + x/2)."""
        field, slope = "sin(2*x)*exp(y)", "2*cos(2*x)*exp(y)"
        flux = f"(1+x/2)*{slope}"
        return Manufactured(
            fields={"potential": field},
            source=f"3*(1+x/2)*{field} - 0.5*{slope}",
            coefficients={"permeability": "1/(1+x/2)"},
            right={"neumann": Neumann(flux), "robin": Robin(3, ambient=f"{field} + {flux}/3")},
        )
