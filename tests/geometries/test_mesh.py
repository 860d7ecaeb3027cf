"""`Mesh`: divergence theorem, mass, Euler characteristic; new meshes keep names; wrong arrays are refused."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries import tags as select
from geometries.cells import CELLS
from geometries.errors import MeshError, SelectionError
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from geometries.refine import second_order
from tests.geometries.meshes import meshes

TRIANGLE = {"points": [[0, 0], [1, 0], [0, 1], [1, 1]], "cells": {"triangle": [[0, 1, 2], [1, 3, 2]]}}


def sheared(mesh: Mesh) -> Mesh:
    """An affine image without symmetries; cells stay straight."""
    matrix = np.eye(mesh.space_dim) + 0.3 * np.triu(np.ones((mesh.space_dim,) * 2), 1)
    return Mesh(points=mesh.points @ matrix + 0.7, cells=mesh.cells, boundaries=mesh.boundaries, regions=mesh.regions)


def mixed(order: int = 1) -> Mesh:
    """Triangles and quads, with names that go through both."""
    grid = Grid(shape=(4, 3), cell="quad").mesh()
    quads = grid.cells["quad"]
    parts = np.array(CELLS["quad"].simplices)
    mesh = Mesh(points=grid.points, cells={"triangle": quads[:5][:, parts].reshape(-1, 3), "quad": quads[5:]})
    mesh = mesh.with_boundary("left", select.Normal((-1, 0))).with_boundary("right", select.Normal((1, 0)))
    return second_order(mesh) if order == 2 else mesh


def one_of(name: str) -> Mesh:
    """A pyramid or wedge as a mesh of its own."""
    points = {
        "pyramid": [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]],
        "wedge": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]],
    }[name]
    return Mesh(points=np.array(points, float), cells={name: [list(range(len(points)))]})


MESHES = {
    f"{cell}-{order}": sheared(Grid(shape=shape, cell=cell, order=order).mesh())
    for shape, cells in (((5,), ["line"]), ((4, 3), ["triangle", "quad"]), ((3, 2, 2), ["tetra", "hexahedron"]))
    for cell in cells
    for order in (1, 2)
} | {
    "mixed": sheared(mixed()),
    "mixed-2": sheared(mixed(2)),
    "pyramid": sheared(one_of("pyramid")),
    "wedge": sheared(one_of("wedge")),
}
every = pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)


@every
def test_area_vectors_sum_to_zero_and_carry_the_volume(mesh: Mesh) -> None:
    centers, normals, areas = mesh.side_geometry(mesh.outer)
    np.testing.assert_allclose(areas @ normals, 0, atol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert areas @ (centers * normals).sum(1) == pytest.approx(mesh.dim * mesh.measure.sum())


@every
def test_mass_sums_to_measure_and_is_positive(mesh: Mesh) -> None:
    assert mesh.mass.sum() == pytest.approx(mesh.measure.sum())
    assert mesh.mass.min() > 0
    np.testing.assert_allclose(mesh.to_points(np.full(mesh.num_cells, 3.5)), 3.5)


@pytest.mark.parametrize(
    ("name", "measure"), [("triangle-2", 1), ("hexahedron-1", 1), ("tetra-1", 1), ("pyramid", 1 / 3), ("wedge", 1 / 2)]
)
def test_measure_is_the_closed_form(name: str, measure: float) -> None:
    assert MESHES[name].measure.sum() == pytest.approx(measure)  # the shear keeps volumes


@every
def test_euler_characteristic_of_a_ball_is_one(mesh: Mesh) -> None:
    if mesh.order == 1:
        inner = len(mesh.edges) - mesh.num_facets * (mesh.dim == 3) if mesh.dim > 1 else 0
        assert mesh.num_points - inner + (-1) ** mesh.dim * mesh.num_cells == 1


def test_second_order_triangles_have_the_edges_of_the_refined_mesh() -> None:
    mesh = Grid(shape=(4, 3), order=2).mesh()
    assert mesh.num_points - len(mesh.edges) + 4 * mesh.num_cells == 1


@every
def test_each_inner_facet_has_two_sides(mesh: Mesh) -> None:
    sides = sum(len(cells) * len(kind.facets) for kind, cells, _ in mesh.blocks())
    assert sides == 2 * mesh.num_facets - len(mesh.outer)
    assert len(np.unique(mesh.facet_ids(mesh.outer))) == len(mesh.outer)


@every
def test_every_array_is_frozen(mesh: Mesh) -> None:
    arrays = [mesh.points, *mesh.cells.values(), *mesh.regions.values(), *mesh.boundaries.values()]
    arrays += [mesh.measure, mesh.mass, mesh.edges, mesh.outer, mesh.centroid, mesh.cell_centers]
    assert not any(a.flags.writeable for a in arrays)
    with pytest.raises(FrozenInstanceError):
        mesh.points = mesh.points
    with pytest.raises(TypeError):
        mesh.cells["triangle"] = np.zeros((0, 3))


def test_a_mesh_does_not_share_what_it_was_given() -> None:
    points, cells = np.array(TRIANGLE["points"], float), np.array(TRIANGLE["cells"]["triangle"])
    mesh = Mesh(points=points, cells={"triangle": cells})
    points[:], cells[:] = 7, 0
    assert mesh.measure.sum() == pytest.approx(1)
    assert points.flags.writeable


@every
def test_pickling_keeps_everything(mesh: Mesh) -> None:
    again = pickle.loads(pickle.dumps(mesh))
    assert np.array_equal(again.points, mesh.points)
    for sets in ("cells", "regions", "boundaries"):
        assert getattr(again, sets).keys() == getattr(mesh, sets).keys()
        assert all(np.array_equal(v, getattr(mesh, sets)[k]) for k, v in getattr(again, sets).items())
    assert not again.points.flags.writeable


@given(factor=st.floats(1e-6, 1e6))
def test_a_change_of_unit_scales_measures_and_keeps_names(factor: float) -> None:
    mesh = MESHES["tetra-1"]
    scaled = mesh.scaled(factor)
    assert scaled.measure.sum() == pytest.approx(mesh.measure.sum() * factor**3)
    assert scaled.length == pytest.approx(mesh.length * factor)
    assert scaled.boundaries.keys() == mesh.boundaries.keys()
    assert mesh.measure.sum() == pytest.approx(1)


def test_length_is_the_radius_of_gyration() -> None:
    fine = Grid(shape=(200,)).mesh()
    assert fine.length == pytest.approx(np.sqrt(1 / 12), rel=1e-3)
    np.testing.assert_allclose(MESHES["tetra-2"].centroid, MESHES["tetra-2"].points.mean(0), atol=0.2)


@given(mesh=meshes())
def test_new_names_share_what_was_derived_and_are_checked(mesh: Mesh) -> None:
    outer = mesh.outer
    new = mesh.named(boundaries={"skin": outer})
    assert list(new.boundaries) == ["skin"] and new.regions is mesh.regions
    assert new.outer is outer and new.points is mesh.points and "skin" not in mesh.boundaries
    assert not new.named(regions={}, boundaries={}).boundaries
    for wrong in ({"boundaries": {"skin": outer + mesh.num_cells}}, {"regions": {"*": [0]}}):
        with pytest.raises(MeshError):
            mesh.named(**wrong)


def test_renaming_merges_and_keeps_the_old_mesh() -> None:
    mesh = MESHES["triangle-1"]
    merged = mesh.renamed({"left": "ends", "right": "ends"})
    assert set(merged.boundaries) == {"ends", "bottom", "top"}
    assert len(merged.sides("ends")) == len(mesh.sides("left")) + len(mesh.sides("right"))
    assert "left" in mesh.boundaries
    with pytest.raises(SelectionError, match="did you mean 'left'"):
        mesh.renamed({"lefty": "x"})
    with pytest.raises(SelectionError, match="did you mean 'top'"):
        mesh.sides("topp")


def test_a_mesh_of_several_types_numbers_cells_through_the_blocks() -> None:
    mesh = MESHES["mixed"]
    starts = [start for _, _, start in mesh.blocks()]
    assert starts == [0, 10]
    assert len(mesh.sides("left")) == len(mesh.sides("right")) == 3
    assert {kind.name for kind, _, _ in mesh.facets(mesh.outer)} == {"line"}


@pytest.mark.parametrize("name", ["triangle-2", "tetra-2", "hexahedron-2"])
def test_nodes_of_sides_hold_their_mid_nodes(name: str) -> None:
    mesh = MESHES[name]
    flat = mesh.points[mesh.nodes(mesh.sides("left"))]
    assert len(flat) == (2 * 3 + 1 if mesh.dim == 2 else (2 * 2 + 1) ** 2)
    assert len(mesh.nodes(np.empty((0, 2), np.int64))) == 0


WRONG = {
    "nan": ({"points": [[0, 0], [1, 0], [0, np.nan], [1, 1]]}, "1 of 4 points are not finite .first: point 2"),
    "no points": ({"points": np.empty((0, 2))}, r"shape \(0, 2\)"),
    "4-D": ({"points": np.zeros((4, 4))}, "d = 1, 2 or 3"),
    "text": ({"points": [["a", "b"]]}, "expected"),
    "complex": ({"points": np.array([[0, 0], [1, 0], [0, 1j]])}, "expected"),
    "ragged points": ({"points": [[0, 0], [1]]}, "expected"),
    "range": ({"cells": {"triangle": [[0, 1, 9]]}}, "'triangle' holds 9; expected 0 to 3"),
    "negative": ({"cells": {"triangle": [[0, 1, -1]]}}, "holds -1"),
    "width": ({"cells": {"triangle": [[0, 1, 2, 3]]}}, r"expected \(C, 3\)"),
    "ragged cells": ({"cells": {"triangle": [[0, 1, 2], [1, 3]]}}, "different lengths"),
    "floats": ({"cells": {"triangle": [[0.0, 1.0, 2.0]]}}, "expected integers"),
    "type": ({"cells": {"triangel": [[0, 1, 2]]}}, "did you mean 'triangle'"),
    "no cells": ({"cells": {}}, "exactly one dimension"),
    "two dimensions": ({"cells": {"triangle": [[0, 1, 2]], "line": [[0, 1]]}}, "exactly one dimension"),
    "inverted": ({"cells": {"triangle": [[0, 1, 2], [1, 2, 3]]}}, "1 of 2 cells are inverted or empty .first: cell 1"),
    "empty": ({"cells": {"triangle": [[0, 0, 2]]}}, "inverted or empty"),
    "flat": ({"points": [[0.0], [1.0], [2.0]], "cells": {"triangle": [[0, 1, 2]]}}, "dimension 2 have points in 1"),
    "star": ({"boundaries": {"*": [[0, 0]]}}, "not '\\*'"),
    "unnamed": ({"regions": {" ": [0]}}, "not empty"),
    "region range": ({"regions": {"a": [2]}}, "region 'a' holds 2; expected 0 to 1"),
    "region shape": ({"regions": {"a": [[0]]}}, "cell numbers"),
    "facet": ({"boundaries": {"a": [[0, 3]]}}, "a local facet that its cell does not have"),
    "side": ({"boundaries": {"a": [[0, 1, 2]]}}, "local facet"),
    "side range": ({"boundaries": {"a": [[5, 0]]}}, "holds 5"),
    "point data": ({"point_data": {"u": [1.0, 2.0]}}, r"'u' has shape \(2,\).*expected \(4, ...\)"),
    "cell data": ({"cell_data": {"u": ["a", "b"]}}, "of numbers"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_mesh_is_refused(change: dict, said: str) -> None:
    with pytest.raises(MeshError, match=said) as caught:
        Mesh(**{**TRIANGLE, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("factor", [0, -1, np.nan, np.inf])
def test_a_scale_is_positive(factor: float) -> None:
    with pytest.raises(MeshError, match="above 0"):
        MESHES["tetra-1"].scaled(factor)
