"""Laws of solids: rigid motions, balance, patches, supports at any angle, units; large strains in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from geometries import Dirichlet, Neumann, Robin
from geometries.conditions import Condition, Periodic, Pressure, Roller
from geometries.errors import SpecError
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from geometries.refine import second_order
from meshops.equations import Case, Elasticity, Equation, Hyperelasticity, PlaneStress, assemble, solve
from meshops.equations.reactions import reactions
from meshops.equations.recovery import nodal_gradient
from meshops.equations.solids import lame, rigid_motions, von_mises
from meshops.graph import build_graph

SOLIDS = (Elasticity(), PlaneStress(), Hyperelasticity())
SHAPES = {"triangle": (4, 3), "quad": (4, 3), "tetra": (3, 2, 2), "hexahedron": (3, 2, 2)}
PLANES = ("left", "bottom", "front")  # through the origin
E, NU = 210.0, 0.3
ELASTIC = {"young": E, "poisson": NU}


def shaken(mesh: Mesh, size: float = 0.03) -> Mesh:
    """Inner points moved: no grid is left to be kind."""
    inner = np.setdiff1d(np.arange(mesh.num_points), mesh.nodes(mesh.outer))
    points = np.array(mesh.points)
    points[inner] += np.random.default_rng(1).uniform(-size, size, points[inner].shape)
    return replace(mesh, points=points)


def mixed() -> Mesh:
    grid = Grid(shape=(4, 3), cell="quad").mesh()
    triangles = grid.cells["quad"][:5][:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    return Mesh(points=grid.points, cells={"triangle": triangles, "quad": grid.cells["quad"][5:]})


FIRST = {cell: shaken(Grid(shape=shape, cell=cell).mesh()) for cell, shape in SHAPES.items()}
MESHES = FIRST | {f"{cell}-2": second_order(mesh) for cell, mesh in FIRST.items()}
PAIRS = [pytest.param(e, m, id=f"{e.name}-{n}") for e in SOLIDS for n, m in MESHES.items() if m.dim in e.dims]
LINEAR = [pair for pair in PAIRS if not isinstance(pair.values[0], Hyperelasticity)]


def rollers(mesh: Mesh) -> dict[str, Condition]:
    """No rigid motion is left, and nothing else is held."""
    return {name: Roller() for name in PLANES[: mesh.dim]}


def tensor(stress: np.ndarray) -> np.ndarray:
    """(N, 3, 3) of (N, 6)."""
    return stress[:, [[0, 3, 5], [3, 1, 4], [5, 4, 2]]]


# -- the matrix --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("equation", "mesh"), PAIRS)
def test_rigid_motions_cost_nothing_and_the_matrix_is_symmetric(equation: Equation, mesh: Mesh) -> None:
    case = Case(mesh, equation, conditions={"left": Dirichlet((0,) * mesh.dim)}, coefficients={"young": "1+x"})
    matrix, motions = assemble(case).matrix, rigid_motions(mesh)
    assert abs(matrix - matrix.T).max() < 1e-13 * abs(matrix).max()
    assert np.abs(matrix @ motions).max() < 1e-12 * abs(matrix).max()
    energies = np.linalg.eigvalsh(matrix.toarray()) / abs(matrix).max()
    assert (np.abs(energies) < 1e-10).sum() == motions.shape[1] and energies[0] > -1e-12  # and nothing else is free


@pytest.mark.parametrize(("equation", "mesh"), PAIRS)
def test_supports_carry_what_is_put_in(equation: Equation, mesh: Mesh) -> None:
    d = mesh.dim
    pull, weight = np.array([0.3, -0.2, 0.1])[:d], np.array([0.0, -0.4, 0.2])[:d]
    case = Case(
        mesh,
        equation,
        conditions={"left": Dirichlet((0,) * d), "right": Neumann(pull), "bottom": Dirichlet((None, 0, None)[:d])},
        coefficients={"young": 10.0},
        source=weight,
    )
    found = reactions(case, solve(case).fields)
    assert list(found) == ["left", "bottom"]
    np.testing.assert_allclose(sum(found.values()), -(pull + weight), atol=1e-8)
    assert found["bottom"][0] == 0.0 and abs(found["bottom"][1]) > 0.01
    assert solve(case).quantities["bottom.reaction.y"] == pytest.approx(found["bottom"][1])


# -- patches: what varies linearly is exact ----------------------------------------------------------------------------
SLOPE = np.array([[0.1, 0.05, -0.02], [-0.03, -0.08, 0.04], [0.06, 0.02, 0.03]])


def patch(mesh: Mesh, equation: Equation, on_right: Any = None) -> Case:
    slope = SLOPE[: mesh.dim, : mesh.dim]
    linear = tuple("+".join(f"({s})*{axis}" for s, axis in zip(row, "xyz", strict=False)) for row in slope)
    conditions: dict[str, Any] = {"*": Dirichlet(linear)} | (
        {"right": Neumann(on_right)} if on_right is not None else {}
    )
    return Case(mesh, equation, conditions=conditions, coefficients=ELASTIC)


def stress_of(equation: Equation, slope: np.ndarray) -> np.ndarray:
    """(3, 3) Cauchy stresses of a uniform gradient, by the textbook."""
    d, (lam, mu) = len(slope), lame(E, NU)
    out = np.zeros((3, 3))
    if isinstance(equation, Hyperelasticity):
        f = np.eye(3)
        f[:d, :d] += slope
        volume = np.linalg.det(f)
        return (mu * (f @ f.T - np.eye(3)) + lam * np.log(volume) * np.eye(3)) / volume
    strain = (slope + slope.T) / 2
    if isinstance(equation, PlaneStress):
        out[:2, :2] = E / (1 - NU**2) * ((1 - NU) * strain + NU * np.trace(strain) * np.eye(2))
        return out
    out[:d, :d] = 2 * mu * strain
    return out + lam * np.trace(strain) * np.eye(3)


@pytest.mark.parametrize(("equation", "mesh"), PAIRS)
def test_a_uniform_strain_is_exact_and_so_is_its_stress(equation: Equation, mesh: Mesh) -> None:
    d = mesh.dim
    slope, sigma = SLOPE[:d, :d], stress_of(equation, SLOPE[:d, :d])
    pull = sigma[:d, 0]
    if isinstance(equation, Hyperelasticity):  # per area before: P = J σ F^-T
        f = np.eye(d) + slope
        pull = np.linalg.det(f) * sigma[:d, :d] @ np.linalg.inv(f).T[:, 0]
    for on_right in (None, pull):
        solution = solve(patch(mesh, equation, on_right)).with_derived()
        np.testing.assert_allclose(solution.values, mesh.points @ slope.T, atol=1e-9)
        np.testing.assert_allclose(tensor(solution.fields["stress"]), np.broadcast_to(sigma, (mesh.num_points, 3, 3)),
                                   atol=1e-6)  # fmt: skip
    expected = np.sqrt(1.5) * np.linalg.norm(sigma - np.eye(3) * np.trace(sigma) / 3)
    np.testing.assert_allclose(solution.fields["von_mises"], expected, atol=1e-6)


@pytest.mark.parametrize("mesh", [*MESHES.values(), mixed()])
def test_gradients_of_linear_fields_are_recovered_exactly(mesh: Mesh) -> None:
    slope = SLOPE[:, : mesh.dim]
    found = nodal_gradient(mesh, mesh.points @ slope.T)
    np.testing.assert_allclose(found, np.broadcast_to(slope, found.shape), atol=1e-12)


def test_the_error_of_recovered_gradients_falls_by_their_order() -> None:
    for order, rates in ((1, 1.4), (2, 1.9)):
        gaps = []
        for n in (8, 16):
            mesh = Grid(shape=(n, n), order=order).mesh()
            x, y = mesh.points.T
            found = nodal_gradient(mesh, (np.sin(2 * x) * np.exp(y))[:, None])[:, 0]
            exact = np.stack([2 * np.cos(2 * x), np.sin(2 * x)], axis=1) * np.exp(y)[:, None]
            gaps.append(np.sqrt(mesh.mass @ ((found - exact) ** 2).sum(1)))
        assert np.log2(gaps[0] / gaps[1]) > rates


def test_a_stress_that_is_continuous_is_recovered_across_two_materials() -> None:
    mesh = Grid(shape=(4, 3), cell="quad").mesh()
    west = np.flatnonzero(mesh.cell_centers[:, 0] < 0.5)
    mesh = replace(mesh, regions={"west": west, "east": np.setdiff1d(np.arange(mesh.num_cells), west)})
    case = Case(
        mesh,
        PlaneStress(),
        conditions={**rollers(mesh), "right": Neumann((2.0, 0.0))},
        coefficients={"young": {"west": 1.0, "east": 50.0}, "poisson": 0.0},
    )
    stress = solve(case).with_derived().fields["stress"]
    np.testing.assert_allclose(stress, np.broadcast_to([2.0, 0, 0, 0, 0, 0], stress.shape), atol=1e-9)


def test_von_mises_of_simple_stresses() -> None:
    uniaxial, hydrostatic, shear = [5.0, 0, 0, 0, 0, 0], [3.0, 3, 3, 0, 0, 0], [0, 0, 0, 2.0, 0, 0]
    found = von_mises(np.array([uniaxial, hydrostatic, shear]))[:, 0]
    np.testing.assert_allclose(found, [5, 0, 2 * np.sqrt(3)], atol=1e-12)


# -- warmth ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("equation", "mesh"), LINEAR)
def test_a_free_block_expands_without_stress(equation: Equation, mesh: Mesh) -> None:
    warm = {**ELASTIC, "expansion": 1e-3, "temperature_rise": 50.0}
    solution = solve(Case(mesh, equation, conditions=rollers(mesh), coefficients=warm)).with_derived()
    across = isinstance(equation, Elasticity) and not isinstance(equation, PlaneStress) and mesh.dim == 2
    np.testing.assert_allclose(solution.values, 0.05 * (1 + NU if across else 1) * mesh.points, atol=1e-12)
    expected = [0, 0, -E * 0.05 if across else 0, 0, 0, 0]  # plane strain holds it across
    np.testing.assert_allclose(solution.fields["stress"], np.broadcast_to(expected, (mesh.num_points, 6)), atol=1e-9)


def test_plane_stress_is_plane_strain_with_other_moduli() -> None:
    mesh = MESHES["triangle-2"]
    conditions = {"left": Dirichlet((0, 0)), "right": Neumann((1, 2)), "top": Pressure("x")}
    thin = Case(mesh, PlaneStress(), conditions=conditions, coefficients=ELASTIC)
    other = {"young": E * (1 + 2 * NU) / (1 + NU) ** 2, "poisson": NU / (1 + NU)}
    deep = Case(mesh, Elasticity(), conditions=conditions, coefficients=other)
    np.testing.assert_allclose(solve(thin).values, solve(deep).values, rtol=1e-9, atol=1e-12)


# -- supports ----------------------------------------------------------------------------------------------------------
def turned(mesh: Mesh) -> np.ndarray:
    """A rotation by no special angle."""
    c, s = np.cos(0.7), np.sin(0.7)
    plane = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return plane[:2, :2] if mesh.dim == 2 else plane @ tilt


@pytest.mark.parametrize(("equation", "mesh"), PAIRS)
def test_rollers_at_any_angle_are_those_along_the_axes_turned(equation: Equation, mesh: Mesh) -> None:
    pull, weight = np.array([3.0, 1.0, 2.0])[: mesh.dim], np.array([1.0, -2.0, 0.5])[: mesh.dim]

    def case(turn: np.ndarray) -> Case:
        return Case(
            replace(mesh, points=mesh.points @ turn.T),
            equation,
            conditions={**rollers(mesh), "right": (Neumann(turn @ pull), Pressure(2.0))},
            coefficients=ELASTIC,
            source=turn @ weight,
        )

    turn = turned(mesh)
    straight, oblique = case(np.eye(mesh.dim)), case(turn)
    ours, theirs = solve(straight).with_derived(), solve(oblique).with_derived()
    size = np.abs(ours.values).max()
    np.testing.assert_allclose(theirs.values, ours.values @ turn.T, atol=1e-8 * size)
    np.testing.assert_allclose(theirs.fields["von_mises"], ours.fields["von_mises"], rtol=1e-6)
    for name, force in reactions(straight, ours.fields).items():
        np.testing.assert_allclose(reactions(oblique, theirs.fields)[name].sum(), (turn @ force).sum(), atol=1e-6)


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"right": Neumann((1, 0, 0))},
        {"left": Roller(), "bottom": Roller()},
        {"left": Dirichlet((0, None, None)), "bottom": Dirichlet((None, 0, None)), "right": Neumann((0, 0, 1))},
        {"left": Robin(0.0)},
        {"left": Periodic("right"), "bottom": Roller()},
    ],
)
@pytest.mark.parametrize("equation", [Elasticity(), Hyperelasticity()])
def test_a_part_that_can_still_move_is_refused(conditions: Mapping[str, Condition], equation: Equation) -> None:
    with pytest.raises(SpecError, match="can still move or turn"):
        Case(MESHES["tetra"], equation, conditions=conditions)


@pytest.mark.parametrize(
    "conditions",
    [
        {"left": Dirichlet((0, 0, 0))},
        {"left": Robin(1e-3)},
        {name: Roller() for name in PLANES},
        {"left": Periodic("right"), "bottom": Roller(), "front": Dirichlet((0, None, 0))},
    ],
)
def test_a_part_that_is_held_is_taken(conditions: Mapping[str, Condition]) -> None:
    assert np.isfinite(solve(Case(MESHES["tetra"], Elasticity(), conditions=conditions)).values).all()


def test_each_piece_needs_its_own_supports() -> None:
    one = Grid(shape=(2, 2)).mesh()
    points = np.concatenate([one.points, one.points + np.array([3, 0])])
    cells = np.concatenate([one.cells["triangle"], one.cells["triangle"] + one.num_points])
    both = Mesh(points=points, cells={"triangle": cells}, boundaries=dict(one.boundaries))
    with pytest.raises(SpecError, match="one of 2"):
        Case(both, PlaneStress(), conditions={"left": Dirichlet((0, 0))})


def test_poissons_ratio_is_in_its_range() -> None:
    for wrong in (0.5, "0.2+x", -1.0):
        with pytest.raises(SpecError, match="poisson"):
            Case(MESHES["quad"], Elasticity(), conditions=rollers(MESHES["quad"]), coefficients={"poisson": wrong})


def test_poissons_ratio_of_one_cell_is_in_its_range() -> None:
    """A mean over the cells at a point would hide it."""
    mesh = MESHES["quad"]
    mesh = replace(mesh, regions={"one": np.array([5]), "rest": np.delete(np.arange(mesh.num_cells), 5)})
    with pytest.raises(SpecError, match=r"poisson is 0.1 to 0.6"):
        Case(mesh, Elasticity(), conditions=rollers(mesh), coefficients={"poisson": {"one": 0.6, "rest": 0.1}})


# -- units -------------------------------------------------------------------------------------------------------------
def in_units(equation: Equation, length: float, newton: float, kelvin: float) -> Case:
    mesh = FIRST["tetra" if 3 in equation.dims else "quad"].scaled(length)
    d, area = mesh.dim, length ** (mesh.dim - 1)
    pascal = newton / length ** (2 if d == 3 else 1)
    warm = {"expansion": 1e-2 / kelvin, "temperature_rise": 5.0 * kelvin}
    return Case(
        mesh,
        equation,
        conditions={
            "left": Dirichlet((0.01 * length,) * d),
            "right": Neumann((0.2 * newton / area,) * d),
            "top": (Pressure(0.1 * newton / area), Robin(3 * pascal / length, ambient=(0.1 * length,) * d)),
            "bottom": Roller(),
        },
        coefficients={"young": 9 * pascal, **(warm if "expansion" in {c.name for c in equation.coefficients} else {})},
        source=np.full(d, 0.3 * newton / area / length),
    )


@settings(max_examples=8)
@given(length=st.floats(1e-4, 1e4), newton=st.floats(1e-4, 1e4), kelvin=st.floats(1e-2, 1e2))
@pytest.mark.parametrize("equation", SOLIDS, ids=lambda e: e.name)
def test_one_problem_in_other_units_is_one_graph(
    equation: Equation, length: float, newton: float, kelvin: float
) -> None:
    ours, theirs = (
        build_graph(case, solve(case), dtype=torch.float64)
        for case in (in_units(equation, 1.0, 1.0, 1.0), in_units(equation, length, newton, kelvin))
    )
    for name in ours.keys():  # noqa: SIM118  (Data iterates over pairs)
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-6, atol=1e-6, err_msg=name)
    assert 0.02 < ours["y"].abs().max() < 20


# -- large strains in closed form --------------------------------------------------------------------------------------
def test_large_strains_tend_to_small_ones() -> None:
    mesh, gaps = MESHES["quad-2"], []
    for load in (1.0, 0.1):
        conditions = {"left": Dirichlet((0, 0)), "right": Neumann((load, load)), "top": Pressure(load)}
        small, large = (
            solve(Case(mesh, e, conditions=conditions, coefficients=ELASTIC)).values
            for e in (Elasticity(), Hyperelasticity())
        )
        gaps.append(np.abs(large - small).max() / np.abs(small).max())
    assert gaps[0] < 0.1 and gaps[1] == pytest.approx(gaps[0] / 10, rel=0.1)


@pytest.mark.parametrize("shear", [0.5, 2.0])
def test_simple_shear(shear: float) -> None:
    """σ_xy = μ γ, σ_xx = μ γ²: a normal stress of second order, which linear elasticity lacks."""
    mesh, (_, mu) = MESHES["triangle"], lame(E, NU)
    solution = solve(Case(mesh, Hyperelasticity(), conditions={"*": Dirichlet((f"{shear}*y", 0))},
                          coefficients=ELASTIC)).with_derived()  # fmt: skip
    expected = [mu * shear**2, 0, 0, mu * shear, 0, 0]
    np.testing.assert_allclose(
        solution.fields["stress"], np.broadcast_to(expected, (mesh.num_points, 6)), atol=1e-6 * E
    )


@pytest.mark.parametrize("stretch", [0.3, 0.7, 1.5, 4.0])
def test_uniaxial_stretch(stretch: float) -> None:
    """The sides are free: μ (s - 1/s) + λ ln(l s²)/s = 0 gives s, and then the stress along the axis."""
    mesh, (lam, mu) = MESHES["hexahedron"], lame(E, NU)
    side = brentq(lambda s: mu * (s - 1 / s) + lam * np.log(stretch * s * s) / s, 0.1, 10)
    conditions = {**rollers(mesh), "right": Dirichlet((stretch - 1, None, None))}
    solution = solve(Case(mesh, Hyperelasticity(), conditions=conditions, coefficients=ELASTIC)).with_derived()
    np.testing.assert_allclose(solution.values, mesh.points * [stretch - 1, side - 1, side - 1], atol=1e-7)
    along = (mu * (stretch**2 - 1) + lam * np.log(stretch * side**2)) / (stretch * side**2)
    np.testing.assert_allclose(solution.fields["stress"][:, 0], along, rtol=1e-5)
    np.testing.assert_allclose(solution.fields["stress"][:, 1:], 0, atol=1e-5 * E)


@pytest.mark.parametrize("pressure", [-0.2, 0.5, 5.0])
def test_a_pressure_follows_the_surface(pressure: float) -> None:
    """All around: stretches by s alike, whose stress is -p on the area that there is then."""
    mesh, (lam, mu) = MESHES["tetra"], lame(1.0, NU)
    side = brentq(lambda s: mu * (s - 1 / s) + 3 * lam * np.log(s) / s + pressure * s * s, 0.05, 1.5)
    conditions = {**rollers(mesh), "*": Pressure(pressure)}
    solution = solve(Case(mesh, Hyperelasticity(), conditions=conditions, coefficients={"poisson": NU})).with_derived()
    np.testing.assert_allclose(solution.values, (side - 1) * mesh.points, atol=1e-7)
    np.testing.assert_allclose(solution.fields["stress"][:, :3], -pressure, rtol=1e-5)


def test_loads_that_are_too_much_at_once_are_put_on_in_steps() -> None:
    """A strip bent over by its end: more than its length of travel; what a small share of the load says is exceeded."""
    mesh = Grid(shape=(20, 2), cell="quad", order=2).mesh()
    mesh = replace(mesh, points=mesh.points * [10, 1])
    case = Case(
        mesh,
        Hyperelasticity(),
        conditions={"left": Dirichlet((0, 0)), "right": Dirichlet((-9.0, 6.0))},
        coefficients=ELASTIC,
    )
    solution = solve(case)
    assert solution.made_by["solver"] == "newton by steps"
    slope = nodal_gradient(mesh, solution.values)
    assert (np.linalg.det(np.eye(2) + slope) > 0.1).all()
    ends = reactions(case, solution.fields)
    np.testing.assert_allclose(ends["left"], -ends["right"], atol=1e-6 * np.abs(ends["left"]).max())


def test_a_cell_that_would_turn_over_is_refused_with_a_word() -> None:
    from meshops.equations.solvers import SolverError

    mesh = Grid(shape=(2, 2)).mesh()
    with pytest.raises(SolverError, match="way"):
        solve(Case(mesh, Hyperelasticity(), conditions={"*": Dirichlet(("-2*x", 0))}))
