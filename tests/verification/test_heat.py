"""Heat against NAFEMS' benchmarks and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import skfem

from geometries import Dirichlet, Radiation, Robin
from geometries.families.disk import Disk
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import Case, Heat, solve
from meshops.equations.elements import blocks
from tests.verification.conftest import Verified

NAFEMS = "NAFEMS, The Standard NAFEMS Benchmarks (1990)"


def stretched(mesh: Mesh, *sizes: float) -> Mesh:
    return Mesh(points=mesh.points * sizes, cells=mesh.cells, boundaries=mesh.boundaries)


def at(mesh: Mesh, values: np.ndarray, *point: float) -> float:
    gap = np.linalg.norm(mesh.points - point, axis=1)
    assert gap.min() < 1e-9
    return float(values[gap.argmin()])


def test_nafems_t2_radiation(verified: Verified) -> None:
    mesh = stretched(Grid(shape=(10,)).mesh(), 0.1)
    case = Case(
        mesh,
        Heat(),
        conditions={"left": Dirichlet(1000), "right": Radiation(0.98 * 5.67e-8, ambient=300)},
        coefficients={"conductivity": 55.6},
        initial={"temperature": 1000},
    )
    end = at(mesh, solve(case).values, 0.1)
    verified("heat", "NAFEMS T2: a bar that radiates", "temperature at B (K)", end, 927.0, 1e-4, f"{NAFEMS}, T2")


def test_nafems_t3_transient(verified: Verified) -> None:
    mesh = stretched(Grid(shape=(20,), order=2).mesh(), 0.1)
    case = Case(
        mesh,
        Heat(),
        conditions={"left": Dirichlet(0), "right": Dirichlet("100*sin(pi*t/40)")},
        coefficients={"conductivity": 35.0, "capacity": 7200 * 440.5},
        times=(0, 32),
    )
    found = at(mesh, solve(case).fields["temperature"][-1, :, 0], 0.08)
    verified(
        "heat", "NAFEMS T3: an end that swings", "temperature at 0.08 m, 32 s (°C)", found, 36.60, 2e-3, f"{NAFEMS}, T3"
    )


@pytest.mark.parametrize(("cell", "order", "n"), [("triangle", 2, 30), ("quad", 2, 30), ("quad", 1, 60)])
def test_nafems_t4_convection(verified: Verified, cell: str, order: int, n: int) -> None:
    mesh = stretched(Grid(shape=(n * 3 // 5, n), cell=cell, order=order).mesh(), 0.6, 1.0)
    case = Case(
        mesh,
        Heat(),
        conditions={"bottom": Dirichlet(100), "right": Robin(750), "top": Robin(750)},
        coefficients={"conductivity": 52.0},
    )
    found = at(mesh, solve(case).values, 0.6, 0.2)
    name = f"NAFEMS T4: a plate that is cooled, {cell} cells of order {order}"
    verified("heat", name, "temperature at E (°C)", found, 18.25, 5e-3, f"{NAFEMS}, T4")


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_torsion_of_an_ellipse(verified: Verified, ratio: float) -> None:
    """-Δφ = 2 with φ = 0 outside: J = 2∫φ = π a³b³/(a² + b²)."""
    disk = Disk().mesh({"cells": 40})
    radius = np.linalg.norm(disk.points - 0.5, axis=1).max()
    mesh = Mesh(points=(disk.points - 0.5) / radius * [ratio, 1.0], cells=disk.cells)
    found = 2 * mesh.mass @ solve(Case(mesh, Heat(), conditions={"*": Dirichlet(0)}, source=2)).values
    expected = np.pi * ratio**3 / (ratio**2 + 1)
    name = f"torsion of an ellipse, a/b = {ratio:g}"
    verified("heat", name, "torsional constant", found, expected, 1e-2, "Timoshenko and Goodier, Theory of Elasticity")


def test_a_fin(verified: Verified) -> None:
    """-k u'' + s u = 0, u(0) = 1, u'(1) = 0: cosh(m (1 - x))/cosh(m) with m² = s/k."""
    mesh, m = Grid(shape=(20,), order=2).mesh(), 3.0
    case = Case(mesh, Heat(), conditions={"left": Dirichlet(1)}, coefficients={"loss": m**2})
    verified(
        "heat",
        "a fin",
        "temperature at its tip",
        at(mesh, solve(case).values, 1.0),
        1 / np.cosh(m),
        1e-5,
        "closed form",
    )


# -- the singular corner -----------------------------------------------------------------------------------------------
def l_shape(n: int) -> Mesh:
    """The square [-1, 1]² in 2n by 2n cells, less its lower right quarter."""
    square = Grid(shape=(2 * n, 2 * n)).mesh()
    points, cells = 2 * square.points - 1, square.cells["triangle"]
    center = points[cells].mean(1)
    kept = cells[~((center[:, 0] > 0) & (center[:, 1] < 0))]
    used, numbers = np.unique(kept, return_inverse=True)
    return Mesh(points=points[used], cells={"triangle": numbers.reshape(-1, 3)})


def gaps(mesh: Mesh) -> np.ndarray:
    """L2 and H1 error where u = r^(2/3) sin(2θ/3)."""
    angle = "atan2(y, x) + where(atan2(y, x) < -1e-12, 2*pi, 0)"
    exact = f"hypot(x, y)**(2/3)*sin(2/3*({angle}))"
    values = solve(Case(mesh, Heat(), conditions={"*": Dirichlet(exact)})).values
    (block,) = blocks(mesh)
    basis = skfem.Basis(block.mesh, block.element, intorder=8)
    found, (x, y) = basis.interpolate(values[block.points]), np.asarray(basis.global_coordinates())
    r, theta = np.hypot(x, y), np.mod(np.arctan2(y, x), 2 * np.pi)
    wave, bent = np.sin(2 / 3 * theta), np.cos(2 / 3 * theta)
    out, round_ = np.stack([np.cos(theta), np.sin(theta)]), np.stack([-np.sin(theta), np.cos(theta)])
    slope = 2 / 3 * r ** (-1 / 3) * (wave * out + bent * round_)
    squares = (np.asarray(found) - r ** (2 / 3) * wave) ** 2, ((np.asarray(found.grad) - slope) ** 2).sum(0)
    return np.sqrt([(s * basis.dx).sum() for s in squares])


def test_the_corner_of_an_l_sets_the_rate(verified: Verified) -> None:
    coarse, fine = gaps(l_shape(16)), gaps(l_shape(64))
    l2, h1 = np.log(coarse / fine) / np.log(4)
    source = "Grisvard, Elliptic Problems in Nonsmooth Domains: u ~ r^(2/3) at an angle of 3π/2"
    verified("heat", "Poisson's equation on an L", "rate of convergence in H1", h1, 2 / 3, 0.03, source)
    verified("heat", "Poisson's equation on an L", "rate of convergence in L2", l2, 4 / 3, 0.05, source)
