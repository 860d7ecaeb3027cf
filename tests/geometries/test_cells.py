"""Cell types: facets close each cell and point outwards, shares and simplices add up, mirrors flip."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from skfem.element import ElementHex2, ElementQuad2, ElementTetP2, ElementTriP2

from geometries.cells import CELLS, CellType
from geometries.measures import simplex_measure

REFERENCE = {
    "vertex": [()],
    "line": [(0,), (1,)],
    "triangle": [(0, 0), (1, 0), (0, 1)],
    "quad": [(0, 0), (1, 0), (1, 1), (0, 1)],
    "tetra": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "pyramid": [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1)],
    "wedge": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1)],
    "hexahedron": [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
}
MEASURE = dict(zip(REFERENCE, (1, 1, 1 / 2, 1, 1 / 6, 1 / 3, 1 / 2, 1), strict=True))
SECOND = {name: next(n for n in REFERENCE if name.startswith(n)) for name in CELLS if name not in REFERENCE}
WITH_FACETS = [name for name, kind in CELLS.items() if kind.dim > 0]


def corners(name: str) -> np.ndarray:
    return np.array(REFERENCE[SECOND.get(name, name)], dtype=float).reshape(CELLS[name].corners, -1)


def measure(kind: CellType, points: np.ndarray) -> float:
    spans = [points[list(s[1:])] - points[s[0]] for s in kind.simplices]
    return float(simplex_measure(np.array(spans)).sum())


def area_vector(points: np.ndarray) -> np.ndarray:
    """Area times normal of a facet, its corners in order: turned edges in 2-D, half the crossed fan in 3-D."""
    if len(points) == 2:
        edge = points[1] - points[0]
        return np.array([edge[1], -edge[0]])
    return sum(np.cross(points[i] - points[0], points[i + 1] - points[0]) for i in range(1, len(points) - 1)) / 2


@pytest.mark.parametrize("name", CELLS)
def test_measure_is_that_of_the_reference_and_a_mirror_flips_it(name: str) -> None:
    kind, points = CELLS[name], corners(name)
    assert measure(kind, points) == pytest.approx(MEASURE[SECOND.get(name, name)])
    if kind.dim > 0:
        mirrored = points[list(kind.mirror[: kind.corners])]
        assert measure(kind, mirrored) == pytest.approx(-MEASURE[SECOND.get(name, name)])


@pytest.mark.parametrize("name", CELLS)
def test_a_mirror_is_a_permutation_that_undoes_itself(name: str) -> None:
    mirror = np.array(CELLS[name].mirror)
    assert np.array_equal(mirror[mirror], np.arange(CELLS[name].nodes))


@pytest.mark.parametrize("name", [n for n in WITH_FACETS if CELLS[n].dim > 1])
def test_facets_close_the_cell_and_point_outwards(name: str) -> None:
    kind, points = CELLS[name], corners(name)
    vectors = np.array([area_vector(points[list(f[: CELLS[t].corners])]) for t, f in kind.facets])
    centers = np.array([points[list(f[: CELLS[t].corners])].mean(0) for t, f in kind.facets])
    np.testing.assert_allclose(vectors.sum(0), 0, atol=1e-14)
    assert (((centers - points.mean(0)) * vectors).sum(1) > 0).all()
    # ∫ x·n over the surface is d times the volume: no facet is missing or has a wrong size
    assert (centers * vectors).sum() == pytest.approx(kind.dim * MEASURE[SECOND.get(name, name)])


@pytest.mark.parametrize("name", CELLS)
def test_shares_are_positive_and_sum_to_one(name: str) -> None:
    assert min(CELLS[name].shares) > 0
    assert sum(CELLS[name].shares) == pytest.approx(1)


@pytest.mark.parametrize("name", CELLS)
def test_edges_join_different_nodes_once_and_reach_all(name: str) -> None:
    kind = CELLS[name]
    pairs = [frozenset(e) for e in kind.edges]
    assert len(set(pairs)) == len(pairs)
    assert all(len(p) == 2 for p in pairs)
    assert set().union(*pairs) == (set(range(kind.nodes)) if kind.dim else set())


@pytest.mark.parametrize("name", SECOND)
def test_mid_nodes_lie_in_the_middle_and_facets_hold_theirs(name: str) -> None:
    kind, points = CELLS[name], corners(name)
    middle = {frozenset(e): points[list(e)].mean(0) for e in itertools.combinations(range(kind.corners), 2)}
    ends = {n: [e[0] for e in kind.edges if e[1] == n and e[0] < kind.corners] for n in range(kind.corners, kind.nodes)}
    placed = {n: middle[frozenset(e)] for n, e in ends.items() if len(e) == 2}
    assert len(placed) == len(CELLS[SECOND[name]].edges)
    for facet, nodes in kind.facets:
        ring = nodes[: CELLS[facet].corners]
        halves = nodes[CELLS[facet].corners :][: len(ring) if len(ring) > 2 else len(ring) - 1]
        for node, pair in zip(halves, zip(ring, (*ring[1:], ring[0]), strict=True), strict=False):
            np.testing.assert_allclose(placed[node], middle[frozenset(pair)])


@pytest.mark.parametrize(
    ("name", "element"),
    [("triangle6", ElementTriP2), ("tetra10", ElementTetP2), ("quad9", ElementQuad2)],
)
def test_nodes_stand_where_another_code_has_them(name: str, element: type) -> None:
    kind, points = CELLS[name], corners(name)
    base = CELLS[SECOND[name]]
    ours = np.array([*points, *(points[list(e)].mean(0) for e in base.edges)])
    theirs = element().doflocs
    np.testing.assert_allclose(ours, theirs[: len(ours)])
    assert kind.nodes == len(theirs)
    assert CELLS["hexahedron27"].nodes == len(ElementHex2().doflocs)
