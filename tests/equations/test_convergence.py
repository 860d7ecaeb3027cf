"""Rates of convergence to exact solutions: for every equation, cell type, order, condition and kind of coefficient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from geometries import Expression
from geometries.mesh import Mesh
from meshops.equations import EQUATIONS, Heat, solve
from meshops.equations.base import Manufactured
from tests.equations.manufactured import case_of, errors, grid

# cell, order: two grids
GRIDS = {
    ("line", 1): (16, 64), ("line", 2): (8, 24),
    ("triangle", 1): (8, 24), ("triangle", 2): (4, 12),
    ("quad", 1): (8, 24), ("quad", 2): (4, 12),
    ("tetra", 1): (4, 10), ("tetra", 2): (2, 6),
    ("hexahedron", 1): (4, 10),
}  # fmt: skip
DIM = {"line": 1, "triangle": 2, "quad": 2, "tetra": 3, "hexahedron": 3}
WITHIN = 0.25


def degree(equation: Any) -> int:
    """The least order of cells: Taylor and Hood's elements have theirs on second-order ones."""
    return 1 + any(field.lower for field in equation.fields)


def problems() -> list[Any]:
    found = []
    for name, equation in EQUATIONS.items():
        for cell, order in GRIDS:
            if DIM[cell] not in equation.dims or order < degree(equation):
                continue
            exact = equation.manufactured(DIM[cell])
            for right in ("", *(exact.right if exact else ())):
                given = (equation, cell, order, right)
                found.append(pytest.param(*given, id=f"{name}-{cell}{order}-{right or 'dirichlet'}"))
    return found


def rates(cases: list[Any], exact: Manufactured, sizes: tuple[int, int]) -> dict[str, np.ndarray]:
    coarse, fine = (errors(case, exact.fields, solve(case)) for case in cases)
    return {name: np.log(coarse[name] / fine[name]) / np.log(sizes[1] / sizes[0]) for name in coarse}


@pytest.mark.parametrize(("equation", "cell", "order", "right"), problems())
def test_the_error_falls_at_its_rate(equation: Any, cell: str, order: int, right: str) -> None:
    exact, sizes = equation.manufactured(DIM[cell]), GRIDS[cell, order]
    if exact is None:
        pytest.skip(f"{equation.name} has no manufactured solution; its own tests hold its rates")
    cases = [case_of(equation, exact, grid(cell, order, n), right) for n in sizes]
    found = rates(cases, exact, sizes)
    for field in equation.fields:
        own = order - field.lower
        np.testing.assert_array_less(np.array([own + 1, own]) - WITHIN, found[field.name], err_msg=field.name)


# -- kinds of coefficient, of heat -------------------------------------------------------------------------------------
def nodal(dim: int) -> tuple[Manufactured, Callable[[Mesh], Mesh], Callable[[Mesh], Any]]:
    """k = e^x given over the points."""
    exact = Heat().manufactured(dim)
    field = exact.fields["temperature"]
    slope = f"2*cos(2*x){str(field).removeprefix('sin(2*x)')}"
    source = f"-exp(x)*({(-4.0, -3.0, -2.75)[dim - 1]}*{field} + {slope})"
    return replace(exact, source=source), lambda mesh: mesh, lambda mesh: np.exp(mesh.points[:, 0])


def jump(dim: int) -> tuple[Manufactured, Callable[[Mesh], Mesh], Callable[[Mesh], Any]]:
    """k = 1 where x < 1/2 and 4 beyond: u = s cos(s)/k with s = x - 1/2 keeps u and k ∂u/∂x continuous."""
    s = "(x-0.5)"
    exact = Manufactured(
        fields={"temperature": f"{s}*cos{s}/where(x < 0.5, 1, 4)"},
        source=f"2*sin{s} + {s}*cos{s}",
        coefficients={},
    )

    def halves(mesh: Mesh) -> Mesh:
        west = Expression("x < 0.5")(mesh.cell_centers) > 0
        return replace(mesh, regions={"west": np.flatnonzero(west), "east": np.flatnonzero(~west)})

    return exact, halves, lambda mesh: {"west": 1.0, "east": 4.0}


@pytest.mark.parametrize(("cell", "order"), [g for g in GRIDS if g[0] != "hexahedron"])
@pytest.mark.parametrize("problem", [nodal, jump])
def test_arrays_and_regions_keep_the_rate(problem: Callable[[int], Any], cell: str, order: int) -> None:
    exact, divided, conductivity = problem(DIM[cell])
    meshes = [divided(grid(cell, order, n)) for n in GRIDS[cell, order]]
    cases = [case_of(Heat(), replace(exact, coefficients={"conductivity": conductivity(m)}), m) for m in meshes]
    found = rates(cases, exact, GRIDS[cell, order])["temperature"]
    np.testing.assert_allclose(found, (order + 1, order), atol=WITHIN)
