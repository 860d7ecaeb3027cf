"""Waves, what they carry, and currents, against closed forms and published figures."""

from __future__ import annotations

import numpy as np
import pytest

from geometries import Absorbing, Dirichlet, Neumann, Periodic
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import AdvectionDiffusion, Burgers, Case, Combined, DampedHelmholtz, Helmholtz, Wave, solve
from meshops.equations.recovery import nodal_gradient
from meshops.equations.transient import march
from tests.verification.conftest import Verified


def line(points: np.ndarray, mesh: Mesh) -> Mesh:
    return Mesh(points=points[:, None], cells=mesh.cells, boundaries=mesh.boundaries)


# -- one frequency -----------------------------------------------------------------------------------------------------
def test_a_duct_with_a_piston(verified: Verified) -> None:
    mesh, k = Grid(shape=(40,), order=2).mesh(), 10.0
    case = Case(mesh, Helmholtz(), conditions={"left": Neumann(1)}, coefficients={"wavenumber": k})
    end = solve(case).values[mesh.points[:, 0].argmax()]
    name = "a duct with a piston, k L = 10"
    verified("helmholtz", name, "pressure at the closed end", end, -1 / (k * np.sin(k)), 1e-3, "closed form")


@pytest.mark.parametrize("degrees", [0.0, 30.0, 60.0])
def test_what_comes_back_from_an_absorbing_side(verified: Verified, degrees: float) -> None:
    """A plane wave at an angle, periodic across: R = (1 - cos θ)/(1 + cos θ)."""
    angle = np.radians(degrees)
    across = 2 * np.pi if degrees else 0.0
    k = across / np.sin(angle) if degrees else 10.0
    along = k * np.cos(angle)
    mesh = Grid(shape=(24, 24), cell="quad", order=2).mesh()
    wave = (f"cos({across}*y)", f"sin({across}*y)")
    conditions = {"left": Dirichlet(wave), "right": Absorbing(), "bottom": Periodic("top")}
    case = Case(mesh, DampedHelmholtz(), conditions=conditions, coefficients={"wavenumber": k})
    real, imag = solve(case).values.T
    x, y = mesh.points.T
    turned = (real + 1j * imag) * np.exp(-1j * across * y)
    parts = np.linalg.lstsq(np.stack([np.exp(1j * along * x), np.exp(-1j * along * x)], axis=1), turned, rcond=None)[0]
    share = abs(parts[1] / parts[0])
    expected = (1 - np.cos(angle)) / (1 + np.cos(angle))
    source = "Engquist and Majda 1977, doi:10.1090/S0025-5718-1977-0436612-4"
    case_name, quantity = f"an absorbing side at {degrees:g}°", "share of the amplitude reflected"
    verified("helmholtz_damped", case_name, quantity, share, expected, 1e-2 if degrees else 1e-3, source)


# -- waves in time -----------------------------------------------------------------------------------------------------
def test_a_square_membranes_period(verified: Verified) -> None:
    """Its lowest mode swings as cos(√2 π t): after a whole period it is back, and turns there."""
    mesh, period = Grid(shape=(8, 8), cell="quad", order=2).mesh(), np.sqrt(2)
    start = {"displacement": "sin(pi*x)*sin(pi*y)"}
    times = np.linspace(0, 1.2 * period, 13).tolist()
    case = Case(mesh, Wave(), conditions={"*": Dirichlet(0)}, initial=start, times=times)
    middle = np.linalg.norm(mesh.points - 0.5, axis=1).argmin()
    series = march(case, steps=40)[0]["displacement"][:, middle, 0]
    fit = np.arange(1.40, 1.43, 1e-5)
    gaps = ((series[None] - np.cos(2 * np.pi * np.array(times)[None] / fit[:, None])) ** 2).sum(1)
    verified("wave", "a square membrane", "period of its lowest mode", fit[gaps.argmin()], period, 1e-3, "closed form")


# -- carried and spread ------------------------------------------------------------------------------------------------
def test_a_pulse_is_carried_and_spreads(verified: Verified) -> None:
    """Its center moves by a t, its variance grows by 2kt."""
    mesh, a, k, time = Grid(shape=(400,)).mesh(), 1.0, 2e-3, 0.5
    case = Case(
        mesh,
        AdvectionDiffusion(),
        conditions={"*": Dirichlet(0)},
        coefficients={"diffusivity": k, "velocity": (a,)},
        initial={"concentration": "exp(-(x-0.25)**2/(2*0.03**2))"},
        times=(0, time),
    )
    u, x = march(case, steps=200)[0]["concentration"][-1, :, 0] * mesh.mass, mesh.points[:, 0]
    center = u @ x / u.sum()
    grown = u @ (x - center) ** 2 / u.sum() - 0.03**2
    name = "a pulse in a stream"
    verified("advection_diffusion", name, "way of its center", center - 0.25, a * time, 1e-3, "closed form")
    verified("advection_diffusion", name, "growth of its variance", grown, 2 * k * time, 1e-2, "closed form")


# -- Burgers, Korteweg and de Vries ------------------------------------------------------------------------------------
@pytest.mark.parametrize("time", [0.5, 2.0])
def test_cole_and_hopfs_solution(verified: Verified, time: float) -> None:
    """U = 2νπ e^(-νπ²t) sin πx/(a + e^(-νπ²t) cos πx)."""
    mesh, nu, a = Grid(shape=(40,), order=2).mesh(), 0.05, 1.2
    case = Case(
        mesh,
        Burgers(),
        conditions={"*": Dirichlet(0)},
        coefficients={"viscosity": nu},
        initial={"velocity": (f"2*{nu}*pi*sin(pi*x)/({a}+cos(pi*x))",)},
        times=(0, time),
    )
    middle = np.abs(mesh.points[:, 0] - 0.75).argmin()
    found = march(case, steps=100)[0]["velocity"][-1, middle, 0]
    fade, x = np.exp(-nu * np.pi**2 * time), mesh.points[middle, 0]
    exact = 2 * nu * np.pi * fade * np.sin(np.pi * x) / (a + fade * np.cos(np.pi * x))
    name, source = f"a hump that steepens, t = {time:g}", "Wood 2006, doi:10.1002/cnm.850, by Cole and Hopf"
    verified("burgers", name, "velocity at x = 0.75", found, exact, 1e-3, source)


@pytest.mark.slow
def test_the_steepest_front_from_a_sine(verified: Verified) -> None:
    """U = -sin πx on [-1, 1] with ν = 0.01/π: the slope at 0 is steepest, 152.00516, at t = 1.6037/π."""
    grid = Grid(shape=(320,), order=2).mesh()
    s = 2 * grid.points[:, 0] - 1
    mesh = line(np.sinh(4.5 * s) / np.sinh(4.5), grid)
    case = Case(
        mesh,
        Burgers(),
        conditions={"*": Dirichlet(0)},
        coefficients={"viscosity": 0.01 / np.pi},
        initial={"velocity": ("-sin(pi*x)",)},
        times=(0, 1.6037 / np.pi),
    )
    velocity = march(case, steps=600)[0]["velocity"][-1]
    slope = -nodal_gradient(mesh, velocity)[np.abs(mesh.points[:, 0]).argmin(), 0, 0]
    source = "Basdevant et al. 1986, doi:10.1016/0045-7930(86)90036-8"
    verified("burgers", "a sine that steepens, ν = 0.01/π", "steepest slope", slope, 152.00516, 5e-3, source)


@pytest.mark.slow
def test_a_solitons_speed(verified: Verified) -> None:
    """∂u/∂t + 6 u u' + u''' = 0: c/2 sech²(√c (x - ct)/2) runs at c."""
    length, c, time = 20.0, 4.0, 1.0
    grid = Grid(shape=(400,)).mesh()
    mesh = line(length * grid.points[:, 0], grid)
    case = Case(
        mesh,
        Combined(),
        conditions={"left": Periodic("right")},
        coefficients={"advection": 3.0, "diffusion": 0.0, "dispersion": 1.0},
        initial={"velocity": f"{c / 2}/cosh({np.sqrt(c) / 2}*(x-6))**2"},
        times=(0, time),
    )
    u, x = march(case, steps=400)[0]["velocity"][-1, :, 0], mesh.points[:, 0]
    way = (u**2 * mesh.mass) @ x / (u**2 @ mesh.mass) - 6
    source = "Zabusky and Kruskal 1965, doi:10.1103/PhysRevLett.15.240"
    verified("combined", "a soliton, c = 4", "speed", way / time, c, 1e-2, source)
    verified("combined", "a soliton, c = 4", "height after t = 1", u.max(), c / 2, 1e-2, source)
