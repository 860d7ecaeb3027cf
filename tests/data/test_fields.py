"""Random fields: variance, correlation, spectrum and zeros are those promised, on every mesh and in any unit."""

from math import gamma

import numpy as np
import pytest
from scipy.special import kv

from geometries.errors import SpecError
from geometries.families import Bracket, Corners, Grid, Polygon
from geometries.refine import second_order
from meshops.data.distributions import Place, read_distribution
from meshops.data.distributions.boundary import arclength
from meshops.data.distributions.matern import Simplices, _operator
from meshops.data.regions import with_regions

SQUARE = Grid(shape=(24, 24)).mesh()
MESHES = {
    "triangle": SQUARE,
    "quad": Grid(shape=(12, 10), cell="quad").mesh(),
    "triangle6": second_order(Grid(shape=(8, 8)).mesh()),
    "line": Grid(shape=(40,), cell="line").mesh(),
    "tetra": Grid(shape=(6, 6, 6), cell="tetra").mesh(),
    "hexahedron": Grid(shape=(6, 6, 6), cell="hexahedron").mesh(),
}


def draws(spec, place, n, seed=0):
    rng, distribution = np.random.default_rng(seed), read_distribution(spec)
    return np.array([distribution.draw(rng, place) for _ in range(n)])


def covariance(r, length, nu):
    """Matérn's covariance with variance 1."""
    a = np.sqrt(8 * nu) * np.maximum(r, 1e-9) / length
    return 2 ** (1 - nu) / gamma(nu) * a**nu * kv(nu, a)


@pytest.mark.parametrize("smoothness", [1, 2])
def test_matern_fields_have_their_covariance(smoothness):
    mesh = Grid(shape=(40, 40)).mesh()
    operator = _operator(mesh, "", (), 0.2, smoothness)
    roots = np.stack([operator.apply(unit) for unit in np.eye(mesh.num_points)], axis=1)
    middle = np.argmin(np.linalg.norm(mesh.points - 0.5, axis=1))
    expected = covariance(np.linalg.norm(mesh.points - mesh.points[middle], axis=1), 0.2, 2 * smoothness - 1)
    np.testing.assert_allclose(roots @ roots[middle], expected, atol=0.06)  # coarse at the peak


@pytest.mark.parametrize("kind", MESHES)
def test_matern_fields_have_unit_variance_on_every_cell_type(kind):
    mesh = MESHES[kind]
    fields = draws({"matern": {"length": 0.4, "amplitude": 3, "mean": 5}}, Place(mesh), 400)
    assert fields.mean() == pytest.approx(5, abs=0.6)
    assert (fields.std(0) / 3) @ mesh.mass / mesh.mass.sum() == pytest.approx(1, abs=0.15)


def test_matern_fields_are_nearly_stationary_up_to_the_rim():
    deviation = draws({"matern": {"length": 0.3}}, Place(SQUARE), 1500).std(0)
    assert deviation.min() > 0.8
    assert deviation.max() < 1.3


@pytest.mark.parametrize("boundary", ["*", "base"])
def test_matern_fields_live_on_surfaces(boundary):
    mesh = Bracket(size=0.12).mesh(Bracket(size=0.12).draw(np.random.default_rng(0)))
    place = Place(mesh, boundary)
    fields = draws({"matern": {"length": 0.3}}, place, 300)
    assert fields.shape == (300, len(mesh.nodes(place.sides)))
    assert fields.std() == pytest.approx(1, abs=0.2)
    near = np.linalg.norm(place.points - place.points[0], axis=1)
    correlation = np.array([np.corrcoef(fields[:, 0], f)[0, 1] for f in fields.T])
    assert correlation[near < 0.1 * place.size].mean() > 0.5 > 0.25 > abs(correlation[near > 0.5 * place.size].mean())


@pytest.mark.parametrize("kind", MESHES)
def test_linear_elements_integrate_linear_functions(kind):
    mesh = MESHES[kind]
    simplices = Simplices.of(Place(mesh))
    slope = np.arange(1.0, mesh.space_dim + 1)
    u = mesh.points @ slope
    assert simplices.mass.sum() == pytest.approx(1)
    assert u @ simplices.stiffness @ u == pytest.approx(slope @ slope)
    assert Simplices.rim_of(Place(mesh)).mass.sum() == pytest.approx(2 * mesh.space_dim)


@pytest.mark.parametrize(
    "spec", [{"matern": 0.3}, {"trigonometric": 2}, {"harmonics": {"amplitude": 2, "zeros": 4}}, {"exp": {"matern": 1}}]
)
def test_fields_do_not_depend_on_the_unit(spec):
    mesh = Corners(cells=12, cuts=(2, 2), sides=(2, 4)).sample(np.random.default_rng(0))
    one, other = (draws(spec, Place(m, "outer"), 3) for m in (mesh, mesh.scaled(1e3)))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_trigonometric_fields_are_in_their_span(dim):
    mesh = Grid(shape=(9,) * dim).mesh()
    fields = draws({"trigonometric": {"amplitude": {"uniform": [1, 2]}, "frequencies": [0, 0.5]}}, Place(mesh), 5)
    assert np.all((np.abs(fields).max(1) >= 1) & (np.abs(fields).max(1) <= 2))
    span = np.ones((mesh.num_points, 1))
    for x in np.pi * mesh.points.T:
        span = np.concatenate([span * f[:, None] for f in (np.ones_like(x), np.cos(x), np.sin(x))], axis=1)
    left = fields.T - span @ np.linalg.lstsq(span, fields.T)[0]
    assert np.abs(left).max() < 1e-9


def test_arclength_is_that_of_each_loop():
    mesh = Polygon(holes=(2, 2)).sample(np.random.default_rng(1))
    loops, along = arclength(mesh)
    assert set(loops[mesh.nodes(mesh.outer)]) == {0, 1, 2}
    assert (loops >= 0).sum() == len(mesh.nodes(mesh.outer))
    for loop in range(3):
        order = np.flatnonzero(loops == loop)[np.argsort(along[loops == loop])]
        steps = np.linalg.norm(mesh.points[np.roll(order, -1)] - mesh.points[order], axis=1)
        np.testing.assert_allclose(np.diff(along[order], append=1), steps / steps.sum())


def test_harmonics_have_their_energy_below_the_cutoff():
    mesh = Grid(shape=(32, 32)).mesh()
    place = Place(mesh, "*")
    order = np.argsort(arclength(mesh)[1][place.nodes])
    fields = draws({"harmonics": {"amplitude": 2, "cutoff": 20}}, place, 300)[:, order]
    assert np.abs(fields).max(1) == pytest.approx(np.full(300, 2.0))
    energy = (np.abs(np.fft.rfft(fields)) ** 2).mean(0)
    assert energy[:21].sum() / energy.sum() == pytest.approx(0.95, abs=0.02)


def test_harmonics_vanish_at_equispaced_points():
    place = Place(SQUARE, "*")
    along = arclength(SQUARE)[1][place.nodes]
    fields = draws({"harmonics": {"amplitude": 2, "spectrum": [1], "zeros": {"choice": [6]}}}, place, 4)
    span = np.stack([np.cos(6 * np.pi * along), np.sin(6 * np.pi * along)], axis=1)  # has 6 zeros
    assert np.abs(fields.T - span @ np.linalg.lstsq(span, fields.T)[0]).max() < 1e-9


def test_harmonics_follow_a_given_spectrum_on_each_loop():
    mesh = Polygon(holes=(1, 1)).sample(np.random.default_rng(1))
    hole = Place(mesh, "hole1")
    along = arclength(mesh)[1][hole.nodes]
    fields = draws({"harmonics": {"amplitude": 1, "spectrum": [0, 0, 1]}}, hole, 4)
    span = np.stack([np.cos(4 * np.pi * along), np.sin(4 * np.pi * along)], axis=1)
    assert np.abs(fields.T - span @ np.linalg.lstsq(span, fields.T)[0]).max() < 1e-9


def test_harmonics_are_refused_where_there_is_no_loop():
    for place in (Place(SQUARE), Place(MESHES["tetra"], "*")):
        with pytest.raises(SpecError, match="use matern"):
            draws({"harmonics": 1}, place, 1)


@pytest.mark.parametrize("dim", [2, 3])
def test_discs_have_their_number_size_and_value(dim):
    mesh = Grid(shape=(100,) * 2 if dim == 2 else (30,) * 3).mesh().scaled(10)
    (one,) = draws({"discs": {"radius": 0.2, "value": 3}}, Place(mesh), 1, seed=1)
    values = one(mesh.points)
    assert set(values) == {0.0, 3.0}
    center = mesh.points[values > 0].mean(0)
    assert np.linalg.norm(mesh.points[values > 0] - center, axis=1).max() <= 4.0
    rng = np.random.default_rng(0)
    many = read_distribution({"discs": {"radius": 0.02, "count": [1, 3]}})
    assert {many.draw(rng, Place(mesh)).text.count("<") for _ in range(40)} == {1, 2, 3}


def test_gaussians_fall_off_as_they_should():
    rng = np.random.default_rng(2)
    drawn = read_distribution({"gaussians": {"width": 0.1, "value": {"uniform": [2, 2]}}}).draw(rng, Place(SQUARE))
    values = drawn(SQUARE.points)
    r = np.linalg.norm(SQUARE.points - SQUARE.points[values.argmax()], axis=1)
    np.testing.assert_allclose(values, 2 * np.exp(-(r**2) / 0.02), atol=1e-6)


def test_the_exponential_is_positive_and_of_numbers_fields_and_expressions():
    rng = np.random.default_rng(0)
    assert read_distribution({"exp": {"uniform": [1, 1]}}).draw(rng, Place(SQUARE)) == pytest.approx(np.e)
    assert read_distribution({"exp": "x"}).draw(rng, Place(SQUARE))(SQUARE.points).max() == pytest.approx(np.e)
    assert draws({"exp": {"matern": 0.2}}, Place(SQUARE), 1).min() > 0
    with pytest.raises(SpecError, match="one component"):
        draws({"exp": [1, 2]}, Place(SQUARE), 1)


def test_a_thresholded_field_gives_two_phases():
    rng = np.random.default_rng(0)
    share = [
        with_regions({"hard": read_distribution({"matern": 0.2})}, rng, Place(SQUARE)).regions["hard"].size
        / SQUARE.num_cells
        for _ in range(60)
    ]
    assert np.mean(share) == pytest.approx(0.5, abs=0.08)
    fields = {"a": read_distribution("x - 0.5"), "b": read_distribution("y - 0.5")}
    regions = with_regions(fields, rng, Place(SQUARE)).regions
    assert {name: len(cells) / SQUARE.num_cells for name, cells in regions.items()} == pytest.approx(
        {"a": 0.5, "b": 0.25, "background": 0.25}, abs=0.05
    )
    assert sorted(np.concatenate(list(regions.values()))) == list(range(SQUARE.num_cells))


@pytest.mark.parametrize(
    ("spec", "key", "said"),
    [
        ({"matern": {"length": 0.2, "smoothness": 3}}, ("matern", "smoothness"), "1 or 2"),
        ({"matern": {"amplitude": 1}}, ("matern",), "'length'"),
        ({"harmonics": {"amplitude": 1, "spectrum": 3}}, ("harmonics", "spectrum"), "a list"),
        ({"trigonometric": {"amplitude": 1, "frequencies": []}}, ("trigonometric", "frequencies"), "a list of numbers"),
        ({"discs": {"radius": 1, "count": [3, 1]}}, ("discs", "count"), "1 to 100"),
        ({"per_region": {"a": "x"}}, ("per_region", "a"), "found a field"),
        ({"per_region": 3}, ("per_region",), "expected regions"),
    ],
)
def test_what_is_wrong_is_named(spec, key, said):
    with pytest.raises(SpecError) as error:
        read_distribution(spec)
    assert (error.value.key, said in str(error.value)) == (key, True)
