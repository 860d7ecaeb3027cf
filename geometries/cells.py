"""Cell types: names and node orders as in meshio and VTK, facets with outward orientation.

`CELLS[name]` is everything the rest of the package knows about a cell type; a new type is one entry.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

Nodes = tuple[int, ...]


@dataclass(frozen=True)
class CellType:
    """A reference cell.

    `edges` are pairs of local nodes, mid-nodes included, as if the cell were refined once. `simplices` split the
    corners into positively oriented simplices. `middles` are the corners that each mid-node is the mean of. `shares`
    are the fractions of the cell's measure that lumping gives to each node: positive for every type, so that a lumped
    mass is a norm.
    """

    name: str
    dim: int
    order: int
    corners: int
    facets: tuple[tuple[str, Nodes], ...]
    edges: tuple[tuple[int, int], ...]
    simplices: tuple[Nodes, ...]
    shares: tuple[float, ...]
    mirror: Nodes
    middles: tuple[Nodes, ...] = ()

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.shares)


# name: dim, corner facets, corner edges in mid-node order, simplices, a permutation of the corners that mirrors it
_LINEAR: dict[str, tuple[int, tuple[Nodes, ...], tuple[Nodes, ...], tuple[Nodes, ...], Nodes]] = {
    "vertex": (0, (), (), ((0,),), (0,)),
    "line": (1, ((0,), (1,)), ((0, 1),), ((0, 1),), (1, 0)),
    "triangle": (2, ((0, 1), (1, 2), (2, 0)), ((0, 1), (1, 2), (2, 0)), ((0, 1, 2),), (0, 2, 1)),
    "quad": (
        2,
        ((0, 1), (1, 2), (2, 3), (3, 0)),
        ((0, 1), (1, 2), (2, 3), (3, 0)),
        ((0, 1, 2), (0, 2, 3)),
        (0, 3, 2, 1),
    ),
    "tetra": (
        3,
        ((0, 1, 3), (1, 2, 3), (2, 0, 3), (0, 2, 1)),
        ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)),
        ((0, 1, 2, 3),),
        (0, 2, 1, 3),
    ),
    "pyramid": (
        3,
        ((0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)),
        ((0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4), (2, 4), (3, 4)),
        ((0, 1, 2, 4), (0, 2, 3, 4)),
        (0, 3, 2, 1, 4),
    ),
    "wedge": (
        3,
        ((0, 2, 1), (3, 4, 5), (0, 1, 4, 3), (1, 2, 5, 4), (2, 0, 3, 5)),
        ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)),
        ((0, 1, 2, 3), (1, 2, 3, 4), (2, 5, 3, 4)),
        (0, 2, 1, 3, 5, 4),
    ),
    "hexahedron": (
        3,
        ((0, 4, 7, 3), (1, 2, 6, 5), (0, 1, 5, 4), (3, 7, 6, 2), (0, 3, 2, 1), (4, 5, 6, 7)),
        ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)),
        ((0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)),
        (0, 3, 2, 1, 4, 7, 6, 5),
    ),
}
FACETS = {1: "vertex", 2: "line", 3: "triangle", 4: "quad"}  # of the first order, by their corners
# second-order type: linear type, and the corner sets beyond the edges that have a node in their middle
_SECOND: dict[str, tuple[str, tuple[Nodes, ...]]] = {
    "line3": ("line", ()),
    "triangle6": ("triangle", ()),
    "quad8": ("quad", ()),
    "quad9": ("quad", ((0, 1, 2, 3),)),
    "tetra10": ("tetra", ()),
    "pyramid13": ("pyramid", ()),
    "pyramid14": ("pyramid", ((0, 1, 2, 3),)),
    "wedge15": ("wedge", ()),
    "wedge18": ("wedge", _LINEAR["wedge"][1][2:]),
    "hexahedron20": ("hexahedron", ()),
    "hexahedron27": ("hexahedron", (*_LINEAR["hexahedron"][1], tuple(range(8)))),
}
# Shares of corners and edge nodes where a plain equal share would be poor: those of the once refined linear cell
# (simplices), of Simpson's rule (line3, quad9, hexahedron27), and of a mass matrix's scaled diagonal (quad8).
_SHARES = {
    "pyramid": (3 / 16, 3 / 16, 3 / 16, 3 / 16, 1 / 4),
    "line3": (1 / 6, 1 / 6, 2 / 3),
    "triangle6": (1 / 12,) * 3 + (1 / 4,) * 3,
    "tetra10": (1 / 32,) * 4 + (7 / 48,) * 6,
    "quad8": (3 / 76,) * 4 + (16 / 76,) * 4,
    "quad9": (1 / 36,) * 4 + (4 / 36,) * 4 + (16 / 36,),
    "hexahedron27": (1 / 216,) * 8 + (4 / 216,) * 12 + (16 / 216,) * 6 + (64 / 216,),
}
_SECOND_FACET = {(2, 3): "line3", (3, 6): "triangle6", (4, 8): "quad8", (4, 9): "quad9", (1, 1): "vertex"}


def _linear(name: str) -> CellType:
    dim, facets, edges, simplices, mirror = _LINEAR[name]
    n = len(mirror)
    named = tuple((FACETS[len(f)], f) for f in facets)
    pairs = tuple((e[0], e[1]) for e in edges)
    return CellType(name, dim, 1, n, named, pairs, simplices, _SHARES.get(name, (1 / n,) * n), mirror)


def _second(name: str) -> CellType:
    base_name, middles = _SECOND[name]
    base = _linear(base_name)
    sets = [*base.edges, *middles]
    mid = {frozenset(s): base.corners + i for i, s in enumerate(sets)}
    nodes = base.corners + len(sets)
    facets = tuple(_with_middles(corners, mid) for _, corners in base.facets)
    halves = [(corner, mid[frozenset(e)]) for e in base.edges for corner in e]
    mirrored = [mid[frozenset(base.mirror[i] for i in s)] for s in sets]
    return CellType(
        name,
        base.dim,
        2,
        base.corners,
        facets,
        (*halves, *_inner_edges(base, mid)),
        base.simplices,
        _SHARES.get(name, (1 / nodes,) * nodes),
        (*base.mirror, *mirrored),
        tuple(sets),
    )


def _with_middles(corners: Nodes, mid: dict[frozenset[int], int]) -> tuple[str, Nodes]:
    ring = [frozenset(pair) for pair in zip(corners, (*corners[1:], corners[0]), strict=True)]
    inner = [mid[s] for s in dict.fromkeys([*ring, frozenset(corners)]) if len(s) > 1 and s in mid]
    return _SECOND_FACET[len(corners), len(corners) + len(inner)], (*corners, *inner)


def _inner_edges(base: CellType, mid: dict[frozenset[int], int]) -> tuple[tuple[int, int], ...]:
    """Connect mid-nodes: of two edges that share a corner and a triangle, and of a middle with the sets inside it."""
    pairs = set()
    for a, b in itertools.combinations(mid, 2):
        inside = a < b or b < a
        in_triangle = len(a) == len(b) == 2 and any(a | b == set(f) for f in _triangles(base))
        if inside or in_triangle:
            pairs.add((min(mid[a], mid[b]), max(mid[a], mid[b])))
    return tuple(sorted(pairs))


def _triangles(base: CellType) -> list[Nodes]:
    return [base.mirror] if base.name == "triangle" else [f for kind, f in base.facets if kind == "triangle"]


CELLS: dict[str, CellType] = {n: _linear(n) for n in _LINEAR} | {n: _second(n) for n in _SECOND}
