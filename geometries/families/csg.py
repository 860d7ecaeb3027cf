"""Random solids of boxes, cylinders and spheres, joined and cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.families._meshing import Names, mesh_shape, modelling
from geometries.families.base import Family, Shape, ShapeError, until
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Primitive: TypeAlias = Mapping[str, Any]
_AROUND = 8  # edges round a circle
_SLACK = 1e-6
_TRIES = 200  # for a primitive that keeps clear of those before it
_TANGENT = np.cos(np.radians(25))
_KINDS = ("box", "cylinder", "sphere")
_SIZES = {"box": ([0.12] * 3, [0.4] * 3), "cylinder": ([0.1, 0.3], [0.25, 0.7]), "sphere": ([0.15], [0.4])}


@dataclass(frozen=True)
class Csg(Family):
    """Connected solids of `parts` (a range of counts) boxes, cylinders and spheres, each added or cut away.

    The first is an added box about the origin, its longest side 1; later ones are centred on a random place in it, and
    `cut` is the chance that one is cut away. `size` is the target edge length. Solids in pieces, with edges shorter
    than 0.4 `size`, or with faces that meet at less than 25 degrees are not drawn. Boundaries: part1, part2, ..., the
    faces that stem from each primitive; one that leaves no face has none.

    A shape holds parts: [{"kind": "box", "cylinder" or "sphere", "sign": 1 or -1, "at": center, "sizes": half sides,
    [radius, half length] or [radius], "axis": 0, 1 or 2 of the cylinder}, ...].
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
        parts = [first]
        for _ in range(count - 1):
            tries = (_primitive(rng, half, self.cut) for _ in range(_TRIES))
            clear = next((part for part in tries if _clear(part, parts, 0.4 * self.size)), None)
            if clear is None:
                return None
            parts.append(clear)
        return {"parts": parts} if _sound({"parts": parts}, 0.4 * self.size) else None


# -- drawing -----------------------------------------------------------------------------------------------------------
def _primitive(rng: np.random.Generator, half: Floats, cut: float) -> dict[str, Any]:
    kind, sign = _KINDS[rng.integers(3)], -1 if rng.random() < cut else 1
    at, sizes = rng.uniform(-0.9, 0.9, 3) * half, rng.uniform(*_SIZES[kind])
    return {"kind": kind, "sign": sign, "at": at.tolist(), "sizes": sizes.tolist(), "axis": int(rng.integers(3))}


def _clear(part: Primitive, others: list[dict[str, Any]], gap: float) -> bool:
    """Whether a primitive begins and ends, along each axis, no nearer than `gap` to where another does."""
    ends = np.concatenate([_ends(other) for other in others])
    return bool(np.abs(_ends(part)[:, None] - ends).min() > gap)


def _ends(part: Primitive) -> Floats:
    """Return the (2, 3) lowest and highest coordinates of a primitive."""
    reach = np.full(3, part["sizes"][0])
    if part["kind"] == "box":
        reach = np.array(part["sizes"])
    elif part["kind"] == "cylinder":
        reach[part["axis"]] = part["sizes"][1]
    return np.array(part["at"]) + np.array([[-1], [1]]) * reach


def _sound(shape: Shape, shortest: float) -> bool:
    """Whether a shape is one solid without short edges, thin faces and faces that meet at less than 25 degrees."""
    try:
        with modelling() as gmsh:
            _build(shape, gmsh)
            edges, faces = gmsh.model.getEntities(1), gmsh.model.getEntities(2)
            long = all(gmsh.model.occ.getMass(*edge) > shortest for edge in edges if not _degenerate(gmsh, edge))
            return long and all(_wide(gmsh, f, shortest) for f in faces) and not any(_flat(gmsh, e) for e in edges)
    except ShapeError:
        return False


def _degenerate(gmsh: ModuleType, edge: tuple[int, int]) -> bool:
    """Whether an edge is a sphere's pole."""
    return gmsh.model.occ.getMass(*edge) < _SLACK


def _wide(gmsh: ModuleType, face: tuple[int, int], shortest: float) -> bool:
    """Whether a face is wider, over its length, than `shortest`."""
    edges = set(gmsh.model.getBoundary([face], combined=False, oriented=False))
    return gmsh.model.occ.getMass(*face) > shortest * sum(gmsh.model.occ.getMass(*edge) for edge in edges) / 4


def _flat(gmsh: ModuleType, edge: tuple[int, int]) -> bool:
    """Whether the two faces at an edge are nearly tangent in its middle, so that they enclose a blade or a cusp."""
    faces = gmsh.model.getAdjacencies(*edge)[0]
    if len(faces) != 2 or _degenerate(gmsh, edge):
        return False
    low, high = (bound[0] for bound in gmsh.model.getParametrizationBounds(*edge))
    middle = [(low + high) / 2]
    at = [gmsh.model.reparametrizeOnSurface(1, edge[1], middle, face) for face in faces]
    a, b = (gmsh.model.getNormal(face, uv) for face, uv in zip(faces, at, strict=True))
    return bool(abs(np.dot(a, b)) > _TANGENT)


# -- building ----------------------------------------------------------------------------------------------------------
def _build(shape: Shape, gmsh: ModuleType) -> Names:
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
    return Names(_owners(gmsh, shape["parts"]))


def _add(occ: ModuleType, part: Primitive) -> int:
    at, sizes = np.array(part["at"]), np.array(part["sizes"])
    if part["kind"] == "box":
        return occ.addBox(*(at - sizes), *(2 * sizes))
    if part["kind"] == "sphere":
        return occ.addSphere(*at, *sizes)
    along = np.eye(3)[part["axis"]] * sizes[1]
    return occ.addCylinder(*(at - along), *(2 * along), sizes[0])


def _owners(gmsh: ModuleType, parts: list[Primitive]) -> dict[str, list[int]]:
    """Return the faces of each primitive: those with a point inside that lies on its surface."""
    found: dict[str, list[int]] = {}
    for _, face in gmsh.model.getEntities(2):
        point = _inner_point(gmsh, face)
        away = [abs(_distance(part, point)) for part in parts]
        if min(away) > _SLACK:
            raise ShapeError("a face lies on none of the primitives; draw another shape.")
        found.setdefault(f"part{int(np.argmin(away)) + 1}", []).append(face)
    return dict(sorted(found.items()))


def _inner_point(gmsh: ModuleType, face: int) -> Floats:
    """Return a point inside a face, found on finer and finer grids of its parameters."""
    low, high = (np.array(bound) for bound in gmsh.model.getParametrizationBounds(2, face))
    for count in (3, 10, 30):
        steps = (np.arange(count) + 0.5) / count
        for u in steps:
            for v in steps:
                at = low + (high - low) * (u, v)
                if gmsh.model.isInside(2, face, at, parametric=True):
                    return np.array(gmsh.model.getValue(2, face, at))
    raise ShapeError("a face is too thin; draw another shape.")


def _distance(part: Primitive, point: Floats) -> float:
    """Return a function that is 0 on a primitive's surface, below it inside."""
    offset, sizes = point - part["at"], np.array(part["sizes"])
    if part["kind"] == "sphere":
        return float(np.linalg.norm(offset) - sizes[0])
    if part["kind"] == "box":
        return float((np.abs(offset) - sizes).max())
    along = np.abs(offset[part["axis"]]) - sizes[1]
    return float(max(np.linalg.norm(np.delete(offset, part["axis"])) - sizes[0], along))
