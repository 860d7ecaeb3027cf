"""Laws of CAD: volumes and areas are the shape's, every face has a name, solids that touch share nodes."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import geometries as geo
from geometries import cad
from geometries.errors import CadError, NoVolumeCells, ReadError
from geometries.formats import inspect
from geometries.gmsh_model import session

WHEEL = Path(sys.prefix) / "share" / "doc" / "gmsh"


def _area(mesh, name):
    return mesh.side_geometry(mesh.sides(name))[2].sum()


def _named(path, names):
    """Write names into the STEP file's faces, in order: plain text, as CAD systems do."""
    given = iter(names)
    text = path.read_text()
    path.write_text(re.sub(r"ADVANCED_FACE\s*\(\s*'[^']*'", lambda m: f"ADVANCED_FACE('{next(given)}'", text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two boxes of 1 x 1 x 1 and 2 x 1 x 1 side by side, a plate with a hole, a flat sheet, a sphere."""
    out = tmp_path_factory.mktemp("cad")

    def plate(occ):
        occ.cut([(3, occ.addBox(0, 0, 0, 4, 3, 1))], [(3, occ.addCylinder(2, 1.5, 0, 0, 0, 1, 1))])

    shapes = {
        "two": lambda occ: (occ.addBox(0, 0, 0, 1, 1, 1), occ.addBox(1, 0, 0, 2, 1, 1)),
        "part": lambda occ: (occ.addBox(0, 0, 0, 1, 1, 1), occ.addBox(1, 0.25, 0.25, 1, 0.5, 0.5)),
        "plate": plate,
        "sheet": lambda occ: occ.addRectangle(0, 0, 0, 2, 1),
        "ball": lambda occ: occ.addSphere(0, 0, 0, 1),
    }
    for name, build in shapes.items():
        with session() as gmsh:
            build(gmsh.model.occ)
            gmsh.model.occ.synchronize()
            for extension in ("step", "brep", "iges"):
                gmsh.write(str(out / f"{name}.{extension}"))
    return out


def test_volume_and_areas_are_the_shapes(folder):
    mesh = geo.read(folder / "plate.step", size=0.25)
    assert mesh.dim == 3 and mesh.measure.sum() == pytest.approx(12 - np.pi, rel=0.01)
    areas = sorted(_area(mesh, name) for name in mesh.boundaries)
    flat = 12 - np.pi
    np.testing.assert_allclose(areas, [3, 3, 4, 4, 2 * np.pi, flat, flat], rtol=0.02)
    assert list(mesh.regions) == ["solid1"] and sorted(mesh.boundaries) == [f"face{i}" for i in range(1, 8)]


def test_every_outer_facet_has_exactly_one_face(folder):
    mesh = geo.read(folder / "plate.step")
    named = np.concatenate([mesh.facet_ids(s) for s in mesh.boundaries.values()])
    assert sorted(named.tolist()) == sorted(mesh.facet_ids(mesh.outer).tolist())


def test_size_is_the_edge_length(folder):
    for size in (0.5, 0.25):
        mesh = geo.read(folder / "two.step", size=size)
        lengths = np.linalg.norm(np.diff(mesh.points[mesh.edges], axis=1)[:, 0], axis=1)
        assert 0.6 * size < lengths.mean() < 1.2 * size


def test_names_of_faces_become_boundaries(folder):
    path = folder / "named.step"
    path.write_text((folder / "plate.step").read_text())
    _named(path, ["inlet", "side wall", "side wall", "NONE", "", "bore", "x"])
    mesh = geo.read(path)
    assert {"inlet", "side wall", "bore", "x"} < set(mesh.boundaries) and len(mesh.boundaries) == 6
    assert {n for n in mesh.boundaries if n.startswith("face")} == {"face4", "face5"}


def test_names_of_faces_stay_with_their_solid_whatever_the_order_of_the_text(folder):
    """CAD systems list the solids of an assembly in any order."""
    path = folder / "order.step"
    path.write_text((folder / "two.step").read_text())
    _named(path, [f"{solid}{i}" for solid in "ab" for i in range(6)])
    expected = {"a0": 1, "a2": 1, "b0": 1, "b2": 2}
    mesh = geo.read(path)
    assert {name: _area(mesh, name) for name in expected} == pytest.approx(expected)
    *_, second = re.finditer(r"#\d+ = MANIFOLD_SOLID_BREP[^;]*;\n", text := path.read_text())
    path.write_text(text.replace(second[0], "").replace("DATA;\n", f"DATA;\n{second[0]}"))
    mesh = geo.read(path)
    assert {name: _area(mesh, name) for name in expected} == pytest.approx(expected)


def test_each_copy_of_a_part_has_the_names_of_its_faces(folder):
    path = folder / "copies.step"
    text = (folder / "two.step").read_text()
    used = r"NEXT_ASSEMBLY_USAGE_OCCURRENCE\('\d','','',#\d+,(#\d+)"
    shown = r"REPRESENTATION_RELATIONSHIP\('','',(#\d+)"
    for pattern in (used, shown):  # the second part is the first one again
        first, second = re.finditer(pattern, text)
        text = text[: second.start(1)] + first[1] + text[second.end(1) :]
    *_, place = re.findall(r"ITEM_DEFINED_TRANSFORMATION\('','',#\d+,(#\d+)\)", text)
    (point,) = re.findall(rf"{place} = AXIS2_PLACEMENT_?3D\('',(#\d+),", text)
    path.write_text(re.sub(rf"({point} = CARTESIAN_POINT\('',)\(0.,0.,0.\)", r"\1(0.,0.,5.)", text))
    _named(path, [f"{solid}{i}" for solid in "ab" for i in range(6)])
    mesh = geo.read(path)
    assert len(mesh.regions) == 3  # the part that nothing uses is there too
    areas = {name: round(_area(mesh, name), 6) for name in sorted(mesh.boundaries)}
    assert areas == {f"a{i}": 2 for i in range(6)} | {f"b{i}": 2 - (i < 2) for i in range(6)}


@pytest.mark.parametrize("name", ["two", "part"])
def test_solids_that_touch_share_the_nodes_of_their_interface(folder, name):
    mesh = geo.read(folder / f"{name}.step", size=0.3)
    first, second = mesh.regions["solid1"], mesh.regions["solid2"]
    assert len(first) + len(second) == mesh.num_cells
    assert mesh.measure[first].sum() == pytest.approx(1)
    nodes = [np.unique(mesh.cells["tetra"][cells]) for cells in (first, second)]
    shared = mesh.points[np.intersect1d(*nodes)]
    assert len(shared) > 4
    np.testing.assert_allclose(shared[:, 0], 1)
    inner = [n for n, s in mesh.boundaries.items() if not np.isin(mesh.facet_ids(s), mesh.facet_ids(mesh.outer)).all()]
    assert sorted(inner) == ["face2", "face7"]  # either solid's face at x = 1
    assert _area(mesh, "face2") == pytest.approx(1)
    assert _area(mesh, "face7") == pytest.approx(1 if name == "two" else 0.25)
    assert sorted(mesh.boundaries) == sorted(f"face{i}" for i in range(1, 13))


def test_second_order_cells_lie_on_the_true_surface(folder):
    errors = {}
    for order in (1, 2):
        mesh = geo.read(folder / "ball.step", size=0.5, order=order)
        assert mesh.order == order
        radii = np.linalg.norm(mesh.points[mesh.nodes(mesh.outer)], axis=1)
        np.testing.assert_allclose(radii, 1, atol=1e-6)
        errors[order] = len(radii)
    assert errors[2] > 3 * errors[1]


def test_second_order_cells_are_straight_where_curved_ones_would_be_inverted():
    path = WHEEL / "examples/api/step_header_data.stp"
    if not path.exists():
        pytest.skip("this gmsh came without examples")
    reading = inspect(path, order=2)
    assert "straight" in reading.problems[0]
    mesh = reading.mesh
    for i, (a, b) in enumerate([(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)]):
        cells = mesh.cells["tetra10"]
        np.testing.assert_allclose(mesh.points[cells[:, 4 + i]], mesh.points[cells[:, [a, b]]].mean(1), atol=1e-12)


def test_a_flat_sheet_is_a_plane_mesh(folder):
    for more in ({}, {"dim": 2}):
        mesh = geo.read(folder / "sheet.step", size=0.2, **more)
        assert mesh.dim == mesh.space_dim == 2 and mesh.measure.sum() == pytest.approx(2)
        assert list(mesh.regions) == ["face1"] and sorted(mesh.boundaries) == ["edge1", "edge2", "edge3", "edge4"]
    with pytest.raises(NoVolumeCells, match="--dim 2"):
        geo.read(folder / "sheet.step", dim=3)


def test_surfaces_of_a_solid_may_be_meshed(folder):
    mesh = geo.read(folder / "two.brep", dim=2)
    assert mesh.dim == 2 and mesh.space_dim == 3 and mesh.measure.sum() == pytest.approx(15)


def test_iges_without_solids_says_so(folder):
    with pytest.raises(NoVolumeCells, match="7 surfaces and no solid"):
        geo.read(folder / "plate.iges")
    reading = inspect(folder / "plate.iges", dim=2)
    assert reading.mesh.measure.sum() == pytest.approx(24 + 14, rel=0.02)
    assert len(reading.mesh.regions) == 7 and "not joined" in reading.problems[0]  # OpenCASCADE would lose the bore


def test_step_is_in_millimetres_whatever_its_unit(folder):
    text = (folder / "two.step").read_text()
    (folder / "metres.step").write_text(text.replace("SI_UNIT(.MILLI.,.METRE.)", "SI_UNIT($,.METRE.)"))
    reading = inspect(folder / "metres.step")
    assert reading.unit == "mm" and np.ptp(reading.mesh.points, axis=0).max() == pytest.approx(3000)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"size": 0.0}, "size is 0.0"),
        ({"size": float("nan")}, "size is nan"),
        ({"order": 3}, "order is 3"),
        ({"dim": 1}, "dim is 1"),
        ({"size": 1e-3}, r"about 2\.5e\+10 cells"),
    ],
)
def test_wrong_requests_are_refused(folder, more, words):
    with pytest.raises(CadError, match=words):
        geo.read(folder / "two.step", **more)


def test_a_file_that_ends_early_is_called_by_its_own_name(folder):
    (folder / "cut.step").write_bytes((folder / "two.step").read_bytes()[:2000])
    with pytest.raises(CadError, match=r"^cut\.step: ") as caught:
        geo.read(folder / "cut.step")
    assert "meshops-" not in str(caught.value)  # the child's folder


def test_a_file_that_is_something_else_is_refused(folder):
    canary = folder / "canary"
    for extension, kind in (("step", "STEP"), ("igs", "IGES"), ("brep", "BREP")):
        (folder / f"x.{extension}").write_text(f'SystemCall "touch {canary}";\n')
        with pytest.raises(ReadError, match=f"does not begin like a {kind}"):
            geo.read(folder / f"x.{extension}")
    assert not canary.exists()


def test_damaged_files_are_errors(folder):
    for extension in ("step", "brep", "iges"):
        content = (folder / f"plate.{extension}").read_bytes()
        (folder / f"bad.{extension}").write_bytes(content[: len(content) // 2])
        with pytest.raises(ReadError):
            cad.read_cad(folder / f"bad.{extension}", timeout=4)


def test_text_that_is_not_utf8_passes(folder):
    path = folder / "latin.step"
    path.write_bytes((folder / "plate.step").read_bytes().replace(b"ADVANCED_FACE('", b"ADVANCED_FACE('gr\xfcn", 1))
    assert any(name.startswith("gr") for name in geo.read(path).boundaries)


def test_other_sizes_are_tried_and_told(folder, monkeypatch):
    tried = []

    def mesh(self, function, values, **limits):
        if function.endswith(":mesh"):
            tried.append((values["size"], values["algorithm"]))
            if len(tried) < 3:
                raise CadError(f"failure {len(tried)}")
        return original(self, function, values, **limits)

    original = cad.Child.call
    monkeypatch.setattr(cad.Child, "call", mesh)
    reading = inspect(folder / "two.step", size=0.5)
    diagonal = np.sqrt(11)
    np.testing.assert_allclose(tried, [(0.5, 6), (diagonal / 40, 6), (diagonal / 20, 1)], rtol=1e-4)
    assert reading.problems == (f"size 0.5 does not mesh; meshed at size {diagonal / 20:.4g}",)


@pytest.mark.parametrize(
    ("path", "solids", "faces"),
    [
        ("tutorials/t20_data.step", {"Rhino Product"}, 21),
        ("examples/api/step_header_data.stp", {"solid1"}, 1),
        ("examples/api/step_boundary_colors.stp", {"solid1", "color #e1e1e1"}, 6),
        pytest.param(
            "examples/api/as1-tu-203.stp",
            {"nut & & 256", "rod & & 256", "bolt & & 256", "l-bracket & & 256", "plate"},
            160,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_files_that_came_with_gmsh(path, solids, faces):
    if not (WHEEL / path).exists():
        pytest.skip("this gmsh came without examples")
    reading = inspect(WHEEL / path)
    assert set(reading.mesh.regions) == solids and reading.problems == ()
    assert len([n for n in reading.mesh.boundaries if n.startswith("face")]) == faces
    if "colors" in path:
        assert {"color #00ff00", "color #ff0000", "color #0080ff"} < set(reading.mesh.boundaries)


def test_solids_with_poles_share_their_interface(tmp_path):
    """The poles of a sphere are edges of no length, which lie on nothing."""
    with session() as gmsh:
        gmsh.model.occ.addBox(-1, -1, -2, 2, 2, 2)
        gmsh.model.occ.addSphere(0, 0, 0.5, 1)
        gmsh.model.occ.synchronize()
        gmsh.write(str(tmp_path / "poles.brep"))
    mesh = inspect(tmp_path / "poles.brep", size=0.3).mesh
    cap = np.pi * 0.5**2 * (3 - 0.5) / 3
    assert mesh.measure.sum() == pytest.approx(8 + 4 / 3 * np.pi - cap, rel=0.03)
    assert len(mesh.boundaries) == 7 and len(mesh.regions) == 2
