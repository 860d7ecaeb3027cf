"""A user's part, or folder of parts, as a family: names are kept, cells stay sound, what should not move does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometries import Mesh, write
from geometries.errors import ReadError, SelectionError, SpecError
from geometries.families import Bracket, Grid, Morph, Parts, ShapeError
from geometries.families import _deformation as deformation
from geometries.families._library import load
from geometries.families._planar import Loop, box_names, circle, mesh_loops, rectangle
from geometries.families.bracket import BRACKET
from geometries.quality import quality
from tests.geometries.members import write_parts

RESOURCE = Path(__file__).parents[2] / "meshops" / "resources" / "bracket.step"


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bracket, two boxes and a plate with a round hole, as mesh files."""
    folder = tmp_path_factory.mktemp("parts")
    write_parts(folder)
    write(Bracket().mesh(BRACKET), folder / "bracket.su2")
    square = rectangle((0, 0), (2, 1))
    hole = Loop(circle(0.8, 0.5, 0.2, size=0.06), "hole", 0.06, fill=None)
    write(mesh_loops([Loop(square, box_names(square, ""), 0.1), hole]), folder / "plate.su2")
    return folder


def at(mesh: Mesh, name: str) -> np.ndarray:
    return mesh.points[mesh.nodes(mesh.sides(name))]


def fitted(mesh: Mesh, name: str) -> list[float]:
    return [deformation._fit(mesh, piece, name).radius for piece in deformation._pieces(mesh, mesh.sides(name))]


# -- laws of deformations ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("file", ["bracket.su2", "brick.su2", "plate.su2"])
@pytest.mark.parametrize("amplitude", [0.02, 0.2])
def test_a_deformation_moves_points_and_nothing_else(folder, file, amplitude):
    family = Morph(file=str(folder / file), amplitude=amplitude, frequency=1.5)
    part = family.part
    before = quality(part).ratio
    for seed in range(5):
        mesh = family.sample(rng(seed))
        assert all(np.array_equal(mesh.cells[k], part.cells[k]) for k in part.cells)
        assert all(np.array_equal(mesh.boundaries[k], part.boundaries[k]) for k in part.boundaries)
        assert np.abs(mesh.points - part.points).max() > 1e-3 * deformation.diagonal(part.points)
        assert (quality(mesh).ratio >= 0.35 * before).all()


def test_the_amplitude_is_the_root_mean_square_along_an_axis(folder):
    family = Morph(file=str(folder / "brick.su2"), amplitude=0.02, frequency=1.0)
    part = family.part
    squares = [((family.sample(rng(seed)).points - part.points) ** 2).mean() for seed in range(150)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(0.02 * deformation.diagonal(part.points), rel=0.1)


def test_without_parameters_a_part_stays_as_it_is(folder):
    family = Morph(file=str(folder / "bracket.su2"), amplitude=0.0)
    assert np.array_equal(family.sample(rng(0)).points, family.part.points)


def test_deformations_scale_with_the_part(folder, tmp_path):
    part = load(folder / "bracket.su2")
    write(part.scaled(0.125), tmp_path / "small.su2")
    given = {"amplitude": 0.03, "radii": {"bore": (0.8, 1.2)}, "keep": "base", "stretch": (0.9, 1.1)}
    large, small = (
        Morph(file=str(f), **given).sample(rng(2)) for f in (folder / "bracket.su2", tmp_path / "small.su2")
    )
    assert small.points == pytest.approx(large.points / 8, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_boundaries_that_are_kept_stay(folder, seed):
    family = Morph(file=str(folder / "bracket.su2"), amplitude=0.03, keep=("base", "bore"))
    mesh, part = family.sample(rng(seed)), family.part
    for name in ("base", "bore"):
        assert np.array_equal(at(mesh, name), at(part, name))
    assert np.abs(mesh.points - part.points).max() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_boundaries_that_slide_stay_in_their_planes(folder, seed):
    sides = ("left", "right", "bottom", "top", "front", "back")
    family = Morph(file=str(folder / "brick.su2"), amplitude=0.05, slide=sides)
    mesh = family.sample(rng(seed))
    for i, name in enumerate(sides):
        assert np.allclose(at(mesh, name)[:, i // 2], i % 2)
    assert mesh.measure.sum() == pytest.approx(1)
    assert np.abs(mesh.points - family.part.points).max() > 1e-3


def test_stretching_is_affine(folder):
    family = Morph(file=str(folder / "bracket.su2"), amplitude=0.0, stretch=(0.8, 1.25))
    shape = family.draw(rng(1))
    mesh, part = family.mesh(shape), family.part
    assert mesh.points == pytest.approx(part.points * shape["stretch"])
    assert mesh.measure.sum() == pytest.approx(part.measure.sum() * np.prod(shape["stretch"]))
    drawn = np.array([family.draw(rng(seed))["stretch"] for seed in range(200)])
    assert drawn.min() > 0.8 and drawn.max() < 1.25


@pytest.mark.parametrize("factor", [0.7, 1.25])
def test_round_features_grow_and_leave_the_rest(folder, factor):
    family = Morph(file=str(folder / "bracket.su2"), amplitude=0.0, radii={"bore": (factor, factor)})
    mesh, part = family.sample(rng(0)), family.part
    assert fitted(mesh, "bore") == pytest.approx([factor * 7.0], rel=1e-6)
    assert fitted(mesh, "holes") == pytest.approx([2.75] * 3, rel=1e-6)
    for name in ("base", "top", "holes"):
        assert np.allclose(at(mesh, name), at(part, name))
    flat = np.abs(part.points[:, 0]) < 1e-9  # the back of the upright, which the bore passes
    assert np.allclose(mesh.points[flat, 0], 0)


def test_holes_grow_together_and_in_the_plane(folder):
    three = Morph(file=str(folder / "bracket.su2"), amplitude=0.0, radii={"holes": (1.2, 1.2)}).sample(rng(0))
    assert fitted(three, "holes") == pytest.approx([3.3] * 3, rel=1e-6)
    plane = Morph(file=str(folder / "plate.su2"), amplitude=0.0, radii={"hole": (1.3, 1.3)}).sample(rng(0))
    assert fitted(plane, "hole") == pytest.approx([0.26], rel=1e-6)
    part = load(folder / "plate.su2")
    assert all(np.array_equal(at(plane, n), at(part, n)) for n in ("left", "right", "bottom", "top"))


def test_a_fold_is_scaled_back_and_a_hopeless_one_refused():
    mesh = Grid(shape=(6, 6)).mesh()
    fold = np.zeros_like(mesh.points)
    fold[:, 0] = -1.5 * mesh.points[:, 0]
    moved = deformation.apply(mesh, fold)
    assert 0.2 < moved.points[:, 0].max() < 0.9
    with pytest.raises(ShapeError, match="inverts cells"):
        deformation.apply(mesh, 1e9 * rng(0).normal(size=mesh.points.shape))


def test_second_order_follows(folder):
    family = Morph(file=str(folder / "brick.su2"), order=2)
    assert list(family.sample(rng(0)).cells) == ["tetra10"]


# -- CAD and files -----------------------------------------------------------------------------------------------------
def test_a_step_file_is_meshed_once(monkeypatch):
    family = Morph(file=str(RESOURCE), size=8.0, radii={"bore": (0.8, 1.2)})
    first = family.sample(rng(0))
    monkeypatch.setattr("geometries.families._library.inspect", None)  # a second reading would fail
    second = family.sample(rng(1))
    assert set(first.boundaries) == {"base", "bore", "holes", "top", "sides"}
    assert first.num_points == second.num_points
    assert not np.array_equal(first.points, second.points)
    assert family.dim == 3


def test_a_file_is_read_again_after_it_has_changed(tmp_path):
    file = write_parts(tmp_path)
    before = load(file).num_points
    write(Grid(shape=(5, 5, 5)).mesh(), file)
    assert load(file).num_points == 216 != before


def test_a_folder_is_a_family(folder):
    family = Parts(folder=str(folder), dim=3)
    drawn = [family.draw(rng(seed))["file"] for seed in range(60)]
    assert set(drawn) == {"bracket.su2", "brick.su2", "cube.su2", "plate.su2"} == set(family.files())
    assert family.mesh({"file": "brick.su2"}).num_points == 60
    with pytest.raises(ReadError, match=r"plate.su2"):
        family.mesh({"file": "plate.su2"})
    assert Parts(folder=str(folder), dim=2).mesh({"file": "plate.su2"}).dim == 2
    assert Parts(folder=str(folder), order=2).mesh({"file": "cube.su2"}).order == 2


def test_cad_files_are_meshed_relative_to_their_size(tmp_path):
    (tmp_path / "part.step").write_bytes(RESOURCE.read_bytes())
    coarse, fine = (Parts(folder=str(tmp_path), size=size).sample(rng(0)) for size in (0.1, 0.05))
    assert set(coarse.boundaries) == {"base", "bore", "holes", "top", "sides"}
    edges = [np.linalg.norm(np.diff(m.points[m.edges], axis=1), axis=2).mean() for m in (coarse, fine)]
    assert 1.2 < edges[0] / edges[1] < 2


def test_a_damaged_file_fails_its_own_samples_each_time(tmp_path):
    write_parts(tmp_path)
    (tmp_path / "wrong.su2").write_text("NDIME= 3\nNELEM= 10\n")
    (tmp_path / "notes.txt").write_text("no mesh")
    (tmp_path / "program.geo").write_text("Point(1) = {0, 0, 0};")
    family = Parts(folder=str(tmp_path))
    assert family.files() == ["brick.su2", "cube.su2", "wrong.su2"]
    for _ in range(2):
        with pytest.raises(ReadError, match=r"wrong.su2"):
            family.mesh({"file": "wrong.su2"})
    assert family.mesh({"file": "cube.su2"}).num_points == 27


# -- wrong input -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", ""),
        ("amplitude", 0.5),
        ("amplitude", "much"),
        ("frequency", 0.0),
        ("stretch", (0.0, 1.0)),
        ("order", 3),
        ("size", -1.0),
        ("keep", 3),
        ("radii", {"bore": (0.0, 1.0)}),
        ("radii", {"bore": 1.0}),
    ],
)
def test_a_wrong_parameter_of_morph_is_named(field, value):
    with pytest.raises(SpecError, match=f"{field} is .*; expected") as caught:
        Morph(**{"file": "part.step", field: value})
    assert caught.value.key == (field,)


def test_wrong_names_and_folders_are_told(folder, tmp_path):
    file = str(folder / "bracket.su2")
    with pytest.raises(SpecError, match="did you mean 'bore'") as caught:
        Morph(file=file, radii={"bores": (0.9, 1.1)}).sample(rng(0))
    assert caught.value.key == ("radii",)
    with pytest.raises(SpecError, match="'base', which is not round"):
        Morph(file=file, radii={"base": (0.9, 1.1)}).sample(rng(0))
    with pytest.raises(SpecError, match="'bore', which is not flat"):
        Morph(file=file, slide="bore").sample(rng(0))
    with pytest.raises(ReadError, match=r"nothing.step"):
        Morph(file=str(tmp_path / "nothing.step")).sample(rng(0))
    with pytest.raises(SpecError, match=r"folder is '.*none'; expected a folder"):
        Parts(folder=str(tmp_path / "none"))
    with pytest.raises(ReadError, match="holds no CAD or mesh files"):
        Parts(folder=str(tmp_path)).draw(rng(0))
    with pytest.raises(SelectionError):
        load(folder / "brick.su2").sides("nothing")


def test_a_deformation_does_not_fold_curved_cells_over():
    mesh = Grid(shape=(2, 2), order=2).mesh()
    middle = np.setdiff1d(mesh.cells["triangle6"][:, 3:], mesh.nodes(mesh.outer))[0]
    displacement = np.zeros_like(mesh.points)
    displacement[middle] = 0.45
    moved = deformation.apply(mesh, displacement)
    assert len(replace(mesh, points=mesh.points + displacement).folded) and not len(moved.folded)
    assert (moved.points[middle] > mesh.points[middle]).all()
