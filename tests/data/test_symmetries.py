"""Symmetries: a turned graph is the graph of the turned problem, its field the turned solution; turning back undoes."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch

from geometries import Dirichlet, Mesh, Neumann
from geometries.cells import CELLS
from geometries.families.grid import Grid
from meshops.data import Normalization, Symmetry, Turning
from meshops.equations import Case, Elasticity, Heat, solve
from meshops.graph import MeshGraph, build_graph, schema_of, segment_mean

GROUPS = {
    dim: [Symmetry(axes, signs) for axes in permutations(range(dim)) for signs in product((-1, 1), repeat=dim)]
    for dim in (1, 2, 3)
}


def turned_mesh(mesh: Mesh, by: Symmetry) -> Mesh:
    """The mesh with its points turned, its cells numbered the other way round by a reflection."""
    points = mesh.points[:, by.axes] * np.array(by.signs)
    ((name, cells),) = mesh.cells.items()
    kind, sides = CELLS[name], mesh.boundaries
    if np.linalg.det(np.eye(len(by.axes))[list(by.axes)] * by.signs) < 0:
        old = [frozenset(nodes) for _, nodes in kind.facets]
        new = [frozenset(kind.mirror[i] for i in nodes) for _, nodes in kind.facets]
        place = np.array([new.index(nodes) for nodes in old])
        cells = cells[:, kind.mirror]
        sides = {key: np.stack([pairs[:, 0], place[pairs[:, 1]]], axis=1) for key, pairs in sides.items()}
    return Mesh(points=points, cells={name: cells}, boundaries=sides)


def vector(values: list[float], by: Symmetry) -> list[float]:
    return [sign * values[axis] for axis, sign in zip(by.axes, by.signs, strict=True)]


def elastic(dim: int, by: Symmetry) -> Case:
    """A block that slides on one side, is held at another, pulled at a third, under its own weight; turned."""
    mesh = turned_mesh(Grid(shape=(4, 3, 2)[:dim]).mesh(), by)
    slide: list[float | None] = [None] * dim
    slide[by.axes.index(0)] = 0.25 * by.signs[by.axes.index(0)]
    conditions = {"left": Dirichlet(slide), "bottom": Dirichlet([0.0] * dim)}
    conditions["right"] = Neumann(vector([1.0, -2.0, 0.5][:dim], by))
    given = {"young": 3.0, "poisson": 0.3}
    weight = vector([0.1, -1.0, 0.4][:dim], by)
    return Case(mesh, Elasticity(), conditions=conditions, coefficients=given, source=weight)


def heat(dim: int, by: Symmetry) -> Case:
    mesh = turned_mesh(Grid(shape=(4, 3, 2)[:dim]).mesh(), by)
    conditions = {"left": Dirichlet(1.0), "right": Neumann(2.0)}
    return Case(mesh, Heat(), conditions=conditions, coefficients={"conductivity": 2.0}, source=3.0)


def graph_of(case: Case) -> MeshGraph:
    return build_graph(case, solve(case), dtype=torch.float64)


@pytest.mark.parametrize("problem", [elastic, heat])
@pytest.mark.parametrize("dim", [2, 3])
def test_a_turned_graph_is_that_of_the_turned_problem(problem, dim: int) -> None:
    rest = Symmetry(tuple(range(dim)), (1,) * dim)
    plain = graph_of(problem(dim, rest))
    schema = schema_of(problem(dim, rest).equation, dim)
    normal = Normalization.fit([plain], schema)
    turning = Turning(schema, normal)
    for by in GROUPS[dim]:
        expected = normal.apply(graph_of(problem(dim, by)))
        found = turning.graph(normal.apply(plain), by)
        for name in ("pos", "x", "boundary_x", "fixed", "fixed_value", "mass", "edge_index"):
            torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-9, msg=f"{name} by {by}")
        centers = segment_mean(
            found.pos, found.cluster_1, len(found.pos_1), found.mass
        )  # clusters are not turned along
        torch.testing.assert_close(found.pos_1, centers, rtol=1e-9, atol=1e-9)
        field = turning.field(normal.apply(plain).y, by)
        torch.testing.assert_close(field, expected.y, rtol=1e-7, atol=1e-7)
        torch.testing.assert_close(turning.field(field, by.inverse), normal.apply(plain).y)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_all_of_the_group_are_drawn_and_each_has_its_inverse(dim: int) -> None:
    drawn = {Symmetry.draw(dim) for _ in range(2000)}
    assert drawn == set(GROUPS[dim])
    rows = np.random.default_rng(0).normal(size=(5, dim))
    for by in drawn:
        there = rows[:, by.axes] * np.array(by.signs)
        assert np.array_equal(there[:, by.inverse.axes] * np.array(by.inverse.signs), rows)
