"""Pictures: what a scene keeps of a mesh, and files that are whole or not there."""

import base64
import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.cells import CELLS
from geometries.mesh import Mesh
from meshops import viz
from meshops.viz.camera import views
from meshops.viz.colors import DIVERGING, SEQUENTIAL, categorical, lookup, rgb
from meshops.viz.paint import paint
from meshops.viz.surface import surface

probing = importlib.import_module("meshops.viz.probe")
DRAWS = viz.probe() is None
needs_drawing = pytest.mark.skipif(not DRAWS, reason="no off-screen drawing here")
TYPES = [n for n, kind in CELLS.items() if kind.dim > 0]
CORNERS = {
    "line": [[0], [1]],
    "triangle": [[0, 0], [1, 0], [0, 1]],
    "quad": [[0, 0], [1, 0], [1, 1], [0, 1]],
    "tetra": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "pyramid": [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1]],
    "wedge": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]],
    "hexahedron": [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
}


def one_cell(name):
    """A mesh of one reference cell; a mid-node lies at the mean of the corners that it is joined to or stands for."""
    from geometries import cells as table

    base, middles = table._SECOND.get(name, (name, ()))
    corners = np.array(CORNERS[base], dtype=float)
    sets = [*CELLS[base].edges, *middles] if name in table._SECOND else []
    points = np.concatenate([corners, *(corners[list(s)].mean(0, keepdims=True) for s in sets)])
    return Mesh(points=points, cells={name: [range(len(points))]})


def square(n=6):
    """Triangles on the unit square with named sides, `outer` over all of them."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1), indexing="ij")
    at = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
    a, b, c, d = (s.ravel() for s in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    cells = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    mesh = Mesh(points=np.stack([x.ravel(), y.ravel()], 1), cells={"triangle": cells})
    centers, _, _ = mesh.side_geometry(mesh.outer)
    left, right = mesh.outer[centers[:, 0] == 0], mesh.outer[centers[:, 0] == 1]
    return Mesh(points=mesh.points, cells=mesh.cells, boundaries={"outer": mesh.outer, "left": left, "right": right})


def block():
    """Hexahedra with a name on each face."""
    n = 3
    at = np.arange((n + 1) ** 3).reshape((n + 1,) * 3)
    cut = [slice(None, -1), slice(1, None)]
    order = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    cells = np.stack([at[cut[i], cut[j], cut[k]].ravel() for i, j, k in order], axis=1)
    points = np.stack(np.meshgrid(*[np.linspace(0, s, n + 1) for s in (3, 2, 1)], indexing="ij"), -1).reshape(-1, 3)
    mesh = Mesh(points=points, cells={"hexahedron": cells})
    _, normals, _ = mesh.side_geometry(mesh.outer)
    names = {f"{'-+'[s > 0]}{'xyz'[k]}": mesh.outer[normals[:, k] * s > 0.5] for k in range(3) for s in (-1, 1)}
    return Mesh(points=points, cells=mesh.cells, boundaries=names)


def data_of(path):
    """The data inside a written page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    return json.loads(found[1])


def pixels(path):
    """A written picture as (height, width, 3) bytes."""
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("name", TYPES)
def test_the_surface_has_the_area_of_the_outer_sides(name):
    mesh = one_cell(name)
    drawn, sides = surface(mesh)
    a, b, c = (drawn.points[drawn.triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    expected = mesh.side_geometry(mesh.outer)[2].sum() if mesh.dim == 3 else mesh.measure.sum() * (mesh.dim == 2)
    assert area == pytest.approx(expected)
    assert len(np.unique(drawn.facet)) in (0, len(sides))


def test_sharp_edges_of_a_block_are_its_twelve():
    drawn, _ = surface(block())
    sharp = drawn.points[drawn.sharp(np.zeros(len(block().outer), dtype=int))]
    assert np.linalg.norm(sharp[:, 0] - sharp[:, 1], axis=1).sum() == pytest.approx(4 * (3 + 2 + 1))


# -- colours and what is on top --------------------------------------------------------------------------------------
@given(st.integers(0, 300))
def test_every_name_has_its_own_color(count):
    assert len(set(categorical(count))) == count


def test_the_first_colors_are_far_apart_and_the_error_map_is_symmetric():
    colors = rgb(categorical(12)).astype(float)
    apart = np.linalg.norm(colors[:, None] - colors[None], axis=-1) + 1e3 * np.eye(12)
    assert apart.min() > 50
    light = lookup(DIVERGING).astype(int).sum(1)
    assert abs(light.argmax() - 127.5) < 20


def test_the_smaller_boundary_lies_over_the_larger():
    mesh = square()
    painted = paint(viz.boundaries_scene(mesh))
    names = list(mesh.boundaries)
    on = {names[g] for g in painted.stroke_group}
    assert on == {"outer", "left", "right"}
    middle = painted.surface.points[painted.strokes].mean(1)
    assert all(names[g] == "left" for g in painted.stroke_group[middle[:, 0] == 0])
    assert {names[g] for g in painted.under_group} == {"outer"}


def test_regions_of_a_surface_are_its_cells_the_smaller_over_the_larger():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 2]])
    mesh = Mesh(points=points, cells={"triangle": [[0, 1, 2], [1, 3, 2]]}, regions={"one": [1], "both": [0, 1]})
    scene = viz.regions_scene(mesh)
    painted = paint(scene)
    assert [scene.groups[g].name for g in painted.group] == ["both", "one"]
    assert painted.triangle_colors().tolist() == rgb([scene.groups[1].color, scene.groups[0].color]).tolist()


def test_a_boundary_that_others_cover_counts_as_hidden():
    mesh = block()
    covered = Mesh(
        points=mesh.points,
        cells=mesh.cells,
        boundaries={**mesh.boundaries, "all": mesh.outer, "none": np.empty((0, 2), int)},
    )
    painted = paint(viz.boundaries_scene(covered))
    assert {list(covered.boundaries)[g] for g in painted.shown} == set(mesh.boundaries)


def test_two_views_show_all_faces_of_a_block():
    mesh = block()
    _, normals, _ = mesh.side_geometry(mesh.outer)
    assert np.max([normals @ v.toward for v in views(mesh)], axis=0).min() > 0
    assert len(views(square())) == 1


# -- scenes ----------------------------------------------------------------------------------------------------------
@given(st.lists(st.floats(-1e6, 1e6), min_size=49, max_size=49), st.floats(-1e6, 1e6))
def test_a_comparison_shares_the_range_and_its_error_is_symmetric(values, shift):
    mesh = square()
    ours, theirs, error = viz.comparison_scene(mesh, np.array(values) + shift, values, name="u").panels
    assert ours.limits == theirs.limits
    assert ours.limits[0] <= min(*ours.values, *theirs.values) <= max(*ours.values, *theirs.values) <= ours.limits[1]
    assert error.limits[0] == -error.limits[1] < 0
    assert np.abs(error.values).max() <= error.limits[1]


def test_show_picks_the_scene():
    mesh = square()
    u = mesh.points[:, 0]
    rich = Mesh(points=mesh.points, cells=mesh.cells, boundaries=mesh.boundaries, point_data={"u": u, "u_reference": u})
    assert [g.name for g in viz.show(rich).groups] == ["outer", "left", "right"]
    assert viz.show(Mesh(points=mesh.points, cells=mesh.cells)).groups == ()
    assert len(viz.show(rich, field="u").panels) == 3
    assert len(viz.show(rich, field="u_reference").panels) == 1
    assert len(viz.show(rich, field="u_reference", compare="u").panels) == 3
    for name, at, colormap, limits in (
        ("u_error@0.5", mesh.points[:, 0] - 0.75, DIVERGING, (-0.75, 0.75)),
        ("u_error", mesh.points[:, 0] - 0.25, DIVERGING, (-0.75, 0.75)),
        ("discretisation_error", mesh.points[:, 0], SEQUENTIAL, (0.0, 1.0)),
    ):
        panel = viz.show(replace(mesh, point_data={name: at}), field=name).panels[0]
        assert (panel.colormap, panel.limits) == (colormap, pytest.approx(limits))
    with pytest.raises(viz.VizError, match="did you mean 'u'"):
        viz.show(rich, field="uu")
    with pytest.raises(viz.VizError, match="holds no fields"):
        viz.show(mesh, field="u")


@pytest.mark.parametrize(("values", "said"), [([1.0, 2.0], "shape"), (np.full(49, np.nan), "not finite")])
def test_values_that_cannot_be_drawn_are_refused(values, said):
    with pytest.raises(viz.VizError, match=said):
        viz.field_scene(square(), values, "u")


def test_a_column_keeps_its_sign_and_a_vector_shows_its_length():
    mesh = square()
    u = mesh.points[:, :1] - 0.5
    (column,), (vector,) = (viz.field_scene(mesh, values, "u").panels for values in (u, np.hstack([u, u])))
    assert column.label == "u"
    assert np.array_equal(column.values, u[:, 0])
    assert vector.label == "|u|"
    assert np.allclose(vector.values, np.sqrt(2) * np.abs(u[:, 0]))


# -- pages -----------------------------------------------------------------------------------------------------------
def test_a_page_is_one_file_that_loads_nothing(tmp_path):
    mesh = square()
    viz.html(viz.comparison_scene(mesh, mesh.points[:, 0], mesh.points[:, 1], name="u"), tmp_path / "a.html")
    text = re.sub(r'"[A-Za-z0-9+/=]{40,}"', "", (tmp_path / "a.html").read_text("utf-8"))
    assert not re.search(r"https?:|[(']//|src=|href=|@import|url\(|fetch\(|\bimport\b", text)
    assert "default-src 'none'" in text


def test_a_page_holds_the_mesh_and_the_values(tmp_path):
    mesh, path = block(), tmp_path / "a.html"
    values = 1e6 + mesh.points[:, 0]
    viz.html(viz.field_scene(mesh, values, "u", unit="K"), path)
    data = data_of(path)
    panel = data["panels"][0]
    stored = np.frombuffer(base64.b64decode(panel["values"]), "<f4")
    points = np.frombuffer(base64.b64decode(data["points"]), "<f4").reshape(-1, 3)
    assert np.allclose(stored + panel["limits"][0], values, atol=1e-6, rtol=0)
    assert np.allclose(points + data["center"], mesh.points, atol=1e-6)
    assert len(base64.b64decode(data["triangles"])) == 4 * 3 * 2 * len(mesh.outer)
    assert panel["label"] == "u (K)"


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", "{{title}}", "<b>&", "a$b_$c\n{{data}}"])
def test_names_are_text_wherever_they_appear(tmp_path, name):
    mesh = square(2).renamed({"left": name})
    scene = viz.boundaries_scene(mesh, title=name)
    viz.html(scene, tmp_path / "a.html")
    assert [g["name"] for g in data_of(tmp_path / "a.html")["groups"]] == ["outer", name, "right"]
    assert (tmp_path / "a.html").read_text("utf-8").count("<script") == 2
    if DRAWS:
        viz.screenshot(scene, tmp_path / "a.png", size=(400, 300))


# -- pictures --------------------------------------------------------------------------------------------------------
@needs_drawing
@pytest.mark.parametrize("make", [square, block, lambda: one_cell("line3"), lambda: one_cell("tetra10")])
def test_a_picture_has_the_size_asked_for_and_is_not_blank(tmp_path, make):
    mesh = make()
    for scene in (viz.show(mesh), viz.field_scene(mesh, mesh.points[:, 0], "u")):
        viz.screenshot(scene, tmp_path / "a.png", size=(640, 420))
        image = pixels(tmp_path / "a.png")
        assert image.shape == (420, 640, 3)
        assert image.std() > 5
        assert (image[0] == 255).all()
        assert (image[:, 0] == 255).all()


@needs_drawing
def test_a_flat_field_is_drawn_in_the_colors_of_its_bar(tmp_path):
    mesh = square()
    viz.screenshot(viz.field_scene(mesh, np.arange(mesh.num_cells) >= 36, "u"), tmp_path / "a.png", size=(1600, 1000))
    image = pixels(tmp_path / "a.png")
    for color in lookup("viridis")[[0, -1]]:
        assert (np.abs(image.astype(int) - color).max(-1) <= 3).sum() > 5000


@needs_drawing
def test_every_face_of_a_block_is_seen_in_its_color(tmp_path):
    viz.screenshot(viz.boundaries_scene(block()), tmp_path / "a.png")
    body = pixels(tmp_path / "a.png")[:, :1350].reshape(-1, 3) / 255.0
    strong = body[body.std(1) > 0.05]
    hue = strong / np.linalg.norm(strong, axis=1, keepdims=True)
    for color in rgb(categorical(6)) / 255.0:
        assert (hue @ (color / np.linalg.norm(color)) > 0.9995).sum() > 3000


@needs_drawing
def test_labels_stand_on_what_they_name_and_apart():
    from meshops.viz.labels import place_labels
    from meshops.viz.layout import arrange

    painted = paint(viz.boundaries_scene(block()))
    cameras = views(block())
    plan = arrange(painted, cameras, (1600, 1000))
    found = [place_labels(painted, v, b, plan.pixel) for v, b in zip(cameras, plan.views[0], strict=True)]
    assert {label.text for labels in found for label in labels} == set(block().boundaries)
    for labels in found:
        assert not any(a.overlaps(b) for i, a in enumerate(labels) for b in labels[:i])


@needs_drawing
def test_drawing_leaves_the_environment_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("VTK_DEFAULT_OPENGL_WINDOW", raising=False)
    before = dict(os.environ)
    viz.screenshot(viz.mesh_scene(square()), tmp_path / "a.png", size=(320, 200))
    assert dict(os.environ) == before


# -- failures --------------------------------------------------------------------------------------------------------
@pytest.fixture
def fresh_probe():
    probing.probe.cache_clear()
    yield
    probing.probe.cache_clear()


@pytest.mark.parametrize("code", ["import os; os.kill(os.getpid(), 11)", "raise OSError('libEGL.so.1: no such file')"])
def test_where_drawing_fails_the_error_says_what_to_install(tmp_path, monkeypatch, fresh_probe, code):
    monkeypatch.setattr(probing, "_TRY", code)
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(viz.VizError, match="apt-get install -y libegl1") as caught:
        viz.screenshot(viz.mesh_scene(square()), path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    viz.html(viz.mesh_scene(square()), tmp_path / "a.html")


@needs_drawing
def test_a_failure_on_the_way_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(figure, beside, **_):
        beside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(viz.VizError.__base__, match="No space left"):
        viz.screenshot(viz.mesh_scene(square()), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_axes_stand_where_nothing_is_drawn():
    from meshops.viz.layout import Box
    from meshops.viz.page import free_corner

    box = Box(100, 0, 400, 300)
    corners = np.array([(136, 264), (464, 264), (136, 36), (464, 36)], float)
    middle = np.array([(300.0, 150.0)])
    assert np.array_equal(free_corner(box, middle), corners[0])
    assert np.array_equal(free_corner(box, np.concatenate([middle, corners[:1] + 5])), corners[1])
    crowded = corners + np.array([(9, 0), (8, 0), (20, 0), (10, 0)])
    assert np.array_equal(free_corner(box, crowded), corners[2])


@pytest.mark.parametrize(("name", "size", "said"), [("a.svg", (800, 600), "expected"), ("a.png", (1, 600), "size")])
def test_pictures_that_cannot_be_written_are_refused(tmp_path, name, size, said):
    with pytest.raises(viz.VizError, match=said):
        viz.screenshot(viz.mesh_scene(square()), tmp_path / name, size=size)
    assert not list(tmp_path.iterdir())


def test_a_page_is_written_to_html_only(tmp_path):
    other = tmp_path / "case.yaml"
    other.write_text("precious")
    with pytest.raises(viz.VizError, match=r"'case\.yaml'; expected \.html"):
        viz.html(viz.mesh_scene(square()), other)
    assert other.read_text() == "precious"


def test_without_a_screen_nothing_is_opened(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("webbrowser.open", lambda url: pytest.fail(f"opened {url}"))
    with pytest.raises(viz.VizError, match="no screen"):
        viz.interact(viz.mesh_scene(square()))


def test_a_scene_opens_as_a_page_in_the_browser(monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    path = viz.interact(viz.mesh_scene(square()))
    assert opened == [path.as_uri()]
    assert data_of(path)["triangles"]
    path.unlink()
    path.parent.rmdir()


def test_importing_the_package_loads_no_graphics():
    code = "import sys, meshops.viz; sys.exit(any(m in sys.modules for m in ('vtkmodules', 'pyvista', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
