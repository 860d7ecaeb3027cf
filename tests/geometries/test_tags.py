"""Selectors: set algebra, invariance under a change of unit, and the faces that they are for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries import tags as select
from geometries.errors import MeshopsError, SelectionError, SpecError
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from geometries.tags import All, Any, Not, read_selector, smooth_faces

CUBE = Grid(shape=(3, 2, 2)).mesh()
NAMES = ("left", "right", "bottom", "top", "front", "back")


def bent(center: tuple[float, float], inner: float, cell: str) -> Mesh:
    """Half a ring about `center`, radii `inner` and 2, between z = 0 and 1; a half disk's worth in 2-D."""
    flat = cell in ("triangle", "quad")
    grid = Grid(shape=(12, 2) if flat else (12, 2, 2), cell=cell).mesh()
    angle, radius = np.pi * (1 - grid.points[:, 0]), inner + (2 - inner) * grid.points[:, 1]
    x, y = center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle)
    return Mesh(points=np.stack([x, y, *grid.points.T[2:]], axis=1), cells=grid.cells, boundaries=grid.boundaries)


def together(a: Mesh, b: Mesh) -> Mesh:
    """Two pieces of one cell type; the names of the second end in 2."""
    (kind,) = a.cells
    names = {**a.boundaries, **{f"{k}2": v + np.array([a.num_cells, 0]) for k, v in b.boundaries.items()}}
    cells = np.concatenate([a.cells[kind], b.cells[kind] + a.num_points])
    return Mesh(points=np.concatenate([a.points, b.points]), cells={kind: cells}, boundaries=names)


HOLES = {cell: together(bent((0, 0), 1, cell), bent((5, 3), 1, cell)) for cell in ("tetra", "hexahedron")}
RINGS = {cell: together(bent((0, 0), 1, cell), bent((5, 3), 0.5, cell)) for cell in ("tetra", "triangle")}


def sides(*found: np.ndarray) -> set[tuple[int, int]]:
    return {(int(c), int(f)) for array in found for c, f in array}


@pytest.mark.parametrize("cell", HOLES)
def test_a_cylinder_without_a_point_finds_every_hole_of_its_radius(cell: str) -> None:
    mesh = HOLES[cell]
    assert sides(select.Cylinder((0, 0, 1), 1)(mesh)) == sides(mesh.sides("bottom"), mesh.sides("bottom2"))
    assert sides(select.Cylinder((0, 0, -3), 2)(mesh)) == sides(mesh.sides("top"), mesh.sides("top2"))


@pytest.mark.parametrize("cell", HOLES)
def test_a_cylinder_through_a_point_finds_one_hole(cell: str) -> None:
    mesh = HOLES[cell]
    for point, name in (((0, 0, 7), "bottom"), ((5, 3, -1), "bottom2")):
        assert sides(select.Cylinder((0, 0, 1), 1, point)(mesh)) == sides(mesh.sides(name))


def test_a_cylinder_finds_only_its_radius() -> None:
    mesh = RINGS["tetra"]
    assert sides(select.Cylinder((0, 0, 1), 1)(mesh)) == sides(mesh.sides("bottom"))
    assert sides(select.Cylinder((0, 0, 1), 0.5)(mesh)) == sides(mesh.sides("bottom2"))
    for wrong in (
        select.Cylinder((0, 0, 1), 0.7),
        select.Cylinder((1, 0, 0), 1),
        select.Cylinder((0, 0, 1), 1, (1, 1, 0)),
    ):
        with pytest.raises(SelectionError, match="no outer facet"):
            wrong(mesh)


def test_a_circle_is_a_sphere_in_2d() -> None:
    mesh = RINGS["triangle"]
    assert sides(select.Sphere((5, 3), 0.5)(mesh)) == sides(mesh.sides("bottom2"))
    assert sides(select.Sphere((5, 3), 2)(mesh)) == sides(mesh.sides("top2"))
    with pytest.raises(SelectionError, match="use sphere"):
        select.Cylinder((0, 1), 1)(mesh)


def test_a_sphere_in_3d_holds_every_corner() -> None:
    one = Grid(shape=(1, 1, 1)).mesh()
    assert sides(select.Sphere((0.5, 0.5, 0.5), np.sqrt(0.75))(one)) == sides(one.outer)
    with pytest.raises(SelectionError):
        select.Sphere((0.5, 0.5, 0.5), np.sqrt(0.75))(CUBE)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, 1])
def test_the_faces_of_a_cube_are_found_in_four_ways(axis: int, end: int) -> None:
    wanted, unit = sides(CUBE.sides(NAMES[2 * axis + end])), np.eye(3)[axis]
    assert sides(select.Normal((2 * end - 1) * unit)(CUBE)) == wanted
    assert sides(select.Plane(end * unit, -unit)(CUBE)) == wanted
    assert sides(select.Box(end * unit, np.ones(3) - (1 - end) * unit)(CUBE)) == wanted
    assert sides(select.Nearest(np.full(3, 0.5) + (1.2 * end - 0.6) * unit)(CUBE)) == wanted


@pytest.mark.parametrize("cell", ["tetra", "hexahedron"])
def test_a_plane_takes_one_face_of_a_thin_sheet(cell: str) -> None:
    grid = Grid(shape=(6, 5, 1), cell=cell).mesh()
    sheet = replace(grid, points=grid.points * [1000, 1000, 0.3])
    x, _, z = np.eye(3)
    for name, point, unit in (("left", 0 * x, x), ("right", 1000 * x, x), ("front", 0 * z, z), ("back", 0.3 * z, z)):
        assert sides(select.Plane(point, unit)(sheet)) == sides(sheet.sides(name))
    assert sides(select.Plane((0, 0, 0), (0, 0, 1), 0.31)(sheet)) == sides(sheet.sides("front"), sheet.sides("back"))


@pytest.mark.parametrize("cell", ["tetra", "hexahedron"])
@pytest.mark.parametrize("middle", [(0.0, 0.0), (31.7, -12.3)])
def test_a_cylinder_takes_one_wall_of_a_thin_tube(cell: str, middle: tuple[float, float]) -> None:
    """Half a tube: neither its other wall nor its ends and cuts, whose facets are as narrow as the wall is thick."""
    grid = Grid(shape=(1, 48, 10), cell=cell).mesh()
    r, angle, z = (grid.points * [0.05, np.pi, 200] + [100, 0, 0]).T
    tube = replace(grid, points=np.column_stack([middle[0] + r * np.cos(angle), middle[1] + r * np.sin(angle), z]))
    for point in ((*middle, 5), None):
        for radius, name in ((100, "left"), (100.05, "right")):
            assert sides(select.Cylinder((0, 0, 1), radius, point)(tube)) == sides(tube.sides(name))


@pytest.mark.parametrize("cell", ["triangle", "quad", "tetra", "hexahedron"])
def test_a_sphere_takes_one_wall_of_a_thin_shell(cell: str) -> None:
    dim = 2 if cell in ("triangle", "quad") else 3
    grid = Grid(shape=(1, 24, 24)[:dim], cell=cell).mesh()
    r, angle = 100 + 0.02 * grid.points[:, 0], grid.points[:, 1]
    height = grid.points[:, 2:] - 0.5
    around = np.column_stack([np.cos(angle), np.sin(angle)])
    ball = np.column_stack([around * np.cos(height) if dim == 3 else around, np.sin(height)])
    shell = replace(grid, points=r[:, None] * ball)
    for radius, name in ((100, "left"), (100.02, "right")):
        assert sides(select.Sphere(np.zeros(dim), radius)(shell)) == sides(shell.sides(name))


def test_a_plane_takes_the_edges_of_a_surface_in_it() -> None:
    flat = Grid(shape=(3, 2)).mesh()
    surface = Mesh(points=np.pad(flat.points, [(0, 0), (0, 1)]), cells=flat.cells)
    assert sides(select.Plane((0, 0, 0), (0, 0, 1))(surface)) == sides(surface.outer)


@pytest.mark.parametrize("cell", ["triangle", "quad", "tetra", "hexahedron"])
def test_a_point_on_a_large_facet_is_nearest_to_that(cell: str) -> None:
    """Though the centres of small ones at the end are nearer to it; a point beside the end is nearest to the end."""
    grid = Grid(shape=(1, 4) if cell in ("triangle", "quad") else (1, 4, 4), cell=cell).mesh()
    long = replace(grid, points=grid.points * ([10] + [1] * (grid.dim - 1)))
    for point, name in (((9.9, 1.0), "top"), ((9.9, -0.05), "bottom"), ((10.2, 0.9), "right"), ((10.2, 1.1), "right")):
        found = select.Nearest((*point, 0.5)[: grid.dim])(long)
        assert sides(found) == sides(long.sides(name))


def test_nearest_follows_a_smooth_face_and_stops_at_an_edge() -> None:
    mesh = HOLES["hexahedron"]
    assert sides(select.Nearest((0, 0.9, 0.5))(mesh)) == sides(mesh.sides("bottom"))
    assert sides(select.Nearest((0, 0.9, 0.5), angle=5)(mesh)) < sides(mesh.sides("bottom"))
    assert len(np.unique(smooth_faces(mesh))) == 12
    assert len(np.unique(smooth_faces(CUBE))) == 6


SELECTORS = [
    select.Normal((0, 0, 1)),
    select.Plane((0, 0, 1), (0, 0, 1)),
    select.Box((-3, -3, 0), (3, 3, 1)),
    select.Cylinder((0, 0, 1), 1),
    select.Cylinder((0, 0, 1), 1, (5, 3, 0)),
    select.Nearest((0, 0.9, 0.5)),
]


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("factor", [1e-3, 25.4])
def test_a_change_of_unit_finds_the_same_sides(selector: select.Selector, factor: float) -> None:
    lengths = {"point", "low", "high", "radius"}
    values = {k: np.multiply(v, factor) if k in lengths and v is not None else v for k, v in vars(selector).items()}
    mesh = HOLES["tetra"]
    assert sides(type(selector)(**values)(mesh.scaled(factor))) == sides(selector(mesh))


def from_mask(mask: int) -> tuple[select.Selector, set[tuple[int, int]]]:
    """The sides whose bit is set, as a selector and as a set."""
    chosen = CUBE.outer[[bool(mask >> i & 1) for i in range(len(CUBE.outer))]]
    return (lambda mesh: chosen), sides(chosen)


@given(masks=st.lists(st.integers(0, 2 ** len(CUBE.outer) - 1), min_size=1, max_size=3))
def test_selectors_are_a_set_algebra(masks: list[int]) -> None:
    parts, wanted = zip(*map(from_mask, masks), strict=True)
    everything = sides(CUBE.outer)
    cases = [
        (All(parts), set.intersection(*wanted)),
        (Any(parts), set.union(*wanted)),
        (Not(parts[0]), everything - wanted[0]),
        (All((Any(parts), Not(parts[0]))), set.union(*wanted) - wanted[0]),
    ]
    for selector, expected in cases:
        try:
            assert sides(selector(CUBE)) == expected
        except SelectionError:
            assert not expected or everything in wanted


HALVES = Grid(shape=(4, 2, 2)).mesh()
HALVES = replace(
    HALVES, regions={n: np.flatnonzero(s * (HALVES.cell_centers[:, 0] - 0.5) > 0) for n, s in (("a", -1), ("b", 1))}
)


def test_an_interface_is_what_two_regions_share() -> None:
    a, b = select.Interface(("a", "b"))(HALVES), select.Interface(("b", "a"))(HALVES)
    centers, normals, areas = HALVES.side_geometry(a)
    assert np.allclose(centers[:, 0], 0.5) and np.allclose(normals, [1, 0, 0]) and areas.sum() == pytest.approx(1)
    assert set(HALVES.facet_ids(a)) == set(HALVES.facet_ids(b)) and not sides(a) & sides(b)
    with pytest.raises(SelectionError, match="no region is named 'c'"):
        select.Interface(("a", "c"))(HALVES)


def test_around_a_region_is_its_outer_part_and_its_interface() -> None:
    around = select.Around("a")(HALVES)
    assert HALVES.side_geometry(around)[2].sum() == pytest.approx(1 + 1 + 4 * 0.5)
    outside = All((select.Around("a"), Not(select.Interface(("a", "b")))))(HALVES)
    assert sides(outside) == sides(around) - sides(select.Interface(("a", "b"))(HALVES))
    assert sides(All((select.Around("b"), select.Around("a")))(HALVES)) == sides(select.Interface(("b", "a"))(HALVES))


def test_names_are_matched_by_pattern() -> None:
    mesh = HOLES["tetra"]
    assert sides(select.Named("bottom*")(mesh)) == sides(mesh.sides("bottom"), mesh.sides("bottom2"))
    assert sides(All((select.Named("*"), Not(select.Named("?*2"))))(mesh)) == sides(
        *(s for n, s in mesh.boundaries.items() if not n.endswith("2"))
    )
    with pytest.raises(SelectionError, match="did you mean 'bottom'"):
        select.Named("botom")(mesh)


SPECS = [
    ({"name": "bore*"}, select.Named("bore*")),
    ({"region": "steel"}, select.Around("steel")),
    ({"interface": ["steel", "air"]}, select.Interface(("steel", "air"))),
    ({"normal": [0, 0, -1]}, select.Normal((0.0, 0.0, -1.0))),
    ({"normal": {"direction": [0, 0, -1], "tolerance": 10}}, select.Normal((0.0, 0.0, -1.0), 10.0)),
    ({"plane": {"point": [0, 0, 1], "normal": [0, 0, 1]}}, select.Plane((0.0, 0.0, 1.0), (0.0, 0.0, 1.0))),
    ({"box": {"low": [0, 0], "high": [1, 1]}}, select.Box((0.0, 0.0), (1.0, 1.0))),
    ({"sphere": {"center": [0, 0], "radius": 2, "tolerance": 0.1}}, select.Sphere((0.0, 0.0), 2.0, 0.1)),
    ({"cylinder": {"axis": [0, 0, 1], "radius": 4}}, select.Cylinder((0.0, 0.0, 1.0), 4.0)),
    ({"nearest": [1, 2]}, select.Nearest((1.0, 2.0))),
    ({"not": {"nearest": [1, 2]}}, Not(select.Nearest((1.0, 2.0)))),
    ({"all": [{"nearest": [1]}, {"normal": [1]}]}, All((select.Nearest((1.0,)), select.Normal((1.0,))))),
    ({"any": [{"not": {"nearest": [1]}}]}, Any((Not(select.Nearest((1.0,))),))),
]


@pytest.mark.parametrize(("spec", "selector"), SPECS, ids=lambda v: str(v)[:24])
def test_the_yaml_form_is_the_selector(spec: dict, selector: select.Selector) -> None:
    assert read_selector(spec) == selector


@pytest.mark.parametrize(
    ("spec", "key", "said"),
    [
        (3, (), "expected one selector"),
        ({}, (), "expected one selector"),
        ({"normal": [1], "nearest": [1]}, (), "expected one selector"),
        ({"normal": [0, 1], "tolerance": 9}, (), r"such as \{normal: \{direction: \[0, 1\], tolerance: 9\}\}\."),
        ({"norml": [0, 1], "tolerance": 9}, (), r"such as \{normal: \[0, 0, -1\]\}"),
        ({"norml": [0, 0, 1]}, ("norml",), "did you mean 'normal'"),
        ({"normal": "up"}, ("normal", "direction"), "numbers"),
        ({"normal": 1}, ("normal", "direction"), "a list of numbers"),
        ({"normal": [0, "x"]}, ("normal", "direction"), "numbers"),
        ({"normal": [0, 10**400]}, ("normal", "direction"), "numbers"),
        ({"normal": [0, float("nan")]}, ("normal", "direction"), "finite"),
        ({"cylinder": {"axis": [0, 0, 1]}}, ("cylinder",), "needs 'radius'"),
        ({"cylinder": {"axis": [0, 0, 1], "radius": [1, 2]}}, ("cylinder", "radius"), "a number"),
        ({"cylinder": {"axis": [0, 0, 1], "radius": True}}, ("cylinder", "radius"), "number"),
        ({"cylinder": {"axis": [0, 0, 1], "raduis": 1}}, ("cylinder", "raduis"), "did you mean 'radius'"),
        ({"all": []}, ("all",), "a list of selectors"),
        ({"any": {"normal": [1]}}, ("any",), "a list of selectors"),
        ({"all": [{"normal": [1]}, {"nrmal": [1]}]}, ("all", 1, "nrmal"), "did you mean"),
        ({"not": [1]}, ("not",), "expected one selector"),
        ({"name": 3}, ("name", "pattern"), "a name"),
        ({"interface": ["a"]}, ("interface", "regions"), "two names"),
        ({"interface": "ab"}, ("interface", "regions"), "two names"),
    ],
)
def test_a_wrong_spec_names_its_key(spec: object, key: tuple, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        read_selector(spec, ("boundaries", "a"))
    assert caught.value.key == ("boundaries", "a", *key)


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (select.Normal((0, 1)), "expected 3 numbers"),
        (select.Normal((0, 0, 0)), "not zero"),
        (
            select.Normal((1, 1, 1)),
            r"^\{normal: \[1, 1, 1\]\} finds no outer facet; the mesh spans.*meshops inspect FILE",
        ),
        (
            select.Plane((0, 0, 5), (0, 0, 1)),
            r"\{plane: \{point: \[0, 0, 5\], normal: \[0, 0, 1\]\}\} finds no outer facet",
        ),
        (select.Box((0, 0, 0), (0.1, 0.1, 0.1)), "finds no outer facet"),
        (Not(select.Box((0, 0, 0), (1, 1, 1))), r"\{not: \{box: \{low: .*\}\}\} finds no outer facet"),
        (All((select.Normal((1, 0, 0)), select.Normal((-1, 0, 0)))), "finds no outer facet"),
    ],
)
def test_a_selector_that_finds_nothing_says_so(selector: select.Selector, said: str) -> None:
    with pytest.raises(MeshopsError, match=said) as caught:
        CUBE.with_boundary("new", selector)
    assert isinstance(caught.value, SelectionError)
