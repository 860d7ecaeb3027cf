"""Laws of objects of other libraries: there and back is the same mesh, names included."""

from dataclasses import replace

import meshio
import numpy as np
import pytest
import pyvista
import skfem
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from geometries.errors import MeshError, ReadError, WriteError
from geometries.families.grid import Grid
from geometries.objects import (
    from_meshio,
    from_pyvista,
    from_skfem,
    from_trimesh,
    to_meshio,
    to_pyvista,
    to_skfem,
    to_trimesh,
)
from tests.geometries.meshes import arrays_equal, assert_same, meshes, one_of_each

SKFEM = [
    Grid(shape=shape, cell=cell, order=order)
    for shape, cell, order in [
        ((4,), "line", 1), ((2, 3), "triangle", 1), ((2, 3), "triangle", 2), ((2, 2), "quad", 1),
        ((2, 2), "quad", 2), ((1, 2, 1), "tetra", 1), ((1, 1, 2), "tetra", 2), ((2, 1, 2), "hexahedron", 1),
    ]
]  # fmt: skip


def _sorted(mesh):
    """Names by the alphabet: blocks of facets tell them in the order in which they come up."""
    return replace(mesh, regions=dict(sorted(mesh.regions.items())), boundaries=dict(sorted(mesh.boundaries.items())))


@given(mesh=meshes())
@settings(max_examples=12)
def test_pyvista_keeps_everything(mesh):
    back = from_pyvista(to_pyvista(mesh))
    np.testing.assert_array_equal(mesh.points, back.points)
    for part in ("cells", "regions", "boundaries", "point_data", "cell_data"):
        arrays_equal({k: v for k, v in getattr(mesh, part).items() if len(v)}, getattr(back, part))


@given(mesh=meshes())
@settings(max_examples=12)
def test_meshio_keeps_points_cells_names_and_data(mesh):
    back = from_meshio(to_meshio(mesh))
    assert_same(_sorted(mesh), _sorted(back))
    arrays_equal(mesh.point_data, back.point_data)
    arrays_equal(mesh.cell_data, back.cell_data)


@given(mesh=meshes(SKFEM))
@settings(max_examples=15)
def test_scikit_fem_keeps_cells_and_names(mesh):
    """It may number points anew, not cells."""
    back = from_skfem(to_skfem(mesh))
    (kind, cells), (other, found) = *mesh.cells.items(), *back.cells.items()
    assert kind == other
    np.testing.assert_array_equal(back.points[found], mesh.points[cells])
    arrays_equal({k: v for k, v in mesh.regions.items() if len(v)}, {k: v for k, v in back.regions.items() if len(v)})
    for name, sides in {k: v for k, v in mesh.boundaries.items() if len(v)}.items():
        areas = mesh.side_geometry(sides[np.unique(mesh.facet_ids(sides), return_index=True)[1]])
        theirs = back.side_geometry(back.boundaries[name])
        assert sorted(map(tuple, areas[0].round(9))) == sorted(map(tuple, theirs[0].round(9)))


def test_scikit_fem_sees_the_same_measures():
    mesh = replace(Grid(shape=(2, 2, 2), cell="hexahedron").mesh(), regions={"half": [0, 1, 2, 3]})
    sk = to_skfem(mesh)
    one = skfem.Functional(lambda w: 1.0 + 0 * w.x[0])
    element = skfem.ElementHex1()
    assert one.assemble(skfem.Basis(sk, element, elements="half")) == pytest.approx(0.5)
    for name, sides in mesh.boundaries.items():
        area = one.assemble(skfem.FacetBasis(sk, element, facets=name))
        assert area == pytest.approx(mesh.side_geometry(sides)[2].sum())


@given(seed=st.integers(0, 99), bent=st.booleans())
@settings(max_examples=10)
def test_trimesh_keeps_surfaces_with_names(seed, bent):
    rng = np.random.default_rng(seed)
    flat = Grid(shape=(3, 3), cell="triangle").mesh()
    points = np.hstack([flat.points, flat.points[:, :1] ** 2]) if bent else flat.points
    regions = {"a": np.flatnonzero(rng.random(18) < 0.5), "b": np.array([3])}
    mesh = replace(flat, points=points, regions=regions)
    assert_same(mesh, from_trimesh(to_trimesh(mesh)))


def test_trimesh_of_a_volume_is_its_skin():
    mesh = Grid(shape=(2, 2, 2), cell="tetra").mesh()
    skin = to_trimesh(mesh)
    assert skin.is_watertight and skin.volume == pytest.approx(1.0)
    assert set(from_trimesh(skin).regions) == set(mesh.boundaries)


def test_bodies_of_a_scene_and_blocks_of_a_multiblock_are_regions():
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box(), node_name="one")
    move = trimesh.transformations.translation_matrix([5, 0, 0])
    scene.add_geometry(trimesh.creation.box(), node_name="two", transform=move)
    mesh = from_trimesh(scene)
    assert {k: len(v) for k, v in mesh.regions.items()} == {"one": 12, "two": 12}
    assert mesh.points[:, 0].max() == 5.5
    blocks = pyvista.MultiBlock({"ball": pyvista.Sphere(), "box": pyvista.Box().translate((9, 0, 0)), "none": None})
    assert {k: len(v) for k, v in from_pyvista(blocks).regions.items()} == {"ball": 1680, "box": 6}


def test_foreign_objects():
    assert from_pyvista(pyvista.ImageData(dimensions=(3, 3, 3))).measure.sum() == pytest.approx(8.0)
    points = [[0.0, 0], [1, 0], [0, 1], [1, 1]]
    cells = [("triangle", [[0, 1, 2], [1, 3, 2]]), ("line", [[0, 1]])]
    tags = {"gmsh:physical": [np.array([1, 2]), np.array([1])]}
    field = {"in": np.array([1, 2]), "out": np.array([2, 2]), "wall": np.array([1, 1])}
    given = meshio.Mesh(points, cells, cell_data=tags, field_data=field, point_sets={"top": [2, 3]})
    mesh = from_meshio(given)
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {"in": [0], "out": [1]}
    assert {k: len(v) for k, v in mesh.boundaries.items()} == {"wall": 1, "top": 1}
    default = skfem.MeshTri().refined(2).with_defaults()
    assert set(from_skfem(default).boundaries) == {"left", "right", "top", "bottom"}


def test_what_an_object_cannot_hold_is_refused():
    quads, line = Grid(shape=(2, 2), cell="quad").mesh(), Grid(shape=(2,), cell="line", order=2).mesh()
    bent = replace(quads, points=np.hstack([quads.points, quads.points[:, :1] ** 2]))
    for call, value, error in [
        (to_trimesh, quads, MeshError),
        (to_trimesh, line, WriteError),
        (to_skfem, line, MeshError),
        (to_skfem, bent, MeshError),
        (to_skfem, one_of_each(2), MeshError),
        (from_skfem, skfem.MeshHex2(), ReadError),
        (from_meshio, meshio.Mesh(np.eye(3), [("polygon", [[0, 1, 2]])]), ReadError),
        (from_meshio, meshio.Mesh(np.eye(3) * np.nan, [("triangle", [[0, 1, 2]])]), ReadError),
        (from_pyvista, pyvista.PolyData(), ReadError),
    ]:
        with pytest.raises(error):
            call(value)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_cell_type_passes(dim):
    mesh = one_of_each(dim)
    assert_same(mesh, from_pyvista(to_pyvista(mesh)))
    if dim == 3:
        with pytest.raises(MeshError, match="pyramid13"):
            to_meshio(mesh)
    else:
        assert_same(mesh, from_meshio(to_meshio(mesh)))
