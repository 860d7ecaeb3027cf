"""Decks of linear statics: what a case writes it reads, CalculiX moves by the same, half a problem is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geometries import Dirichlet, Neumann, Robin
from geometries.conditions import Pressure, Roller
from geometries.errors import SpecError, WriteError
from geometries.families.grid import Grid
from geometries.formats import inspect
from meshops.equations import Case, Elasticity, Equation, PlaneStress, solve

CCX = shutil.which("ccx")
KINDS: list[Any] = [
    (Elasticity(), "tetra", 1),
    (Elasticity(), "tetra", 2),
    (Elasticity(), "hexahedron", 1),
    (Elasticity(), "triangle", 1),
    (Elasticity(), "triangle", 2),
    (Elasticity(), "quad", 1),
    (PlaneStress(), "triangle", 2),
    (PlaneStress(), "quad", 1),
]
IDS = [f"{e.name}-{c}{o}" for e, c, o in KINDS]


def case(equation: Equation, cell: str, order: int = 1, warm: float | str = "2 + x/5") -> Case:
    """Two materials; supports by component, by a value, by a roller; pressure, traction, weight and warmth."""
    d = 2 if cell in ("triangle", "quad") else 3
    mesh = Grid(shape=(4, 3, 2)[:d], cell=cell, order=order).mesh()
    west = np.flatnonzero(mesh.cell_centers[:, 0] < 0.5)
    regions = {"west": west, "Süd ost": np.setdiff1d(np.arange(mesh.num_cells), west)}
    return Case(
        replace(mesh, points=mesh.points * 10, regions=regions),
        equation,
        conditions={
            "left": Dirichlet((0, None, 0.001)[:d]),
            "bottom": Roller(),
            "right": (Neumann((3.0, 1.0, -2.0)[:d]), Pressure(2.0)),
            "top": Pressure(5.0),
        },
        coefficients={
            "young": {"west": 2000.0, "Süd ost": 5000.0},
            "poisson": {"west": 0.3, "Süd ost": 0.2},
            "expansion": 1e-4,
            "temperature_rise": warm,
        },
        source={"west": (0.1, -0.2, 0.3)[:d]},
    )


def by_calculix(deck: Path) -> np.ndarray:
    subprocess.run([CCX, deck.stem], cwd=deck.parent, check=True, capture_output=True, timeout=60)
    rows = re.findall(r"^\s*(\d+)((?:\s+\S+){3})\s*$", deck.with_suffix(".dat").read_text(), re.MULTILINE)
    ordered = sorted(rows, key=lambda row: int(row[0]))
    return np.array([[float(value) for value in values.split()] for _, values in ordered])


@pytest.mark.parametrize(("equation", "cell", "order"), KINDS, ids=IDS)
def test_a_case_comes_back_with_the_same_solution(tmp_path: Path, equation: Equation, cell: str, order: int) -> None:
    given = case(equation, cell, order)
    given.write(tmp_path / "deck.inp")
    again = Case.read(tmp_path / "deck.inp")
    assert again.equation.name == equation.name
    assert set(again.conditions) == {"left", "bottom", "right", "top"}
    assert again.conditions["left"].value[0] == 0.0 and again.conditions["left"].value[1] is None
    assert again.conditions["top"].value == 5.0
    assert [type(c) for c in again.conditions["right"]] == [Pressure, Neumann]
    np.testing.assert_allclose(again.conditions["right"][1].value, (3.0, 1.0, -2.0)[: given.mesh.dim], rtol=1e-8)
    assert dict(again.coefficients["young"]) == {"west": 2000.0, "Süd ost": 5000.0}
    np.testing.assert_allclose(again.source["west"], given.source["west"], rtol=1e-12)
    ours, theirs = solve(given).values, solve(again).values
    np.testing.assert_allclose(theirs, ours, atol=1e-7 * np.abs(ours).max())


@pytest.mark.skipif(CCX is None, reason="CalculiX is not installed (apt-get install calculix-ccx)")
@pytest.mark.parametrize(("equation", "cell", "order"), KINDS, ids=IDS)
def test_calculix_moves_by_the_same(tmp_path: Path, equation: Equation, cell: str, order: int) -> None:
    # CalculiX takes one temperature for a linear quadrilateral or hexahedron, and makes a sheet of solid cells whose
    # thickness is continuous, where plane stress lets it jump with the stress: to 0.3 % on this coarse mesh
    given = case(equation, cell, order, warm=3.0 if cell in ("quad", "hexahedron") else "2 + x/5")
    given.write(tmp_path / "deck.inp")
    ours = solve(given).values
    theirs = by_calculix(tmp_path / "deck.inp")[: len(ours), : ours.shape[1]]  # in 2-D it adds points
    within = 3e-3 if equation.name == "plane_stress" else 1e-6
    np.testing.assert_allclose(theirs, ours, atol=within * np.abs(ours).max())


def test_a_deck_changes_its_unit_with_its_mesh(tmp_path: Path) -> None:
    given = case(Elasticity(), "hexahedron")
    given.write(tmp_path / "deck.inp")
    (tmp_path / "case.yaml").write_text("geometry: deck.inp\nunit: mm:m\n")
    in_meters = Case.read(tmp_path / "case.yaml")
    assert in_meters.coefficients["young"]["west"] == pytest.approx(2e9)
    assert np.ptp(in_meters.mesh.points[:, 0]) == pytest.approx(0.01)
    np.testing.assert_allclose(solve(in_meters).values, solve(given).values / 1000, rtol=1e-6, atol=1e-12)


ABAQUS = """*NODE
1,0,0,0
2,2,0,0
3,2,1,0
4,0,1,0
5,0,0,1
6,2,0,1
7,2,1,1
8,0,1,1
*ELEMENT, TYPE=C3D8R, ELSET=ALL
1,1,2,3,4,5,6,7,8
*NSET, NSET=FIX
1,4,5,8
*SURFACE, NAME=END, TYPE=ELEMENT
1,S4
*SURFACE, NAME=LID, TYPE=ELEMENT
1,S2
*SOLID SECTION, ELSET=ALL, MATERIAL=STEEL
*MATERIAL, NAME=STEEL
*DENSITY
7.8e-9
*ELASTIC, TYPE=ISOTROPIC
210000.,0.3
*BOUNDARY
FIX, ENCASTRE
*STEP
*STATIC
*DSLOAD
END, TRVEC, 2., 0., 3., 4.
LID, P, 5.
*DLOAD
ALL, GRAV, 9810., 0., 0., -2.
ALL, BX, 7.
*END STEP
"""


def read(tmp_path: Path, text: str) -> Case:
    (tmp_path / "deck.inp").write_text(text)
    return Case.read(tmp_path / "deck.inp")


def test_a_deck_of_abaqus(tmp_path: Path) -> None:
    found = read(tmp_path, ABAQUS)
    assert list(found.conditions["FIX"].value) == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(found.conditions["END"].value, [0, 1.2, 1.6])
    assert found.conditions["LID"].value == 5.0
    np.testing.assert_allclose(found.source, [7, 0, -7.8e-9 * 9810])
    assert found.coefficients["young"] == 210000.0 and found.coefficients["poisson"] == 0.3


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("*STEP", "*STEP, NLGEOM", "large displacements"),
        ("*ELASTIC", "*PLASTIC\n240.,0.\n*ELASTIC", "PLASTIC"),
        ("210000.,0.3\n", "210000.,0.3,20.\n190000.,0.3,200.\n", "changes with temperature"),
        ("ALL, BX, 7.", "ALL, CENTRIF, 100., 0.,0.,0., 0.,0.,1.", "CENTRIF"),
        ("*END STEP", "*CLOAD\n7,1,5.\n*END STEP", "CLOAD on 1 points"),
        ("*END STEP", "*BOUNDARY\n7,1,1\n*END STEP", "holds 1 points"),
        ("*DENSITY\n7.8e-9\n", "", "DENSITY"),
        ("*END STEP", "*BOUNDARY, AMPLITUDE=A\n4,1,1\n*END STEP", "AMPLITUDE"),
        ("MATERIAL=STEEL", "MATERIAL=WOOD", "no section"),
        ("*END STEP", "*TIE, NAME=T\nEND,LID\n*END STEP", "TIE"),
        ("LID, P, 5.", "LID, P, 5.\nLID, P, 6.", "two loads"),
    ],
)
def test_half_a_problem_is_refused(tmp_path: Path, old: str, new: str, word: str) -> None:
    assert old in ABAQUS
    with pytest.raises(SpecError, match=word):
        read(tmp_path, ABAQUS.replace(old, new, 1))
    assert inspect(tmp_path / "deck.inp").mesh.num_cells == 1  # the mesh is there all the same


def test_a_heat_case_takes_the_mesh_of_a_static_deck(tmp_path: Path) -> None:
    (tmp_path / "deck.inp").write_text(ABAQUS)
    text = "geometry: deck.inp\nequation: heat\nconditions:\n  END: {dirichlet: 3}\n"
    (tmp_path / "case.yaml").write_text(text)
    np.testing.assert_allclose(solve(Case.read(tmp_path / "case.yaml")).values, 3.0)


def test_forces_at_the_points_of_a_face_are_a_traction(tmp_path: Path) -> None:
    pushed = ABAQUS.replace("*END STEP", "*CLOAD\n2,1,3.\n3,1,3.\n6,1,3.\n7,1,3.\n*END STEP")
    found = read(tmp_path, pushed.replace("END, TRVEC, 2., 0., 3., 4.\n", ""))
    np.testing.assert_allclose(found.conditions["END"].value, [12, 0, 0], atol=1e-12)


def test_what_a_deck_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    given = case(Elasticity(), "tetra")
    turned = replace(given.mesh, points=given.mesh.points @ np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]))
    for wrong in (
        replace(given, conditions={**given.conditions, "left": Robin(1.0)}),
        replace(given, mesh=turned),
        replace(given, coefficients={**given.coefficients, "young": "1+x"}),
        replace(given, coefficients={**given.coefficients, "temperature_rise": {"west": 1.0, "Süd ost": 2.0}}),
        replace(given, source=("x", 0, 0)),
    ):
        with pytest.raises(WriteError):
            wrong.write(tmp_path / "deck.inp")
    assert not list(tmp_path.iterdir())
