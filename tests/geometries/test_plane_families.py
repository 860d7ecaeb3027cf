"""Plane families: areas and lengths in closed form, boundaries where their names say, benchmarks among the members."""

import numpy as np
import pytest

from geometries import Mesh, read, write
from geometries.errors import ReadError, SpecError
from geometries.families import (
    Airfoil,
    Cavity,
    ChannelCylinder,
    Dam,
    Disk,
    DiskWithHole,
    Inductor,
    Interface,
    LShape,
    Plate,
    ShapeError,
    Square,
    Tube,
    UnitCell,
    UShape,
)
from geometries.families._boxes import steps
from geometries.families._planar import Harmonics, Loop, circle, mesh_loops, rectangle
from geometries.families._polylines import area
from geometries.families._sections import _camber, naca, section
from tests.geometries.members import inside

SEEDS = pytest.mark.parametrize("seed", range(4))


def rng(seed=0):
    return np.random.default_rng(seed)


def size_of(mesh: Mesh, name: str) -> float:
    return float(mesh.side_geometry(mesh.sides(name))[2].sum())


def area_of(mesh: Mesh, region: str) -> float:
    return float(mesh.measure[mesh.regions[region]].sum())


def at(mesh: Mesh, name: str) -> np.ndarray:
    return mesh.points[mesh.nodes(mesh.sides(name))]


def polygon_area(radius: float, size: float) -> float:
    return area(circle(0, 0, radius, size=size))


# -- closed forms ------------------------------------------------------------------------------------------------------
@SEEDS
def test_simple_shapes_measure_their_closed_forms(seed):
    shape = (disk := DiskWithHole()).draw(rng(seed))
    mesh, size = disk.mesh(shape), 1 / shape["cells"]
    assert mesh.measure.sum() == pytest.approx(polygon_area(0.5, size) - polygon_area(shape["hole"][2], size))
    shape = LShape().draw(rng(seed))
    mesh = LShape().mesh(shape)
    assert mesh.measure.sum() == pytest.approx(1 - np.prod(shape["cut"]))
    assert size_of(mesh, "cut") == pytest.approx(sum(shape["cut"]))
    names = shape["corner"].split()
    assert [size_of(mesh, n) for n in names] == pytest.approx([1 - v for v in shape["cut"]])
    left, right, floor = (shape := UShape().draw(rng(seed)))["slot"]
    mesh = UShape().mesh(shape)
    assert mesh.measure.sum() == pytest.approx(1 - (right - left) * (1 - floor))
    assert size_of(mesh, "top") == pytest.approx(1 - right + left)
    assert size_of(mesh, "cut") == pytest.approx(right - left + 2 * (1 - floor))


@pytest.mark.parametrize("family", [Square, Disk, DiskWithHole, LShape, UShape])
def test_resolutions_are_drawn_from_their_range(family):
    found = {family(cells=(5, 8)).draw(rng(seed))["cells"] for seed in range(40)}
    assert found == {5, 6, 7, 8}
    coarse, fine = (family(cells=(n, n)).sample(rng(1)).num_points for n in (8, 32))
    assert 6 < fine / coarse < 18  # O(n²)


@SEEDS
def test_a_disk_converges_to_its_area_with_second_order(seed):
    cells = (8, 16, 32)
    errors = [np.pi / 4 - Disk(cells=(n, n)).sample(rng(seed)).measure.sum() for n in cells]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.25)


@SEEDS
def test_a_void_keeps_its_radii_and_the_square_its_sides(seed):
    mesh = UnitCell().sample(rng(seed))
    radii = np.linalg.norm(at(mesh, "void") - 0.5, axis=1)
    assert radii.min() > 0.2 * 0.98 and radii.max() < 0.4
    assert [size_of(mesh, n) for n in ("left", "right", "bottom", "top")] == pytest.approx([1] * 4)


def test_harmonics_have_the_deviation_of_their_field():
    drawn = np.array([Harmonics(3).draw(rng(seed)) for seed in range(4000)])
    exact = [4 / 3 / np.sqrt(2 * np.pi), *(4 / np.sqrt(k**2 + 9) / np.sqrt(np.pi) for k in (1, 2, 3))]
    assert drawn.std(0)[:, 0] == pytest.approx(exact, rel=0.05)
    assert np.allclose(np.linalg.norm(Harmonics.curve([[0.0, 0.0]], (0.2, 0.4)), axis=1), 0.3)


@SEEDS
def test_inclusions_are_regions_behind_an_interface(seed):
    family = Interface()
    shape = family.draw(rng(seed))
    mesh = family.mesh(shape)
    exact = sum(area(loop.corners) for loop in family.loops(shape)[1:])
    assert area_of(mesh, "inside") == pytest.approx(exact)
    assert area_of(mesh, "inside") + area_of(mesh, "outside") == pytest.approx(1)
    assert inside(mesh, "interface")
    cells = np.concatenate([mesh.regions["inside"], mesh.regions["outside"]])
    assert np.array_equal(np.sort(cells), np.arange(mesh.num_cells))


@SEEDS
def test_plates_measure_what_their_shape_says(seed):
    family = Plate(holes=(2, 3), notches=(2, 3))
    shape = family.draw(rng(seed))
    mesh, fine = family.mesh(shape), 0.6 * family.size
    assert 2 <= len(shape["holes"]) <= 3 and 2 <= len(shape["notches"]) <= 3
    half = {"vee": 1.0, "round": 4 * np.sin(np.pi / 8)}  # of two, of eight segments, radius 1
    cut = sum(half[n["kind"]] * n["radius"] ** 2 for n in shape["notches"])
    holes = sum(polygon_area(r, fine) for _, _, r in shape["holes"])
    assert mesh.measure.sum() == pytest.approx(shape["length"] - cut - holes)
    open_ends = sum(2 * n["radius"] for n in shape["notches"])
    assert size_of(mesh, "bottom") + size_of(mesh, "top") == pytest.approx(2 * shape["length"] - open_ends)


@pytest.mark.parametrize("gaps", [(1, 1), (2, 2)])
@SEEDS
def test_inductors_have_iron_currents_and_air(gaps, seed):
    family = Inductor(gaps=gaps)
    shape = family.draw(rng(seed))
    mesh = family.mesh(shape)
    coil = np.prod(shape["coil"])
    (left, right, yoke), width, height = shape["legs"], shape["width"], shape["height"]
    core = width * height - (width - left - right) * (height - 2 * yoke)
    core -= shape["gaps"][0] * left + shape["gaps"][1] * right
    areas = {name: area_of(mesh, name) for name in mesh.regions}
    assert areas == pytest.approx({"core": core, "coil_plus": coil, "coil_minus": coil, "air": 4 - core - 2 * coil})
    assert bool(shape["gaps"][0]) == (gaps == (2, 2))
    x = {name: mesh.cell_centers[cells].mean(0)[0] for name, cells in mesh.regions.items()}
    assert x["coil_minus"] < -width / 2 < x["coil_plus"] < width / 2
    assert list(mesh.boundaries) == ["outer"]


# -- channels ----------------------------------------------------------------------------------------------------------
def test_the_benchmark_of_schaefer_and_turek_is_a_member():
    mesh = ChannelCylinder().mesh(ChannelCylinder.STANDARD)
    assert np.allclose([mesh.points.min(0), mesh.points.max(0)], [[0, 0], [2.2, 0.41]])
    corners = np.linalg.norm(at(mesh, "cylinder") - (0.2, 0.2), axis=1)
    assert corners.max() == pytest.approx(0.05, abs=1e-15)
    fine = ChannelCylinder(size=0.01).mesh(ChannelCylinder.STANDARD)
    assert fine.measure.sum() == pytest.approx(2.2 * 0.41 - np.pi * 0.05**2, rel=1e-5)
    assert np.allclose(at(mesh, "inlet")[:, 0], 0) and np.allclose(at(mesh, "outlet")[:, 0], 2.2)
    assert [size_of(mesh, n) for n in ("inlet", "outlet", "walls")] == pytest.approx([0.41, 0.41, 4.4])
    near = np.linalg.norm(mesh.cell_centers - (0.2, 0.2), axis=1) < 0.07
    assert np.sqrt(mesh.measure[near]).mean() < np.sqrt(mesh.measure[mesh.cell_centers[:, 0] > 2]).mean() / 2


@pytest.mark.parametrize("cell", ["triangle", "quad"])
@SEEDS
def test_structured_channels_measure_their_closed_forms(cell, seed):
    shape = Cavity().draw(rng(seed))
    mesh = Cavity(cell=cell).mesh(shape)
    assert list(mesh.cells) == [cell]
    assert mesh.measure.sum() == pytest.approx(shape["height"])
    assert [size_of(mesh, n) for n in ("lid", "walls")] == pytest.approx([1, 1 + 2 * shape["height"]])
    shape = Tube().draw(rng(seed))
    mesh = Tube(cell=cell).mesh(shape)
    assert mesh.measure.sum() == pytest.approx(shape["length"])
    assert [size_of(mesh, n) for n in ("inlet", "outlet", "walls")] == pytest.approx([1, 1, 2 * shape["length"]])
    shape = Dam().draw(rng(seed))
    mesh, (left, right, height) = Dam(cell=cell).mesh(shape), shape["dam"]
    assert mesh.measure.sum() == pytest.approx(3 - (right - left) * height)
    assert size_of(mesh, "dam") == pytest.approx(right - left + 2 * height)
    assert size_of(mesh, "floor") == pytest.approx(3 - right + left)
    assert [size_of(mesh, n) for n in ("inlet", "outlet", "top")] == pytest.approx([1, 1, 3])


def test_steps_crowd_at_the_walls():
    x = steps([0, 1, 3], 0.1, crowd=0.6)
    assert {0.0, 1.0, 3.0} <= set(x.tolist())
    assert (np.diff(x) > 0).all() and len(x) == 31
    assert np.diff(x)[[0, 5]] == pytest.approx([0.04, 0.16], rel=0.1)
    assert np.allclose(np.diff(steps([0, 1], 0.3)), 0.25)


# -- airfoils ----------------------------------------------------------------------------------------------------------
def test_sections_have_their_published_ordinates():
    """Of Abbott and von Doenhoff, Theory of Wing Sections: chord 100, the trailing edge left open there."""
    upper = {"0012": (30, 6.002), "2412": (40, 7.80), "23012": (30, 7.60)}
    lower = {"0012": (30, -6.002), "2412": (40, -3.80), "23012": (30, -4.46)}
    for digits in upper:
        points = 100 * naca(digits, 400)
        nose = int(points[:, 0].argmin())
        for surface, (x, y) in ((points[: nose + 1][::-1], upper[digits]), (points[nose:], lower[digits])):
            assert np.interp(x, *surface.T) == pytest.approx(y, abs=0.06)
        assert area(points) > 0


@pytest.mark.parametrize("digits", [f"2{c}12" for c in ("10", "20", "30", "40", "50", "21", "31", "41", "51")])
def test_five_digit_camber_lines_do_what_they_were_made_for(digits):
    """By thin airfoil theory: a lift coefficient π A1 of 0.3 by design, a moment π/4 (A2 - A1) of 0 where reflexed."""
    theta = (np.arange(20000) + 0.5) * np.pi / 20000
    height, slope = _camber(digits)((1 - np.cos(theta)) / 2)
    first, second = (2 * np.mean(slope * np.cos(n * theta)) for n in (1, 2))
    assert np.pi * first == pytest.approx(0.3, rel=0.03)
    moment = np.pi / 4 * (second - first)
    assert abs(moment) < 0.002 if digits[2] == "1" else moment < -0.002  # smallest, -0.0038, with the camber far ahead
    assert np.abs(np.gradient(height, (1 - np.cos(theta)) / 2) - slope).max() < 1e-3


@pytest.mark.parametrize("digits", ["12", "0000", "00A2", "10012", "23611", "2099"])
def test_digits_that_are_no_section_are_refused(digits):
    with pytest.raises(ShapeError, match=r"no section; expected"):
        Airfoil().mesh({"section": digits, "angle": 0.0})


def test_an_airfoil_stands_nose_up_in_its_far_field():
    mesh = Airfoil(far=3.0).mesh({"section": "0012", "angle": 10.0})
    points = at(mesh, "airfoil")
    tail = points[points[:, 0].argmax()]
    assert np.degrees(np.arctan2(-tail[1], tail[0])) == pytest.approx(10)
    assert np.linalg.norm(tail) == pytest.approx(1)
    assert mesh.measure.sum() == pytest.approx(7 * 6 - area(naca("0012", 40)))
    assert [size_of(mesh, n) for n in ("inflow", "outflow", "farfield")] == pytest.approx([6, 6, 14])


@pytest.fixture
def files(tmp_path):
    around = naca("2412", 60)
    nose = int(around[:, 0].argmin())
    selig = [*around, around[0]]
    text = "\n".join(f"{x:.7f} {y:.7f}" for x, y in selig)
    (tmp_path / "selig.dat").write_text("NACA 2412\n" + text)
    upper, lower = around[nose::-1], np.concatenate([around[nose:], around[:1]])
    blocks = ["\n".join(f" {x:.7f}  {y:.7f}" for x, y in part) for part in (upper, lower)]
    (tmp_path / "lednicer.dat").write_text(f"NACA 2412\n {len(upper)}. {len(lower)}.\n\n" + "\n\n".join(blocks) + "\n")
    (tmp_path / "backwards.dat").write_text("\n".join(f"{50 * x + 3:.6f}, {50 * y - 7:.6f}" for x, y in selig[::-1]))
    return tmp_path


@pytest.mark.parametrize("name", ["selig.dat", "lednicer.dat", "backwards.dat"])
def test_coordinate_files_give_the_section_whatever_their_form(files, name):
    points = section(files / name, 60)
    assert area(points) == pytest.approx(area(naca("2412", 200)), rel=2e-3)
    assert np.abs(points[[0, -1]] - (1, 0)).max() < 0.02
    nose = points[np.linalg.norm(points - (1, 0), axis=1).argmax()]
    assert np.allclose(nose, 0, atol=1e-9)


def test_a_folder_of_sections_is_a_family(files):
    family = Airfoil(files=str(files))
    drawn = {family.draw(rng(seed))["section"] for seed in range(30)}
    assert drawn == {"selig.dat", "lednicer.dat", "backwards.dat"}
    assert family.sample(rng(0)).num_cells > 500
    one = Airfoil(files=str(files / "selig.dat"))
    assert one.draw(rng(0))["section"] == "selig.dat"


def test_a_blunt_trailing_edge_stays(tmp_path):
    points = naca("0012", 60)
    cut = points[points[:, 0] < 0.95]
    (tmp_path / "blunt.dat").write_text("\n".join(f"{x:.7f} {y:.7f}" for x, y in cut))
    found = section(tmp_path / "blunt.dat", 60)
    assert np.linalg.norm(found[0] - found[-1]) > 0.01
    assert Airfoil(files=str(tmp_path)).sample(rng(0)).num_cells > 500


@pytest.mark.parametrize("text", ["", "no numbers here", "1 0\n0 0\n1 0", "A\n 30. 30.\n0 0\n1 1\n", "nan nan\n" * 20])
def test_a_file_that_is_no_airfoil_is_named(tmp_path, text):
    (tmp_path / "wrong.dat").write_text(text)
    with pytest.raises(ReadError, match=r"wrong.dat"):
        Airfoil(files=str(tmp_path)).sample(rng(0))
    with pytest.raises(ReadError, match="holds no airfoil"):
        Airfoil(files=str(tmp_path / "none")).draw(rng(0))


# -- loops and parameters ----------------------------------------------------------------------------------------------
def test_loops_nest():
    loops = [
        Loop(rectangle((-k, -k), (k, k)), f"b{k}", 0.4, fill) for k, fill in ((4, "a"), (3, "b"), (2, None), (1, "c"))
    ]
    mesh = mesh_loops(loops)
    assert {k: area_of(mesh, k) for k in mesh.regions} == pytest.approx({"a": 64 - 36, "b": 36 - 16, "c": 4})
    assert [inside(mesh, f"b{k}") for k in (4, 3, 2, 1)] == [False, True, False, False]


def test_members_travel_through_files(tmp_path):
    mesh = Inductor().sample(rng(0))
    write(mesh, tmp_path / "inductor.msh")
    back = read(tmp_path / "inductor.msh")
    assert {k: len(v) for k, v in back.regions.items()} == {k: len(v) for k, v in mesh.regions.items()}
    assert len(back.sides("outer")) == len(mesh.sides("outer"))


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        (Square, "cells", (1, 5)),
        (Disk, "order", 3),
        (DiskWithHole, "radius", (0.001, 0.2)),
        (DiskWithHole, "center", (0.1, 0.6)),
        (LShape, "cut", (0.2, 1.0)),
        (UShape, "width", (0.2, 0.9)),
        (UShape, "depth", (0.2, 1.0)),
        (UnitCell, "radius", (0.2, 0.5)),
        (UnitCell, "size", 0.0),
        (Interface, "inclusions", (0, 2)),
        (Plate, "holes", (0, 20)),
        (Plate, "length", (0.5, 2.0)),
        (Inductor, "gaps", (1, 3)),
        (Inductor, "width", (0.5, 1.0)),
        (Airfoil, "digits", 6),
        (Airfoil, "angle", (-5.0, 50.0)),
        (ChannelCylinder, "y", (0.05, 0.2)),
        (Cavity, "crowd", 1.0),
        (Cavity, "cell", "tetra"),
        (Tube, "length", (0.0, 1.0)),
        (Dam, "height", (0.1, 1.0)),
    ],
)
def test_a_wrong_parameter_is_named(family, field, value):
    with pytest.raises(SpecError, match=f"{field} is .*; expected") as caught:
        family(**{field: value})
    assert caught.value.key == (field,)
