"""Measures of simplices, distances from them, and where det J, of the derivatives of a cell's map, turns over."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS, CellType

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_TURNED = 1e-3  # of the largest |det J| in a cell: what rounding may make of a corner of 180° or a quarter point
_BESIDE = 1e-6  # of a barycentric coordinate below 0: rounding
_CONSTANT = ("line", "triangle", "tetra")  # types whose det J is the same everywhere: their measure tells
_TRIANGLE, _SQUARE = ((0, 0), (1, 0), (0, 1)), ((0, 0), (1, 0), (1, 1), (0, 1))
_REFERENCE = {
    "line": ((0,), (1,)),
    "triangle": _TRIANGLE,
    "quad": _SQUARE,
    "tetra": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "wedge": tuple((*p, z) for z in (0, 1) for p in _TRIANGLE),
    "hexahedron": tuple((*p, z) for z in (0, 1) for p in _SQUARE),
}


def simplex_measure(spans: Floats) -> Floats:
    """(n,) measures of simplices from their (n, k, d) edge vectors: signed if k = d, else sqrt(det(J Jᵀ))/k!."""
    k, d = spans.shape[1:]
    factorial = (1, 1, 2, 6)[k]
    if k == d:
        return _determinant(spans) / factorial
    return np.sqrt(np.maximum(_determinant(spans @ spans.transpose(0, 2, 1)), 0.0)) / factorial


def signed_measure(points: Floats, kind: CellType, cells: Ints) -> Floats:
    """(C,) measure of cells by their corners: below zero where a cell that fills the space is inverted."""
    spans = [points[cells[:, list(s[1:])]] - points[cells[:, [s[0]]]] for s in kind.simplices]
    return np.sum([simplex_measure(span) for span in spans], axis=0)


def simplex_distance(points: Floats, corners: Floats) -> Floats:
    """Return (n,) distances of points (n, d) from simplices (n, k, d), by barycentric coordinates; inf beside them."""
    spans = corners[:, 1:] - corners[:, :1]
    offset = points - corners[:, 0]
    weights = (np.linalg.pinv(spans.transpose(0, 2, 1)) @ offset[..., None])[..., 0]
    inside = (weights >= -_BESIDE).all(1) & (weights.sum(1) <= 1 + _BESIDE)
    gap = np.linalg.norm((weights[:, None] @ spans)[:, 0] - offset, axis=1)
    return np.where(inside, gap, np.inf)


def folded(points: Floats, kind: CellType, cells: Ints) -> NDArray[np.bool_]:
    """(C,) whether det J < 0 at a node, by more than rounding; of cells that fill the space, which `kind` maps there.

    Of pyramids the corners of the base are looked at: their apex is singular. Simplices of the first order are not
    folded, but inverted.
    """
    if kind.name in _CONSTANT or kind.dim != points.shape[1]:
        return np.zeros(len(cells), dtype=bool)
    spans = np.ascontiguousarray((points[cells] - points[cells[:, :1]]).transpose(0, 2, 1)).reshape(-1, kind.nodes)
    slopes = _pyramid(kind) if kind.corners == 5 else _slopes(kind.name)
    found = np.stack([_determinant((spans @ slope).reshape(-1, kind.dim, kind.dim)) for slope in slopes])
    return found.min(0) < -_TURNED * np.abs(found).max(0)


@cache
def _slopes(name: str) -> Floats:
    """(k, k, d) the derivatives of a type's k shape functions at each of its nodes."""
    kind = CELLS[name]
    base = next(c for c in CELLS.values() if (c.dim, c.corners, c.order) == (kind.dim, kind.corners, 1))
    corners = np.array(_REFERENCE[base.name], dtype=float)
    nodes = np.stack([corners[list(s)].mean(0) for s in (*((i,) for i in range(kind.corners)), *kind.middles)])
    powers = np.array([p for p in itertools.product(range(3), repeat=kind.dim) if _in_space(p, kind)])
    values = np.prod(nodes[:, None] ** powers, axis=2)
    rates = np.empty((kind.nodes, kind.nodes, kind.dim))
    for axis in range(kind.dim):
        lower = powers - np.eye(kind.dim, dtype=int)[axis]
        rates[:, :, axis] = powers[:, axis] * np.prod(nodes[:, None] ** np.maximum(lower, 0), axis=2)
    return np.einsum("pn,qpd->qnd", np.linalg.inv(values), rates)


def _in_space(power: tuple[int, ...], kind: CellType) -> bool:
    """Whether x^i y^j z^k is in the space of a type's shape functions."""
    order, full = kind.order, kind.name in ("quad9", "hexahedron27", "wedge18")
    if kind.corners == kind.dim + 1:
        return sum(power) <= order
    if kind.corners == 6:
        across, along = sum(power[:2]), power[2]
        return across <= order and along <= order and (full or order == 1 or across + along <= 3)
    return max(power) <= order and (full or order == 1 or sum(p for p in power if p > 1) <= 2)


def _pyramid(kind: CellType) -> Floats:
    """(4, k, 3) what gives the tangents of the three edges at each corner of a pyramid's base, where they are J."""
    out = np.zeros((4, kind.nodes, 3))
    mid = {frozenset(s): 5 + i for i, s in enumerate(kind.middles)}
    for corner in range(4):
        for column, end in enumerate(((corner + 1) % 4, (corner + 3) % 4, 4)):
            out[corner, [corner, end], column] = (-3, -1) if mid else (-1, 1)
            if mid:
                out[corner, mid[frozenset((corner, end))], column] = 4
    return out


def _determinant(matrices: Floats) -> Floats:
    """(n,) determinants of (n, k, k), k up to 3, by the rule of Sarrus: several times faster than by factorisation."""
    if matrices.shape[1] < 2:
        return matrices[:, 0, 0] if matrices.shape[1] else np.ones(len(matrices))
    a, b = matrices[:, 0].T, matrices[:, 1].T
    minors = [a[i] * b[j] - a[j] * b[i] for i, j in ((0, 1), (1, 2), (2, 0))[: 1 if len(a) == 2 else 3]]
    return minors[0] if len(a) == 2 else sum(m * c for m, c in zip(minors, matrices[:, 2].T[[2, 0, 1]], strict=True))
