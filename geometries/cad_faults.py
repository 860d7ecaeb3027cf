"""What keeps a CAD shape from being meshed, and its faces to look at. Runs in a child process: `geometries.child`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_MOST_TRIANGLES = 100_000  # that are tried on one another
_MOST_POINTS = 20_000  # of faces without cells, all together
_INSIDE = 1e-6  # of a triangle and of a segment: nearer to the rim they only touch


@dataclass(frozen=True)
class Faults:
    """Tags of the faces at fault and of the solids without cells, and what gmsh says."""

    faces: tuple[int, ...]
    solids: tuple[int, ...]
    reason: str


def meshed(gmsh: ModuleType, dim: int) -> Faults | None:
    """Mesh the current model; return None where every entity got cells, else what is at fault.

    After some failures gmsh returns without cells and without an error. Faces are at fault that it names, that have
    no cells, or whose cells cut those of another.
    """
    try:
        gmsh.model.mesh.generate(dim)
        said = ""
    except Exception as error:  # noqa: BLE001  gmsh raises plain exceptions
        said = str(error)
    bare = {d: _without_cells(gmsh, d) for d in {2, dim}}
    if not said and not bare[dim]:
        return None
    complaints = [line for line in gmsh.logger.get() if line.startswith(("Error", "Warning"))]
    faces = {int(tag) for line in complaints for tag in re.findall(r"[Ss]urfaces? (\d+)", line)}
    if len(bare[2]) < len(gmsh.model.getEntities(2)):  # else it failed at the edges
        faces |= {*bare[2], *_crossing_faces(gmsh)}
    reason = said or next(reversed(complaints), f"without cells: {len(bare[dim])}")
    return Faults(tuple(sorted(faces)), tuple(bare[3]) if dim == 3 else (), reason)


def _without_cells(gmsh: ModuleType, dim: int) -> list[int]:
    return [tag for _, tag in gmsh.model.getEntities(dim) if not len(gmsh.model.mesh.getElements(dim, tag)[1])]


def _crossing_faces(gmsh: ModuleType) -> set[int]:
    points, triangles, face = _triangles(gmsh)
    return set(face[crossing(points, triangles)].tolist()) if 0 < len(triangles) <= _MOST_TRIANGLES else set()


def _triangles(gmsh: ModuleType) -> tuple[Floats, Ints, Ints]:
    """Return the points, (T, 3) triangles, and the face of each."""
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    order = np.argsort(tags)
    found, owner = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for _, face in gmsh.model.getEntities(2):
        kinds, elements, nodes = gmsh.model.mesh.getElements(2, face)
        for kind, rows, corners in zip(kinds, elements, nodes, strict=True):
            if kind == 2:
                found.append(corners)
                owner.append(np.full(len(rows), face))
    corners = np.searchsorted(np.asarray(tags)[order], np.concatenate(found)).reshape(-1, 3)
    return np.reshape(coordinates, (-1, 3))[order], corners, np.concatenate(owner)


def crossing(points: Floats, triangles: Ints) -> NDArray[np.bool_]:
    """(T,) whether an edge of another triangle, with no corner in common, goes through a triangle, or the reverse.

    Möller and Trumbore, "Fast, minimum storage ray/triangle intersection" (1997); what lies in one plane is not seen.
    """
    from scipy.spatial import cKDTree

    corners = points[triangles]
    centers = corners.mean(1)
    radius = np.linalg.norm(corners - centers[:, None], axis=2).max()
    pairs = cKDTree(centers).query_pairs(2 * radius, output_type="ndarray")
    apart = ~(triangles[pairs[:, 0]][:, :, None] == triangles[pairs[:, 1]][:, None, :]).any((1, 2))
    pairs = np.concatenate([pairs[apart], pairs[apart][:, ::-1]])
    hit = np.zeros(len(pairs), bool)
    for side in range(3):
        hit |= _pierced(corners[pairs[:, 0], side], corners[pairs[:, 0], side - 2], corners[pairs[:, 1]])
    out = np.zeros(len(triangles), bool)
    out[pairs[hit]] = True
    return out


def _pierced(start: Floats, end: Floats, corners: Floats) -> NDArray[np.bool_]:
    """(n,) whether the segments from `start` to `end` go through the triangles (n, 3, 3)."""
    along, one, two = end - start, corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(along, two)
    offset = start - corners[:, 0]
    turned = np.cross(offset, one)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (one * across).sum(1)
        u, v, t = ((a * b).sum(1) * scale for a, b in ((offset, across), (along, turned), (two, turned)))
        low = np.minimum(np.minimum(u, v), np.minimum(1 - u - v, np.minimum(t, 1 - t)))
        return np.isfinite(scale) & (low > _INSIDE)


# -- to look at --------------------------------------------------------------------------------------------------------
def drawn(gmsh: ModuleType, names: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    """Return `points` and `blocks` of the faces, named by tag: their triangles, or of one without a coarse grid."""
    points, triangles, face = _triangles(gmsh)
    sets = _rows(face, names)
    blocks = [{"kind": "triangle", "nodes": triangles, "names": sets}]
    bare = sorted({tag for _, tag in gmsh.model.getEntities(2)} - set(face.tolist()))
    steps = int(np.clip(np.sqrt(_MOST_POINTS / max(len(bare), 1)), 4, 30))
    parts = [points]
    for tag in bare:
        own, quads = _grid(gmsh.model, tag, steps)
        start = sum(map(len, parts))
        sets = _rows(np.full(len(quads), tag), names)
        blocks.append({"kind": "quad", "nodes": quads + start, "names": sets})
        parts.append(own)
    return {"points": np.concatenate(parts), "blocks": blocks}


def _rows(face: Ints, names: Mapping[int, Sequence[str]]) -> dict[str, Ints]:
    found: dict[str, list[Ints]] = {}
    for tag, labels in names.items():
        for label in labels:
            found.setdefault(label, []).append(np.flatnonzero(face == tag))
    return {label: np.concatenate(rows) for label, rows in found.items() if sum(map(len, rows))}


def _grid(model: ModuleType, tag: int, steps: int) -> tuple[Floats, Ints]:
    """Return points and quads of a grid over a face's parameters: the quads whose middle is inside."""
    low, high = (np.array(bound) for bound in model.getParametrizationBounds(2, tag))
    axes = [np.linspace(a, b, steps + 1) for a, b in zip(low, high, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    number = np.arange(nodes[..., 0].size).reshape(nodes.shape[:2])
    quads = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], axis=-1).reshape(-1, 4)
    middles = nodes.reshape(-1, 2)[quads].mean(1)
    inside = [bool(model.isInside(2, tag, middle, parametric=True)) for middle in middles]
    return np.reshape(model.getValue(2, tag, nodes.ravel()), (-1, 3)), quads[inside]
