"""From a closed surface to a volume mesh, by gmsh in a child process: see `fill_model`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading, mesh_from_blocks
from geometries.cad import MOST_CELLS
from geometries.child import call
from geometries.errors import CadError, MeshError, NoVolumeCells, ReadError
from geometries.mesh import Mesh
from geometries.sides import components, number_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ANGLE = 40.0  # degrees: facets that meet at less are one face
_DEFAULT = 20  # cells along the diagonal of the bounding box
_EDGES = np.array([[0, 1], [1, 2], [2, 0]])


@dataclass(frozen=True, eq=False)
class Shell:
    """A closed surface: points (N, 3), triangles (T, 3), and of each triangle its piece and its smooth face."""

    points: Floats
    triangles: Ints
    piece: Ints
    face: Ints
    turned: int  # edges along which two triangles are oriented differently


def fill(reading: Reading, subject: str, size: float | None = None) -> Reading:
    """Return the volume inside a surface, in tetrahedra of edge `size` (default: a 20th of its diagonal).

    Smooth faces (edges sharper than 40 degrees end them) become the boundaries `face1`, ... The surface's regions
    become boundaries too, except one that is the whole outer surface of a body: that names the body, which is called
    `solid1`, ... otherwise. Surfaces inside others are cavities.

    Where the surface does not remesh at that size its own facets bound the cells: `problems` says so.
    Raises `NoVolumeCells` for a surface that is not closed, `CadError` for one that cannot be filled.
    """
    if size is not None and not (math.isfinite(size) and size > 0):
        raise CadError(f"size is {size!r}; expected an edge length above 0.")
    surface = _triangulated(reading.mesh)
    shell = _shell(surface, subject)
    bodies = _bodies(shell, subject)
    step = size or float(np.linalg.norm(np.ptp(shell.points, axis=0))) / _DEFAULT
    _check_count(shell, surface, step, subject)
    labels, code, regions = _labels(shell, bodies, surface)
    values = {"points": shell.points, "triangles": shell.triangles, "code": code, "labels": labels, "size": step}
    values |= {"path": subject, "piece": shell.piece}
    found = mesh_from_blocks(**_filled(values, {"pieces": bodies, "names": regions}), dim=3)
    return replace(found, problems=(*reading.problems, *found.problems))


def _filled(values: dict[str, Any], bodies: dict[str, Any]) -> dict[str, Any]:
    """Return the blocks of the volume, remeshed or, where that fails, with the surface as it is; and the problems."""
    try:
        return call("geometries.fill_model:mesh", {**values, "bodies": {**bodies, "remesh": True}})
    except ReadError as error:
        told = f"the surface does not remesh at size {values['size']:.4g}: its own facets bound the cells"
        try:
            raw = call("geometries.fill_model:mesh", {**values, "bodies": {**bodies, "remesh": False}})
        except ReadError:
            raise CadError(str(error)) from None
    return {**raw, "problems": [told, *raw["problems"]]}


# -- the surface -------------------------------------------------------------------------------------------------------
def _triangulated(mesh: Mesh) -> Mesh:
    """Return the surface with its quads split."""
    if "quad" not in mesh.cells:
        return mesh
    parts, owner = [], []
    for kind, cells, start in mesh.blocks():
        parts.append(cells[:, np.array(kind.simplices)].reshape(-1, 3))
        owner.append(np.repeat(np.arange(start, start + len(cells)), len(kind.simplices)))
    of = np.concatenate(owner)
    regions = {name: np.flatnonzero(np.isin(of, cells)) for name, cells in mesh.regions.items()}
    try:
        return Mesh(points=mesh.points, cells={"triangle": np.concatenate(parts)}, regions=regions)
    except MeshError as error:
        raise CadError(f"the surface's quads do not split into triangles: {error}") from None


def _shell(mesh: Mesh, subject: str) -> Shell:
    """Check that a surface is closed; number its pieces and smooth faces in the order of their first triangles."""
    triangles = mesh.cells["triangle"]
    if mesh.space_dim != 3:
        raise NoVolumeCells(f"{subject} is flat: it bounds no volume; read it as a surface with dim=2 (--dim 2).")
    edges = triangles[:, _EDGES].reshape(-1, 2)
    number, count = number_rows(np.sort(edges, axis=1))
    for bad, what in ((count == 1, "open edges (on one facet only)"), (count > 2, "edges on more than two facets")):
        if bad.any():
            raise NoVolumeCells(
                f"{subject} is no closed surface: {bad.sum()} of {len(count)} edges are {what}; close it in the "
                "program that wrote it, or read it as a surface with dim=2 (--dim 2)."
            )
    pairs = np.argsort(number, kind="stable").reshape(-1, 2)
    owner = pairs // 3
    against = edges[pairs[:, 0], 0] == edges[pairs[:, 1], 1]
    corners = mesh.points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    cosine = (normals[owner[:, 0]] * normals[owner[:, 1]]).sum(1) * np.where(against, 1, -1)
    smooth = owner[cosine >= np.cos(np.radians(ANGLE))]
    piece, face = components(owner, len(triangles)), components(smooth, len(triangles))
    return Shell(mesh.points, triangles, piece, face, int((~against).sum()))


def _bodies(shell: Shell, subject: str) -> list[list[int]]:
    """Return the pieces that bound each body: the outer one, then those of its cavities."""
    count = int(shell.piece.max()) + 1
    if count == 1:
        return [[0]]
    if shell.turned:
        raise CadError(f"{subject}: facets along {shell.turned} edges are oriented differently; make them agree.")
    corners = [shell.points[shell.triangles[shell.piece == i]] for i in range(count)]
    low, high = (np.array([f(c, axis=(0, 1)) for c in corners]) for f in (np.min, np.max))
    within = np.array((low[:, None] >= low).all(2) & (high[:, None] <= high).all(2))
    for inner, outer in np.argwhere(within & ~np.eye(count, dtype=bool)):
        within[inner, outer] = abs(_winding(corners[outer], corners[inner][0, 0])) > 0.5
    depth = within.sum(1) - 1
    bodies = np.flatnonzero(depth % 2 == 0).tolist()
    return [[i, *np.flatnonzero(within[:, i] & (depth == depth[i] + 1)).tolist()] for i in bodies]


def _winding(corners: Floats, point: Floats) -> float:
    """How often triangles (T, 3, 3) surround a point: the sum of their solid angles (van Oosterom, Strackee 1983)."""
    a, b, c = np.moveaxis(corners - point, 1, 0)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    top = (a * np.cross(b, c)).sum(1)
    bottom = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return float(np.arctan2(top, bottom).sum() / (2 * np.pi))


def _check_count(shell: Shell, mesh: Mesh, step: float, subject: str) -> None:
    corners = shell.points[shell.triangles] - shell.points.mean(0)
    volume = abs(np.linalg.det(corners).sum() / 6)
    cells = max(6 * math.sqrt(2) * volume / step**3, 4 / math.sqrt(3) * mesh.measure.sum() / step**2)
    if cells > MOST_CELLS:
        raise CadError(f"size {step:g} would give {subject} about {cells:.1e} cells; take a larger size.")


def _labels(shell: Shell, bodies: list[list[int]], mesh: Mesh) -> tuple[list[list[str]], Ints, list[list[str]]]:
    """Return names of facets, (T,) the row of each triangle's in them, and the names of each body."""
    inside = {name: np.zeros(len(shell.piece), dtype=bool) for name in mesh.regions}
    for name, cells in mesh.regions.items():
        inside[name][cells] = True
    outer = [shell.piece == body[0] for body in bodies]
    whole = {name: [i for i, own in enumerate(outer) if member[own].all()] for name, member in inside.items()}
    of_bodies = {n for n, found in whole.items() if inside[n].sum() == sum(int(outer[i].sum()) for i in found)}
    regions = [[n for n, found in whole.items() if i in found and n in of_bodies] for i in range(len(bodies))]
    code = shell.face
    for name in mesh.regions:
        code = np.unique(2 * code + inside[name], return_inverse=True)[1] if name not in of_bodies else code
    first = np.unique(code, return_index=True)[1]
    faces = [f"face{shell.face[t] + 1}" for t in first]
    sets = [[n for n in mesh.regions if n not in of_bodies and inside[n][t]] for t in first]
    labels = [[face, *names] for face, names in zip(faces, sets, strict=True)]
    return labels, code.astype(np.int64), [names or [f"solid{i}"] for i, names in enumerate(regions, start=1)]
