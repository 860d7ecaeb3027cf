"""Recycling: the values are the plain solver's; what is handed on saves products; sorting puts like beside like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, diags_array, random_array

from geometries.conditions import Dirichlet, Robin
from geometries.families import Grid
from geometries.refine import second_order
from meshops.equations import Case, Heat, Stokes, assemble, solve
from meshops.equations.recycling import Recycling, Repeated, sorted_sequence

MESH, SMALL = Grid(shape=(14, 12)).mesh(), Grid(shape=(4, 4)).mesh()


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


def cavity(mesh):
    return Case(mesh, Stokes(), conditions={"top": Dirichlet(("x*(1-x)", "0*x")), "*": Dirichlet(0)})


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
    assert Recycling(restart=400, kept=0).solve(matrix, rhs, lambda v: v).iterations <= len(rhs)


def test_kept_directions_save_products_on_the_same_matrix():
    matrix, rhs = assemble(case(0)).reduced()
    recycling = Recycling(restart=30, kept=10)
    first, second = (recycling.solve(matrix, b, jacobi(matrix)).iterations for b in (rhs, rhs[::-1].copy()))
    alone = Recycling(restart=30, kept=0).solve(matrix, rhs[::-1].copy(), jacobi(matrix)).iterations
    assert second < 0.8 * alone
    assert second <= first


@pytest.mark.parametrize("precondition", [nothing, jacobi])
def test_what_is_handed_on_leaves_a_family_its_solutions(precondition):
    cases, recycling = [case(seed) for seed in range(4)], Recycling()
    for i in sorted_sequence(np.stack([one.nodal("conductivity") for one in cases])):
        system = assemble(cases[i])
        matrix, rhs = system.reduced()
        found = system.expand(recycling.solve(matrix, rhs, precondition(matrix)).values)
        np.testing.assert_allclose(found, solve(cases[i]).values, atol=1e-7)


def test_sorting_walks_to_the_nearest_left():
    features = np.array([[0.0], [5.0], [1.0], [4.0], [-0.5]])
    assert sorted_sequence(features).tolist() == [0, 4, 2, 3, 1]


def test_repeated_solves_give_the_bits_of_single_ones():
    repeated, made = Repeated(), []
    cases = [case(0), case(0, source="x"), case(1), case(0)]
    cases += [Case(MESH, Heat(), conditions={"left": Robin(h)}) for h in (1.0, 2.0)]
    cases += [cavity(SMALL), cavity(second_order(SMALL))]  # one problem, without a level of the pressure
    for one in cases:
        found, expected = repeated.solve(one), solve(one)
        for name, values in expected.fields.items():
            np.testing.assert_array_equal(found.fields[name], values)
        made.append(repeated._last[1])
    assert made[0] is made[1]
    assert len({id(m) for m in made}) == 6
