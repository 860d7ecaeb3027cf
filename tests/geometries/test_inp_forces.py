"""Forces of tractions are those that finite elements integrate; their traction comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometries import Neumann
from geometries.conditions import Roller
from geometries.families.grid import Grid
from geometries.formats._inp_forces import forces, shapes, traction
from geometries.mesh import Mesh
from meshops.equations import Case, Elasticity, assemble

MESHES = [(cell, order) for cell in ("triangle", "quad", "tetra", "hexahedron") for order in (1, 2)]


def bent(cell: str, order: int) -> Mesh:
    """A grid whose faces are curved where its cells can be."""
    shape = (3, 4) if cell in ("triangle", "quad") else (2, 3, 2)
    mesh = Grid(shape=shape, cell=cell, order=order).mesh()
    x, y = mesh.points.T[:2]
    points = np.array(mesh.points)
    points[:, 0] += 0.1 * np.sin(3 * y) + 0.05 * x * y
    return replace(mesh, points=points)


@pytest.mark.parametrize("kind", ["line", "line3", "triangle", "triangle6", "quad", "quad8", "quad9"])
def test_shape_functions_are_one_at_their_node_and_sum_to_one(kind: str) -> None:
    values, slopes, weights = shapes(kind)
    np.testing.assert_allclose(values.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(slopes.sum(1), 0, atol=1e-12)
    assert weights.sum() == pytest.approx(0.5 if kind[0] == "t" else 1)


@pytest.mark.parametrize(("cell", "order"), MESHES)
def test_forces_are_those_of_the_solver_and_their_traction_comes_back(cell: str, order: int) -> None:
    mesh = bent(cell, order)
    sides, d = mesh.sides("right"), mesh.dim
    nodes = mesh.nodes(sides)
    rng = np.random.default_rng(0)
    values = np.zeros((mesh.num_points, d))
    values[nodes] = rng.normal(size=(len(nodes), d))
    found = forces(mesh, sides, values)
    planes = {name: Roller() for name in ("bottom", "front")[: d - 1]} | {"left": Roller()}
    case = Case(mesh, Elasticity(), conditions={**planes, "right": Neumann(values[nodes])})
    np.testing.assert_allclose(
        found.ravel(), assemble(case).rhs, atol=(1e-12 if order == 1 else 3e-3) * np.abs(found).max()
    )  # curved sides
    np.testing.assert_allclose(traction(mesh, sides, found), values[nodes], atol=1e-8)
    even = np.array([1.0, -2.0, 3.0])[:d]
    by_side = forces(mesh, sides, np.broadcast_to(even, (len(sides), d)))
    np.testing.assert_allclose(traction(mesh, sides, by_side), even, atol=1e-9)
