"""Forces at points and the tractions that they are worth: ∫ φ_a g over sides, and back.

By the mass matrix of the sides, M_ab = ∫ φ_a φ_b, that a finite element code integrates: forces M g carry the same
traction g in any of them, on straight sides and curved ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_POINTS = 4  # of Gauss's rule along an axis
_EVEN = 1e-9  # of the largest: tractions that differ by less are one


def forces(mesh: Mesh, sides: Ints, values: Floats) -> Floats:
    """Return (N, d) the forces of tractions given over the points (N, d), or one a side (n, d)."""
    mass, areas = _integrals(mesh, sides)
    return mass @ values if len(values) == mesh.num_points else areas @ values


def traction(mesh: Mesh, sides: Ints, given: Floats) -> Floats:
    """Return the traction that (N, d) forces are worth: (d,) if it is even, else (n, d) over the points of `sides`."""
    nodes = mesh.nodes(sides)
    mass, _ = _integrals(mesh, sides)
    found = splu(csr_array(mass[nodes][:, nodes]).tocsc()).solve(given[nodes])
    mean = found.mean(0)
    even = np.abs(found - mean).max() <= _EVEN * np.abs(found).max()
    return mean if even else found


def _integrals(mesh: Mesh, sides: Ints) -> tuple[csr_array, csr_array]:
    """M (N, N), and (N, n) ∫ φ_a over each side."""
    n, rows, columns, entries = mesh.num_points, [], [], []
    at_rows, at_sides, at_entries = [], [], []
    for kind, at, points in mesh.facets(sides):
        values, slopes, weights = shapes(kind.name)
        area = _areas(np.einsum("qkt,fkd->fqtd", slopes, mesh.points[points])) * weights
        local = np.einsum("qa,qb,fq->fab", values, values, area)
        first, second = np.broadcast_arrays(points[:, :, None], points[:, None, :])
        rows.append(first.ravel())
        columns.append(second.ravel())
        entries.append(local.ravel())
        at_rows.append(points.ravel())
        at_sides.append(np.repeat(at, points.shape[1]))
        at_entries.append(np.einsum("qa,fq->fa", values, area).ravel())
    mass = csr_array((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
    where = (np.concatenate(at_rows), np.concatenate(at_sides))
    return mass, csr_array((np.concatenate(at_entries), where), shape=(n, len(sides)))


def _areas(tangents: Floats) -> Floats:
    """(f, q) sizes of line and surface elements from their (f, q, t, d) tangents."""
    if tangents.shape[2] == 1:
        return np.linalg.norm(tangents[:, :, 0], axis=-1)
    return np.linalg.norm(np.cross(tangents[:, :, 0], tangents[:, :, 1]), axis=-1)


# -- shape functions ---------------------------------------------------------------------------------------------------
@cache
def shapes(kind: str) -> tuple[Floats, Floats, Floats]:
    """Return (q, k) values, (q, k, t) derivatives and (q,) weights of a facet type's shape functions.

    They are Lagrange's of its nodes, in the monomials x^i y^j.
    """
    powers, nodes = _space(kind)
    points, weights = _rule(kind)
    inverse = np.linalg.inv(_monomials(powers, nodes))
    slopes = [_slopes(powers, points, axis) @ inverse for axis in range(points.shape[1])]
    return _monomials(powers, points) @ inverse, np.stack(slopes, axis=-1), weights


def _space(kind: str) -> tuple[Ints, Floats]:
    """The exponents (k, t) and the nodes (k, t): corners, middles of edges, the middle."""
    count = {"line": 2, "line3": 3, "triangle": 3, "triangle6": 6, "quad": 4, "quad8": 8, "quad9": 9}[kind]
    corners = np.array({"l": [[0], [1]], "t": [[0, 0], [1, 0], [0, 1]], "q": [[0, 0], [1, 0], [1, 1], [0, 1]]}[kind[0]])
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    nodes = np.concatenate([corners, middles, corners.mean(0, keepdims=True)])[:count]
    most = 2 if count > len(corners) else 1
    powers = [(i, j) for i in range(most + 1) for j in range(most + 1 if kind[0] != "l" else 1)]
    if kind[0] == "t":
        powers = [(i, j) for i, j in powers if i + j <= most]
    return np.array(powers if count != 8 else powers[:-1])[:, : corners.shape[1]], nodes


def _rule(kind: str) -> tuple[Floats, Floats]:
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    points, weights = (points + 1) / 2, weights / 2
    if kind[0] == "l":
        return points[:, None], weights
    x, y = (a.ravel() for a in np.meshgrid(points, points))
    both = np.outer(weights, weights).ravel()
    if kind[0] == "t":  # the square with its side x = 1 drawn together
        return np.stack([x, y * (1 - x)], axis=1), both * (1 - x)
    return np.stack([x, y], axis=1), both


def _monomials(powers: Ints, points: Floats) -> Floats:
    return np.prod(points[:, None, :] ** powers[None], axis=-1)


def _slopes(powers: Ints, points: Floats, axis: int) -> Floats:
    lower = powers.copy()
    lower[:, axis] = np.maximum(lower[:, axis] - 1, 0)
    return powers[:, axis] * _monomials(lower, points)
