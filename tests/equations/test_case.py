"""`Case`: conditions cover what they name once; whatever is not one well-posed problem is refused at its key."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries import Dirichlet, Mesh, MeshopsError, Neumann, Radiation, Robin
from geometries import tags as select
from geometries.conditions import Periodic, Pressure, Roller
from geometries.errors import SpecError
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, Heat, Solution, assemble, equation, solve
from meshops.equations.case import on_nodes, on_sides
from meshops.equations.solution import SolutionError

HEAT = Heat()
PLAIN = Grid(shape=(4, 4)).mesh()
WEST = np.flatnonzero(PLAIN.cell_centers[:, 0] < 0.5)
SQUARE = replace(
    PLAIN, regions={"west": WEST, "east": np.setdiff1d(np.arange(PLAIN.num_cells), WEST), "all": range(32)}
)
SIDES = ("left", "right", "bottom", "top")


def pieces() -> Mesh:
    """Two squares that do not touch; the boundaries of the second end in 2."""
    points = np.concatenate([PLAIN.points, PLAIN.points + np.array([3, 0])])
    cells = {"triangle": np.concatenate([PLAIN.cells["triangle"], PLAIN.cells["triangle"] + PLAIN.num_points])}
    names = {**PLAIN.boundaries, **{f"{k}2": v + np.array([PLAIN.num_cells, 0]) for k, v in PLAIN.boundaries.items()}}
    return Mesh(points=points, cells=cells, boundaries=names)


@given(named=st.sets(st.sampled_from(SIDES)))
def test_the_star_takes_what_no_other_condition_claims(named: set[str]) -> None:
    case = Case(SQUARE, HEAT, conditions={**{n: Robin(1) for n in named}, "*": Dirichlet(0)})
    ids = np.concatenate([SQUARE.facet_ids(p.sides) for p in case.parts])
    assert len(np.unique(ids)) == len(ids)
    assert set(ids) == set(SQUARE.facet_ids(SQUARE.outer))


def test_the_star_leaves_the_partners_of_periodic_boundaries() -> None:
    around, wall = {"left": Periodic("right")}, Dirichlet("x+y")
    star, named = ({**around, "*": wall}, {**around, "bottom": wall, "top": wall})
    one, other = (solve(Case(SQUARE, HEAT, conditions=conditions, source="1+x")).values for conditions in (star, named))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(SpecError, match="did you mean 'right'"):
        Case(SQUARE, HEAT, conditions={"*": Periodic("rihgt")})


def test_where_two_dirichlet_sides_meet_the_mean_holds() -> None:
    case = Case(SQUARE, HEAT, conditions={"left": Dirichlet(1), "bottom": Dirichlet(4)})
    corner = np.flatnonzero((SQUARE.points == 0).all(1))[0]
    assert case.fixed[corner] == 2.5
    assert np.isnan(case.fixed).sum() == SQUARE.num_points - 9
    assert solve(case).values[corner] == 2.5


def test_a_case_is_frozen_and_keeps_its_own_copies() -> None:
    conditions, source = {"left": Dirichlet(1)}, np.zeros(SQUARE.num_points)
    case = Case(SQUARE, HEAT, conditions=conditions, source=source)
    conditions.clear()
    source[:] = np.nan
    assert list(case.conditions) == ["left"]
    assert np.isfinite(case.source).all()
    with pytest.raises(FrozenInstanceError):
        case.source = 1.0
    with pytest.raises(TypeError):
        case.conditions["right"] = Dirichlet(2)
    with pytest.raises(TypeError):
        case.coefficients["conductivity"] = 2


def test_coefficients_by_region_are_those_of_the_cells() -> None:
    case = Case(SQUARE, HEAT, conditions={"*": Dirichlet(0)}, coefficients={"conductivity": {"west": 2, "east": 6}})
    k = case.nodal("conductivity")
    x = SQUARE.points[:, 0]
    np.testing.assert_allclose(k[x < 0.5], 2)
    np.testing.assert_allclose(k[x > 0.5], 6)
    assert ((k[x == 0.5] > 2) & (k[x == 0.5] < 6)).all()
    same = {"conductivity": {"all": 3, "west": 3}}
    again = Case(SQUARE, HEAT, conditions={"*": Dirichlet(0)}, coefficients=same)
    np.testing.assert_allclose(again.nodal("conductivity"), 3)


def test_a_source_by_region_is_zero_elsewhere_and_releases_what_it_says() -> None:
    case = Case(SQUARE, HEAT, conditions={"*": Dirichlet(0)}, source={"west": 8.0})
    assert assemble(case).rhs.sum() == pytest.approx(8.0 * SQUARE.measure[WEST].sum())
    assert SQUARE.mass @ case.nodal("source") == pytest.approx(8.0 * SQUARE.measure[WEST].sum())
    with pytest.raises(SpecError, match="no region is named 'wets'"):
        replace(case, source={"wets": 1.0})


def test_values_are_read_at_nodes_and_sides() -> None:
    case = Case(SQUARE, HEAT, conditions={"left": Dirichlet("2*y")})
    (part,) = case.parts
    nodes = SQUARE.nodes(part.sides)
    np.testing.assert_array_equal(on_nodes(case, part, "value")[nodes], 2 * SQUARE.points[nodes, 1])
    assert np.isnan(on_nodes(case, part, "value")).sum() == SQUARE.num_points - 5
    centers, _, _ = SQUARE.side_geometry(part.sides)
    np.testing.assert_allclose(on_sides(case, part, "value"), 2 * centers[:, 1])


HELD = {"left": Dirichlet(0)}
WRONG = {
    "boundary": ({"conditions": {"lefft": Dirichlet(0)}}, ("conditions", "lefft"), "did you mean 'left'"),
    "type": ({"conditions": {"left": 3}}, ("conditions", "left"), "heat does not take 3"),
    "twice": (
        {"conditions": {**HELD, "west": Neumann(1)}},
        ("conditions", "west"),
        "4 facets of 'west' are also claimed",
    ),
    "array": (
        {"conditions": {"left": Dirichlet([1, 2])}},
        ("conditions", "left", "dirichlet", "value"),
        "2 components; expected one",
    ),
    "infinite": (
        {"conditions": {"left": Dirichlet("1/y")}},
        ("conditions", "left", "dirichlet", "value"),
        "not finite",
    ),
    "third axis": ({"conditions": {"left": Dirichlet("z")}}, ("conditions", "left", "dirichlet", "value"), "uses 'z'"),
    "exchange": (
        {"conditions": {**HELD, "right": Robin("y - 0.5")}},
        ("conditions", "right", "robin", "coefficient"),
        "-0.5 somewhere; expected at least 0",
    ),
    "rest": (
        {"conditions": {"left": Dirichlet(1), "*": Neumann("log(-y)")}},
        ("conditions", "*", "neumann", "value"),
        "not",
    ),
    "coefficient": (
        {"coefficients": {"conductivty": 1}},
        ("coefficients", "conductivty"),
        "did you mean 'conductivity'",
    ),
    "zero": ({"coefficients": {"conductivity": 0}}, ("coefficients", "conductivity"), "0 somewhere; expected above 0"),
    "negative": ({"coefficients": {"conductivity": "x - 0.5"}}, ("coefficients", "conductivity"), "above 0"),
    "inside": ({"coefficients": {"conductivity": "abs(x - 1/6) - 0.01"}}, ("coefficients", "conductivity"), "above 0"),
    "gain": (
        {"coefficients": {"loss": "x - 2"}},
        ("coefficients", "loss"),
        "-2 somewhere; expected at least 0",
    ),
    "nan": ({"coefficients": {"conductivity": float("nan")}}, ("coefficients", "conductivity"), "finite"),
    "short": (
        {"coefficients": {"conductivity": [1, 2, 3]}},
        ("coefficients", "conductivity"),
        "3 components; expected one",
    ),
    "k in z": ({"coefficients": {"conductivity": "1+z"}}, ("coefficients", "conductivity"), "uses 'z'"),
    "region": (
        {"coefficients": {"conductivity": {"wst": 1}}},
        ("coefficients", "conductivity", "wst"),
        "did you mean 'west'",
    ),
    "gap": (
        {"coefficients": {"conductivity": {"west": 1}}},
        ("coefficients", "conductivity"),
        "16 of 32 cells are in none",
    ),
    "overlap": (
        {"coefficients": {"conductivity": {"all": 1, "west": 2}}},
        ("coefficients", "conductivity", "west"),
        "overlaps another",
    ),
    "by text": (
        {"coefficients": {"conductivity": {"west": "x", "east": 1}}},
        ("coefficients", "conductivity", "west"),
        "expected numbers",
    ),
    "source": ({"source": "1/(x-0.5)"}, ("source",), "source is not finite at 5 of 25 points"),
    "source in z": ({"source": "z"}, ("source",), "uses 'z'"),
    "source type": ({"source": None}, ("source",), "expected a number"),
    "celsius": (
        {"conditions": {**HELD, "right": Radiation(1, ambient=-20)}},
        ("conditions", "right", "radiation", "ambient"),
        "ambient is -20; radiation needs absolute temperatures",
    ),
    "held": (
        {"conditions": {"left": (Dirichlet(20), Neumann(30))}},
        ("conditions", "left"),
        "neumann would have no effect there",
    ),
    "start": ({"initial": {"temperature": 5}}, ("initial",), "a steady linear problem has no start"),
    "moment of a condition": (
        {"conditions": {"left": Dirichlet("20*t")}},
        ("conditions", "left", "dirichlet", "value"),
        "depends on t, but the case is steady",
    ),
    "moment of a coefficient": ({"coefficients": {"conductivity": "1+t"}}, ("coefficients", "conductivity"), "steady"),
    "moment of the source": ({"source": "sin(t)"}, ("source",), "steady"),
    "nothing": ({"conditions": {}}, ("conditions",), "not unique"),
    "fluxes": ({"conditions": {"*": Neumann(1)}}, ("conditions",), "1 of 1 connected pieces"),
    "no exchange": ({"conditions": {"*": Robin(0)}}, ("conditions",), "not unique"),
}


@pytest.mark.parametrize(("change", "key", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_problem_is_refused_at_its_key(change: dict, key: tuple, said: str) -> None:
    mesh = SQUARE.with_boundary("west", select.Normal((-1, 0)))
    with pytest.raises(SpecError, match=said) as caught:
        Case(mesh, HEAT, **{"conditions": HELD, **change})
    assert caught.value.key == key
    assert "\n" not in str(caught.value)


def test_a_traction_acts_where_a_component_is_open() -> None:
    elasticity, fixed = equation("elasticity"), {"bottom": Dirichlet(0)}
    for free in ((None, 0.0), (0.0, None)):
        Case(SQUARE, elasticity, conditions={**fixed, "left": (Dirichlet(free), Neumann((1.0, 0.0)))})
    with pytest.raises(SpecError, match="dirichlet holds 'left'"):
        Case(SQUARE, elasticity, conditions={**fixed, "left": (Dirichlet(0), Neumann((1.0, 0.0)))})


def test_each_connected_piece_needs_a_level() -> None:
    mesh = pieces()
    with pytest.raises(SpecError, match=r"1 of 2 connected pieces \(one at \[3.0, 0.0\]\)"):
        Case(mesh, HEAT, conditions={"left": Dirichlet(1), "left2": Neumann(1)})
    with pytest.raises(SpecError, match="2 of 2 connected pieces"):
        Case(mesh, HEAT, conditions={"left": Neumann(1), "left2": Neumann(1)})
    case = Case(mesh, HEAT, conditions={"left": Dirichlet(1), "left2": Robin("x-2", ambient=5)})
    np.testing.assert_allclose(solve(case).values, np.where(mesh.points[:, 0] > 2, 5, 1))


@pytest.mark.parametrize(("name", "loss"), [("heat", "loss"), ("advection_diffusion", "decay")])
def test_a_loss_levels_only_the_piece_that_it_is_in(name: str, loss: str) -> None:
    mesh, law = pieces(), equation(name)
    given = {"coefficients": {loss: "where(x < 2, 3, 0)"}, "source": 6}
    with pytest.raises(SpecError, match=rf"1 of 2 connected pieces \(one at \[3.0, 0.0\]\) .* and no {loss}, so"):
        Case(mesh, law, conditions={"left": Dirichlet(2)}, **given)
    found = solve(Case(mesh, law, conditions={"left2": Dirichlet(5)}, **given)).values
    np.testing.assert_allclose(found[mesh.points[:, 0] < 2], 2)


def test_a_periodic_boundary_joins_a_piece_to_its_own_image_only() -> None:
    """Two squares, each periodic by itself, whose boundaries have one name."""
    mesh = pieces()
    both = {name: np.concatenate([mesh.sides(name), mesh.sides(f"{name}2")]) for name in ("left", "right")}
    mesh = mesh.named(boundaries={**both, **{n: mesh.sides(n) for n in ("bottom", "bottom2")}})
    around = {"left": Periodic("right"), "bottom": Dirichlet(2)}
    with pytest.raises(SpecError, match=r"1 of 2 connected pieces \(one at \[3.0, 0.0\]\)"):
        Case(mesh, HEAT, conditions=around)
    found = solve(Case(mesh, HEAT, conditions={**around, "bottom2": Dirichlet(5)})).values
    np.testing.assert_allclose(found, np.where(mesh.points[:, 0] > 2, 5, 2))


def turned(angle: float) -> Mesh:
    """The square about the origin by an angle, so that its rollers are off the axes."""
    c, s = np.cos(angle), np.sin(angle)
    return replace(PLAIN, points=PLAIN.points @ np.array([[c, s], [-s, c]]))


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize("name", ["stokes", "navier_stokes", "burgers"])
def test_each_connected_piece_needs_a_level_in_every_direction(name: str, angle: float) -> None:
    law, mesh = equation(name), turned(angle)
    given = {"coefficients": {"viscosity": 1.0}}
    for conditions in (
        {"left": Dirichlet((0.0, None)), "right": Dirichlet((0.0, None))},
        {"bottom": Roller(), "top": Roller(), "left": Pressure(1)},
    ):
        if Roller in law.terms or "top" not in conditions:
            with pytest.raises(SpecError, match=r"1 of 1 connected pieces .* a direction in which nothing holds"):
                Case(mesh, law, conditions=conditions, **given)
    with pytest.raises(SpecError, match=r"1 of 2 connected pieces \(one at \[3.0, 0.0\]\) have a direction"):
        Case(pieces(), law, conditions={"left": Dirichlet(0)}, **given)
    Case(mesh, law, conditions={"left": Dirichlet((0.0, None)), "bottom": Dirichlet((None, 0.0))}, **given)
    if Roller in law.terms:
        Case(mesh, law, conditions={"left": Roller(), "bottom": Roller()}, **given)


@pytest.mark.parametrize("name", sorted({*EQUATIONS} - {"combined"}))
def test_a_point_of_no_cell_changes_nothing(name: str) -> None:
    """It needs no level, and has the value 0; what the mesh's own points have stays."""
    law = equation(name)
    loose = Mesh(points=np.concatenate([PLAIN.points, [[9, 9]]]), cells=PLAIN.cells, boundaries=PLAIN.boundaries)
    made = law.manufactured(2)
    assert made is not None
    given = {"conditions": {"left": Dirichlet(0), "bottom": Dirichlet(0)}, "source": made.source, "times": made.times}
    whole, plain = (solve(Case(m, law, coefficients=made.coefficients, **given)) for m in (loose, PLAIN))
    for field, values in plain.fields.items():
        np.testing.assert_allclose(whole.fields[field][..., :-1, :], values, atol=1e-9)
        assert not whole.fields[field][..., -1, :].any()


def test_arrays_may_be_components() -> None:
    """Each is what one array over points or sides is; beside an expression a source may not stand."""
    law, held, n = equation("elasticity"), {"left": Dirichlet(0)}, SQUARE.num_points
    x, edge = SQUARE.points[:, 0], np.arange(5.0)
    for apart, joined in (
        ({"source": (x, 2.0)}, {"source": np.stack([x, np.full(n, 2.0)], 1)}),
        ({"right": Neumann((edge, 1.0))}, {"right": Neumann(np.stack([edge, np.ones(5)], 1))}),
        ({"right": Neumann((edge, "y"))}, {"right": Neumann(np.stack([edge, np.arange(5) / 4], 1))}),
    ):
        one, other = (
            solve(Case(SQUARE, law, conditions={**held, **given}, source=source)).values
            for given in (apart, joined)
            for source in [given.pop("source", 0.0)]
        )
        np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(other).max())
    winds = ((np.ones(n), 0.5), np.broadcast_to([1.0, 0.5], (n, 2)))
    blown = [Case(SQUARE, equation("advection_diffusion"), conditions={"left": Dirichlet(0)}, source=1.0,
                  coefficients={"velocity": wind}) for wind in winds]  # fmt: skip
    np.testing.assert_array_equal(*(solve(case).values for case in blown))
    with pytest.raises(SpecError, match="beside expressions"):
        Case(SQUARE, law, conditions=held, source=(x, "y"))


def test_inner_sides_take_conditions() -> None:
    west, east = (np.array([[c, f] for c in SQUARE.regions[n] for f in range(3)]) for n in ("west", "east"))
    shared = np.isin(SQUARE.facet_ids(west), SQUARE.facet_ids(east))
    mesh = replace(SQUARE, boundaries={**SQUARE.boundaries, "middle": west[shared]})
    case = Case(mesh, HEAT, conditions={"middle": Dirichlet(7), "left": Dirichlet(1)})
    x, values = mesh.points[:, 0], solve(case).values
    np.testing.assert_allclose(values, np.where(x < 0.5, 1 + 12 * x, 7), atol=1e-12)


def test_a_flux_acts_once_on_each_facet() -> None:
    there, back = (select.Interface(pair) for pair in (("west", "east"), ("east", "west")))
    once, both = (SQUARE.with_boundary("middle", selector) for selector in (there, select.Any((there, back))))
    assert len(both.sides("middle")) == 2 * len(once.sides("middle"))
    source = assemble(Case(once, HEAT, conditions={**HELD, "middle": Neumann(3)})).rhs
    assert source.sum() == pytest.approx(3)
    for twice in (Neumann(3), Robin(1)):
        with pytest.raises(SpecError, match="4 facets of 'middle' are there twice") as caught:
            Case(both, HEAT, conditions={**HELD, "middle": twice})
        assert caught.value.key == ("conditions", "middle")
    held = [solve(Case(mesh, HEAT, conditions={"middle": Dirichlet("y")})).values for mesh in (once, both)]
    np.testing.assert_array_equal(*held)


def test_a_solution_is_checked_and_frozen() -> None:
    case = Case(SQUARE, HEAT, conditions=HELD, source=1.0)
    answer = solve(case)
    assert answer.summary()["temperature"]["min"] == 0
    assert answer.values.shape == (25,)
    with pytest.raises(ValueError, match="read-only"):
        answer.values[0] = 1
    with pytest.raises(SolutionError, match="shape"):
        Solution(case, {"temperature": np.zeros((3, 1))}, {})
    with pytest.raises(SolutionError, match="is complex"):
        case.solution(answer.values * 1j)
    with pytest.raises(SolutionError, match="not finite at 1 points"):
        Solution(case, {"temperature": np.r_[np.nan, np.zeros(24)][:, None]}, {})


def test_the_mean_is_over_the_domain() -> None:
    case = Case(Grid(shape=(3,)).mesh(), HEAT, conditions={"left": Dirichlet(0)})
    uneven = Mesh(points=np.array([[0.0], [0.1], [0.2], [1.0]]), cells=case.mesh.cells, boundaries=case.mesh.boundaries)
    solution = Case(uneven, HEAT, conditions={"left": Dirichlet(0)}).solution(uneven.points[:, 0])
    assert solution.summary()["temperature"]["mean"] == pytest.approx(0.5)


def test_an_unknown_equation_is_refused_with_the_nearest_name() -> None:
    assert equation("heat").name == "heat"
    with pytest.raises(MeshopsError, match="did you mean 'heat'"):
        equation("heta")


def test_what_takes_energy_may_not_give_it() -> None:
    signed = {(e.name, c.name) for e in EQUATIONS.values() for c in e.coefficients if c.nonnegative}
    taking = {("heat", "loss"), ("wave", "damping"), ("helmholtz_damped", "loss_factor")}
    assert signed == {*taking, ("advection_diffusion", "decay")}
