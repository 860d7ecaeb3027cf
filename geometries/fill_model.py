"""A closed surface in gmsh: classified, remeshed, filled. Runs in a child process: `geometries.child`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.errors import CadError
from geometries.gmsh_model import extract, session

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ANGLE = np.radians(40.0)
_TRIANGLE = 2  # gmsh's number of the type


def mesh(
    path: str,
    points: Floats,
    triangles: Ints,
    code: Ints,
    labels: list[list[str]],
    piece: Ints,
    bodies: dict[str, Any],
    size: float,
) -> dict[str, Any]:
    """Fill a surface; return keyword arguments of `build.mesh_from_blocks`.

    `labels[code[t]]` are the names of triangle t, `piece[t]` the closed piece that it is of. `bodies`: `pieces` that
    bound each, and the `names` of each; `remesh`: whether the surface is meshed anew, at `size`.
    """
    problems: list[str] = []
    with session() as gmsh:
        _add(gmsh, points, triangles, code)
        if bodies["remesh"]:
            gmsh.model.mesh.classifySurfaces(_ANGLE, True, True, np.pi)
        surfaces = {tag: _own(gmsh, tag) for _, tag in gmsh.model.getEntities(2)}
        names = {(2, tag): _names(labels, np.unique(code[own]), problems) for tag, own in surfaces.items()}
        if bodies["remesh"]:
            gmsh.model.mesh.createGeometry()
            gmsh.option.setNumber("Mesh.MeshSizeMax", size)
            gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)
            gmsh.option.setNumber("Mesh.MeshSizeFromPoints", 0)
        loops = _loops(gmsh, {tag: int(piece[own[0]]) for tag, own in surfaces.items()})
        for number, (own_pieces, given) in enumerate(zip(bodies["pieces"], bodies["names"], strict=True), start=1):
            gmsh.model.geo.addVolume([loops[i] for i in own_pieces], number)
            names[3, number] = given
        gmsh.model.geo.synchronize()
        _generate(gmsh, path, size)
        return {**extract(lambda d, tag: names.get((d, tag), ())), "problems": problems}


def _add(gmsh: ModuleType, points: Floats, triangles: Ints, code: Ints) -> None:
    """Add the triangles, numbered from 1, one surface for each code."""
    order = np.argsort(code, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
        tag = gmsh.model.addDiscreteEntity(2)
        if tag == 1:
            gmsh.model.mesh.addNodes(2, 1, np.arange(1, len(points) + 1), points.ravel())
        gmsh.model.mesh.addElementsByType(tag, _TRIANGLE, part + 1, triangles[part].ravel() + 1)


def _own(gmsh: ModuleType, tag: int) -> Ints:
    """Return the triangles of a surface."""
    return np.concatenate(gmsh.model.mesh.getElements(2, tag)[1]).astype(np.int64) - 1


def _names(labels: list[list[str]], codes: Ints, problems: list[str]) -> list[str]:
    """Return the names that all triangles of a surface have; those that only some have are lost."""
    found = [labels[c] for c in codes]
    kept = [name for name in found[0] if all(name in names for names in found)]
    lost = dict.fromkeys(name for names in found for name in names if name not in kept)
    for name in lost:
        text = f"{name!r} ends inside a smooth face: that part of it is lost"
        if text not in problems:
            problems.append(text)
    return kept


def _loops(gmsh: ModuleType, pieces: dict[int, int]) -> dict[int, int]:
    """Return {piece: surface loop}."""
    own: dict[int, list[int]] = {}
    for tag, piece in pieces.items():
        own.setdefault(piece, []).append(tag)
    return {piece: gmsh.model.geo.addSurfaceLoop(tags) for piece, tags in own.items()}


def _generate(gmsh: ModuleType, path: str, size: float) -> None:
    """Mesh, and check that cells came out: after some failures gmsh returns without any."""
    said = ""
    try:
        gmsh.model.mesh.generate(3)
    except Exception as error:  # noqa: BLE001  gmsh raises plain exceptions
        said = str(error)
    errors = [line for line in gmsh.logger.get() if line.startswith("Error")]
    if said or any(not len(gmsh.model.mesh.getElements(*e)[1]) for e in gmsh.model.getEntities(3)):
        reason = said or (errors or ["no cells"])[-1]
        raise CadError(f"{path} is not filled at size {size:.4g} ({reason}); repair the surface or take another size.")
