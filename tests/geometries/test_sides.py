"""Sides: rows are numbered as numpy does, facets are found from their corners, areas are the closed form's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geometries.cells import CELLS
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from geometries.sides import components, first_rows, number_rows, ranks, unique_rows
from tests.geometries.meshes import meshes

ROWS = arrays(np.int64, st.tuples(st.integers(0, 12), st.integers(1, 4)), elements=st.integers(-2, 3))


@given(rows=ROWS)
def test_rows_are_numbered_as_numpy_does(rows: np.ndarray) -> None:
    distinct, number, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    ours, counts = number_rows(rows)
    assert np.array_equal(ours, number.reshape(-1))
    assert np.array_equal(counts, count)
    assert np.array_equal(unique_rows(rows), distinct)


@given(rows=ROWS)
def test_rows_first_stand_where_none_before_is_like_them(rows: np.ndarray) -> None:
    first, place = first_rows(rows)
    every = rows.tolist()
    assert first.tolist() == [i for i, row in enumerate(every) if row not in every[:i]]
    assert np.array_equal(rows[first[place]], rows)


@given(pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7))), count=st.integers(8, 10))
def test_pieces_are_numbered_by_their_lowest_members(pairs: list[tuple[int, int]], count: int) -> None:
    pieces = {i: {i} for i in range(count)}
    for a, b in pairs:
        joined = pieces[a] | pieces[b]
        pieces |= dict.fromkeys(joined, joined)
    lowest = sorted({min(piece) for piece in pieces.values()})
    found = components(np.array(pairs, np.int64).reshape(-1, 2), count)
    assert found.tolist() == [lowest.index(min(pieces[i])) for i in range(count)]


@given(rows=ROWS, scale=st.sampled_from([2**40, 2**61]))
def test_numbers_of_any_size_and_floats_are_numbered_alike(rows: np.ndarray, scale: int) -> None:
    wide = rows * scale if abs(rows).max(initial=0) * scale < 2**63 else rows
    for given_rows in (wide, wide / 3.0):
        assert np.array_equal(number_rows(given_rows)[0], number_rows(rows)[0])


@given(owner=st.lists(st.integers(0, 4)))
def test_a_rank_counts_the_earlier_entries_of_an_owner(owner: list[int]) -> None:
    assert ranks(np.array(owner, np.int64)).tolist() == [owner[:i].count(o) for i, o in enumerate(owner)]


@given(mesh=meshes())
def test_edges_are_those_of_the_cells(mesh: Mesh) -> None:
    slow = {tuple(sorted(cell[list(e)])) for kind, cells, _ in mesh.blocks() for cell in cells for e in kind.edges}
    assert mesh.edges.tolist() == sorted(map(list, slow))


@given(mesh=meshes())
def test_neighbors_are_the_cells_that_share_a_facet(mesh: Mesh) -> None:
    cells: dict[frozenset[int], list[int]] = {}
    for kind, block, start in mesh.blocks():
        for number, nodes in enumerate(block, start):
            for facet, local in kind.facets:
                cells.setdefault(frozenset(nodes[list(local[: CELLS[facet].corners])]), []).append(number)
    slow = sorted(pair for found in cells.values() for pair in pairwise(sorted(found)))
    assert sorted(map(tuple, mesh.neighbors.tolist())) == slow


@pytest.mark.parametrize("cell", ["triangle", "quad", "tetra", "hexahedron"])
@pytest.mark.parametrize("order", [1, 2])
def test_a_facet_is_found_from_its_corners_in_any_order(cell: str, order: int) -> None:
    mesh = Grid(shape=(3, 2) if cell in ("triangle", "quad") else (2, 2, 2), cell=cell, order=order).mesh()
    rng = np.random.default_rng(0)
    for kind, at, points in mesh.facets(mesh.outer):
        shuffled = rng.permuted(points[:, : kind.corners], axis=1)
        assert np.array_equal(mesh._table.find(shuffled), mesh.outer[at])
    assert (mesh._table.find(np.array([[0, 0]])) == -1).all()


@pytest.mark.parametrize("cell", ["quad", "triangle", "tetra", "hexahedron"])
def test_the_sides_of_a_box_have_its_areas_and_normals(cell: str) -> None:
    shape, extent = (
        ((3, 2), np.array([2.0, 5.0])) if cell in ("quad", "triangle") else ((2, 3, 2), np.array([2, 5, 7.0]))
    )
    grid = Grid(shape=shape, cell=cell).mesh()
    mesh = Mesh(points=grid.points * extent, cells=grid.cells, boundaries=grid.boundaries)
    for axis, pair in enumerate((("left", "right"), ("bottom", "top"), ("front", "back"))[: mesh.dim]):
        for sign, name in zip((-1, 1), pair, strict=True):
            _, normals, areas = mesh.side_geometry(mesh.sides(name))
            assert areas.sum() == pytest.approx(extent.prod() / extent[axis])
            np.testing.assert_allclose(normals, np.tile(sign * np.eye(mesh.dim)[axis], (len(areas), 1)), atol=1e-14)


def test_a_surface_in_space_has_a_rim_with_normals_in_its_plane() -> None:
    flat = Grid(shape=(3, 3)).mesh()
    tilted = np.stack([flat.points[:, 0], flat.points[:, 1], flat.points[:, 0]], axis=1)
    mesh = Mesh(points=tilted, cells=flat.cells)
    assert mesh.measure.sum() == pytest.approx(np.sqrt(2))
    _, normals, lengths = mesh.side_geometry(mesh.outer)
    np.testing.assert_allclose(normals @ np.array([-1, 0, 1]), 0, atol=1e-14)
    np.testing.assert_allclose(lengths @ normals, 0, atol=1e-14)


def test_the_ends_of_a_line_point_outwards() -> None:
    mesh = Grid(shape=(4,)).mesh()
    centers, normals, sizes = mesh.side_geometry(mesh.outer)
    np.testing.assert_allclose(centers[:, 0], [0, 1])
    np.testing.assert_allclose(normals[:, 0], [-1, 1])
    np.testing.assert_allclose(sizes, 1)
