"""One PDE per file, assembled by scikit-fem. A new one is one file and one entry in `EQUATIONS`."""

from geometries.errors import MeshopsError, nearest
from meshops.equations.assembly import LinearSystem, assemble
from meshops.equations.base import Equation, Manufactured, Scaling
from meshops.equations.case import Case
from meshops.equations.case_file import names_of, read_case, write_case
from meshops.equations.elasticity import Elasticity, PlaneStress
from meshops.equations.heat import Heat
from meshops.equations.navier_stokes import NavierStokes
from meshops.equations.solution import Solution
from meshops.equations.solvers import solve
from meshops.equations.stokes import Stokes

EQUATIONS: dict[str, Equation] = {
    e.name: e for e in (Heat(), Elasticity(), PlaneStress(), Stokes(), NavierStokes())
}


def equation(name: str) -> Equation:
    """Return the equation called `name`; raises `MeshopsError` with the nearest name."""
    if name not in EQUATIONS:
        raise MeshopsError(f"no equation is called {name!r}; {nearest(name, EQUATIONS)}")
    return EQUATIONS[name]


__all__ = [
    "EQUATIONS",
    "Case",
    "Elasticity",
    "Equation",
    "Heat",
    "LinearSystem",
    "Manufactured",
    "PlaneStress",
    "NavierStokes",
    "Scaling",
    "Solution",
    "Stokes",
    "assemble",
    "equation",
    "names_of",
    "read_case",
    "solve",
    "write_case",
]
