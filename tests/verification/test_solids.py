"""Solids against NAFEMS' benchmarks, Lamé's and Timoshenko's closed forms, and a membrane that many have published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from geometries import Dirichlet, Mesh, Neumann
from geometries.conditions import Pressure, Roller
from geometries.families.grid import Grid
from meshops.equations import Case, Elasticity, Heat, Hyperelasticity, PlaneStress, Solution, solve
from meshops.equations.solids import lame
from tests.equations.test_deck_solids import CCX, by_calculix
from tests.equations.test_deck_solids import case as block

NAFEMS = "NAFEMS, The Standard NAFEMS Benchmarks (1990)"
TIMOSHENKO = "Timoshenko and Goodier, Theory of Elasticity (1970)"
XX, YY, ZZ = 0, 1, 2  # columns of the stress


def mapped(shape: tuple[int, ...], onto: Callable[..., list[Any]], **options: Any) -> Mesh:
    """A grid of the unit square or cube, moved point by point."""
    mesh = Grid(shape=shape, **options).mesh()
    return replace(mesh, points=np.stack(onto(*mesh.points.T), axis=1))


def at(solution: Solution, field: str, point: tuple[float, ...]) -> np.ndarray:
    """The values of a field at the mesh's point there."""
    distance = np.linalg.norm(solution.case.mesh.points - point, axis=1)
    assert distance.min() < 1e-9
    return solution.fields[field][distance.argmin()]


# -- NAFEMS ------------------------------------------------------------------------------------------------------------
def ellipses(s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The quarter between the ellipses of half axes (2, 1) and (3.25, 2.75), from s = 0 within to s = 1 without."""
    angle = np.pi / 2 * t
    return (2 + 1.25 * s) * np.cos(angle), (1 + 1.75 * s) * np.sin(angle)


def test_nafems_le1(verified: Any) -> None:
    mesh = mapped((16, 24), lambda s, t: [*ellipses(s, t)], cell="quad", order=2)
    conditions = {"bottom": Roller(), "top": Roller(), "right": Pressure(-10.0)}
    case = Case(mesh, PlaneStress(), conditions=conditions, coefficients={"young": 210e3, "poisson": 0.3})
    found = at(solve(case).with_derived(), "stress", (2.0, 0.0))[YY]
    verified("plane_stress", "elliptic membrane LE1", "σ_yy at D, MPa", found, 92.7, 0.005, NAFEMS)


def test_nafems_le10(verified: Any) -> None:
    """The line E-E' on which the plate rests is a strip of 3 % of the thickness: supports hold sides, not lines."""
    heights = np.array([0.0, 0.1, 0.2, 0.29, 0.31, 0.4, 0.5, 0.6])

    def onto(s: np.ndarray, t: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
        return [*ellipses(s, t), np.interp(z, np.linspace(0, 1, len(heights)), heights)]

    mesh = mapped((6, 8, 7), onto, cell="hexahedron", order=2)
    rim = mesh.sides("right")
    middle = np.abs(mesh.side_geometry(rim)[0][:, 2] - 0.3) < 0.01
    edges = {"line": rim[middle], "right": rim[~middle]}
    conditions = {
        "bottom": Roller(),
        "top": Roller(),
        "right": Dirichlet((0, 0, None)),
        "line": Dirichlet((0, 0, 0)),
        "back": Pressure(1.0),
    }
    case = Case(
        replace(mesh, boundaries={**mesh.boundaries, **edges}),
        Elasticity(),
        conditions=conditions,
        coefficients={"young": 210e3, "poisson": 0.3},
    )
    found = at(solve(case).with_derived(), "stress", (2.0, 0.0, 0.6))[YY]
    verified("elasticity", "thick plate LE10", "σ_yy at D, MPa", found, -5.38, 0.02, NAFEMS)


# -- closed forms ------------------------------------------------------------------------------------------------------
A, B, YOUNG, NU, PRESSURE = 1.0, 2.0, 200e3, 0.3, 60.0


def ring(shape: tuple[int, int] = (12, 16)) -> Mesh:
    """The quarter of a hollow cylinder; its inside is `left`."""

    def onto(s: np.ndarray, t: np.ndarray) -> list[np.ndarray]:
        r = A + (B - A) * s
        return [r * np.cos(np.pi / 2 * t), r * np.sin(np.pi / 2 * t)]

    return mapped(shape, onto, cell="quad", order=2)


def test_hollow_cylinder_under_pressure(verified: Any) -> None:
    conditions = {"bottom": Roller(), "top": Roller(), "left": Pressure(PRESSURE)}
    case = Case(ring(), Elasticity(), conditions=conditions, coefficients={"young": YOUNG, "poisson": NU})
    solution = solve(case).with_derived()
    share = PRESSURE * A**2 / (B**2 - A**2)
    hoop, moved = at(solution, "stress", (A, 0))[YY], at(solution, "displacement", (A, 0))[0]
    name = "hollow cylinder under pressure, plane strain"
    verified("elasticity", name, "hoop stress inside, MPa", hoop, share * (1 + B**2 / A**2), 0.005, TIMOSHENKO)
    exact = share * (1 + NU) / YOUNG * ((1 - 2 * NU) * A + B**2 / A)
    verified("elasticity", name, "radial displacement inside, mm", moved, exact, 1e-4, TIMOSHENKO)


def test_hollow_sphere_under_pressure(verified: Any) -> None:
    """A twenty-fourth of it, between the planes y = 0, z = 0, x = y and x = z: two of the four rollers are oblique."""

    def onto(s: np.ndarray, u: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
        r = (A + (B - A) * s) / np.sqrt(1 + u**2 + v**2)
        return [r, r * u, r * v]

    mesh = mapped((12, 3, 3), onto, cell="hexahedron", order=2)
    sides = {name: Roller() for name in ("bottom", "top", "front", "back")}
    case = Case(
        mesh,
        Elasticity(),
        conditions={**sides, "left": Pressure(PRESSURE)},
        coefficients={"young": YOUNG, "poisson": NU},
    )
    solution = solve(case).with_derived()
    share = PRESSURE * A**3 / (B**3 - A**3)
    hoop, moved = at(solution, "stress", (A, 0, 0))[YY], at(solution, "displacement", (A, 0, 0))[0]
    name = "hollow sphere under pressure"
    verified("elasticity", name, "hoop stress inside, MPa", hoop, share * (1 + B**3 / (2 * A**3)), 0.01, TIMOSHENKO)
    exact = share / YOUNG * ((1 - 2 * NU) * A + (1 + NU) * B**3 / (2 * A**2))
    verified("elasticity", name, "radial displacement inside, mm", moved, exact, 1e-3, TIMOSHENKO)


def test_hollow_cylinder_that_conducts_heat(verified: Any) -> None:
    """Steady temperatures by `heat` are the thermal load of the same mesh."""
    mesh, hot, alpha = ring(), 100.0, 1.2e-5
    warm = solve(Case(mesh, Heat(), conditions={"left": Dirichlet(hot), "right": Dirichlet(0)}))
    case = Case(
        mesh,
        Elasticity(),
        conditions={"bottom": Roller(), "top": Roller()},
        coefficients={"young": YOUNG, "poisson": NU, "expansion": alpha, "temperature_rise": warm.values},
    )
    solution = solve(case).with_derived()
    log, scale = np.log(B / A), YOUNG * alpha * hot / (2 * (1 - NU))

    def hoop(r: float) -> float:
        return scale / log * (1 - np.log(B / r) - A**2 / (B**2 - A**2) * (1 + (B / r) ** 2) * log)

    for place, r in (("inside", A), ("outside", B)):
        found = at(solution, "stress", (r, 0))[YY]
        name = "hollow cylinder, steady heat through its wall"
        verified("elasticity", name, f"hoop stress {place}, MPa", found, hoop(r), 0.01, TIMOSHENKO)


def test_cantilever(verified: Any) -> None:
    length, height, load = 10.0, 1.0, 0.01
    mesh = mapped((20, 2), lambda x, y: [length * x, height * (y - 0.5)], cell="quad", order=2)
    parabola = f"-{load}*6/{height}**3*({height}**2/4 - y**2)"
    conditions = {"left": Dirichlet((0, 0)), "right": Neumann((0, parabola))}
    case = Case(mesh, PlaneStress(), conditions=conditions, coefficients={"young": 100.0, "poisson": NU})
    found = at(solve(case), "displacement", (length, 0))[1]
    inertia, shear = height**3 / 12, 100.0 / (2 * (1 + NU)) * height
    factor = 10 * (1 + NU) / (12 + 11 * NU)  # Cowper 1966
    exact = -load * length**3 / (3 * 100.0 * inertia) - load * length / (factor * shear)
    source = "Timoshenko's beam, doi:10.1115/1.3625046"
    verified(
        "plane_stress", "cantilever, ten times as long as high", "deflection at the end", found, exact, 0.005, source
    )


def test_cooks_membrane(verified: Any) -> None:
    mesh = mapped((16, 16), lambda x, y: [48 * x, 44 * x + (44 - 28 * x) * y], cell="quad", order=2)
    conditions = {"left": Dirichlet((0, 0)), "right": Neumann((0, 1 / 16))}
    case = Case(mesh, PlaneStress(), conditions=conditions, coefficients={"young": 1.0, "poisson": 1 / 3})
    found = at(solve(case), "displacement", (48, 52))[1]
    source = "Cook 1974, J. Struct. Div. ASCE 100, 1851; 23.96 by many since"
    verified("plane_stress", "Cook's membrane", "deflection at the end's middle", found, 23.96, 0.002, source)


# -- another solver ----------------------------------------------------------------------------------------------------
@pytest.mark.skipif(CCX is None, reason="CalculiX is not installed (apt-get install calculix-ccx)")
@pytest.mark.parametrize(("cell", "order"), [("tetra", 1), ("tetra", 2), ("hexahedron", 1), ("triangle", 2)])
def test_calculix(verified: Any, tmp_path: Path, cell: str, order: int) -> None:
    """Two materials, supports by component, pressure, traction, weight, warmth; the same deck, the same cells."""
    given = block(Elasticity(), cell, order, warm=3.0)
    given.write(tmp_path / "deck.inp")
    ours = solve(given).values
    theirs = by_calculix(tmp_path / "deck.inp")[: len(ours), : ours.shape[1]]
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
    most, least = (np.linalg.norm(u, axis=1).max() for u in (ours, theirs))
    name = f"block of two materials, {cell} cells of order {order}"
    verified("elasticity", name, "largest displacement, mm", most, float(least), 1e-3, "CalculiX, the same deck")


# -- large strains -----------------------------------------------------------------------------------------------------
def test_uniaxial_stretch(verified: Any) -> None:
    """The sides are free: μ (s - 1/s) + λ ln(l s²)/s = 0, σ = (μ (l² - 1) + λ ln(l s²))/(l s²)."""
    (lam, mu), stretch = lame(1.0, NU), 2.0
    side = brentq(lambda s: mu * (s - 1 / s) + lam * np.log(stretch * s * s) / s, 0.1, 10)
    exact = (mu * (stretch**2 - 1) + lam * np.log(stretch * side**2)) / (stretch * side**2)
    sides = {name: Roller() for name in ("left", "bottom", "front")}
    mesh = Grid(shape=(2, 2, 2), cell="tetra").mesh()
    conditions = {**sides, "right": Dirichlet((stretch - 1, None, None))}
    solution = solve(Case(mesh, Hyperelasticity(), conditions=conditions, coefficients={"poisson": NU})).with_derived()
    found = solution.fields["stress"][:, XX].mean()
    source = "Bonet and Wood, Nonlinear Continuum Mechanics (1997)"
    verified("hyperelasticity", "bar of twice its length", "Cauchy stress over E", found, exact, 1e-6, source)


def test_elastica(verified: Any) -> None:
    """A strip a hundred times as long as high, its end pulled by a force of fixed direction, P L²/EI = 5."""
    length, height = 50.0, 0.5
    mesh = mapped((40, 1), lambda x, y: [length * x, height * (y - 0.5)], cell="quad", order=2)
    stiff = 1.0 / (1 - NU**2) * height**3 / 12  # plane strain
    load = 5 * stiff / length**2 / height
    conditions = {"left": Dirichlet((0, 0)), "right": Neumann((0, -load))}
    case = Case(mesh, Hyperelasticity(), conditions=conditions, coefficients={"young": 1.0, "poisson": NU})
    solution = solve(case)
    inward, down = -at(solution, "displacement", (length, 0)) / length
    source = "Mattiasson 1981, Int. J. Numer. Meth. Eng. 17, 145"
    verified("hyperelasticity", "cantilever bent far, P L²/EI = 5", "end down, over L", down, 0.71379, 0.01, source)
    verified(
        "hyperelasticity", "cantilever bent far, P L²/EI = 5", "end inwards, over L", inward, 0.38763, 0.01, source
    )
