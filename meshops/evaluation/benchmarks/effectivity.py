"""How sharp the bounds are: a picture of bound over truth for random fields, and under refinement.

`python -m meshops.evaluation.benchmarks.effectivity PICTURE.png`; `make bench-trust` draws that of the documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skfem
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.expressions import Expression
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import EQUATIONS, Case, assemble
from meshops.equations.elements import blocks
from meshops.equations.solvers import solve_system
from meshops.trust import bounds, certify, equilibrate, recover

Floats = NDArray[np.float64]
FIELDS = 60  # of each kind of cell
KINDS = {
    "triangle P1": Grid(shape=(40, 40)),
    "triangle P2": Grid(shape=(20, 20), order=2),
    "quad": Grid(shape=(40, 40), cell="quad"),
    "tetra P1": Grid(shape=(10, 10, 10)),
    "tetra P2": Grid(shape=(5, 5, 5), order=2),
    "hexahedron": Grid(shape=(10, 10, 10), cell="hexahedron"),
}
U = "exp(0.8*x)*sin(2*y)"
SLOPES = ("0.8*exp(0.8*x)*sin(2*y)", "2*exp(0.8*x)*cos(2*y)")


def random_fields(grid: Grid) -> Iterator[tuple[float, float, float]]:
    """Yield (relative error, lower, upper bound over truth) of fields, rough and smooth."""
    rng, mesh = np.random.default_rng(0), grid.mesh()
    conditions = {"left": Dirichlet("3 + y"), "right": Robin("2 + y", 5.0), "top": Neumann("x")}
    case = Case(mesh, EQUATIONS["heat"], conditions=conditions, source="5", coefficients={"conductivity": "1 + x**2"})
    system = assemble(case)
    certificate, exact = certify(case, system), solve_system(system).values
    for number in range(FIELDS):
        smooth = np.sin(mesh.points @ rng.uniform(0, 6, mesh.dim) + rng.uniform(0, 6))
        shape = (smooth, rng.standard_normal(len(smooth)), smooth + 0.02 * rng.standard_normal(len(smooth)))[number % 3]
        values = exact + 10 ** rng.uniform(-9, 0.5) * shape
        error = np.where(system.fixed, 0.0, values - exact)
        true = float(np.sqrt(error @ (system.matrix @ error)))
        found = bounds(certificate, system, values)
        yield true / certificate.energy_norm(exact), found.lower / true, found.upper / true


def manufactured(mesh: Mesh) -> Case:
    """Return -Δu = f with u = e^(0.8x) sin 2y: u = 0 below, its flux elsewhere, an exchange on the right."""
    conditions = {
        "bottom": Dirichlet(0.0),
        "top": Neumann(SLOPES[1]),
        "left": Neumann(f"-({SLOPES[0]})"),
        "right": Robin(2.0, f"{U} + ({SLOPES[0]})/2"),
    }
    return Case(mesh, EQUATIONS["heat"], conditions=conditions, source=f"3.36*{U}")


def true_error(case: Case, values: Floats) -> float:
    """Return ‖u_exact - u‖ in the energy norm of `manufactured`, its exchange included."""
    (block,) = blocks(case.mesh)
    over = skfem.Basis(block.mesh, block.element, intorder=8)
    where = np.moveaxis(np.asarray(over.global_coordinates()), 0, -1)
    slopes = np.asarray(over.interpolate(values[block.points]).grad)
    total = sum(float(((slopes[i] - Expression(SLOPES[i])(where)) ** 2 * over.dx).sum()) for i in range(2))
    side = block.facet_basis(case.mesh.sides("right"))
    where = np.moveaxis(np.asarray(side.global_coordinates()), 0, -1)
    gap = np.asarray(side.interpolate(values[block.points])) - Expression(U)(where)
    return float(np.sqrt(total + 2.0 * (gap**2 * side.dx).sum()))


def refined(cell: str, order: int) -> tuple[list[int], list[float]]:
    """Return unknowns and estimate over truth on finer and finer meshes."""
    sizes, found = [], []
    for n in (4, 8, 16, 32, 64):
        case = manufactured(Grid(shape=(n, n), cell=cell, order=order).mesh())
        values = solve_system(assemble(case)).values
        estimator = recover if cell == "quad" else equilibrate
        sizes.append(len(values))
        found.append(estimator(case, values).error / true_error(case, values))
    return sizes, found


def draw(path: Path) -> None:
    """Draw the picture."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, grid in KINDS.items():
        error, lower, upper = np.array(list(random_fields(grid))).T
        points = left.scatter(error, upper, s=14, marker="^", label=name)
        left.scatter(error, lower, s=14, marker="v", color=points.get_facecolor())
    left.set(xscale="log", xlabel="true error / ‖u_h‖, energy norm", ylabel="bound / true error", ylim=(0.7, 2.0))
    left.set_title("against the discrete solution: one V-cycle\n▲ upper, ▼ lower bound", fontsize=11)
    for cell, order, marker in (("triangle", 1, "o"), ("triangle", 2, "s"), ("quad", 1, "^")):
        how = "recovered (estimate)" if cell == "quad" else "equilibrated (bound)"
        right.plot(*refined(cell, order), marker=marker, label=f"{cell} P{order}, {how}")
    right.set(xscale="log", xlabel="unknowns", ylabel="estimate / true error", ylim=(0.7, 2.0))
    right.set_title("against the exact solution,\nunder refinement", fontsize=11)
    for axes in (left, right):
        _finish(axes)
    figure.savefig(path, dpi=120)


def _finish(axes: Axes) -> None:
    axes.axhline(1.0, color="black", linewidth=1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
