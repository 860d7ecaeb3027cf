"""An instance of every family, those that need files included."""

from pathlib import Path

import numpy as np

from geometries import Mesh, write
from geometries.families import FAMILIES, Family, Grid


def write_parts(folder: Path) -> Path:
    """Write two boxes of tetrahedra with named faces; return the first one's path."""
    write(Grid(shape=(4, 3, 2)).mesh(), folder / "brick.su2")
    write(Grid(shape=(2, 2, 2)).mesh(), folder / "cube.su2")
    return folder / "brick.su2"


def members(folder: Path) -> dict[str, Family]:
    """Return a default member of every family; `folder` is for the files that some need."""
    file = write_parts(folder)
    needs = {"morph": {"file": str(file), "amplitude": 0.05}, "parts": {"folder": str(folder)}}
    return {name: family(**needs.get(name, {})) for name, family in FAMILIES.items()}


def inside(mesh: Mesh, name: str) -> bool:
    """Whether a boundary lies within the mesh: an interface."""
    return not np.isin(mesh.facet_ids(mesh.sides(name)), mesh.facet_ids(mesh.outer)).any()
