"""Solid families: volumes and areas in closed form or by Monte Carlo, boundaries where their names say."""

import numpy as np
import pytest

from geometries import Mesh
from geometries.errors import SpecError
from geometries.families import Csg, HeatSink, PipeTee, ShapeError

SEEDS = pytest.mark.parametrize("seed", range(3))


def rng(seed=0):
    return np.random.default_rng(seed)


def size_of(mesh: Mesh, name: str) -> float:
    return float(mesh.side_geometry(mesh.sides(name))[2].sum())


# -- heat sink ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cell", ["tetra", "hexahedron"])
@SEEDS
def test_heat_sinks_measure_their_closed_forms(cell, seed):
    family = HeatSink(cell=cell)
    s = family.draw(rng(seed))
    mesh, n = family.mesh(s), s["fins"]
    width, tall = n * s["fin"] + (n - 1) * s["gap"], s["plate"] + s["height"]
    areas = {
        "base": s["length"] * width,
        "floor": s["length"] * (n - 1) * s["gap"],
        "fins": n * (2 * s["height"] * (s["length"] + s["fin"]) + s["length"] * s["fin"]),
        "rim": 2 * s["plate"] * (s["length"] + width),
    }
    assert list(mesh.cells) == [cell]
    assert mesh.measure.sum() == pytest.approx(areas["base"] * s["plate"] + n * s["fin"] * s["length"] * s["height"])
    assert {name: size_of(mesh, name) for name in mesh.boundaries} == pytest.approx(areas)
    assert np.allclose([mesh.points.min(0), mesh.points.max(0)], [[0, 0, 0], [s["length"], width, tall]])
    assert np.allclose(mesh.points[mesh.nodes(mesh.sides("base"))][:, 2], 0)


# -- pipe tee ----------------------------------------------------------------------------------------------------------
def tee_volume(s, wall: float, count: int = 400_000) -> float:
    """Of both cylinders together, by points in a box round them."""
    angle, half = np.radians(s["angle"]), s["length"] / 2
    low, high = np.array([0, -1.5, -1.5]), np.array([s["length"], 1.5, s["branch"] + 1.5])
    at = rng(7).uniform(low, high, (count, 3))
    axis, offset = np.array([np.cos(angle), 0, np.sin(angle)]), at - (half, 0, 0)
    along = offset @ axis
    in_branch = (along > 0) & (along < s["branch"])
    in_branch &= np.linalg.norm(offset - along[:, None] * axis, axis=1) < s["radius"] + wall
    return float(np.prod(high - low) * ((np.hypot(at[:, 1], at[:, 2]) < 1 + wall) | in_branch).mean())


@SEEDS
def test_tees_hold_what_their_cylinders_hold(seed):
    family = PipeTee(size=0.3)
    s = family.draw(rng(seed))
    fluid, wall = family.mesh(s), PipeTee(size=0.3, part="wall").mesh(s)
    inside, outside = tee_volume(s, 0.0), tee_volume(s, s["wall"])
    assert fluid.measure.sum() == pytest.approx(inside, rel=0.07)  # ten chords lack 6.5 % of a circle
    assert wall.measure.sum() == pytest.approx(outside - inside, rel=0.1)
    circle = 10 / 2 / np.pi * np.sin(2 * np.pi / 10)
    for name, radius in (("inlet", 1), ("outlet", 1), ("branch", s["radius"])):
        assert size_of(fluid, name) == pytest.approx(np.pi * radius**2 * (1 + circle) / 2, rel=0.07)
        assert size_of(wall, name) == pytest.approx(np.pi * ((radius + s["wall"]) ** 2 - radius**2), rel=0.1)
    assert set(fluid.boundaries) == {"inlet", "outlet", "branch", "wall"}
    assert set(wall.boundaries) == {"inlet", "outlet", "branch", "inside", "outside"}


@SEEDS
def test_tee_boundaries_lie_where_their_names_say(seed):
    family = PipeTee(part="wall")
    s = family.draw(rng(seed))
    mesh = family.mesh(s)
    at = {name: mesh.points[mesh.nodes(sides)] for name, sides in mesh.boundaries.items()}
    angle = np.radians(s["angle"])
    axis = np.array([np.cos(angle), 0, np.sin(angle)])
    assert np.allclose(at["inlet"][:, 0], 0)
    assert np.allclose(at["outlet"][:, 0], s["length"])
    assert np.allclose((at["branch"] - (s["length"] / 2, 0, 0)) @ axis, s["branch"])
    for name, wall in (("inside", 0.0), ("outside", s["wall"])):
        offset = at[name] - (s["length"] / 2, 0, 0)
        of_pipe = np.abs(np.hypot(at[name][:, 1], at[name][:, 2]) - 1 - wall)
        of_branch = np.abs(np.linalg.norm(offset - np.outer(offset @ axis, axis), axis=1) - s["radius"] - wall)
        assert np.minimum(of_pipe, of_branch).max() < 1e-6


# -- solids of primitives ----------------------------------------------------------------------------------------------
def contains(part, at: np.ndarray) -> np.ndarray:
    offset, sizes = at - part["at"], np.array(part["sizes"])
    if part["kind"] == "sphere":
        return np.linalg.norm(offset, axis=1) < sizes[0]
    if part["kind"] == "box":
        return (np.abs(offset) < sizes).all(1)
    across = np.linalg.norm(np.delete(offset, part["axis"], axis=1), axis=1)
    return (np.abs(offset[:, part["axis"]]) < sizes[1]) & (across < sizes[0])


def solid(parts, at: np.ndarray) -> np.ndarray:
    inside = contains(parts[0], at)
    for part in parts[1:]:
        inside = inside | contains(part, at) if part["sign"] > 0 else inside & ~contains(part, at)
    return inside


@pytest.mark.parametrize("seed", range(6))
def test_solids_are_what_their_primitives_make(seed):
    family = Csg(parts=(2, 5))
    parts = (shape := family.draw(rng(seed)))["parts"]
    mesh = family.mesh(shape)
    at = rng(1).uniform(-1.3, 1.3, (400_000, 3))
    assert mesh.measure.sum() == pytest.approx(2.6**3 * solid(parts, at).mean(), rel=0.06)
    assert solid(parts, mesh.cell_centers).mean() > 0.97  # chords of hollows cut into them
    for name, sides in mesh.boundaries.items():
        part = parts[int(name.removeprefix("part")) - 1]
        centers, normals, _ = mesh.side_geometry(sides)
        deep, out = (contains(part, centers + step * normals) for step in (-0.04, 0.04))
        assert (deep if part["sign"] > 0 else out).mean() > 0.9
        assert (out if part["sign"] > 0 else deep).mean() < 0.1


def test_a_lone_box_is_a_box():
    shape = Csg(parts=(1, 1)).draw(rng(0))
    half = np.array(shape["parts"][0]["sizes"])
    mesh = Csg().mesh(shape)
    assert mesh.measure.sum() == pytest.approx(8 * half.prod())
    assert list(mesh.boundaries) == ["part1"]
    assert half.max() == 0.5


def test_primitives_that_fall_apart_are_refused():
    box = {"kind": "box", "sign": 1, "at": [0, 0, 0], "sizes": [0.5, 0.3, 0.3], "axis": 2}
    far = {"kind": "sphere", "sign": 1, "at": [3, 0, 0], "sizes": [0.2], "axis": 2}
    slab = {"kind": "box", "sign": -1, "at": [0, 0, 0], "sizes": [0.1, 1, 1], "axis": 2}
    for part in (far, slab):
        with pytest.raises(ShapeError, match="2 solids; expected one"):
            Csg().mesh({"parts": [box, part]})


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        (HeatSink, "fins", (0, 3)),
        (HeatSink, "fin", (0.1, 2.0)),
        (HeatSink, "cell", "quad"),
        (HeatSink, "order", 3),
        (PipeTee, "part", "steel"),
        (PipeTee, "radius", (0.5, 1.0)),
        (PipeTee, "angle", (10.0, 90.0)),
        (PipeTee, "length", (2.0, 5.0)),
        (Csg, "parts", (0, 3)),
        (Csg, "cut", 2.0),
        (Csg, "size", 0.5),
    ],
)
def test_a_wrong_parameter_is_named(family, field, value):
    with pytest.raises(SpecError, match=f"{field} is .*; expected") as caught:
        family(**{field: value})
    assert caught.value.key == (field,)
