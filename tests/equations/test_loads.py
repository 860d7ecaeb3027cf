"""Sources as points take them up: the reference solver's load, and means that miss nothing."""

from __future__ import annotations

import numpy as np
import pytest

from geometries.conditions import Dirichlet
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, assemble

DISC = "1*((x-0.3)**2+(y-0.4)**2 < 0.005) + x"


def heat(grid: Grid, source: object) -> Case:
    return Case(
        grid.mesh(),
        EQUATIONS["heat"],
        conditions={"left": Dirichlet(0.0)},
        coefficients={"conductivity": 1.0},
        source=source,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("shape", "cell"), [((7,), "line"), ((9, 9), "triangle"), ((9, 9), "quad"), ((4, 4, 4), "tetra")]
)
def test_times_mass_they_are_the_load_of_the_reference(shape: tuple[int, ...], cell: str) -> None:
    case = heat(Grid(shape=shape, cell=cell), "sin(9*x)" if len(shape) == 1 else DISC)
    free = np.isnan(case.fixed[:, 0])
    np.testing.assert_allclose((case.loads * case.mesh.mass)[free], assemble(case).rhs[free], rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("cell", ["triangle", "quad"])
def test_a_disc_between_the_points_is_not_missed(cell: str, order: int) -> None:
    case = heat(Grid(shape=(8 // order,) * 2, cell=cell, order=order), "1*((x-0.19)**2+(y-0.19)**2 < 0.003)")
    assert not case.nodal("source").any()
    assert case.loads.any()
    assert ((case.loads >= 0) & (case.loads <= 1)).all()


def test_what_is_given_at_points_or_is_the_same_everywhere_stays() -> None:
    given = np.arange(25.0)
    assert (heat(Grid(shape=(4, 4)), given).loads == given).all()
    assert (heat(Grid(shape=(4, 4)), 3.0).loads == 3.0).all()


def test_vectors_keep_their_components() -> None:
    mesh = Grid(shape=(6, 6)).mesh()
    clamped = {"left": Dirichlet((0.0, 0.0))}
    case = Case(mesh, EQUATIONS["plane_stress"], conditions=clamped, coefficients={"young": 1.0}, source=("x", DISC))
    assert case.loads.shape == (mesh.num_points, 2)
    free = np.isnan(case.fixed[:, 0])
    rhs = assemble(case).rhs.reshape(-1, 2)
    np.testing.assert_allclose((case.loads * mesh.mass[:, None])[free], rhs[free], rtol=1e-12)
