"""L brackets: a base plate with bolt holes, a bend, an upright with a bore, and perhaps a rib. Millimetres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np

from geometries.families._meshing import Names, mesh_shape, modelling
from geometries.families.base import Family, Shape, ShapeError, until
from geometries.files import atomic_write
from geometries.mesh import Mesh
from geometries.step_names import with_names

_OURS = (  # what the exporter would say of itself and of the time
    (re.compile(r"FILE_NAME\(.*?\);", re.DOTALL), "FILE_NAME('bracket','',(''),(''),'Open CASCADE','meshops','');"),
    (re.compile(r"PRODUCT\('[^']*',\s*'[^']*'"), "PRODUCT('bracket','bracket'"),
)
_AROUND = 7  # edges round a hole
Circle = Sequence[float]


@dataclass(frozen=True)
class Bracket(Family):
    """L brackets in millimetres: the base plate on z = 0, the upright on x = 0, the width along y.

    `size` is the target edge length relative to the diagonal of the bounding box, `order` 1 or 2, `rib` the chance of a
    rib; `length`, `width`, `height`, `thickness` are ranges. Boundaries: `base` (the bottom of the plate), `bore` (the
    cylinder through the upright), `holes` (the cylinders of the bolt holes), `top` (the upright's top), `sides` (the
    rest).

    A shape holds length, width, height, thickness, bend [inner, outer radius], corners [plate's, upright's radius],
    holes [[x, y, radius], ...], bore [z, y, radius] and rib [y, thickness, length, height, nose] or [].
    """

    name: ClassVar[str] = "bracket"
    dim: ClassVar[int] = 3
    size: float = 0.085
    order: int = 1
    rib: float = 0.35
    length: tuple[float, float] = (48.0, 72.0)
    width: tuple[float, float] = (32.0, 50.0)
    height: tuple[float, float] = (36.0, 58.0)
    thickness: tuple[float, float] = (4.0, 6.5)

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("size", 0.005 <= self.size <= 0.2, "0.005 to 0.2 of the diagonal")
        self.require("order", self.order in (1, 2), "1 or 2")
        self.require("rib", 0 <= self.rib <= 1, "a chance from 0 to 1")
        self.require("thickness", self.thickness[0] >= 1.0, "at least 1 mm")
        for field in ("length", "width", "height"):
            self.require(field, getattr(self, field)[0] >= 4 * self.thickness[1], "at least four times the thickness")

    @classmethod
    def standard(cls) -> Shape:
        """Return the fixed member that is shipped as `meshops/resources/bracket.step`; `write_step` wrote that file."""
        return {
            "length": 60.0,
            "width": 40.0,
            "height": 45.0,
            "thickness": 5.0,
            "bend": [4.0, 8.0],
            "corners": [6.0, 8.0],
            "holes": [[21.0, 20.0, 2.75], [48.0, 10.0, 2.75], [48.0, 30.0, 2.75]],
            "bore": [29.0, 20.0, 7.0],
            "rib": [],
        }

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw how many features there are, then brackets until they keep clear of each other."""
        rows, with_rib = (int(rng.integers(0, 3)), int(rng.integers(1, 3))), rng.random() < self.rib
        return until(partial(self._attempt, rng, rows, with_rib), "bracket whose features keep clear of each other")

    def mesh(self, shape: Shape) -> Mesh:
        """Return tetrahedra, with the five boundaries, which cover the outer boundary once."""
        diagonal = float(np.linalg.norm([shape["length"], shape["width"], shape["height"]]))
        build_it = partial(build, shape)
        return mesh_shape(build_it, dim=3, size=self.size * diagonal, order=self.order, around=_AROUND)

    def write_step(self, shape: Shape, path: str | Path) -> None:
        """Write the solid as STEP, its faces named by their boundary; the same bytes each time.

        gmsh writes neither names nor colours, so the names are put in the text, as the names of ADVANCED_FACE, where
        other programs look for them; `geometries.step_names` reads them back. OpenCASCADE prints a few lines
        meanwhile. Raises `WriteError`.
        """
        with atomic_write(path) as temporary:
            with modelling() as gmsh:
                build(shape, gmsh)
                gmsh.write(str(temporary))
            with modelling() as gmsh:
                gmsh.model.occ.importShapes(str(temporary))
                of_face = {tag: name for name, tags in _name_faces(gmsh.model.occ, shape).items() for tag in tags}
            text = temporary.read_text("ascii")
            for pattern, replacement in _OURS:
                text = pattern.sub(replacement, text)
            temporary.write_text(with_names(text, [of_face[tag] for tag in sorted(of_face)]), "ascii")

    def _attempt(self, rng: np.random.Generator, rows: tuple[int, int], with_rib: bool) -> Shape | None:
        length, width, height, t = (rng.uniform(*r) for r in (self.length, self.width, self.height, self.thickness))
        inner = t * rng.uniform(0.5, 1.2)
        shape = {
            "length": length,
            "width": width,
            "height": height,
            "thickness": t,
            "bend": [inner, (inner + t) * rng.uniform(0.8, 1.0)],
            "corners": [width * rng.uniform(0.1, 0.2), width * rng.uniform(0.1, 0.3)],
            "holes": _draw_holes(rng, rows, (inner + t, length), width),
            "bore": [height * rng.uniform(0.5, 0.75), width * rng.uniform(0.4, 0.6), width * rng.uniform(0.1, 0.22)],
            "rib": _draw_rib(rng, length, width, height - t, t) if with_rib else [],
        }
        return shape if _clear(shape) else None


BRACKET = Bracket.standard()


# -- drawing -----------------------------------------------------------------------------------------------------------
def _draw_holes(
    rng: np.random.Generator, rows: tuple[int, int], span: tuple[float, float], width: float
) -> list[list[float]]:
    """Rows across the plate's flat part, each of no hole, one in the middle or two symmetric ones."""
    radius = width * rng.uniform(0.06, 0.095)
    at = span[0] + (span[1] - span[0]) * np.sort(rng.uniform(0.1, 0.9, 2))
    holes = []
    for x, count in zip(at, rows, strict=True):
        offsets = width * rng.uniform(0.22, 0.35) * np.array([-1.0, 1.0]) if count == 2 else np.zeros(count)
        holes += [[float(x), float(width / 2 + offset), float(radius)] for offset in offsets]
    return holes


def _draw_rib(rng: np.random.Generator, length: float, width: float, rise: float, t: float) -> list[float]:
    at = width * rng.choice([0.5, rng.uniform(0.15, 0.85)])
    return [float(at), t * rng.uniform(0.7, 1.0), length * rng.uniform(0.3, 0.7), rise * rng.uniform(0.3, 0.7), 0.6 * t]


def _clear(shape: Shape) -> bool:
    """Whether holes, bore, rib, bend, corners and edges keep gaps that the mesh can fill."""
    t, width, gap = shape["thickness"], shape["width"], 0.6 * shape["thickness"]
    bend, (plate, upright) = t + shape["bend"][0], shape["corners"]
    flats = [(shape["holes"], shape["length"], plate), ([shape["bore"]], shape["height"], upright)]
    if not all(_inside(np.array(c), (bend, end), width, corner, gap) for c, end, corner in flats):
        return False
    if not shape["rib"]:
        return True
    at, across, reach, rise, _ = shape["rib"]
    band = (at - across / 2 - gap, at + across / 2 + gap)
    in_width = band[0] > gap and band[1] < width - gap
    past_bend = min(reach, rise) > 1.5 * shape["bend"][0]
    apart = [_apart(h, t + reach + gap, band) for h in shape["holes"]] + [_apart(shape["bore"], t + rise + gap, band)]
    return in_width and past_bend and all(apart)


def _inside(c: np.ndarray, span: tuple[float, float], width: float, corner: float, gap: float) -> bool:
    """Whether circles (along, across, radius) lie in a flat from the bend to a free edge with rounded corners."""
    x, y, r = c.T
    inside = (x - r > span[0] + gap) & (x + r < span[1] - gap) & (y - r > gap) & (y + r < width - gap)
    dx, dy = x - (span[1] - corner), np.abs(y - width / 2) - (width / 2 - corner)
    in_corner = (dx > 0) & (dy > 0) & (np.hypot(dx, dy) + r > corner - gap)
    distance = np.linalg.norm(c[:, None, :2] - c[:, :2], axis=2) - r[:, None] - r
    return bool((inside & ~in_corner).all() and (distance[np.triu_indices(len(c), 1)] > 1.5 * gap).all())


def _apart(circle: Circle, reach: float, band: tuple[float, float]) -> bool:
    """Whether a circle (along, across, radius) lies outside the rectangle [0, reach] x band."""
    x, y, radius = circle
    return float(np.hypot(max(x - reach, 0.0), max(band[0] - y, 0.0, y - band[1]))) > radius


# -- building ----------------------------------------------------------------------------------------------------------
def build(shape: Shape, gmsh: ModuleType) -> Names:
    """Build the solid in gmsh's current model; return its boundaries."""
    occ = gmsh.model.occ
    t, width = shape["thickness"], shape["width"]
    solid = _extrude(occ, _profile(occ, shape), width)
    solid = occ.fillet([solid], _corner_edges(occ, shape), [r for r in shape["corners"] for _ in range(2)])[0][1]
    if shape["rib"]:
        solid = occ.fuse([(3, solid)], [(3, _rib(occ, shape))])[0][0][1]
    bolts = [(3, occ.addCylinder(x, y, -t, 0, 0, 3 * t, r)) for x, y, r in shape["holes"]]
    z, y, r = shape["bore"]
    occ.cut([(3, solid)], [*bolts, (3, occ.addCylinder(-t, y, z, 3 * t, 0, 0, r))])
    occ.synchronize()
    return Names(_name_faces(occ, shape))


def _profile(occ: ModuleType, shape: Shape) -> int:
    """Return the curve loop of the section in the plane y = 0."""
    length, height, t = shape["length"], shape["height"], shape["thickness"]
    inner, outer = shape["bend"]
    corners = [
        (outer, 0),
        (length, 0),
        (length, t),
        (t + inner, t),
        (t, t + inner),
        (t, height),
        (0, height),
        (0, outer),
    ]
    p = [occ.addPoint(x, 0, z) for x, z in corners]
    centers = {3: occ.addPoint(t + inner, 0, t + inner), 7: occ.addPoint(outer, 0, outer)}
    ends = [(i, p[i], p[(i + 1) % 8]) for i in range(8)]
    curves = [occ.addCircleArc(a, centers[i], b) if i in centers else occ.addLine(a, b) for i, a, b in ends]
    occ.remove([(0, center) for center in centers.values()])
    return occ.addCurveLoop(curves)


def _extrude(occ: ModuleType, loop: int, width: float) -> int:
    made = occ.extrude([(2, occ.addPlaneSurface([loop]))], 0, width, 0)
    return next(tag for dim, tag in made if dim == 3)


def _rib(occ: ModuleType, shape: Shape) -> int:
    """Return the rib: a triangle with blunt ends in the inner corner, sunk into the bend."""
    at, across, reach, rise, nose = shape["rib"]
    t = shape["thickness"]
    corners = [(t, t), (t + reach, t), (t + reach, t + nose), (t + nose, t + rise), (t, t + rise)]
    p = [occ.addPoint(x, at - across / 2, z) for x, z in corners]
    loop = occ.addCurveLoop([occ.addLine(a, b) for a, b in zip(p, [*p[1:], p[0]], strict=True)])
    return _extrude(occ, loop, across)


def _corner_edges(occ: ModuleType, shape: Shape) -> list[int]:
    """Return the edges to round: two at the plate's free end, two at the upright's."""
    length, width, height, t = (shape[k] for k in ("length", "width", "height", "thickness"))
    middles = [(length, y, t / 2) for y in (0, width)] + [(t / 2, y, height) for y in (0, width)]
    edges = [tag for _, tag in occ.getEntities(1)]
    at = np.array([occ.getCenterOfMass(1, tag) for tag in edges])
    return [edges[int(np.linalg.norm(at - m, axis=1).argmin())] for m in middles]


def _name_faces(occ: ModuleType, shape: Shape) -> dict[str, list[int]]:
    """Return the face tags of each boundary, by the faces' centres of mass."""
    faces = [tag for _, tag in occ.getEntities(2)]
    at = np.array([occ.getCenterOfMass(2, tag) for tag in faces])
    t, (z, y, _) = shape["thickness"], shape["bore"]
    slack = 1e-5 * shape["length"]
    axes = [(x, v, t / 2) for x, v, _ in shape["holes"]]
    masks = {
        "base": at[:, 2] < slack,
        "bore": np.linalg.norm(at - (t / 2, y, z), axis=1) < slack,
        "holes": (np.linalg.norm(at[:, None] - np.array(axes), axis=2) < slack).any(1),
        "top": at[:, 2] > shape["height"] - slack,
    }
    found = {name: int(mask.sum()) for name, mask in masks.items()}
    if found != {"base": 1, "bore": 1, "holes": len(axes), "top": 1}:
        raise ShapeError(f"the bracket has faces {found}; expected one each and {len(axes)} holes; draw another shape.")
    masks["sides"] = ~np.logical_or.reduce(list(masks.values()))
    return {name: [faces[i] for i in np.flatnonzero(mask)] for name, mask in masks.items()}
