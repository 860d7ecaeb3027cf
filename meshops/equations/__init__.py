"""One PDE per file, assembled by scikit-fem. A new one is one file and one entry in `EQUATIONS`."""

from geometries.errors import MeshopsError, nearest
from meshops.equations.advection_diffusion import AdvectionDiffusion
from meshops.equations.assembly import LinearSystem, assemble
from meshops.equations.base import Equation, Manufactured, Scaling
from meshops.equations.burgers import Burgers
from meshops.equations.case import Case
from meshops.equations.case_file import names_of, read_case, write_case
from meshops.equations.combined import Combined
from meshops.equations.elasticity import Elasticity, PlaneStress
from meshops.equations.heat import Heat
from meshops.equations.helmholtz import Helmholtz
from meshops.equations.helmholtz_damped import DampedHelmholtz
from meshops.equations.hyperelasticity import Hyperelasticity
from meshops.equations.magnetostatics import Magnetostatics
from meshops.equations.navier_stokes import NavierStokes
from meshops.equations.solution import Solution
from meshops.equations.solvers import solve
from meshops.equations.stokes import Stokes
from meshops.equations.wave import Wave

_ALL: tuple[Equation, ...] = (
    Heat(),
    AdvectionDiffusion(),
    Helmholtz(),
    DampedHelmholtz(),
    Magnetostatics(),
    Elasticity(),
    PlaneStress(),
    Hyperelasticity(),
    Wave(),
    Burgers(),
    Combined(),
    Stokes(),
    NavierStokes(),
)
EQUATIONS: dict[str, Equation] = {e.name: e for e in _ALL}


def equation(name: str) -> Equation:
    """Return the equation called `name`; raises `MeshopsError` with the nearest name."""
    if name not in EQUATIONS:
        raise MeshopsError(f"no equation is called {name!r}; {nearest(name, EQUATIONS)}")
    return EQUATIONS[name]


__all__ = [
    "EQUATIONS",
    "AdvectionDiffusion",
    "Burgers",
    "Case",
    "Combined",
    "DampedHelmholtz",
    "Elasticity",
    "Equation",
    "Heat",
    "Helmholtz",
    "Hyperelasticity",
    "LinearSystem",
    "Magnetostatics",
    "Manufactured",
    "NavierStokes",
    "PlaneStress",
    "Scaling",
    "Solution",
    "Stokes",
    "Wave",
    "assemble",
    "equation",
    "names_of",
    "read_case",
    "solve",
    "write_case",
]
