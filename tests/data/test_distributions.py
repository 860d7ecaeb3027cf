"""Distributions: their ranges, their plain forms, and that the generator passed is all their randomness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.errors import SpecError
from geometries.expressions import Expression
from geometries.families import Grid
from meshops.data.distributions import Place, read_distribution

SQUARE = Grid(shape=(3, 3)).mesh()
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
positive = st.floats(1e-9, 1e9)
seeds = st.integers(0, 2**32)
pairs = st.tuples(numbers, numbers).map(sorted)
scalars = st.one_of(
    numbers,
    st.builds(lambda p: {"uniform": p}, pairs),
    st.builds(lambda p: {"log_uniform": sorted(p)}, st.tuples(positive, positive)),
    st.builds(lambda m, s: {"normal": [m, s]}, numbers, positive),
)
specs = st.one_of(
    scalars,
    st.sampled_from(["x + 1", "sin(pi*y)"]),
    st.builds(lambda options: {"choice": options}, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda a, n: {"waves": {"amplitude": a, "frequency": 2, "count": n}}, scalars, st.integers(1, 6)),
)


def draws(spec, n=200, mesh=SQUARE, seed=0):
    rng, distribution = np.random.default_rng(seed), read_distribution(spec)
    return [distribution.draw(rng, Place(mesh)) for _ in range(n)]


@given(specs, seeds)
def test_the_plain_form_gives_the_distribution_back(spec, seed):
    read = read_distribution(spec)
    again = read_distribution(read.to_spec())
    assert again == read
    assert draws(again.to_spec(), 2, seed=seed) == draws(spec, 2, seed=seed)


@given(pairs, seeds)
def test_uniform_stays_between(pair, seed):
    assert all(pair[0] <= v <= pair[1] for v in draws({"uniform": pair}, 20, seed=seed))


@given(st.tuples(positive, positive).map(sorted), seeds)
def test_log_uniform_stays_between(pair, seed):
    assert all(pair[0] <= v <= pair[1] for v in draws({"log_uniform": pair}, 20, seed=seed))


def test_moments_are_those_named():
    assert np.mean(draws({"uniform": [2, 4]}, 4000)) == pytest.approx(3, abs=0.05)
    assert np.mean(np.log10(draws({"log_uniform": [0.01, 100]}, 4000))) == pytest.approx(0, abs=0.1)
    normal = draws({"normal": [5, 2]}, 4000)
    assert (np.mean(normal), np.std(normal)) == (pytest.approx(5, abs=0.15), pytest.approx(2, abs=0.15))
    assert set(draws({"choice": [1, 2, 7]})) == {1.0, 2.0, 7.0}


def test_waves_have_their_amplitude_mean_and_smoothness():
    mesh = Grid(shape=(64, 64)).mesh().scaled(100.0)
    fields = [f(mesh.points) for f in draws({"waves": {"amplitude": 3, "mean": 10, "frequency": 8}}, 300, mesh)]
    assert np.mean(fields) == pytest.approx(10, abs=0.5)
    assert np.sqrt(np.mean((np.array(fields) - 10) ** 2)) == pytest.approx(3, rel=0.1)
    steps = np.abs([f[mesh.edges[:, 0]] - f[mesh.edges[:, 1]] for f in fields]).max()
    assert 0.1 < steps < 2 * np.pi * 8 / 64 * 2**0.5 * 3 * (2 * 4) ** 0.5  # the steepest that four waves can be


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_waves_look_alike_on_a_part_of_any_size_and_place(dim):
    mesh = Grid(shape=(4,) * dim).mesh()
    (one,), (other,) = (draws({"waves": 1}, 1, m) for m in (mesh, mesh.scaled(1e3)))
    assert isinstance(one, Expression)
    np.testing.assert_allclose(one(mesh.points), other(1e3 * mesh.points), atol=1e-6)


def test_text_without_coordinates_is_a_number():
    assert draws("1e4", 1) == [1e4]
    assert draws({"uniform": ["1e3", "2e3"]}, 1)[0] > 999


@pytest.mark.parametrize(
    ("spec", "key", "said"),
    [
        ({"unifrom": [0, 1]}, ("unifrom",), "did you mean 'uniform'?"),
        ({"uniform": [1, 0]}, ("uniform",), "low <= high"),
        ({"uniform": 3}, ("uniform",), "two numbers"),
        ({"uniform": [0, "x"]}, ("uniform",), "expected a number"),
        ({"log_uniform": [0, 1]}, ("log_uniform",), "0 < low"),
        ({"normal": [0, -1]}, ("normal",), "at least 0"),
        ({"choice": []}, ("choice",), "a list"),
        ({"choice": [1, {"uniform": 2}]}, ("choice", 1, "uniform"), "two numbers"),
        ({"waves": {"amplitud": 1}}, ("waves", "amplitud"), "'amplitude'"),
        ({"waves": {"frequency": 1}}, ("waves",), "'amplitude'"),
        ({"waves": {"amplitude": "x"}}, ("waves", "amplitude"), "is a field"),
        ({"waves": {"amplitude": {"waves": 1}}}, ("waves", "amplitude"), "is a field"),
        ({"waves": {"amplitude": 1, "count": 0}}, ("waves", "count"), "1 to 64"),
        ([1], (), "expected a number"),
        ([1, {"uniform": 2}], (1, "uniform"), "two numbers"),
        ("import os", (), "not an expression"),
        (None, (), "expected a number"),
        ({}, (), "one distribution"),
    ],
)
def test_what_is_wrong_is_named(spec, key, said):
    with pytest.raises(SpecError) as error:
        read_distribution(spec)
    assert (error.value.key, said in str(error.value)) == (key, True)
