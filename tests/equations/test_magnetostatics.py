"""Magnetostatics: Ampère's law, the field that is derived, symmetry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometries import Dirichlet, Periodic
from geometries.mesh import Mesh
from meshops.equations import Case, Magnetostatics, solve
from meshops.equations.assembly import Assembler
from tests.equations.manufactured import grid

MU = 4e-7 * np.pi


def slab(mesh: Mesh) -> Mesh:
    """Iron where x < 1/2, air beyond."""
    iron = mesh.cell_centers[:, 0] < 0.5
    return replace(mesh, regions={"iron": np.flatnonzero(iron), "air": np.flatnonzero(~iron)})


@pytest.mark.parametrize(("cell", "order"), [("triangle", 1), ("triangle", 2), ("quad", 1), ("quad", 2)])
def test_a_uniform_field_is_exact(cell: str, order: int) -> None:
    mesh = grid(cell, order, 3)
    found = solve(Case(mesh, Magnetostatics(), conditions={"*": Dirichlet("3*y-2*x")})).with_derived()
    np.testing.assert_allclose(
        found.fields["flux_density"], np.broadcast_to([3.0, 2.0], (mesh.num_points, 2)), rtol=1e-8
    )
    assert found.quantities["energy"] == pytest.approx(13 / (2 * MU), rel=1e-9)


def test_a_current_in_a_slab_makes_the_field_of_amperes_law() -> None:
    """Between walls where field lines cross at right angles: H = J x in the slab, whose other side carries none."""
    mesh = slab(grid("quad", 2, 8))
    case = Case(
        mesh,
        Magnetostatics(),
        conditions={"right": Dirichlet(0)},
        coefficients={"permeability": {"iron": 1000 * MU, "air": MU}},
        source={"iron": 2.0},
    )
    x = mesh.points[:, 0]
    solution = solve(case).with_derived()
    density = solution.fields["flux_density"]
    np.testing.assert_allclose(density[:, 0], 0, atol=1e-9 * MU)
    inside, outside = x < 0.49, x > 0.51
    np.testing.assert_allclose(density[inside, 1], 1000 * MU * 2 * x[inside], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(density[outside, 1], MU, rtol=1e-6)
    assert solution.quantities["energy"] == pytest.approx(1000 * MU * 4 / 2 * 0.5**3 / 3 + MU / 2 * 0.5, rel=1e-6)


def test_energy_is_half_of_current_times_potential() -> None:
    mesh = grid("triangle", 2, 4)
    case = Case(mesh, Magnetostatics(), conditions={"*": Dirichlet(0)}, source=7.0)
    solution = solve(case)
    work = Assembler(case).rhs(0) @ solution.values / 2
    assert solution.quantities["energy"] == pytest.approx(work, rel=1e-9)


def test_half_of_a_symmetric_problem_is_half_of_its_solution() -> None:
    """Without a condition on the plane of symmetry, field lines cross it at right angles."""
    mesh, current = grid("quad", 2, 8), "exp(-8*((x-0.5)**2+(y-0.5)**2))"
    half = Mesh(points=mesh.points * [0.5, 1.0], cells=mesh.cells, boundaries=mesh.boundaries)
    sides = {name: Dirichlet(0) for name in ("left", "bottom", "top")}
    whole = solve(Case(mesh, Magnetostatics(), conditions={"*": Dirichlet(0)}, source=current))
    part = solve(Case(half, Magnetostatics(), conditions=sides, source=current))
    assert whole.quantities["energy"] == pytest.approx(2 * part.quantities["energy"], rel=1e-3)


def test_periodic_poles_repeat() -> None:
    mesh = grid("triangle", 1, 12)
    conditions = {"left": Periodic("right"), "bottom": Dirichlet(0), "top": Dirichlet(0)}
    found = solve(Case(mesh, Magnetostatics(), conditions=conditions, source="sin(2*pi*x)")).values
    left, right = (mesh.nodes(mesh.sides(n)) for n in ("left", "right"))
    by_height = [found[nodes][mesh.points[nodes, 1].argsort()] for nodes in (left, right)]
    np.testing.assert_array_equal(*by_height)
