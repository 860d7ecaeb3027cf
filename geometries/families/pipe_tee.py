"""Pipe tees: a straight pipe and a branch, as the fluid inside or as the pipe's wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import ClassVar

import numpy as np

from geometries.families._meshing import Names, mesh_shape
from geometries.families.base import Family, Shape, ShapeError
from geometries.mesh import Mesh

_AROUND = 10  # edges round a pipe
_SLACK = 1e-6


@dataclass(frozen=True)
class PipeTee(Family):
    """A pipe of bore radius 1 along x and a branch from its middle, in tetrahedra.

    `part` is "fluid", the inside, or "wall", the pipe itself, whose thickness is drawn from the range `wall`. `length`
    (of the pipe), `branch` (of the branch, from the pipe's axis), `radius` (of the branch's bore) and `angle` (between
    the axes, in degrees) are ranges; `size` is the target edge length, `order` 1 or 2. Boundaries: inlet (x = 0),
    outlet (x = length), branch (the branch's end), and `wall`; of the wall, whose ends those are, `inside` and
    `outside`. A shape holds length, branch, radius, angle and wall.
    """

    name: ClassVar[str] = "pipe_tee"
    dim: ClassVar[int] = 3
    size: float = 0.5
    order: int = 1
    part: str = "fluid"
    length: tuple[float, float] = (5.0, 8.0)
    branch: tuple[float, float] = (2.5, 4.0)
    radius: tuple[float, float] = (0.5, 0.85)
    angle: tuple[float, float] = (60.0, 90.0)
    wall: tuple[float, float] = (0.2, 0.35)

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("size", 0.05 <= self.size <= 1, "0.05 to 1 radius of the pipe")
        self.require("order", self.order in (1, 2), "1 or 2")
        self.require("part", self.part in ("fluid", "wall"), "fluid or wall")
        self.require("radius", self.radius[0] >= 0.2 and self.radius[1] <= 0.95, "0.2 to 0.95, low and high")
        self.require("angle", self.angle[0] >= 45 and self.angle[1] <= 90, "45 to 90 degrees, low and high")
        self.require("wall", self.wall[0] >= 0.05 and self.wall[1] <= 0.5, "0.05 to 0.5, low and high")
        self.require("branch", self.branch[0] >= 2.5, "2.5 or more, to reach out of the pipe")
        self.require("length", self.length[0] >= 4.5, "4.5 or more, to hold the branch")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw lengths, the angle and the wall."""
        return {k: float(rng.uniform(*getattr(self, k))) for k in ("length", "branch", "radius", "angle", "wall")}

    def mesh(self, shape: Shape) -> Mesh:
        """Return tetrahedra."""
        make = partial(_fluid if self.part == "fluid" else _wall, shape)
        return mesh_shape(make, dim=3, size=self.size, order=self.order, around=_AROUND)


def _fluid(shape: Shape, gmsh: ModuleType) -> Names:
    occ = gmsh.model.occ
    _pipes(occ, shape, 0.0)
    occ.synchronize()
    return Names(_faces(gmsh, shape, {"wall": 0.0}))


def _wall(shape: Shape, gmsh: ModuleType) -> Names:
    occ = gmsh.model.occ
    occ.cut([_pipes(occ, shape, shape["wall"])], [_pipes(occ, shape, 0.0)])
    occ.synchronize()
    return Names(_faces(gmsh, shape, {"inside": 0.0, "outside": shape["wall"]}))


def _pipes(occ: ModuleType, shape: Shape, wall: float) -> tuple[int, int]:
    """Fuse the two cylinders, thicker by `wall`."""
    length, angle = shape["length"], np.radians(shape["angle"])
    along = (shape["branch"] * np.cos(angle), 0, shape["branch"] * np.sin(angle))
    pipe = occ.addCylinder(0, 0, 0, length, 0, 0, 1 + wall)
    branch = occ.addCylinder(length / 2, 0, 0, *along, shape["radius"] + wall)
    return occ.fuse([(3, pipe)], [(3, branch)])[0][0]


def _faces(gmsh: ModuleType, shape: Shape, walls: dict[str, float]) -> dict[str, list[int]]:
    """Return the faces of each boundary: plane ones are ends, the others are told apart by their radius."""
    found: dict[str, list[int]] = {name: [] for name in ("inlet", "outlet", "branch", *walls)}
    for _, tag in gmsh.model.getEntities(2):
        at = np.array(gmsh.model.occ.getCenterOfMass(2, tag))
        if gmsh.model.getType(2, tag) == "Plane":
            name = "inlet" if at[0] < _SLACK else "outlet" if at[0] > shape["length"] - _SLACK else "branch"
        else:
            name = _nearest_wall(gmsh, tag, shape, walls)
        found[name].append(tag)
    counts = {name: len(tags) for name, tags in found.items()}
    if any(counts[end] != 1 for end in ("inlet", "outlet", "branch")) or not all(counts.values()):
        raise ShapeError(f"the tee has faces {counts}; expected one at each end; draw another shape.")
    return found


def _nearest_wall(gmsh: ModuleType, tag: int, shape: Shape, walls: dict[str, float]) -> str:
    """Return the wall whose radius a face's points have, as seen from the axis of the pipe or of the branch."""
    low, high = (np.array(bound) for bound in gmsh.model.getParametrizationBounds(2, tag))
    at = np.array(gmsh.model.getValue(2, tag, (low + high) / 2))
    angle = np.radians(shape["angle"])
    axis = np.array([np.cos(angle), 0, np.sin(angle)])
    offset = at - (shape["length"] / 2, 0, 0)
    of_pipe, of_branch = np.hypot(at[1], at[2]), np.linalg.norm(offset - offset @ axis * axis)
    return min(walls, key=lambda name: _miss(walls[name], shape["radius"], (of_pipe, of_branch)))


def _miss(wall: float, radius: float, distances: Sequence[float]) -> float:
    of_pipe, of_branch = distances
    return float(min(abs(of_pipe - 1 - wall), abs(of_branch - radius - wall)))
