"""Laws of surfaces and of VTK's family: round trips, a closed surface's volume, hostile files, others' files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvista
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

import geometries as geo
from geometries.errors import CadError, MeshopsError, NoVolumeCells, ReadError, WriteError
from geometries.families.grid import Grid
from geometries.formats import inspect
from geometries.mesh import Mesh
from tests.geometries.meshes import assert_same

SURFACES = ["stl", "obj", "ply", "off"]
EXAMPLES = Path(pyvista.__file__).parent / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("surfaces")


@st.composite
def surfaces(draw):
    """Bent or flat sheets of triangles and quads with regions and boundaries."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    left = Grid(shape=(2, 3), cell="triangle").mesh()
    right = Grid(shape=(2, 3), cell="quad").mesh()
    points = np.concatenate([left.points, right.points + np.array([2, 0])])
    height = draw(st.sampled_from([0.0, 1.0])) * points[:, :1] ** 2
    cells = {"triangle": left.cells["triangle"], "quad": right.cells["quad"] + left.num_points}
    sheet = Mesh(points=np.hstack([points, height]) * 1.1 + rng.random(3), cells=cells)
    sheet = sheet if height.any() else replace(sheet, points=sheet.points[:, :2])
    regions = {name: np.flatnonzero(rng.random(sheet.num_cells) < 0.5) for name in ("Wand_ä", "b")}
    return replace(sheet, regions=regions, boundaries={"rand": sheet.outer[rng.random(len(sheet.outer)) < 0.5]})


def _triangles(mesh):
    """Corners in space of all triangles, quads split, as they follow one another."""
    points = np.pad(mesh.points, ((0, 0), (0, 3 - mesh.space_dim)))
    return np.concatenate([points[c[:, np.array(k.simplices)]].reshape(-1, 3, 3) for k, c, _ in mesh.blocks()])


def _sorted(mesh):
    """Names by the alphabet: OBJ tells them in the order in which they come up."""
    return replace(mesh, regions=dict(sorted(mesh.regions.items())))


def _box(name, folder, size=1.0, move=(0, 0, 0), inverted=False):
    box = trimesh.creation.box([size] * 3, trimesh.transformations.translation_matrix(move))
    if inverted:
        box.invert()
    box.export(folder / name)
    return box


def _solids(named):
    """An ASCII STL of {name: corners (n, 3, 3)}."""
    text = ""
    for name, corners in named.items():
        facets = "".join(
            "facet normal 0 0 0\nouter loop\n"
            + "".join(f"vertex {x} {y} {z}\n" for x, y, z in c)
            + "endloop\nendfacet\n"
            for c in corners.tolist()
        )
        text += f"solid {name}\n{facets}endsolid {name}\n"
    return text


# -- round trips -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("extension", ["ply", "obj"])
@given(mesh=surfaces())
@settings(max_examples=10)
def test_ply_and_obj_keep_points_cells_and_names(folder, extension, mesh):
    geo.write(mesh, folder / f"a.{extension}")
    reading = inspect(folder / f"a.{extension}")
    assert_same(_sorted(mesh), _sorted(reading.mesh))
    assert reading.problems == ()


@given(mesh=surfaces())
@settings(max_examples=5)
def test_off_keeps_points_and_cells(folder, mesh):
    geo.write(mesh, folder / "a.off")
    assert_same(replace(mesh, regions={}, boundaries={}), geo.read(folder / "a.off"))


@given(mesh=surfaces())
@settings(max_examples=10)
def test_stl_keeps_triangles_and_solids(folder, mesh):
    mesh = replace(mesh, regions={"top part": np.arange(5), "b": np.arange(5, mesh.num_cells)})
    geo.write(mesh, folder / "a.stl")
    found = geo.read(folder / "a.stl")
    np.testing.assert_array_equal(_triangles(found), _triangles(mesh))
    assert found.num_points == mesh.num_points
    assert {k: len(v) for k, v in found.regions.items()} == {"top part": 5, "b": len(_triangles(mesh)) - 5}


@pytest.mark.parametrize("extension", SURFACES)
def test_other_programs_read_what_is_written(folder, extension):
    mesh = Grid(shape=(2, 2, 2), cell="tetra").mesh()
    geo.write(mesh, folder / f"o.{extension}")
    other = trimesh.load_mesh(folder / f"o.{extension}")
    other.merge_vertices()
    assert other.is_watertight and other.volume == pytest.approx(1.0)
    if extension != "off":
        assert pyvista.read(folder / f"o.{extension}").area == pytest.approx(6.0)


def test_a_volume_is_written_as_its_surface_and_filled_again(folder):
    mesh = Grid(shape=(2, 2, 2), cell="tetra").mesh()
    for extension in ("stl", "ply", "obj"):
        geo.write(mesh, folder / f"v.{extension}")
        assert set(geo.read(folder / f"v.{extension}").regions) == set(mesh.boundaries)
        again = geo.read(folder / f"v.{extension}", dim=3, size=0.5)
        assert again.measure.sum() == pytest.approx(1.0)
        areas = {name: again.side_geometry(again.boundaries[name])[2].sum() for name in mesh.boundaries}
        assert areas == pytest.approx(dict.fromkeys(mesh.boundaries, 1.0))


@pytest.mark.parametrize("extension", SURFACES)
def test_what_surfaces_do_not_hold_is_refused(folder, extension):
    for mesh in (Grid(shape=(2, 2), order=2).mesh(), Grid(shape=(3,), cell="line").mesh()):
        with pytest.raises(WriteError, match="triangles and quads"):
            geo.write(mesh, folder / f"w.{extension}")
    assert not (folder / f"w.{extension}").exists()


# -- volumes -----------------------------------------------------------------------------------------------------------
@given(st.integers(0, 1000))
@settings(max_examples=3)
def test_the_volume_is_that_of_the_divergence_theorem(folder, seed):
    hull = trimesh.convex.convex_hull(np.random.default_rng(seed).normal(size=(12, 3)))
    hull.export(folder / "h.ply")
    surface, volume = geo.read(folder / "h.ply"), geo.read(folder / "h.ply", dim=3)
    corners = _triangles(surface)
    assert volume.measure.sum() == pytest.approx(abs(np.linalg.det(corners).sum() / 6), rel=1e-2)
    assert volume.side_geometry(volume.outer)[2].sum() == pytest.approx(surface.measure.sum(), rel=1e-2)
    named = np.concatenate(list(volume.boundaries.values()))
    assert len(named) == len(volume.outer)


def test_solids_name_bodies_and_faces(folder):
    one, two = (trimesh.creation.box([1] * 3).triangles + np.array([x, 0, 0]) for x in (0, 3))
    top = two[:, :, 2].min(1) > 0
    (folder / "n.stl").write_text(_solids({"left": one, "lid": two[top], "rest": two[~top]}))
    mesh = geo.read(folder / "n.stl", dim=3, size=0.5)
    assert set(mesh.regions) == {"left", "solid2"}
    assert set(mesh.boundaries) == {f"face{i}" for i in range(1, 13)} | {"lid", "rest"}
    _, normals, areas = mesh.side_geometry(mesh.boundaries["lid"])
    assert areas.sum() == pytest.approx(1.0) and np.allclose(normals, [0, 0, 1])
    assert mesh.measure[mesh.regions["left"]].sum() == pytest.approx(1.0)


def test_a_surface_inside_another_is_a_cavity(folder):
    outer, cavity, core = (trimesh.creation.box([s] * 3) for s in (3, 2, 1))
    cavity.invert()
    trimesh.util.concatenate([outer, cavity, core]).export(folder / "c.ply")
    mesh = geo.read(folder / "c.ply", dim=3, size=1)
    volumes = sorted(mesh.measure[cells].sum() for cells in mesh.regions.values())
    assert volumes == pytest.approx([1, 27 - 8]) and len(mesh.boundaries) == 18


def test_open_flat_and_branching_surfaces_bound_no_volume(folder):
    box = trimesh.creation.box()
    faces = box.triangles
    fin = np.concatenate([faces, [[*faces[0][:2], [9.0, 9, 9]]]])
    for triangles, words in [(faces[1:], "3 of 18 edges are open"), (fin, "open|more than two"), (faces[:0], "no ")]:
        (folder / "b.stl").write_text(_solids({"s": triangles}))
        with pytest.raises(ReadError, match=words) as info:
            geo.read(folder / "b.stl", dim=3)
        assert isinstance(info.value, NoVolumeCells) or not len(triangles)
    geo.write(Grid(shape=(2, 2)).mesh(), folder / "f.stl")
    with pytest.raises(NoVolumeCells, match="flat"):
        geo.read(folder / "f.stl", dim=3)


def test_options_that_do_not_apply_are_refused(folder):
    _box("o.stl", folder)
    for options, words in [({"size": 1.0}, "dim=3"), ({"order": 2}, "CAD only"), ({"dim": 3, "size": -1.0}, "above 0")]:
        with pytest.raises(ReadError, match=words):
            geo.read(folder / "o.stl", **options)
    with pytest.raises(CadError, match="larger size"):
        geo.read(folder / "o.stl", dim=3, size=1e-3)


# -- files of other programs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("extension", SURFACES)
def test_a_box_of_trimesh(folder, extension):
    box = _box(f"t.{extension}", folder, 2.0)
    mesh = geo.read(folder / f"t.{extension}")
    assert (mesh.num_points, mesh.num_cells) == (8, 12)
    assert mesh.measure.sum() == pytest.approx(box.area)


@pytest.mark.parametrize("order", ["little", "big", "ascii"])
def test_ply_with_mixed_faces_and_further_properties(folder, order):
    kind = {"little": "binary_little_endian", "big": "binary_big_endian", "ascii": "ascii"}[order]
    head = (
        f"ply\nformat {kind} 1.0\ncomment x\nelement vertex 5\nproperty float x\nproperty uchar red\nproperty float y\n"
        "property double z\nelement face 2\nproperty list uchar float uv\nproperty list uint8 int32 vertex_index\n"
        "property short s\nelement other 1\nproperty int i\nend_header\n"
    )
    points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 1)]
    faces = [((0.5,), (0, 1, 2, 3)), ((1.5, 2.5), (1, 4, 2))]
    if order == "ascii":
        body = "".join(f"{x} 255 {y} {z}\n" for x, y, z in points)
        body += "".join(f"{len(u)} {' '.join(map(str, u))} {len(f)} {' '.join(map(str, f))} 7\n" for u, f in faces)
        (folder / "m.ply").write_text(head + body + "5\n")
    else:
        o = "<" if order == "little" else ">"
        body = np.array([(x, 255, y, z) for x, y, z in points], f"{o}f4,u1,{o}f4,{o}f8").tobytes()
        for u, f in faces:
            body += bytes([len(u)]) + np.array(u, f"{o}f4").tobytes()
            body += bytes([len(f)]) + np.array(f, f"{o}i4").tobytes() + np.array(7, f"{o}i2").tobytes()
        (folder / "m.ply").write_bytes(head.encode() + body + bytes(4))
    mesh = geo.read(folder / "m.ply")
    assert mesh.cells["quad"].tolist() == [[0, 1, 2, 3]] and mesh.cells["triangle"].tolist() == [[1, 4, 2]]
    assert mesh.points.tolist() == [list(map(float, p)) for p in points]


def test_obj_as_others_write_it(folder):
    (folder / "g.obj").write_text(
        "# made\nmtllib x.mtl\no Body one\nv 0 0 0\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0 1.0\nvn 0 0 1\nvt 0 0\ng a b\n"
        "usemtl red\nf 1/1/1 2/1/1 \\\n 3/1/1\ng c\nv 0 1 0\nf -4//1 -2//1 -1//1\ng default\nv 2 0 1\nv 2 1 1\n"
        "o Two\nf 2 5 6 3\nl 2 5 6\n"
    )
    mesh = geo.read(folder / "g.obj")
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {
        "a": [0], "b": [0], "c": [1], "Body one": [0, 1], "material red": [0, 1, 2], "Two": [2]
    }  # fmt: skip
    assert mesh.cells["triangle"].tolist() == [[0, 1, 2], [0, 2, 3]] and len(mesh.boundaries["Two"]) == 2


def test_names_of_obj_may_hold_a_hash_and_groups_may_end(folder):
    (folder / "h.obj").write_text(
        "v 0 0 0 # first\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 2 0 0\ng Box#1 # top\nusemtl Material #1\nf 1 2 3 # one\n"
        "g Box#2\nusemtl Material #2\nf 1 3 4\ng\nf 2 5 3\n"
    )
    regions = {k: v.tolist() for k, v in geo.read(folder / "h.obj").regions.items()}
    assert regions == {"Box#1": [0], "Box#2": [1], "material Material #1": [0], "material Material #2": [1, 2]}


def test_an_off_header_may_run_into_its_counts(folder):
    (folder / "m.off").write_text("OFF3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")  # as in ModelNet
    assert geo.read(folder / "m.off").num_cells == 1


def test_polygons_are_split_whether_convex_or_not(folder):
    head = "OFF\n# c\n6 1 0\n"
    hexagon = "0 0 0\n2 0 0\n2 2 0\n1 {} 0\n0 2 0\n0 1 0\n6 0 1 2 3 4 5 0.5 0.5 0.5\n"
    for notch, area in [(3.0, 5.0), (0.5, 2.5)]:
        (folder / "p.off").write_text(head + hexagon.format(notch))
        reading = inspect(folder / "p.off")
        assert reading.mesh.measure.sum() == pytest.approx(area)
        assert reading.problems[0] == "1 polygons of 6 corners split into triangles"
    comb = "0 0 0\n7 0 0\n7 3 0\n6 3 0\n6 1 0\n5 1 0\n5 3 0\n4 3 0\n4 1 0\n3 1 0\n3 3 0\n0 3 0\n"
    (folder / "p.off").write_text(f"OFF 12 1 0\n{comb}12 0 1 2 3 4 5 6 7 8 9 10 11\n")
    with pytest.raises(ReadError, match="not convex"):
        geo.read(folder / "p.off")


def test_triangles_with_a_corner_twice_are_dropped_and_told(folder):
    triangles = np.concatenate([trimesh.creation.box().triangles, np.ones((2, 3, 3))])
    (folder / "d.stl").write_text(_solids({"": triangles}))
    reading = inspect(folder / "d.stl")
    assert reading.mesh.num_cells == 12 and "2 triangles with a corner twice dropped" in reading.problems


@pytest.mark.parametrize(
    "name", ["hexbeam.vtk", "uniform.vtk", "rectilinear.vtk", "airplane.ply", "ant.ply", "sphere.ply"]
)
def test_the_examples_of_pyvista(name):
    if not (EXAMPLES / name).exists():
        pytest.skip("this pyvista comes without its example files")
    other = pyvista.read(EXAMPLES / name)
    mesh = geo.read(EXAMPLES / name)
    assert mesh.num_cells == other.n_cells
    assert mesh.measure.sum() == pytest.approx(other.area if mesh.dim == 2 else other.volume, rel=1e-5)


# -- hostile files -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["t.stl", "t.obj", "t.ply", "t.off", "t.vtk", "binary.stl"])
def test_truncated_and_changed_files_are_errors_or_valid(folder, name):
    if name == "binary.stl":
        trimesh.creation.box().export(folder / name)
    else:
        geo.write(Grid(shape=(2, 2, 2)).mesh(), folder / name)
    content = np.frombuffer((folder / name).read_bytes(), np.uint8)
    for part in (0.02, 0.2, 0.5, 0.8, 0.97):
        (folder / name).write_bytes(content[: int(part * len(content))].tobytes())
        if name != "t.obj":  # lines that stand each for themselves
            with pytest.raises(ReadError):
                geo.read(folder / name)
    rng = np.random.default_rng(3)
    for _ in range(3 if name == "t.vtk" else 60):
        bad = content.copy()
        bad[rng.integers(0, len(bad), 5)] = rng.integers(0, 256, 5)
        (folder / name).write_bytes(bad.tobytes())
        try:
            mesh = geo.read(folder / name)
            assert mesh.num_cells and np.isfinite(mesh.points).all()
        except MeshopsError as error:
            assert "\n" not in str(error)


OFF = "OFF\n{}\n0 0 0\n1 0 0\n0 {} 0\n{}\n"
PLY = (
    "ply\nformat {} 1.0\nelement vertex {}\nproperty double x\nproperty double y\nproperty double z\nelement face {}\n"
    "property list {} int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n{}\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.off", OFF.format("3 10000000000 0", 1, "3 0 1 2")),
        ("a.off", OFF.format("3 1 0", "nan", "3 0 1 2")),
        ("a.off", OFF.format("3 1 0", 1, "3 0 1 3")),
        ("a.off", OFF.format("3 1 0", 1, "3 0 1 -1")),
        ("a.off", OFF.format("3 1 0", 1, "4 0 1 2")),
        ("a.off", OFF.format("3 1 0", 1, "3 0 1 x")),
        ("a.off", OFF.format("3 1 0", 1, "2 0 1")),
        ("a.off", OFF.format("-3 1 0", 1, "3 0 1 2")),
        ("a.ply", PLY.format("ascii", 10**11, 1, "uchar", "3 0 1 2")),
        ("a.ply", PLY.format("ascii", 3, 1, "uchar", "3 0 1 7")),
        ("a.ply", PLY.format("ascii", 3, 1, "uchar", "30 0 1 7")),
        ("a.ply", PLY.format("ascii", 3, 1, "uchar", "-3 0 1 7")),
        ("a.ply", PLY.format("binary_little_endian", 10**11, 1, "uchar", "")),
        ("a.ply", PLY.format("binary_big_endian", 1, 10**11, "uint", "")),
        ("a.ply", PLY.format("binary_big_endian", 0, 1, "int", "")),
        ("a.ply", PLY.format("other", 3, 1, "uchar", "3 0 1 2")),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 0\n"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 -4\n"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 inf 0\nf 1 2 3\n"),
        ("a.obj", "v 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
        ("a.obj", "f 1 2 3\n"),
        ("a.stl", "solid x\nfacet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nendloop\nendfacet\nendsolid\n"),
        ("a.stl", _solids({"x": np.array([[[0, 0, 0], [1, 0, 0], [0, np.nan, 0]]])})),
        ("a.stl", "x" * 80 + "\xff\xff\xff\x7f"),
    ],
)  # fmt: skip
def test_lies_are_errors(folder, name, text):
    (folder / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ReadError):
        geo.read(folder / name)
