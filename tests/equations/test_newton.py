"""Newton's method: every nonlinear equation's derivative is the derivative of its residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geometries import Dirichlet, Radiation
from meshops.equations import EQUATIONS, Case, Heat
from meshops.equations.assembly import Assembler
from tests.equations.manufactured import case_of, grid

SIZES = {1: ("line", 5), 2: ("triangle", 3), 3: ("tetra", 2)}


def residual(assembler: Assembler, state: np.ndarray) -> np.ndarray:
    system = assembler.system(state, assembler.case.start)
    return system.matrix @ state - system.rhs


def check(case: Case) -> None:
    assembler, rng = Assembler(case), np.random.default_rng(0)
    base = assembler.layout.join(case.start_values())
    state, step = base + 0.1 * rng.normal(size=base.shape), rng.normal(size=base.shape)
    slope = assembler.system(state, case.start).matrix @ step
    h = 1e-6
    found = (residual(assembler, state + h * step) - residual(assembler, state - h * step)) / (2 * h)
    np.testing.assert_allclose(found, slope, atol=2e-6 * np.abs(slope).max())


def nonlinear() -> list[Any]:
    found = []
    for name, equation in EQUATIONS.items():
        for dim in equation.dims:
            exact = equation.manufactured(dim)
            if exact is None:
                continue
            cell, n = SIZES[dim]
            order = 1 + any(field.lower for field in equation.fields)
            case = case_of(equation, exact, grid(cell, order, n))
            if not case.linear:
                found.append(pytest.param(case, id=f"{name}-{dim}"))
    return found


@pytest.mark.parametrize("case", nonlinear())
def test_the_matrix_is_the_derivative_of_the_residual(case: Case) -> None:
    check(case)


def test_heat_that_varies_with_temperature_has_its_derivative() -> None:
    mesh = grid("triangle", 1, 3)
    conditions = {"left": Dirichlet(1), "right": Radiation(0.3, ambient=2)}
    check(Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": "1+u**2"}, source="x"))
