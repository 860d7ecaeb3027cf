"""Decks (.inp) as cases: what a case writes it reads, CalculiX gives the same field, half a problem is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometries import Dirichlet, Neumann, Robin
from geometries.deck import Loads
from geometries.errors import MeshopsError, ReadError, SpecError, WriteError
from geometries.expressions import Expression
from geometries.families.grid import Grid
from meshops.equations import Case, Heat, solve
from meshops.equations.assembly import assemble

CCX = shutil.which("ccx")


def case(cell: str, order: int = 1, *, film: bool = True) -> Case:
    """Two materials, two temperatures that meet, a flux, a source; an exchange on the rest."""
    mesh = Grid(shape=(4, 3, 2)[: 2 if cell in ("triangle", "quad") else 3], cell=cell, order=order).mesh()
    west = np.flatnonzero(mesh.cell_centers[:, 0] < 0.5)
    regions = {"west": west, "Süd ost": np.setdiff1d(np.arange(mesh.num_cells), west)}
    rest = {"*": Robin(2.0, ambient=5.0)} if film else {"bottom": Neumann(-10.0)}
    return Case(
        replace(mesh, points=mesh.points * 10, regions=regions),
        Heat(),
        conditions={"left": Dirichlet(20.0), "top": Dirichlet("50 + x*y"), "right": Neumann(30.0), **rest},
        coefficients={"conductivity": {"west": 45.0, "Süd ost": 10.0}},
        source={"west": 1.5},
    )


def by_calculix(deck: Path) -> np.ndarray:
    subprocess.run([CCX, deck.stem], cwd=deck.parent, check=True, capture_output=True, timeout=60)
    rows = re.findall(r"^\s*(\d+)\s+(\S+)\s*$", deck.with_suffix(".dat").read_text(), re.MULTILINE)
    return np.array([float(value) for _, value in sorted(rows, key=lambda row: int(row[0]))])


@pytest.mark.parametrize(
    ("cell", "order"), [("tetra", 1), ("hexahedron", 1), ("tetra", 2), ("triangle", 1), ("quad", 1)]
)
def test_a_case_comes_back_with_the_same_solution(tmp_path: Path, cell: str, order: int) -> None:
    given = case(cell, order)
    given.write(tmp_path / "deck.inp")
    again = Case.read(tmp_path / "deck.inp")
    rest = "rest" if given.mesh.dim == 3 else "bottom"  # in 2-D it is the sides of that
    assert list(again.conditions) == ["left", "top", "right", rest]
    assert again.conditions[rest].ambient == 5.0 and dict(again.coefficients["conductivity"])["Süd ost"] == 10.0
    assert again.source == {"west": 1.5}
    np.testing.assert_allclose(solve(again).values, solve(given).values, rtol=1e-10)


@pytest.mark.skipif(CCX is None, reason="CalculiX is not installed (apt-get install calculix-ccx)")
@pytest.mark.parametrize(
    ("cell", "order", "film"),
    # CalculiX takes one point for a film on a triangle, and three on one with mid-nodes: exact on quadrilaterals only
    [("tetra", 1, False), ("tetra", 2, False), ("hexahedron", 1, True), ("triangle", 1, False), ("quad", 1, True)],
)
def test_calculix_gives_the_same_temperatures(tmp_path: Path, cell: str, order: int, film: bool) -> None:
    given = case(cell, order, film=film)
    given.write(tmp_path / "deck.inp")
    ours = solve(given).values.ravel()
    theirs = by_calculix(tmp_path / "deck.inp")[: len(ours)]  # in 2-D it adds points
    np.testing.assert_allclose(theirs, ours, atol=1e-5 * np.ptp(ours))


def solved_with_films_at_one_point(given: Case) -> np.ndarray:
    """The P1 solution where the exchange on a triangle of area A is h A/9 for each two corners, not h A (1 + δ)/12."""
    system, mesh = assemble(given), given.mesh
    matrix = system.matrix.toarray()
    for part in given.parts:
        if isinstance(part.condition, Robin):
            area = mesh.side_geometry(part.sides)[2]
            for _, at, nodes in mesh.facets(part.sides):
                change = part.condition.coefficient * area[at, None, None] * (1 / 9 - (1 + np.eye(3)) / 12)
                np.add.at(matrix, (nodes[:, :, None], nodes[:, None, :]), change)
    free, values = ~system.fixed, system.fixed_value.copy()
    right = system.rhs[free] - matrix[np.ix_(free, system.fixed)] @ values[system.fixed]
    values[free] = np.linalg.solve(matrix[np.ix_(free, free)], right)
    return values


@pytest.mark.skipif(CCX is None, reason="CalculiX is not installed (apt-get install calculix-ccx)")
def test_films_on_triangles_differ_by_the_one_point_that_calculix_takes(tmp_path: Path) -> None:
    given = case("tetra")
    given.write(tmp_path / "deck.inp")
    ours, theirs = solve(given).values.ravel(), by_calculix(tmp_path / "deck.inp")
    np.testing.assert_allclose(theirs, solved_with_films_at_one_point(given), atol=1e-6 * np.ptp(ours))
    assert 1e-3 < np.abs(theirs - ours).max() / np.ptp(ours) < 1e-2


def test_a_case_file_takes_from_a_deck_what_it_does_not_say(tmp_path: Path) -> None:
    given = case("hexahedron")
    given.write(tmp_path / "deck.inp")
    (tmp_path / "case.yaml").write_text("geometry: deck.inp\n")
    np.testing.assert_allclose(solve(Case.read(tmp_path / "case.yaml")).values, solve(given).values, rtol=1e-10)
    own = "geometry: deck.inp\nequation: heat\nsource: 0\nconditions:\n  left: {dirichlet: 3}\n"
    (tmp_path / "case.yaml").write_text(own)
    again = Case.read(tmp_path / "case.yaml")
    assert list(again.conditions) == ["left"] and dict(again.coefficients["conductivity"])["west"] == 45.0
    np.testing.assert_allclose(solve(again).values, 3.0)


def test_half_a_problem_is_refused(tmp_path: Path) -> None:
    case("tetra").write(tmp_path / "deck.inp")
    whole = (tmp_path / "deck.inp").read_text()
    (tmp_path / "case.yaml").write_text("geometry: deck.inp\nequation: heat\n")
    for text, words in [
        (whole.replace(", STEADY STATE", ""), "STEADY STATE"),
        (whole.replace("*FILM", "*RADIATE\n1,R1,3.,.5\n*FILM"), "RADIATE"),
        (whole.replace("*CONDUCTIVITY\n45.0\n", ""), "CONDUCTIVITY"),
    ]:
        assert text != whole
        (tmp_path / "deck.inp").write_text(text)
        for name in ("deck.inp", "case.yaml"):
            with pytest.raises(SpecError, match=words):
                Case.read(tmp_path / name)
    (tmp_path / "deck.inp").write_text(whole.split("*MATERIAL")[0])
    with pytest.raises(SpecError, match="states no problem"):
        Case.read(tmp_path / "deck.inp")


@pytest.mark.parametrize(
    "own", ["", "equation: heat\nsource: 0\nconditions:\n  left: {dirichlet: 3}\n  right: {neumann: 7}\n"]
)
def test_a_deck_in_another_unit_of_length_is_the_same_problem(tmp_path: Path, own: str) -> None:
    case("hexahedron").write(tmp_path / "deck.inp")
    found = {}
    for unit, flux in (("mm:mm", "7"), ("mm:m", "7.0e+6")):
        text = f'geometry: deck.inp\nunit: "{unit}"\n{own.replace("neumann: 7", f"neumann: {flux}")}'
        (tmp_path / "case.yaml").write_text(text)
        found[unit] = Case.read(tmp_path / "case.yaml")
    small, large = found["mm:m"], found["mm:mm"]
    np.testing.assert_allclose(1000 * small.mesh.points, large.mesh.points)
    assert dict(small.coefficients["conductivity"])["west"] == pytest.approx(45e3)
    np.testing.assert_allclose(solve(small).values, solve(large).values, rtol=1e-9)


def test_what_a_change_of_unit_would_not_carry_is_refused() -> None:
    for loads, words in (
        (Loads(equation="heat", source=Expression("1 + x")), "1 \\+ x"),
        (Loads(equation="stokes"), "cannot change its unit"),
        (Loads(equation="heat", coefficients={"capacity": 1.0}), "cannot change its unit"),
    ):
        with pytest.raises(ReadError, match=words):
            loads.scaled(1e-3)


def test_what_a_deck_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    given = case("tetra")
    for wrong in (
        replace(given, coefficients={"conductivity": "1 + x"}),
        replace(given, mesh=replace(given.mesh, regions={" west": [0]}), coefficients={}, source=0.0),
    ):
        with pytest.raises(WriteError):
            wrong.write(tmp_path / "deck.inp")
    assert not list(tmp_path.iterdir())
    with pytest.raises(MeshopsError):
        Case.read(tmp_path / "deck.inp")
