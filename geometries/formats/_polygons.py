"""Polygons, strips and polylines as the cells that a mesh has. Arrays only: (n, k) corners to (n, pieces, w) nodes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block
from geometries.errors import ReadError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_MOST_CORNERS = 64  # of a polygon that is not convex: each corner is tried as the apex of a fan


def polygons(points: Floats, nodes: Ints, problems: list[str]) -> tuple[str, Ints]:
    """Return triangles and quads as they are, and others as fans of triangles; raises `ReadError` where none fits."""
    width = nodes.shape[1]
    if width < 3:
        raise ReadError(f"{len(nodes)} faces have {width} corners; expected at least 3.")
    if width < 5:
        return ("triangle", "quad")[width - 3], nodes[:, None]
    problems.append(f"{len(nodes)} polygons of {width} corners split into triangles")
    return "triangle", _fans(points, nodes)


def strips(points: Floats, nodes: Ints, problems: list[str]) -> tuple[str, Ints]:
    """Return the triangles of strips, turned alike."""
    at = np.arange(nodes.shape[1] - 2)[:, None] + np.arange(3)
    at[1::2] = at[1::2, [1, 0, 2]]
    return "triangle", nodes[:, at]


def polylines(points: Floats, nodes: Ints, problems: list[str]) -> tuple[str, Ints]:
    """Return the lines of polylines."""
    return "line", nodes[:, np.arange(nodes.shape[1] - 1)[:, None] + np.arange(2)]


def named_rows(names: Mapping[str, Ints], at: Ints, count: int, pieces: int) -> dict[str, Ints]:
    """Return {name: rows} in a block of the elements `at`, out of `count`, each cut into `pieces`; none is empty.

    `names` {name: elements}.
    """
    place = np.full(count, -1)
    place[at] = np.arange(len(at))
    own = {name: place[elements][place[elements] >= 0] for name, elements in names.items()}
    return {n: (rows[:, None] * pieces + np.arange(pieces)).ravel() for n, rows in own.items() if len(rows)}


def face_blocks(
    points: Floats, flat: Ints, counts: Ints, names: Mapping[str, Ints], problems: list[str]
) -> list[Block]:
    """Return faces with `counts` corners each, one after the other in `flat`, as blocks.

    `names` {name: face numbers}. Triangles with a corner twice are nothing: they are dropped and told.
    Raises `ReadError` for corners that are no points.
    """
    if flat.size and not 0 <= flat.min() <= flat.max() < len(points):
        raise ReadError(f"faces refer to points that the file's {len(points)} do not include.")
    start = np.cumsum(counts) - counts
    out, dropped = [], 0
    for width in np.unique(counts).tolist():
        at = np.flatnonzero(counts == width)
        nodes = flat[start[at][:, None] + np.arange(width)]
        if width == 3:
            whole = (nodes != np.roll(nodes, 1, axis=1)).all(1)
            dropped += int((~whole).sum())
            at, nodes = at[whole], nodes[whole]
        kind, parts = polygons(points, nodes, problems)
        own = named_rows(names, at, len(counts), parts.shape[1])
        out.append(Block(kind=kind, nodes=parts.reshape(-1, parts.shape[2]), names=own))
    if dropped:
        problems.append(f"{dropped} triangles with a corner twice dropped")
    return out


def _fans(points: Floats, nodes: Ints) -> Ints:
    """(n, k - 2, 3) fans from the first corner of each polygon that all its triangles turn the same way around."""
    width = nodes.shape[1]
    fan = np.stack([np.zeros(width - 2, np.int64), np.arange(1, width - 1), np.arange(2, width)], axis=1)
    out = nodes[:, fan]
    left = np.arange(len(nodes))
    for apex in range(min(width, _MOST_CORNERS)):
        tried = np.roll(nodes[left], -apex, axis=1)[:, fan]
        good = _turn_alike(points, tried)
        out[left[good]] = tried[good]
        left = left[~good]
        if not len(left):
            return out
    raise ReadError(f"{len(left)} polygons of {width} corners are not convex; split them into triangles first.")


def _turn_alike(points: Floats, fans: Ints) -> NDArray[np.bool_]:
    corners = points[fans]
    normals = np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    total = normals.sum(1, keepdims=True)
    return ((normals * total).sum(2) > 0).all(1)
