"""What is drawn of a mesh: triangles and lines through its own points. Arrays only; second-order facets are split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh, spatial
from geometries.sides import number_rows, unique_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_TRIANGLES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "triangle": ((0, 1, 2),),
    "quad": ((0, 1, 2), (0, 2, 3)),
    "triangle6": ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
    "quad8": ((0, 4, 7), (4, 1, 5), (5, 2, 6), (6, 3, 7), (4, 5, 6), (4, 6, 7)),
    "quad9": ((0, 4, 8), (4, 1, 8), (1, 5, 8), (5, 2, 8), (2, 6, 8), (6, 3, 8), (3, 7, 8), (7, 0, 8)),
}
_OUTLINE: dict[str, tuple[int, ...]] = {
    "triangle": (0, 1, 2, 0),
    "quad": (0, 1, 2, 3, 0),
    "triangle6": (0, 3, 1, 4, 2, 5, 0),
    "quad8": (0, 4, 1, 5, 2, 6, 3, 7, 0),
    "quad9": (0, 4, 1, 5, 2, 6, 3, 7, 0),
    "line": (0, 1),
    "line3": (0, 2, 1),
    "vertex": (0, 0),
}
_SHARP = np.cos(np.radians(40))


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles (T, 3) and outline edges (E, 2) of facets: `facet` (T,) and `edge_facet` (E,) say of which.

    `points` (N, 3) are the mesh's, in order, padded with zeros. `cell` (T,) is the cell behind each triangle.
    """

    points: Floats
    triangles: Ints
    facet: Ints
    cell: Ints
    edges: Ints
    edge_facet: Ints

    def outline(self) -> Ints:
        """Return the (n, 2) distinct edges: the drawn mesh."""
        return unique_rows(np.sort(self.edges, axis=1))

    def sharp(self, labels: Ints) -> Ints:
        """Return the (n, 2) edges where the surface bends sharply, ends, or its facets' `labels` differ."""
        if not len(self.triangles):
            return np.empty((0, 2), np.int64)
        edges = np.sort(self.edges, axis=1)
        number, count = number_rows(edges)
        order = np.argsort(number, kind="stable")
        start = np.concatenate([[0], np.cumsum(count)[:-1]])
        one, two = (self.edge_facet[order[start + k]] for k in (np.zeros_like(count), count - 1))
        normals = self._normals()
        bend = np.abs((normals[one] * normals[two]).sum(1)) < _SHARP
        return edges[order[start]][(count != 2) | bend | (labels[one] != labels[two])]

    def _normals(self) -> Floats:
        """(F,) unit normals of facets, of their first triangle."""
        facets, first = np.unique(self.facet, return_index=True)
        a, b, c = (self.points[self.triangles[first, k]] for k in range(3))
        normals = np.cross(b - a, c - a)
        out = np.zeros((facets[-1] + 1, 3))
        out[facets] = normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-300)[:, None]
        return out


def surface(mesh: Mesh) -> tuple[Surface, Ints]:
    """Return the drawn surface and the (F, 2) sides that its facets are.

    A volume's facets are its outer ones; those of a plane or line mesh are its cells (local facet -1).
    """
    if mesh.dim == 3:
        sides = mesh.outer
        groups = [(kind.name, at, points, sides[at, 0]) for kind, at, points in mesh.facets(sides)]
    else:
        sides = np.stack([np.arange(mesh.num_cells), np.full(mesh.num_cells, -1)], axis=1)
        numbers = [np.arange(start, start + len(cells)) for _, cells, start in mesh.blocks()]
        groups = [(k.name, n, cells, n) for (k, cells, _), n in zip(mesh.blocks(), numbers, strict=True)]
    return _surface(mesh, groups), sides


def lines(mesh: Mesh, sides: Ints) -> tuple[Ints, Ints]:
    """Return (n, 2) point pairs that draw one-dimensional facets, and (n,) the position in `sides` of each."""
    pairs, owners = [np.empty((0, 2), np.int64)], [np.empty(0, np.int64)]
    for kind, at, points in mesh.facets(sides):
        edges, owner = _edges(kind.name, at, points)
        pairs.append(edges)
        owners.append(owner)
    return np.concatenate(pairs), np.concatenate(owners)


def _surface(mesh: Mesh, groups: list[tuple[str, Ints, Ints, Ints]]) -> Surface:
    triangles, facet, cell = [np.empty((0, 3), np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for name, at, points, cells in groups:
        split = np.array(_TRIANGLES.get(name, ()), dtype=np.int64).reshape(-1, 3)
        triangles.append(points[:, split].reshape(-1, 3))
        facet.append(np.repeat(at, len(split)))
        cell.append(np.repeat(cells, len(split)))
    edges, edge_facet = [np.empty((0, 2), np.int64)], [np.empty(0, np.int64)]
    for name, at, points, _ in groups:
        pairs, owner = _edges(name, at, points)
        edges.append(pairs)
        edge_facet.append(owner)
    parts = (np.concatenate(x) for x in (triangles, facet, cell, edges, edge_facet))
    return Surface(spatial(mesh.points), *parts)


def _edges(name: str, at: Ints, points: Ints) -> tuple[Ints, Ints]:
    ring = np.array(_OUTLINE[name])
    pairs = points[:, np.stack([ring[:-1], ring[1:]], axis=1)].reshape(-1, 2)
    return pairs, np.repeat(at, len(ring) - 1)
