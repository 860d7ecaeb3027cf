"""Cases with a known solution on the unit interval, square and cube, and the errors of their numerical solutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geometries import Dirichlet, Expression
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import Case, Equation, Solution
from meshops.equations.assembly import Assembler
from meshops.equations.base import Manufactured

STEP = 1e-7  # of central differences for exact gradients


def grid(cell: str, order: int, n: int) -> Mesh:
    dim = {"line": 1, "triangle": 2, "quad": 2, "tetra": 3, "hexahedron": 3}[cell]
    return Grid(shape=(n,) * dim, cell=cell, order=order).mesh()


def case_of(equation: Equation, exact: Manufactured, mesh: Mesh, on_right: str = "") -> Case:
    """The exact field on all sides but x = 1, where the condition called `on_right` holds."""
    conditions: dict[str, Any] = {"*": Dirichlet(exact.fields[equation.field])}
    if on_right:
        conditions["right"] = exact.right[on_right]
    rates = {f"{name}.rate": given for name, given in exact.rates.items()}
    return Case(
        mesh,
        equation,
        conditions=conditions,
        coefficients=exact.coefficients,
        source=exact.source,
        initial={**exact.fields, **rates} if exact.times else {},
        times=exact.times,
    )


def errors(case: Case, exact: Mapping[str, str | tuple[str, ...]], solution: Solution) -> dict[str, np.ndarray]:
    """{field: its L2 error and the L2 error of its gradient}, by a quadrature two orders above the solver's."""
    import skfem

    assembler, time = Assembler(case), case.times[-1] if case.transient else 0.0
    vector = assembler.layout.join(solution.at(-1))
    squares = {field.name: np.zeros(2) for field in case.equation.fields}
    for block, _, numbers in assembler.blocks:
        basis = skfem.Basis(block.mesh, block.element, intorder=block.quadrature + 2)
        found = basis.interpolate(vector[numbers])
        where = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
        where = where + 1e-5 * (where.mean(1, keepdims=True) - where)  # off the facets: a gradient may jump there
        for field, own in zip(case.equation.fields, found if isinstance(found, tuple) else (found,), strict=True):
            value, slope = exactly(exact[field.name], where, time)
            gap = np.asarray(own) - value
            squares[field.name] += [
                (gap**2 * basis.dx).sum(),
                ((np.asarray(own.grad) - slope) ** 2 * basis.dx).sum(),
            ]
    return {name: np.sqrt(s) for name, s in squares.items()}


def exactly(given: str | tuple[str, ...], where: np.ndarray, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Values (c, C, q) or (C, q), and gradients (c, d, C, q) or (d, C, q)."""
    if isinstance(given, tuple):
        parts = [exactly(part, where, time) for part in given]
        return np.stack([p[0] for p in parts]), np.stack([p[1] for p in parts])
    expression, steps = Expression(str(given)), STEP * np.eye(where.shape[-1])
    slopes = [(expression(where + s, time) - expression(where - s, time)) / (2 * STEP) for s in steps]
    return expression(where, time), np.stack(slopes)
