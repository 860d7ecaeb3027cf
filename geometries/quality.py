"""How well cells are shaped: smallest angle, mean ratio, aspect ratio, by the corners of each cell.

At each corner the cell is compared with the ideal one (regular triangles, squares, and what they bound): S is the
linear map from the ideal edges to the actual ones. https://doi.org/10.1137/S1064827500371499 (Knupp 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS, CellType
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BINS = 10
_H = np.sqrt(3) / 2
_TRIANGLE = ((0, 0, 0), (1, 0, 0), (0.5, _H, 0))
_SQUARE = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0))
# dimension and number of corners: the corners of the ideal cell
_IDEAL = {
    (1, 2): _SQUARE[:2],
    (2, 3): _TRIANGLE,
    (2, 4): _SQUARE,
    (3, 4): (*_TRIANGLE, (0.5, _H / 3, np.sqrt(2 / 3))),
    (3, 5): (*_SQUARE, (0.5, 0.5, np.sqrt(0.5))),
    (3, 6): (*_TRIANGLE, *((x, y, 1) for x, y, _ in _TRIANGLE)),
    (3, 8): (*_SQUARE, *((x, y, 1) for x, y, _ in _SQUARE)),
}


@dataclass(frozen=True, eq=False)
class Quality:
    """(C,) measures of each cell; the worst of its corners counts.

    - `angle`: the smallest angle in degrees, between edges in 2-D, between faces in 3-D.
    - `ratio`: the mean ratio d det(S)^(2/d) / |S|²: 1 for the ideal cell, 0 for an empty or inverted corner.
    - `aspect`: the largest stretch by S over the smallest: 1 for the ideal cell, a / b for a rectangle of a by b.
    """

    angle: Floats
    ratio: Floats
    aspect: Floats

    def to_json(self) -> dict[str, object]:
        """Return the worst and the median of each, and the histogram of the mean ratio from 0 to 1."""
        return {
            "minimum angle": _worst(self.angle, self.angle.min()),
            "mean ratio": _worst(self.ratio, self.ratio.min()),
            "aspect ratio": _worst(np.minimum(self.aspect, np.finfo(float).max), self.aspect.max()),
            "histogram": self.histogram(),
        }

    def histogram(self) -> list[int]:
        """Return how many cells have a mean ratio in each tenth from 0 to 1."""
        return np.histogram(np.minimum(self.ratio, 1.0), bins=BINS, range=(0.0, 1.0))[0].tolist()


def quality(mesh: Mesh) -> Quality:
    """Return the quality of every cell. Second-order cells are measured by their corners; lines are all ideal."""
    parts = [_block(mesh.points, kind, cells) for kind, cells, _ in mesh.blocks()]
    return Quality(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _worst(values: Floats, worst: float) -> dict[str, float]:
    return {"worst": float(min(worst, np.finfo(float).max)), "median": float(np.median(values))}


@cache
def _corners(dim: int, corners: int) -> tuple[tuple[tuple[int, ...], Floats], ...]:
    """Return the (dim + 1) local nodes of each corner with `dim` edges, and the inverse of its ideal edges (dim, dim).

    A pyramid's apex, with four edges, is left out: its faces are seen from the base. Simplices are alike everywhere.
    """
    kind = next(k for k in CELLS.values() if (k.dim, k.corners, k.order) == (dim, corners, 1))
    ideal, out = np.array(_IDEAL[dim, corners], dtype=float)[:, :dim], []
    for corner in range(corners):
        ends = [b if a == corner else a for a, b in kind.edges if corner in (a, b)]
        if len(ends) == dim:
            edges = (ideal[ends] - ideal[corner]).T
            out.append(((corner, *ends), np.linalg.inv(edges)))
    return tuple(out)


def _block(points: Floats, kind: CellType, cells: Ints) -> tuple[Floats, Floats, Floats]:
    """Return (C,) angle, ratio and aspect of one block."""
    angle, ratio, aspect = np.full(len(cells), 180.0), np.ones(len(cells)), np.ones(len(cells))
    for local, inverse in _corners(kind.dim, kind.corners) if kind.dim > 1 else ():
        at = points[cells[:, list(local)]]
        edges = at[:, 1:] - at[:, :1]
        angle = np.minimum(angle, _angle(edges))
        if len(local) == kind.corners and local[0]:
            continue  # a simplex is one map
        jacobian = edges.transpose(0, 2, 1) @ inverse
        stretch = np.sqrt(np.maximum(np.linalg.eigvalsh(jacobian.transpose(0, 2, 1) @ jacobian), 0.0))
        volume = np.linalg.det(jacobian) if jacobian.shape[1] == kind.dim else stretch.prod(1)
        size = (stretch**2).sum(1)
        mean = kind.dim * np.maximum(volume, 0.0) ** (2 / kind.dim) / np.where(size > 0, size, 1.0)
        ratio = np.minimum(ratio, mean)
        with np.errstate(divide="ignore"):
            aspect = np.maximum(aspect, np.where(stretch[:, 0] > 0, stretch[:, -1] / stretch[:, 0], np.inf))
    return angle, ratio, aspect


def _angle(edges: Floats) -> Floats:
    """(n,) smallest angle in degrees at a corner with edges (n, d, d'): between edges if d = 2, else between faces."""
    if edges.shape[1] == 2:
        return _between(edges[:, 0], edges[:, 1])
    a, b, c = (edges[:, i] for i in range(3))
    faces = [np.cross(a, b), np.cross(b, c), np.cross(c, a)]
    return 180.0 - np.max([_between(faces[i], faces[i - 1]) for i in range(3)], axis=0)


def _between(a: Floats, b: Floats) -> Floats:
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(1) / np.where(size > 0, size, 1.0)
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
