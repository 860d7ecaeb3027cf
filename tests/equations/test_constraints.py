"""Essential conditions where they meet: rollers on edges, corners and seams, given values, periodic images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometries import Dirichlet, Neumann, Robin
from geometries.conditions import Roller
from geometries.errors import SpecError
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import EQUATIONS, Case, Elasticity, solve
from meshops.equations.constraints import node_normals
from meshops.equations.reactions import reactions

SHAPES = {"triangle": (4, 3), "quad": (4, 3), "tetra": (3, 2, 2), "hexahedron": (3, 2, 2)}
MESHES = {f"{c}-{k}": Grid(shape=shape, cell=c, order=k).mesh() for c, shape in SHAPES.items() for k in (1, 2)}
PLANES = ("left", "bottom", "front")  # through the origin


def turn(dim: int) -> np.ndarray:
    """A rotation by no special angle."""
    return Rotation.from_euler("zx", [0.7, 0.7 * (dim - 2)]).as_matrix()[:dim, :dim]


@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_a_roller_on_one_name_of_several_faces_holds_each(mesh: Mesh) -> None:
    names = PLANES[: mesh.dim]
    planes = np.concatenate([mesh.boundaries[name] for name in names])
    for by in (np.eye(mesh.dim), turn(mesh.dim)):
        body = replace(mesh, points=mesh.points @ by.T, boundaries={**mesh.boundaries, "planes": planes})
        pull = {"right": Neumann(by @ np.array([3.0, 1.0, 2.0])[: mesh.dim])}
        apart, joined = (
            solve(Case(body, Elasticity(), conditions={**dict.fromkeys(held, Roller()), **pull}))
            for held in (names, ("planes",))
        )
        np.testing.assert_allclose(joined.values, apart.values, atol=1e-9 * np.abs(apart.values).max())
        force = sum(reactions(apart.case, apart.fields).values())
        np.testing.assert_allclose(reactions(joined.case, joined.fields)["planes"], force, atol=1e-8)


def test_no_fluid_slips_through_a_corner_of_one_name() -> None:
    mesh = MESHES["triangle-2"]
    walls = np.concatenate([mesh.boundaries[name] for name in ("left", "bottom", "right")])
    mesh = mesh.named(boundaries={**mesh.boundaries, "walls": walls})
    lid = Dirichlet(("x*(1-x)", "0*x"))
    flow = solve(Case(mesh, EQUATIONS["stokes"], conditions={"walls": Roller(), "top": lid})).fields["velocity"]
    np.testing.assert_array_equal(flow[mesh.nodes(mesh.sides("bottom")), 1], 0)


@pytest.mark.parametrize("order", [1, 2])
def test_rollers_on_a_smooth_face_do_not_depend_on_its_names(order: int) -> None:
    grid = Grid(shape=(3, 16), cell="quad", order=order).mesh()
    r, angle = 1 + grid.points[:, 0], 2 * grid.points[:, 1]
    ring = replace(grid, points=np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1))
    inner = ring.boundaries["left"]
    ring = ring.named(boundaries={**ring.boundaries, "lower": inner[:7], "upper": inner[7:]})
    springs = {"right": Robin(1.0, ambient=("-y", "x"))}
    whole, halves = (
        solve(Case(ring, Elasticity(), conditions={**dict.fromkeys(held, Roller()), **springs}))
        for held in (("left",), ("lower", "upper"))
    )
    np.testing.assert_allclose(halves.values, whole.values, atol=1e-9)
    force = sum(reactions(halves.case, halves.fields).values())
    np.testing.assert_allclose(force, reactions(whole.case, whole.fields)["left"], atol=1e-9)


def ring(chords: int, order: int = 1, turn: float = 2 * np.pi, cell: str = "quad") -> Mesh:
    """A ring of radii 1 and 2, closed where it turns all round; mid-nodes are on the circles."""
    grid = Grid(shape=(2, chords, 2)[: 2 if cell == "quad" else 3], cell=cell, order=order).mesh()
    r, angle, z = 1 + grid.points[:, 0], turn * grid.points[:, 1], grid.points[:, 2:]
    points = np.column_stack([r * np.cos(angle), r * np.sin(angle), z])
    _, first, own = np.unique(points.round(9) + 0.0, axis=0, return_index=True, return_inverse=True)
    cells = {kind: own.ravel()[c] for kind, c in grid.cells.items()}
    return Mesh(points=points[first], cells=cells, boundaries=grid.boundaries)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("chords", [7, 9, 13])
def test_a_coarse_circle_slides_round(chords: int, order: int) -> None:
    """It is turned by springs as a rigid body is, which shape functions hold exactly."""
    mesh = ring(chords, order)
    springs = Robin(1.0, ambient=("-y", "x"))
    found = solve(Case(mesh, Elasticity(), conditions={"left": Roller(), "right": springs})).values
    np.testing.assert_allclose(found, mesh.points @ [[0, 1], [-1, 0]], atol=1e-9)


@pytest.mark.parametrize(
    "mesh", [ring(4, 1, np.pi), ring(4, 2, np.pi), ring(7, cell="tetra"), ring(4, 1, np.pi, "tetra")]
)
def test_a_coarse_hole_has_no_edge(mesh: Mesh) -> None:
    """A half one neither, where it ends; nor its wall in triangles, more than one through the thickness."""
    points, _ = node_normals(mesh, mesh.sides("left"))
    np.testing.assert_array_equal(points, mesh.nodes(mesh.sides("left")))


@pytest.mark.parametrize("bend", [0.0, 0.02])
@pytest.mark.parametrize("name", MESHES)
def test_a_chamfer_of_one_cell_has_edges(name: str, bend: float) -> None:
    """At 45° beside faces that are flat, or bent and told finely: a point of an edge is held normal to both."""
    mesh, start = MESHES[name], 1 - 1 / SHAPES[name[:-2]][0]
    x, y = mesh.points[:, 0], mesh.points[:, 1]
    height = y * (1 - np.maximum(x - start, 0) - bend * x**2)
    body = replace(mesh, points=np.column_stack([x, height, mesh.points[:, 2:]]))
    sides = np.concatenate([body.sides("top"), body.sides("right")])
    points, count = np.unique(node_normals(body, sides)[0], return_counts=True)
    np.testing.assert_array_equal(points[count > 1], np.flatnonzero((y == 1) & (np.isclose(x, start) | (x == 1))))


def test_blocks_that_share_a_point_are_a_hinge() -> None:
    one = MESHES["triangle-1"]
    points = np.concatenate([one.points, one.points + 1])
    cells = np.concatenate([one.cells["triangle"], one.cells["triangle"] + one.num_points])
    hinge, other = np.flatnonzero((points == 1).all(1))
    cells[cells == other] = hinge
    far = one.boundaries["right"] + [one.num_cells, 0]
    mesh = Mesh(
        points=np.delete(points, other, axis=0),
        cells={"triangle": cells - (cells > other)},
        boundaries={"left": one.boundaries["left"], "far": far},
    )
    pull = Neumann((0.0, 1.0))
    with pytest.raises(SpecError, match=r"one of 2\) can still move or turn"):
        Case(mesh, Elasticity(), conditions={"left": Dirichlet(0), "far": pull})
    held = solve(Case(mesh, Elasticity(), conditions={"left": Dirichlet(0), "far": Dirichlet((None, 0.1))}))
    assert 0.05 < np.abs(held.values).max() < 1


@pytest.mark.parametrize("given", [(0.1, 0.2), (0.1, None)])
def test_given_values_hold_where_they_meet_a_roller_at_any_angle(given: tuple[float | None, ...]) -> None:
    mesh = MESHES["quad-2"]
    mesh = replace(mesh, points=mesh.points @ turn(2).T)
    found = solve(Case(mesh, Elasticity(), conditions={"left": Dirichlet(given), "bottom": Roller()})).values
    left, bottom = (mesh.nodes(mesh.sides(name)) for name in ("left", "bottom"))
    for component, value in enumerate(given):
        np.testing.assert_array_equal(found[left, component], found[left, component] if value is None else value)
    slides = bottom if None in given else np.setdiff1d(bottom, left)
    np.testing.assert_allclose(found[slides] @ mesh.side_geometry(mesh.sides("bottom"))[1][0], 0, atol=1e-12)
