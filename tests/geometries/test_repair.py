"""Laws of repair: what was torn apart is whole again, with its names; a sound mesh stays as it is."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import geometries as geo
from geometries.build import Block, Reading, dropping_empty_cells, mesh_from_blocks
from geometries.cells import CELLS
from geometries.defects import defects
from geometries.errors import MeshError, ReadError
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from geometries.repair import repair, repaired
from tests.geometries.meshes import one_of_each

GRIDS = [Grid(shape=shape, cell=cell, order=order) for shape, cell in (((3, 2), "triangle"), ((2, 2), "quad"),
         ((2, 1, 1), "tetra"), ((2, 1, 1), "hexahedron")) for order in (1, 2)]  # fmt: skip


def torn(mesh: Mesh) -> Mesh:
    """Give every cell its own points."""
    (kind,) = mesh.cells
    nodes = mesh.cells[kind]
    own = np.arange(nodes.size).reshape(nodes.shape)
    return replace(mesh, points=mesh.points[nodes.ravel()], cells={kind: own})


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_torn_mesh_is_joined_with_its_names(grid: Grid) -> None:
    whole = replace(grid.mesh(), regions={"first": [0, 1]})
    mesh, done = repair(torn(whole))
    assert mesh.num_points == whole.num_points
    assert len(mesh.outer) == len(whole.outer)
    for name, sides in whole.boundaries.items():
        np.testing.assert_array_equal(mesh.boundaries[name], sides)
    assert mesh.regions["first"].tolist() == [0, 1]
    assert len(done) == 1 and "coincident points merged" in done[0]
    assert any("--repair" in line for line in defects(torn(whole)))
    assert defects(mesh) == ()


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_sound_mesh_stays_as_it_is(grid: Grid) -> None:
    whole = replace(grid.mesh(), point_data={"u": np.arange(grid.mesh().num_points)})
    assert defects(whole) == ()
    mesh, done = repair(whole)
    assert done == ()
    np.testing.assert_array_equal(mesh.points, whole.points)
    np.testing.assert_array_equal(mesh.point_data["u"], whole.point_data["u"])
    for kind in whole.cells:
        np.testing.assert_array_equal(mesh.cells[kind], whole.cells[kind])


@given(seed=st.integers(0, 99), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_double_cells_leave_their_names_to_the_first(seed: int, scale: float) -> None:
    grid = Grid(shape=(3, 3)).mesh().scaled(scale)
    rng = np.random.default_rng(seed)
    again = rng.choice(grid.num_cells, 4, replace=False)
    turned = np.roll(grid.cells["triangle"][again], 1, axis=1)
    mesh = Mesh(
        points=grid.points,
        cells={"triangle": np.concatenate([grid.cells["triangle"], turned])},
        regions={"doubles": grid.num_cells + np.arange(4)},
        boundaries={"their first": [[grid.num_cells + i, 1] for i in range(4)]},
        cell_data={"number": np.arange(grid.num_cells + 4)},
    )
    mended, done = repair(mesh)
    assert done == ("repaired: 4 duplicate cells dropped",)
    assert mended.regions["doubles"].tolist() == sorted(again)
    assert mended.cell_data["number"].tolist() == list(range(grid.num_cells))
    facets = mended.facet_ids(mended.boundaries["their first"])
    assert sorted(facets) == sorted(mended.facet_ids(np.stack([again, np.zeros(4, int)], axis=1)))


def test_cells_that_merging_empties_go_with_their_sides() -> None:
    mesh = Mesh(
        points=[[0, 0], [1, 0], [0, 1], [1, 1e-12], [3, 3]],
        cells={"triangle": [[0, 1, 2], [0, 1, 3]]},
        boundaries={"low": [[0, 0], [1, 0], [1, 1]]},
    )
    mended, done = repair(mesh)
    assert mended.num_cells == 1 and mended.num_points == 3
    assert mended.boundaries["low"].tolist() == [[0, 0]]
    assert {line.split(" ", 2)[2] for line in done} == {
        "coincident points merged",
        "empty cells dropped",
        "points that no cell uses dropped",
        "sides of boundaries dropped with their cells",
    }
    with pytest.raises(MeshError, match="all 2 cells"):
        repair(mesh, tolerance=2.0)


def test_empty_cells_are_dropped_by_request_only() -> None:
    points = np.array([[0.0, 0], [1, 0], [0, 1], [2, 0]])
    block = Block(
        kind="triangle", nodes=np.array([[0, 1, 3], [0, 1, 2]]), names={"a": np.array([1]), "b": np.array([0])}
    )
    with pytest.raises(ReadError, match="--repair drops them"):
        mesh_from_blocks(points, [block])
    with dropping_empty_cells(True):
        reading = repaired(mesh_from_blocks(points, [block]))
    assert {k: v.tolist() for k, v in reading.mesh.regions.items()} == {"a": [0]}
    assert reading.mesh.num_points == 3
    assert reading.problems == ("repaired: 1 empty cells dropped", "repaired: 1 points that no cell uses dropped")
    with pytest.raises(ReadError):
        mesh_from_blocks(points, [block])


def test_nothing_is_merged_unasked(tmp_path) -> None:
    geo.write(torn(Grid(shape=(2, 2)).mesh()), tmp_path / "t.msh")
    reading = geo.formats.inspect(tmp_path / "t.msh")
    assert reading.mesh.num_points == 24 and "15 points coincide" in reading.problems[0]
    reading = geo.formats.inspect(tmp_path / "t.msh", repair=True)
    assert reading.mesh.num_points == 9 and reading.problems == ("repaired: 15 coincident points merged",)


SQUARES = [[0, 0], [2, 0], [2, 2], [0, 2], [2, 1], [4, 0], [4, 1], [4, 2]]


def test_hanging_nodes_and_crowded_facets_are_told() -> None:
    hanging = Mesh(points=SQUARES, cells={"quad": [[0, 1, 2, 3], [1, 5, 6, 4], [4, 6, 7, 2]]})
    assert defects(hanging) == ("1 points lie inside facets or edges of cells that do not have them (hanging nodes)",)
    fins = [[0, 0, 0], [0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0]]
    branching = Mesh(points=fins, cells={"triangle": [[0, 1, 2], [0, 1, 3], [0, 1, 4]]})
    assert defects(branching) == ("1 facets belong to more than two cells: cells overlap or surfaces branch",)


@pytest.mark.parametrize("cell", ["tetra", "hexahedron"])
def test_parts_that_touch_without_sharing_nodes_are_told(cell: str) -> None:
    coarse, fine = Grid(shape=(1, 1, 1), cell=cell).mesh(), Grid(shape=(1, 2, 2), cell=cell).mesh()
    (a,), (b,) = coarse.cells.values(), fine.cells.values()
    points = np.concatenate([coarse.points, fine.points + np.array([1, 0, 0])])
    both = Mesh(points=points, cells={cell: np.concatenate([a, b + coarse.num_points])})
    copies, hanging = defects(both)
    assert copies.startswith("4 points coincide") and hanging.startswith("5 points lie inside")
    apart = replace(
        both, points=points + np.where(points[:, :1] > 1, 0, 0) + (np.arange(len(points)) >= 8)[:, None] * [1.0, 0, 0]
    )
    assert defects(apart) == ()
    assert defects(replace(coarse, boundaries={})) == Reading(mesh=coarse).problems


def moved(cell: str, order: int, node: int, by: tuple[float, ...]) -> Mesh:
    """One cell between 0 and 1, or the first of two triangles or six tetrahedra, and one of its nodes elsewhere."""
    grid = Grid(shape=(1,) * CELLS[cell].dim, cell=cell, order=order).mesh()
    points = grid.points.copy()
    points[next(iter(grid.cells.values()))[0, node]] += by
    return replace(grid, points=points)


FOLDED = {
    "concave": moved("quad", 1, 2, (-0.7, -0.7)),
    "near a corner": moved("triangle", 2, 3, (0.45, 0)),
    "beyond a corner": moved("triangle", 2, 3, (0.7, 0)),
    "into the cell": moved("quad", 2, 4, (0, 0.8)),
    "solid": moved("tetra", 2, 4, (0.4, 0, 0)),
    "hexahedron": moved("hexahedron", 1, 6, (-0.7, -0.7, -0.1)),
}


@pytest.mark.parametrize("mesh", FOLDED.values(), ids=FOLDED)
def test_cells_that_fold_over_are_told(mesh: Mesh) -> None:
    (kind,) = mesh.cells
    (line,) = defects(mesh)
    assert re.match(rf"\d of {mesh.num_cells} {kind} cells fold over .*first: cell 0", line)
    problems = mesh_from_blocks(mesh.points, [Block(kind=kind, nodes=mesh.cells[kind])]).problems
    assert any("fold over" in p for p in problems)


@pytest.mark.parametrize("mesh", [moved("quad", 1, 2, (-0.5, -0.5)), moved("triangle", 2, 3, (-0.25, 0.0))])
def test_straight_corners_and_quarter_points_do_not_fold(mesh: Mesh) -> None:
    assert defects(mesh) == ()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_no_reference_cell_folds_and_every_curved_one_can(dim: int) -> None:
    whole = one_of_each(dim)
    assert not len(whole.folded)
    for kind, cells, start in whole.blocks():
        if kind.order == 2:
            points = whole.points.copy()
            corner, middle = points[cells[0, list(kind.middles[0])]].mean(0), points[cells[0, kind.middles[0][0]]]
            points[cells[0, kind.corners]] = 0.2 * corner + 0.8 * middle
            assert start in replace(whole, points=points).folded
