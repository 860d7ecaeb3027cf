"""Where domains come from: meshes with named boundaries, from CAD, mesh files and random families.

Imports no torch and nothing of `meshops`.
"""

from geometries import formats
from geometries import tags as select
from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.errors import MeshopsError
from geometries.expressions import Expression
from geometries.formats import read, write
from geometries.mesh import Mesh

__all__ = ["Dirichlet", "Expression", "Mesh", "MeshopsError", "Neumann", "Robin", "formats", "read", "select", "write"]
