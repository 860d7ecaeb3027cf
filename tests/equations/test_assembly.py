"""Assembly and solvers: a plain loop as reference, linear fields exactly, what goes in comes out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from geometries import Dirichlet, Mesh, Neumann, Robin
from geometries.cells import CELLS
from geometries.errors import MeshError
from geometries.families.grid import Grid
from geometries.refine import second_order
from geometries.tags import Normal
from meshops.equations import Case, DampedHelmholtz, Equation, Heat, Stokes, assemble, elements, solve
from meshops.equations.assembly import Assembler, UnsupportedCells, blocks
from meshops.equations.base import AXES, Field
from meshops.equations.probing import probed
from meshops.equations.solvers import SolverError, factorised, hierarchy, multigrid, solve_system

RNG = np.random.default_rng(0)


def shaken(mesh: Mesh, by: float = 0.05) -> Mesh:
    """Inner points moved at random; the outer boundary and all names stay."""
    inner = np.setdiff1d(np.arange(mesh.num_points), mesh.nodes(mesh.outer))
    points = mesh.points.copy()
    points[inner] += RNG.uniform(-by, by, (len(inner), mesh.space_dim))
    return Mesh(points=points, cells=mesh.cells, boundaries=mesh.boundaries)


def mixed() -> Mesh:
    grid = Grid(shape=(4, 3), cell="quad").mesh()
    quads = grid.cells["quad"]
    triangles = quads[:5][:, np.array(CELLS["quad"].simplices)].reshape(-1, 3)
    return Mesh(points=grid.points, cells={"triangle": triangles, "quad": quads[5:]})


FIRST = {
    "line": Grid(shape=(5,)).mesh(),
    "triangle": Grid(shape=(4, 3)).mesh(),
    "quad": Grid(shape=(4, 3), cell="quad").mesh(),
    "tetra": Grid(shape=(3, 2, 3)).mesh(),
    "hexahedron": Grid(shape=(3, 2, 3), cell="hexahedron").mesh(),
    "mixed": mixed(),
}
MESHES = {name: shaken(mesh) for name, mesh in FIRST.items()} | {
    f"{name}-2": second_order(shaken(FIRST[name])) for name in ("triangle", "quad", "tetra")
}


def by_loops(
    mesh: Mesh, k: np.ndarray, f: np.ndarray, q: float, h: float, ambient: float
) -> tuple[np.ndarray, np.ndarray]:
    """P1 on simplices, cell by cell, facet by facet: k per cell, f per point; q on `left`, h and ambient on `right`."""
    d, matrix, rhs = mesh.dim, np.zeros((mesh.num_points,) * 2), np.zeros(mesh.num_points)
    (cells,) = mesh.cells.values()
    for c, nodes in enumerate(cells):
        corners = np.hstack([np.ones((d + 1, 1)), mesh.points[nodes]])
        slopes, volume = np.linalg.inv(corners)[1:], abs(np.linalg.det(corners)) / math.factorial(d)
        for i, j in itertools.product(range(d + 1), repeat=2):
            matrix[nodes[i], nodes[j]] += k[c] * volume * slopes[:, i] @ slopes[:, j]
            rhs[nodes[i]] += volume / ((d + 1) * (d + 2)) * (1 + (i == j)) * f[nodes[j]]
    for name, flux, exchange in (("left", q, 0.0), ("right", h * ambient, h)):
        _, _, areas = mesh.side_geometry(mesh.sides(name))
        for _, at, facets in mesh.facets(mesh.sides(name)):
            for side, nodes in zip(at, facets, strict=True):
                for i, j in itertools.product(range(d), repeat=2):
                    matrix[nodes[i], nodes[j]] += exchange * areas[side] / (d * (d + 1)) * (1 + (i == j))
                    rhs[nodes[i]] += flux * areas[side] / (d * d)
    return matrix, rhs


@pytest.mark.parametrize("name", ["triangle", "tetra"])
def test_assembly_is_a_plain_loop(name: str) -> None:
    mesh = MESHES[name]
    near = np.flatnonzero(mesh.cell_centers[:, 0] < 0.5)
    far = np.setdiff1d(np.arange(mesh.num_cells), near)
    mesh = Mesh(points=mesh.points, cells=mesh.cells, boundaries=mesh.boundaries, regions={"near": near, "far": far})
    conditions = {"left": Neumann(3), "right": Robin(2, ambient=5)}
    coefficients = {"conductivity": {"near": 1.5, "far": 7}}
    system = assemble(Case(mesh, Heat(), conditions=conditions, coefficients=coefficients, source="1 + x - 2*y"))
    k = np.where(np.isin(np.arange(mesh.num_cells), near), 1.5, 7.0)
    matrix, rhs = by_loops(mesh, k, 1 + mesh.points[:, 0] - 2 * mesh.points[:, 1], 3, 2, 5)
    np.testing.assert_allclose(system.matrix.toarray(), matrix, atol=1e-13)
    np.testing.assert_allclose(system.rhs, rhs, atol=1e-13)
    assert not system.fixed.any()


@pytest.mark.parametrize("name", MESHES)
def test_linear_fields_are_solved_exactly(name: str) -> None:
    mesh = MESHES[name]
    text = "1 + 2*x" + " - 3*y" * (mesh.dim > 1) + " + z/2" * (mesh.dim > 2)
    conditions = {"*": Dirichlet(text)}
    if "right" in mesh.boundaries:
        conditions |= {"right": Neumann(2 * 2.5), "left": Robin(4, ambient=f"{text} - 5/4")}
    case = Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": 2.5})
    slopes = np.array([2, -3, 0.5])[: mesh.dim]
    np.testing.assert_allclose(solve(case).values, 1 + mesh.points @ slopes, atol=1e-11)


@pytest.mark.parametrize("name", [n for n in MESHES if n != "mixed"])
def test_what_goes_in_comes_out(name: str) -> None:
    mesh = MESHES[name]
    conditions = {"left": Dirichlet("y" if mesh.dim > 1 else 2), "right": Neumann(3.0)}
    case = Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": "1 + x"}, source="exp(x)")
    system, values = assemble(case), solve(case).values
    rest = system.matrix @ values - system.rhs
    heat = math.e - 1 + 3.0  # of source and flux: the box has volume 1, its right side area 1
    assert system.rhs.sum() == pytest.approx(heat, rel=1e-3)
    np.testing.assert_allclose(rest[~system.fixed], 0, atol=1e-10)
    assert rest[system.fixed].sum() == pytest.approx(-system.rhs.sum())
    np.testing.assert_allclose((system.matrix - system.matrix.T).toarray(), 0, atol=1e-12)


def test_exchange_takes_what_no_other_side_does() -> None:
    mesh = MESHES["tetra"]
    conditions = {"left": Robin(2, ambient=1), "right": Robin(3, ambient=-4)}
    values = solve(Case(mesh, Heat(), conditions=conditions, source=7.0)).values
    out = 0.0
    for name, h, ambient in (("left", 2, 1), ("right", 3, -4)):
        _, _, areas = mesh.side_geometry(mesh.sides(name))
        out += sum((h * areas[at] * (values[p].mean(1) - ambient)).sum() for _, at, p in mesh.facets(mesh.sides(name)))
    assert out == pytest.approx(7.0)


@pytest.mark.parametrize("name", ["triangle", "triangle-2", "tetra", "hexahedron"])
def test_arrays_stand_for_the_expressions_that_they_sample(name: str) -> None:
    mesh = MESHES[name]
    x, y = mesh.points.T[:2]
    left, right = mesh.nodes(mesh.sides("left")), mesh.nodes(mesh.sides("right"))

    def system(over_points: bool) -> tuple[np.ndarray, np.ndarray]:
        conditions = {
            "left": Neumann(1 + y[left] if over_points else "1+y"),
            "right": Robin(2 + y[right] if over_points else "2+y", ambient=3 * y[right] if over_points else "3*y"),
            "top": Dirichlet(x[mesh.nodes(mesh.sides("top"))] if over_points else "x"),
        }
        coefficients = {"conductivity": 1 + x if over_points else "1+x"}
        source = x - y if over_points else "x-y"
        found = assemble(Case(mesh, Heat(), conditions=conditions, coefficients=coefficients, source=source))
        return found.matrix.toarray(), np.concatenate([found.rhs, found.fixed_value])

    for ours, theirs in zip(system(True), system(False), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("name", ["triangle", "tetra", "hexahedron"])
def test_an_array_over_sides_is_constant_on_each(name: str) -> None:
    shape = (4, 3) if name == "triangle" else (2, 2, 2)
    mesh = Grid(shape=shape, cell=name).mesh()  # with other numbers of points than of sides
    centers, _, _ = mesh.side_geometry(mesh.sides("right"))
    steps = np.where(centers[:, 1] < 1 / 3 if name == "triangle" else centers[:, 1] < 1 / 2, 1.0, 3.0)
    text = "where(y < 1/3, 1, 3)" if name == "triangle" else "where(y < 1/2, 1, 3)"
    rhs = [
        assemble(Case(mesh, Heat(), conditions={"left": Dirichlet(0), "right": Neumann(value)})).rhs
        for value in (steps, text)
    ]
    np.testing.assert_allclose(rhs[0], rhs[1], atol=1e-13)


def test_conjugate_gradients_find_what_a_factorization_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(
        shaken(Grid(shape=(40, 40)).mesh(), 0.005),
        Heat(),
        conditions={"left": Dirichlet("y"), "*": Robin("1+x", ambient=3)},
        coefficients={"conductivity": "exp(3*x)"},
        source=5.0,
    )
    small = solve(case)
    monkeypatch.setattr("meshops.equations.solvers.DIRECT_BELOW", 0)
    large = solve(case)
    assert (small.made_by["solver"], large.made_by["solver"]) == ("direct", "cg+amg")
    assert large.made_by["iterations"] > 1
    np.testing.assert_allclose(large.values, small.values, rtol=1e-7)
    matrix = assemble(case).matrix[:200][:, :200]
    assert not multigrid(matrix, hierarchy(matrix), np.zeros(200))[0].any()
    assert not factorised(matrix)(np.zeros(200)).any()


def test_a_matrix_that_is_not_definite_is_an_error() -> None:
    system = assemble(Case(MESHES["triangle"], Heat(), conditions={"left": Dirichlet(0)}, source=1.0))
    with pytest.raises(SolverError, match="residual"), pytest.warns(UserWarning, match="Indefinite"):
        multigrid(
            system.matrix, hierarchy(system.matrix), system.rhs
        )  # singular: nothing eliminated, and rhs is not in its range


def test_where_every_point_is_fixed_nothing_is_solved() -> None:
    case = Case(Grid(shape=(1, 1)).mesh(), Heat(), conditions={"*": Dirichlet("x")})
    solved = solve_system(assemble(case))
    assert solved.solver == "none"
    np.testing.assert_array_equal(solved.values, case.mesh.points[:, 0])


def test_fixed_points_hold_their_values_exactly() -> None:
    case = Case(MESHES["tetra-2"], Heat(), conditions={"left": Dirichlet("sin(y)+z"), "right": Neumann(1)})
    nodes = case.mesh.nodes(case.mesh.sides("left"))
    _, y, z = case.mesh.points[nodes].T
    assert np.array_equal(solve(case).values[nodes], np.sin(y) + z)


def test_cells_without_an_element_are_refused() -> None:
    pyramid = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]]
    sheet = FIRST["triangle"]
    lifted = Mesh(points=np.hstack([sheet.points, sheet.points[:, :1]]), cells=sheet.cells)
    for mesh, said in (
        (Mesh(points=np.array(pyramid, float), cells={"pyramid": [[0, 1, 2, 3, 4]]}), "no pyramid element"),
        (lifted, "dimension 2 in 3-D"),
    ):
        with pytest.raises(UnsupportedCells, match=said):
            solve(Case(mesh, Heat(), conditions={"*": Dirichlet(0)}))


def test_cells_of_several_orders_are_refused() -> None:
    points = [[0, 0], [1, 0], [1, 1], [0, 1], [2, 0.5], [1, 0.5], [1.5, 0.25], [1.5, 0.75]]
    cells = {"quad": [[0, 1, 2, 3]], "triangle6": [[1, 4, 2, 6, 7, 5]]}
    mesh = Mesh(points=np.array(points), cells=cells).with_boundary("left", Normal((-1, 0)))
    for equation, held in ((Heat(), Dirichlet("x+y")), (Stokes(), Dirichlet(0))):
        case = Case(mesh, equation, conditions={"left": held}, source="x" if equation.name == "heat" else 0.0)
        with pytest.raises(UnsupportedCells, match="quad and triangle6 cells, of first and of second order"):
            solve(case)
        assert np.isfinite(case.loads).all()


def test_a_line_whose_mid_node_is_off_its_middle_is_refused() -> None:
    for middle in (0.3, 0.5 + 1e-9):
        mesh = Mesh(points=[[0.0], [1.0], [middle]], cells={"line3": [[0, 1, 2]]}, boundaries={"end": [[0, 0]]})
        case = Case(mesh, Heat(), conditions={"end": Dirichlet(0)}, source=2.0)
        if middle > 0.5:
            assert solve(case).values[2] == pytest.approx(0.75)
            continue
        with pytest.raises(MeshError, match=r"line3 cell from 0 to 1 has its mid-node at 0\.3; expected in the middle"):
            solve(case)


def test_multigrid_gives_the_same_bits_each_time_and_leaves_the_global_generator_alone() -> None:
    mesh = Grid(shape=(70, 70), cell="triangle").mesh()
    case = Case(mesh, Heat(), conditions={"left": Dirichlet(0.0)}, source=1.0)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = solve(case), solve(case)
    assert first.made_by["solver"] == "cg+amg"
    assert (first.values == second.values).all()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("name", ["triangle-2", "quad", "tetra", "hexahedron"])
def test_probing_gives_the_matrix_of_every_pair_of_basis_functions(name: str) -> None:
    import skfem
    from skfem.helpers import ddot, div, dot, grad, mul

    def form(u: Any, p: Any, v: Any, q: Any, w: Any) -> Any:
        inside = w.k * ddot(grad(u), grad(v)) + dot(mul(grad(u), w.b), v) + u[0] * v[1]
        return inside + dot(w.b, u) * q - p * div(v) + p * q

    mesh = MESHES[name]
    (block,) = blocks(mesh, (Field("u", "m", AXES), Field("p", "Pa")))
    side = mesh.sides("left")
    for basis in (block.basis(), block.facet_basis(side)):
        x = np.asarray(basis.global_coordinates())
        data = {"k": 1 + x[0] ** 2, "b": np.sin(x)}
        numbers = np.random.default_rng(0).permutation(basis.N)
        ours = probed(basis, form, data, numbers, basis.N).toarray()
        theirs = skfem.BilinearForm(form).assemble(basis, **data).toarray()
        np.testing.assert_allclose(ours[np.ix_(numbers, numbers)], theirs, atol=1e-13)


@pytest.mark.parametrize("equation", [Heat(), DampedHelmholtz(), Stokes()], ids=lambda e: e.name)
@pytest.mark.parametrize("cell", ["triangle", "quad"])
def test_a_large_mesh_is_assembled_in_pieces(equation: Equation, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few cells, whose bases are not kept, add up to the same system."""
    mesh = Grid(shape=(4, 4), cell=cell, order=2).mesh()
    coefficients = {c.name: 2.0 for c in equation.coefficients if c.default is None}
    case = Case(mesh, equation, conditions={"left": Dirichlet(0)}, coefficients=coefficients)
    whole = Assembler(case).system(None, 0.0)
    monkeypatch.setattr(elements, "PIECE", 2_000)
    monkeypatch.setattr(elements, "KEPT", 0)
    pieces = Assembler(case)
    assert len(list(pieces.blocks)) > 1
    assert next(pieces.blocks)[1] is not next(pieces.blocks)[1]
    np.testing.assert_allclose(pieces.system(None, 0.0).matrix.toarray(), whole.matrix.toarray(), atol=1e-12)
    np.testing.assert_allclose(pieces.system(None, 0.0).rhs, whole.rhs, atol=1e-12)


def test_pieces_know_their_regions_and_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(shape=(4, 4), cell="quad").mesh()
    mesh = grid.named(regions={f"cell{i}": np.array([i]) for i in range(16)})
    given = {f"cell{i}": 1.0 + i for i in range(16)}
    case = Case(mesh, Heat(), conditions={"right": Robin("y", ambient="y**2")}, coefficients={"conductivity": given})
    whole = assemble(case)
    monkeypatch.setattr(elements, "PIECE", 500)
    pieces = assemble(case)
    np.testing.assert_allclose(pieces.matrix.toarray(), whole.matrix.toarray(), atol=1e-12)
    np.testing.assert_allclose(pieces.rhs, whole.rhs, atol=1e-12)


def test_cells_that_fold_over_are_not_solved() -> None:
    dart = Mesh(points=[[0, 0], [1, 0], [0.2, 0.2], [0, 1]], cells={"quad": [[0, 1, 2, 3]]})
    case = Case(dart.named(boundaries={"left": [[0, 3]]}), Heat(), conditions={"left": Dirichlet(0)}, source=1.0)
    with pytest.raises(MeshError, match=r"1 of 1 quad cells fold over .* mesh the part again"):
        solve(case)
