"""How wrong an answer is, and how to make it exact: bounds, verdicts, polish, guards, intervals and losses."""

from meshops.trust.bounds import Bounds, bounds
from meshops.trust.certificate import Certificate, certify
from meshops.trust.conformal import Conformal
from meshops.trust.contraction import Contraction, measure
from meshops.trust.diffusion import system_of
from meshops.trust.discretisation import Discretisation
from meshops.trust.equilibrated import equilibrate
from meshops.trust.errors import TrustError
from meshops.trust.estimates import Estimate, estimate
from meshops.trust.fields import at_points_of, on_own_mesh
from meshops.trust.guard import Guard
from meshops.trust.hierarchy import Hierarchy
from meshops.trust.loss import LOSSES, PhysicsLoss, Problem
from meshops.trust.physics import dual_norm, ritz
from meshops.trust.polish import Polished, descend, polish
from meshops.trust.quantities import Quantity, flux_through, mean_over, quantity, value_at
from meshops.trust.recovery import recover
from meshops.trust.verdict import Verdict, assess, discretise, discretised, judge

__all__ = [
    "LOSSES",
    "Bounds",
    "Certificate",
    "Conformal",
    "Contraction",
    "Discretisation",
    "Estimate",
    "Guard",
    "Hierarchy",
    "PhysicsLoss",
    "Polished",
    "Problem",
    "Quantity",
    "TrustError",
    "Verdict",
    "assess",
    "at_points_of",
    "bounds",
    "certify",
    "descend",
    "discretise",
    "discretised",
    "dual_norm",
    "equilibrate",
    "estimate",
    "flux_through",
    "judge",
    "mean_over",
    "measure",
    "on_own_mesh",
    "polish",
    "quantity",
    "recover",
    "ritz",
    "system_of",
    "value_at",
]
