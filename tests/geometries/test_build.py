"""Laws of the builder: whatever a reader returns becomes a valid mesh, with what was wrong told, or an error."""

import numpy as np
import pytest

from geometries.build import Block, mesh_from_blocks
from geometries.errors import NoVolumeCells, ReadError

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def _build(points=SQUARE, nodes=TRIANGLES, **more):
    return mesh_from_blocks(points, [Block(kind="triangle", nodes=nodes, **more)])


def test_problems_are_put_right_and_told():
    points = np.concatenate([SQUARE + np.array([0, 0, 5]), [[np.nan, 0, 0]]])
    nodes = np.array([[0, 1, 2], [0, 3, 2], [1, 0, 2]])
    reading = _build(points, nodes)
    assert reading.mesh.measure.tolist() == [0.5, 0.5] and reading.mesh.points.shape == (4, 2)
    words = " / ".join(reading.problems)
    assert all(w in words for w in ("1 duplicate", "1 points that no cell", "z = 5", "1 inverted"))


def test_names_of_duplicates_merge_without_a_problem():
    nodes = np.concatenate([TRIANGLES, TRIANGLES[:1]])
    reading = _build(nodes=nodes, names={"a": np.array([0, 1]), "b": np.array([2])})
    assert reading.problems == ()
    assert {k: v.tolist() for k, v in reading.mesh.regions.items()} == {"a": [0, 1], "b": [0]}


def test_facets_on_no_cell_are_told():
    lines = Block(kind="line", nodes=np.array([[0, 1], [1, 3]]), names={"edge": np.array([0, 1])})
    reading = mesh_from_blocks(SQUARE, [lines, Block(kind="triangle", nodes=TRIANGLES)])
    assert len(reading.mesh.boundaries["edge"]) == 1
    assert reading.problems == ("1 of 2 facets of 'edge' are on no cell: dropped",)


def test_names_that_no_mesh_of_the_dimension_holds_are_told():
    probe = Block(kind="vertex", nodes=np.array([[2]]), names={"probe": np.array([0])})
    reading = mesh_from_blocks(SQUARE, [probe, Block(kind="triangle", nodes=TRIANGLES)])
    assert reading.problems == ("names on edges or points are left out: probe",)


@pytest.mark.parametrize(
    ("points", "nodes", "dim", "words"),
    [
        (SQUARE + np.array([0, np.inf, 0]), TRIANGLES, None, "not finite"),
        (SQUARE, TRIANGLES + 1, None, "refer to points"),
        (SQUARE, TRIANGLES - 1, None, "refer to points"),
        (SQUARE, TRIANGLES[:0], None, "no cells"),
        (SQUARE * [1, 0, 0], TRIANGLES, None, "2 of 2 cells are empty"),
        (SQUARE, np.array([[0, 1, 1]]), None, "1 of 1 cells are empty"),
        (SQUARE[:, :1], TRIANGLES, None, "1 coordinates"),
        (SQUARE, TRIANGLES, 3, "none of dimension 3"),
    ],
)
def test_invalid_arrays_are_errors(points, nodes, dim, words):
    with np.errstate(invalid="ignore"), pytest.raises(ReadError, match=words) as info:
        mesh_from_blocks(points, [Block(kind="triangle", nodes=nodes)], dim=dim)
    assert isinstance(info.value, NoVolumeCells) == (dim == 3)


def test_node_sets_become_the_outer_sides_that_they_hold():
    points = np.concatenate([[[9.0, 9, 0]], SQUARE])
    sets = {"right": np.array([2, 3]), "corner": np.array([1]), "diagonal": np.array([0, 1, 3])}
    reading = mesh_from_blocks(points, [Block(kind="triangle", nodes=TRIANGLES + 1)], node_sets=sets)
    assert {k: v.tolist() for k, v in reading.mesh.boundaries.items()} == {"right": [[0, 1]]}
    assert [name for p in reading.problems for name in sets if f"{name!r} are the corners of no outer facet" in p] == [
        "corner",
        "diagonal",
    ]
