"""How wrong an answer is, and how to make it exact: bounds, verdicts, polish, guards, intervals and losses."""

from meshops.trust.bounds import Bounds, bounds
from meshops.trust.certificate import Certificate, certify
from meshops.trust.contraction import Contraction, measure
from meshops.trust.discretisation import Discretisation
from meshops.trust.equilibrated import equilibrate
from meshops.trust.errors import TrustError
from meshops.trust.estimates import Estimate, estimate
from meshops.trust.guard import Guard
from meshops.trust.hierarchy import Hierarchy
from meshops.trust.polish import Polished, descend, polish
from meshops.trust.recovery import recover
from meshops.trust.verdict import Verdict, discretise, judge

__all__ = [
    "Bounds",
    "Certificate",
    "Contraction",
    "Discretisation",
    "Estimate",
    "Guard",
    "Hierarchy",
    "Polished",
    "TrustError",
    "Verdict",
    "bounds",
    "certify",
    "descend",
    "discretise",
    "equilibrate",
    "estimate",
    "judge",
    "measure",
    "polish",
    "recover",
]
