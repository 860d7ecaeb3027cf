"""Random cases and random fields, by seed: 2-D and 3-D, P1 and P2, every kind of coefficient and condition."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import skfem
from skfem.helpers import ddot, sym_grad, trace

from geometries.conditions import Condition, Dirichlet, Neumann, Periodic, Pressure, Robin, Roller
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import EQUATIONS, Case, LinearSystem
from meshops.equations.solvers import solve_system

SHAPES = (
    ("triangle", 1, (19, 16)),
    ("triangle", 2, (10, 9)),
    ("quad", 1, (17, 18)),
    ("quad", 2, (9, 10)),
    ("tetra", 1, (6, 7, 6)),
    ("tetra", 2, (3, 4, 3)),
    ("hexahedron", 1, (6, 6, 7)),
)
SIZES = (0.0, -3.0, -6.0, -9.0)  # powers of ten between which an error lies


def random_case(seed: int) -> Case:
    """A heat problem on a warped grid."""
    rng = np.random.default_rng(seed)
    cell, order, shape = SHAPES[seed % len(SHAPES)]
    mesh = warped(Grid(shape=shape, cell=cell, order=order).mesh(), rng)
    names = sorted(mesh.boundaries)
    conditions = {name: _condition(rng) for name in rng.permutation(names)[: rng.integers(0, len(names))].tolist()}
    held = "left"
    conditions[held] = Dirichlet("3 + y") if rng.random() < 0.7 else Robin(float(10 ** rng.uniform(-2, 3)), 1.0)
    return Case(
        mesh,
        EQUATIONS["heat"],
        conditions=conditions,
        source=[0.0, 5.0, "sin(5*x) + y"][rng.integers(3)],
        coefficients={"conductivity": _conductivity(mesh, rng)},
    )


PROVED = ("heat", "magnetostatics", "elasticity", "plane_stress")  # the symmetric positive definite equations


def random_case_of(name: str, seed: int) -> Case:
    """A problem of one of the equations `PROVED`; of heat, with losses, tensors and periodic sides too."""
    rng = np.random.default_rng([seed, 2])
    if name == "heat":
        return _enriched(random_case(seed), rng)
    cell, order, shape = _shape(seed, EQUATIONS[name].dims)
    mesh = warped(Grid(shape=shape, cell=cell, order=order).mesh(), rng)
    names = rng.permutation([n for n in sorted(mesh.boundaries) if n != "left"]).tolist()
    chosen = names[: rng.integers(0, len(names) + 1)]
    if name == "magnetostatics":
        conditions = {n: _condition(rng) for n in chosen} | {"left": Dirichlet("y")}
        coefficients = {"permeability": _conductivity(mesh, rng)}
        return Case(mesh, EQUATIONS[name], conditions=conditions, coefficients=coefficients, source="sin(5*x)")
    conditions = {n: _support(rng, mesh.dim) for n in chosen}
    conditions["left"] = Dirichlet(0.0) if rng.random() < 0.7 else Robin(float(10 ** rng.uniform(-1, 3)), 0.0)
    coefficients = {"young": _conductivity(mesh, rng), "poisson": float(rng.uniform(0, 0.45))}
    if rng.random() < 0.3:
        coefficients |= {"expansion": 0.1, "temperature_rise": "x + y"}
    load = ("sin(3*x)", "1", "x*y")[: mesh.dim]
    return Case(mesh, EQUATIONS[name], conditions=conditions, coefficients=coefficients, source=load)


def _shape(seed: int, dims: tuple[int, ...]) -> tuple[str, int, tuple[int, ...]]:
    fitting = [s for s in SHAPES if len(s[2]) in dims]
    cell, order, shape = fitting[seed % len(fitting)]
    return cell, order, tuple(n - 1 if len(shape) == 3 and order == 1 else n for n in shape)


def _enriched(case: Case, rng: np.random.Generator) -> Case:
    """Perhaps with a loss, a tensor for the conductivity, or a side that is the opposite one's image."""
    coefficients, conditions = dict(case.coefficients), dict(case.conditions)
    dim = case.mesh.dim
    if rng.random() < 0.3:
        coefficients["loss"] = [3.0, "x**2", {"near": 0.0, "far": 100.0}][rng.integers(3)]
    if rng.random() < 0.3:
        root = rng.standard_normal((dim, dim))
        coefficients["conductivity"] = (root @ root.T + 0.05 * np.eye(dim)).tolist()
    if rng.random() < 0.2:
        conditions = {n: c for n, c in conditions.items() if n not in ("bottom", "top")} | {"bottom": Periodic("top")}
    return replace(case, coefficients=coefficients, conditions=conditions)


def _support(rng: np.random.Generator, dim: int) -> Condition:
    pull = tuple(rng.normal(size=dim).tolist())
    one = (0.1, *[None] * (dim - 1))
    kinds = (Neumann(pull), Pressure("1 + x"), Robin(float(10 ** rng.uniform(-1, 2)), 0.0), Dirichlet(one), Roller())
    return kinds[rng.integers(len(kinds))]


def warped(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """An affine image of the grid with two regions; straight cells stay straight."""
    turn = np.eye(mesh.dim) + 0.3 * rng.uniform(-1, 1, (mesh.dim, mesh.dim))
    stretch = 10 ** rng.uniform(-0.4, 0.4, mesh.dim)
    inside = mesh.cell_centers[:, 0] < rng.uniform(0.3, 0.7)
    regions = {"near": np.flatnonzero(inside), "far": np.flatnonzero(~inside)}
    return replace(mesh, points=mesh.points @ turn.T * stretch, regions=regions)


def _condition(rng: np.random.Generator) -> Dirichlet | Neumann | Robin:
    level = float(rng.normal())
    return [Dirichlet(level), Neumann(level), Neumann("x - y"), Robin(float(10 ** rng.uniform(-2, 2)), level)][
        rng.integers(4)
    ]


def _conductivity(mesh: Mesh, rng: np.random.Generator) -> object:
    kinds = (
        float(10 ** rng.uniform(-3, 3)),
        "1 + x**2 + 0.5*sin(3*y)",
        {"near": 1.0, "far": float(10 ** rng.uniform(-3, 3))},
        np.exp(np.sin(mesh.points @ rng.uniform(0, 3, mesh.dim))),
    )
    return kinds[rng.integers(len(kinds))]


def random_field(case: Case, exact: np.ndarray, seed: int) -> np.ndarray:
    """A field from nothing like the solution to nearly exact, its error rough, smooth or both; fixed values wrong."""
    rng = np.random.default_rng([seed, 1])
    points = np.repeat(case.mesh.points, len(exact) // case.mesh.num_points, axis=0)
    rough = rng.standard_normal(len(exact))
    smooth = np.sin(points @ rng.uniform(0, 4, points.shape[1]) + rng.uniform(0, 6))
    kinds = (rough, smooth, smooth + 0.05 * rough, np.abs(exact) * rough)
    scale = 10 ** rng.uniform(SIZES[-1], SIZES[0] + 1) * max(np.abs(exact).max(), 1e-3)
    return exact + scale * kinds[rng.integers(len(kinds))] if rng.random() > 0.05 else np.zeros_like(exact)


def true_error(system: LinearSystem, values: np.ndarray, exact: np.ndarray) -> float:
    """‖exact - values‖_A with the fixed values of `values` set, and the tied ones as near as they come."""
    error = exact - system.expand(system.restrict(values))
    return float(np.sqrt(max(error @ (system.matrix @ error), 0.0)))


def discrete_solution(system: LinearSystem) -> np.ndarray:
    """The discrete solution by a direct solver."""
    return solve_system(system).values


def elasticity(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[LinearSystem, Mesh]:
    """A clamped block under a random load, and its mesh: unknowns point * dim + component."""
    grid = Grid(shape=shape).mesh()
    dim = len(shape)
    mesh_type, element = ((skfem.MeshTri1, skfem.ElementTriP1), (skfem.MeshTet1, skfem.ElementTetP1))[dim - 2]
    mesh = mesh_type(grid.points.T.copy(), grid.cells[("triangle", "tetra")[dim - 2]].T.copy(), sort_t=False)
    basis = skfem.Basis(mesh, skfem.ElementVector(element()))
    lame = 10 ** rng.uniform(-1, 1)

    def stiffness(u, v, w):
        a, b = sym_grad(u), sym_grad(v)
        return 2.0 * ddot(a, b) + lame * trace(a) * trace(b)

    matrix = skfem.BilinearForm(stiffness).assemble(basis)
    fixed = np.repeat(grid.points[:, 0] < 1e-9, dim)
    if rng.random() < 0.5:  # a roller: one component only
        fixed[::dim] |= grid.points[:, 0] > 1 - 1e-9
    load, zero = rng.standard_normal(matrix.shape[0]), np.zeros(len(fixed))
    return LinearSystem(matrix, load, fixed, zero, near_null=rigid_motions(grid.points)), grid


def rigid_motions(points: np.ndarray) -> np.ndarray:
    """(N d, d (d + 1)/2) translations and rotations."""
    dim = points.shape[1]
    turns = []
    for i, j in itertools.combinations(range(dim), 2):
        turn = np.zeros_like(points)
        turn[:, i], turn[:, j] = -points[:, j], points[:, i]
        turns.append(turn.ravel())
    return np.column_stack([np.tile(np.eye(dim), (len(points), 1)), *turns])
