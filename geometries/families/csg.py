"""Random solids of boxes, cylinders and spheres, joined and cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.families._meshing import Parts, mesh_shape, modelling
from geometries.families.base import Family, Shape, ShapeError, until
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Primitive: TypeAlias = Mapping[str, Any]
_AROUND = 8  # edges round a circle
_SLACK = 1e-6
_KINDS = ("box", "cylinder", "sphere")


@dataclass(frozen=True)
class Csg(Family):
    """Connected solids of `parts` (a range of counts) boxes, cylinders and spheres, each added or cut away.

    The first is an added box about the origin; later ones are centred on a random place of it, `cut` being the chance
    that one is cut away. `size` is the target edge length relative to the first box's longest side, which is 1. Solids
    with edges shorter than 0.4 `size`, and those in pieces, are not drawn. Boundaries: part1, part2, ..., the faces
    that stem from each primitive; one that leaves no face has none. A shape holds parts: [{"kind": "box", "sign": 1 or
    -1, "at": center, "sizes": half sides, or radius and half length along z, or radius, "axis": 0 to 2}, ...].
    """

    name: ClassVar[str] = "csg"
    dim: ClassVar[int] = 3
    size: float = 0.14
    order: int = 1
    parts: tuple[int, int] = (2, 4)
    cut: float = 0.5

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("size", 0.02 <= self.size <= 0.3, "0.02 to 0.3")
        self.require("order", self.order in (1, 2), "1 or 2")
        self.require_counts("parts", 1, 10)
        self.require("cut", 0 <= self.cut <= 1, "a chance from 0 to 1")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a count, then primitives until they make one sound solid."""
        count = int(rng.integers(*self.parts, endpoint=True))
        return until(partial(self._attempt, rng, count), f"solid of {count} parts")

    def mesh(self, shape: Shape) -> Mesh:
        """Return tetrahedra."""
        return mesh_shape(partial(_build, shape), dim=3, size=self.size, order=self.order, around=_AROUND)

    def _attempt(self, rng: np.random.Generator, count: int) -> Shape | None:
        half = rng.uniform(0.25, 0.5, 3)
        half[rng.integers(3)] = 0.5
        first = {"kind": "box", "sign": 1, "at": [0.0, 0.0, 0.0], "sizes": half.tolist(), "axis": 2}
        shape = {"parts": [first, *(_primitive(rng, half, self.cut) for _ in range(count - 1))]}
        return shape if _sound(shape, 0.4 * self.size) else None


# -- drawing -----------------------------------------------------------------------------------------------------------
def _primitive(rng: np.random.Generator, half: Floats, cut: float) -> dict[str, Any]:
    kind, sign = _KINDS[rng.integers(3)], -1 if rng.random() < cut else 1
    sizes = {"box": rng.uniform(0.12, 0.4, 3), "cylinder": rng.uniform((0.1, 0.3), (0.25, 0.7)), "sphere": None}[kind]
    radius = rng.uniform(0.15, 0.4, 1) if sizes is None else sizes
    at = rng.uniform(-0.9, 0.9, 3) * half
    return {"kind": kind, "sign": sign, "at": at.tolist(), "sizes": radius.tolist(), "axis": int(rng.integers(3))}


def _sound(shape: Shape, shortest: float) -> bool:
    """Whether a shape is one solid with no short edge, no thin face and no face without an owner."""
    try:
        with modelling() as gmsh:
            _build(shape, gmsh)
            lengths = [gmsh.model.occ.getMass(*edge) for edge in gmsh.model.getEntities(1)]
            areas = [gmsh.model.occ.getMass(*face) for face in gmsh.model.getEntities(2)]
            rims = [_rim(gmsh, face) for face in gmsh.model.getEntities(2)]
    except ShapeError:
        return False
    thin = any(area < 0.5 * shortest * rim for area, rim in zip(areas, rims, strict=True))
    return not thin and all(length == 0 or length > shortest for length in lengths)


def _rim(gmsh: ModuleType, face: tuple[int, int]) -> float:
    """Return half the length of a face's edges."""
    edges = gmsh.model.getBoundary([face], combined=False, oriented=False)
    return sum(gmsh.model.occ.getMass(*edge) for edge in set(edges)) / 2


# -- building ----------------------------------------------------------------------------------------------------------
def _build(shape: Shape, gmsh: ModuleType) -> Parts:
    """Join and cut the primitives in turn; raises `ShapeError` unless one solid is left."""
    occ = gmsh.model.occ
    first, *later = shape["parts"]
    solid = [(3, _add(occ, first))]
    for part in later:
        tool = [(3, _add(occ, part))]
        solid = (occ.fuse if part["sign"] > 0 else occ.cut)(solid, tool)[0]
        if len(solid) != 1:
            raise ShapeError(f"the primitives make {len(solid)} solids; expected one.")
    occ.synchronize()
    return Parts(_owners(gmsh, shape["parts"]))


def _add(occ: ModuleType, part: Primitive) -> int:
    at, sizes = np.array(part["at"]), np.array(part["sizes"])
    if part["kind"] == "box":
        return occ.addBox(*(at - sizes), *(2 * sizes))
    if part["kind"] == "sphere":
        return occ.addSphere(*at, *sizes)
    along = np.eye(3)[part["axis"]] * sizes[1]
    return occ.addCylinder(*(at - along), *(2 * along), sizes[0])


def _owners(gmsh: ModuleType, parts: list[Primitive]) -> dict[str, list[int]]:
    """Return the faces of each primitive: those with all of their edges and their middle on its surface."""
    found: dict[str, list[int]] = {}
    for face in gmsh.model.getEntities(2):
        points = _samples(gmsh, face)
        away = [float(np.abs(_distance(part, points)).max()) for part in parts]
        if min(away) > _SLACK:
            raise ShapeError("a face lies on none of the primitives; draw another shape.")
        found.setdefault(f"part{int(np.argmin(away)) + 1}", []).append(face[1])
    return dict(sorted(found.items()))


def _samples(gmsh: ModuleType, face: tuple[int, int]) -> Floats:
    """Return points on the edges of a face."""
    points = []
    for dim, tag in gmsh.model.getBoundary([face], combined=False, oriented=False):
        low, high = (bound[0] for bound in gmsh.model.getParametrizationBounds(dim, tag))
        points.append(gmsh.model.getValue(dim, tag, np.linspace(low, high, 7)))
    return np.concatenate(points).reshape(-1, 3)


def _distance(part: Primitive, points: Floats) -> Floats:
    """(n,) signed distance from a primitive's surface, exact on it."""
    offset, sizes = points - part["at"], np.array(part["sizes"])
    if part["kind"] == "sphere":
        return np.linalg.norm(offset, axis=1) - sizes[0]
    if part["kind"] == "box":
        return (np.abs(offset) - sizes).max(1)
    along = np.abs(offset[:, part["axis"]]) - sizes[1]
    return np.maximum(np.linalg.norm(np.delete(offset, part["axis"], axis=1), axis=1) - sizes[0], along)
