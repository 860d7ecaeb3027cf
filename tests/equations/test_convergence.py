"""Rates of convergence to exact solutions: for every cell type, under every condition and kind of coefficient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import skfem

from geometries import Dirichlet, Expression, Neumann, Robin
from geometries.cells import CELLS
from geometries.conditions import Condition
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import Case, Heat, solve
from meshops.equations.assembly import blocks

HEAT = Heat()


@dataclass(frozen=True)
class Problem:
    """An exact solution with the data that produce it; `conductivity` is what a case takes on a mesh."""

    field: str
    gradient: tuple[str, ...]
    source: str
    conductivity: Callable[[Mesh], Any]
    on_right: Condition | None = None
    regions: dict[str, str] = field(default_factory=dict)

    def case(self, mesh: Mesh) -> Case:
        inside = {n: np.flatnonzero(Expression(test)(mesh.cell_centers)) for n, test in self.regions.items()}
        conditions = {"*": Dirichlet(self.field)} | ({"right": self.on_right} if self.on_right else {})
        return Case(
            replace(mesh, regions=inside),
            HEAT,
            conditions=conditions,
            coefficients={"conductivity": self.conductivity(mesh)},
            source=self.source,
        )


def smooth(dim: int, condition: Callable[[str, str], Condition] | None = None) -> Problem:
    """The equation's own manufactured solution; `condition(u, k ∂u/∂n)` holds where x = 1."""
    exact = HEAT.manufactured(dim)
    k = exact.coefficients["conductivity"]
    flux = f"({k})*({exact.gradient[0]})"
    on_right = condition(exact.field, flux) if condition else None
    return Problem(exact.field, exact.gradient, exact.source, lambda mesh: k, on_right)


def nodal(dim: int) -> Problem:
    """k = e^x given over the points."""
    exact = HEAT.manufactured(dim)
    squares = (-4.0, -3.0, -2.75)[dim - 1]
    source = f"-exp(x)*({squares}*{exact.field} + {exact.gradient[0]})"
    return Problem(exact.field, exact.gradient, source, lambda mesh: np.exp(mesh.points[:, 0]))


def jump(dim: int) -> Problem:
    """k = 1 where x < 1/2 and 4 beyond: u = s cos(s)/k with s = x - 1/2 keeps u and k ∂u/∂x continuous."""
    s, k = "(x-0.5)", "where(x < 0.5, 1, 4)"
    slope = f"(cos{s} - {s}*sin{s})/{k}"
    return Problem(
        field=f"{s}*cos{s}/{k}",
        gradient=(slope, "0", "0")[:dim],
        source=f"2*sin{s} + {s}*cos{s}",
        conductivity=lambda mesh: {"west": 1.0, "east": 4.0},
        regions={"west": "x < 0.5", "east": "x > 0.5"},
    )


PROBLEMS = {
    "dirichlet": smooth,
    "neumann": lambda dim: smooth(dim, lambda u, flux: Neumann(flux)),
    "robin": lambda dim: smooth(dim, lambda u, flux: Robin(3, ambient=f"{u} + {flux}/3")),
    "array": nodal,
    "regions": jump,
}


def errors(problem: Problem, mesh: Mesh) -> np.ndarray:
    """The L2 norm of the error and of its gradient, by a quadrature two orders above the solver's."""
    values = solve(problem.case(mesh)).values
    squares = np.zeros(2)
    for block in blocks(mesh):
        basis = skfem.Basis(block.mesh, block.element, intorder=2 * CELLS[block.kind].order + 3)
        found = basis.interpolate(values[block.points])
        where = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
        where += 1e-9 * (where.mean(1, keepdims=True) - where)  # off the facets: a gradient may jump there
        slopes = np.stack([Expression(g)(where) for g in problem.gradient])
        squares[0] += ((np.asarray(found) - Expression(problem.field)(where)) ** 2 * basis.dx).sum()
        squares[1] += ((found.grad - slopes) ** 2 * basis.dx).sum()
    return np.sqrt(squares)


class Convergence:
    """Subclasses state cells, two grids and the rates in L2 and H1 that theory promises."""

    cell: ClassVar[str]
    dim: ClassVar[int]
    order: ClassVar[int] = 1
    sizes: ClassVar[tuple[int, int]]
    rates: ClassVar[tuple[float, float]] = (2, 1)

    @pytest.mark.parametrize("problem", PROBLEMS)
    def test_the_error_falls_at_its_rate(self, problem: str) -> None:
        meshes = [Grid(shape=(n,) * self.dim, cell=self.cell, order=self.order).mesh() for n in self.sizes]
        coarse, fine = (errors(PROBLEMS[problem](self.dim), mesh) for mesh in meshes)
        found = np.log(coarse / fine) / np.log(self.sizes[1] / self.sizes[0])
        np.testing.assert_allclose(found, self.rates, atol=0.2)


class TestLine(Convergence):
    cell, dim, sizes = "line", 1, (16, 64)


class TestTriangle(Convergence):
    cell, dim, sizes = "triangle", 2, (8, 24)


class TestTriangle6(Convergence):
    cell, dim, order, sizes, rates = "triangle", 2, 2, (4, 12), (3, 2)


class TestQuad(Convergence):
    cell, dim, sizes = "quad", 2, (8, 24)


class TestQuad9(Convergence):
    cell, dim, order, sizes, rates = "quad", 2, 2, (4, 12), (3, 2)


class TestTetra(Convergence):
    cell, dim, sizes = "tetra", 3, (4, 10)


class TestTetra10(Convergence):
    cell, dim, order, sizes, rates = "tetra", 3, 2, (2, 6), (3, 2)


class TestHexahedron(Convergence):
    cell, dim, sizes = "hexahedron", 3, (4, 10)
