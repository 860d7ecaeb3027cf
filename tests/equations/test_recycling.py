"""Recycling: the values are the plain solver's; what is handed on saves products; sorting puts like beside like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, diags_array, random_array

from geometries.conditions import Dirichlet, Robin
from geometries.families import Grid
from meshops.equations import Case, Heat, assemble, solve
from meshops.equations.recycling import Recycling, Repeated, solve_alike, sorted_sequence

MESH = Grid(shape=(14, 12)).mesh()


def nothing(matrix):
    return lambda v: v


def jacobi(matrix):
    diagonal = matrix.diagonal()
    return lambda v: v / diagonal


def case(seed, *, source=1.0):
    rng = np.random.default_rng(seed)
    k = np.exp(sum(rng.normal() * 0.2 * np.cos(i * MESH.points[:, 0] + j * MESH.points[:, 1]) for i in (1, 3)
                   for j in (0, 2)))  # fmt: skip
    return Case(MESH, Heat(), conditions={"left": Dirichlet("y")}, coefficients={"conductivity": k}, source=source)


@given(st.integers(0, 1000), st.sampled_from([0, 4]))
@settings(max_examples=15, deadline=None)
def test_any_regular_system_is_solved(seed, kept):
    rng = np.random.default_rng(seed)
    matrix = csr_array(random_array((60, 60), density=0.1, rng=rng) + diags_array(rng.uniform(2, 4, 60)))
    recycling = Recycling(restart=12, kept=kept)
    for _ in range(3):
        rhs = rng.normal(size=60)
        found = recycling.solve(matrix, rhs, lambda v: v)
        assert np.linalg.norm(matrix @ found.values - rhs) < 1e-9 * np.linalg.norm(rhs)


def test_without_kept_directions_a_long_cycle_takes_no_more_products_than_unknowns():
    matrix, rhs = assemble(case(0)).reduced()
    assert Recycling(restart=400, kept=0).solve(matrix, rhs, lambda v: v).products <= len(rhs)


def test_kept_directions_save_products_on_the_same_matrix():
    matrix, rhs = assemble(case(0)).reduced()
    recycling = Recycling(restart=30, kept=10)
    first, second = (recycling.solve(matrix, b, jacobi(matrix)).products for b in (rhs, rhs[::-1].copy()))
    alone = Recycling(restart=30, kept=0).solve(matrix, rhs[::-1].copy(), jacobi(matrix)).products
    assert second < 0.8 * alone
    assert second <= first


@pytest.mark.parametrize("precondition", [nothing, jacobi])
def test_a_family_is_solved_in_the_order_given(precondition):
    cases = [case(seed) for seed in range(4)]
    for one, found in zip(cases, solve_alike(cases, precondition=precondition), strict=True):
        np.testing.assert_allclose(found.values, solve(one).values, atol=1e-7)


def test_sorting_walks_to_the_nearest_left():
    features = np.array([[0.0], [5.0], [1.0], [4.0], [-0.5]])
    assert sorted_sequence(features).tolist() == [0, 4, 2, 3, 1]


def test_repeated_solves_give_the_bits_of_single_ones():
    repeated, made = Repeated(), []
    cases = [case(0), case(0, source="x"), case(1), case(0)]
    cases += [Case(MESH, Heat(), conditions={"left": Robin(h)}) for h in (1.0, 2.0)]
    for one in cases:
        np.testing.assert_array_equal(repeated.solve(one).values, solve(one).values)
        made.append(repeated._last[1])
    assert made[0] is made[1]
    assert len({id(m) for m in made}) == 5
