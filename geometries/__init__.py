"""Where domains come from: meshes with named boundaries, from CAD, mesh files and random families.

Imports no torch and nothing of `meshops`.
"""

from geometries import formats
from geometries import tags as select
from geometries.conditions import (
    Absorbing,
    Condition,
    Dirichlet,
    Neumann,
    Periodic,
    Pressure,
    Radiation,
    Robin,
    Roller,
)
from geometries.errors import MeshopsError
from geometries.expressions import Expression
from geometries.formats import read, write
from geometries.mesh import Mesh

__all__ = [
    "Absorbing", "Condition", "Dirichlet", "Expression", "Mesh", "MeshopsError", "Neumann", "Periodic", "Pressure",
    "Radiation", "Robin", "Roller", "formats", "read", "select", "write",
]  # fmt: skip
