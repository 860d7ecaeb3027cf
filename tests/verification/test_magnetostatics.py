"""Currents and their fields against Ampère's law and magnetic circuits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geometries import Dirichlet
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import Case, Magnetostatics, solve
from tests.verification.conftest import Verified

MU = 4e-7 * np.pi


def sector(radii: list[float], cells: int, angle: float = np.pi / 2) -> Mesh:
    """Between the first radius and the last, as many `cells` to each ring; regions ring0, ring1, ..."""
    rings = len(radii) - 1
    grid = Grid(shape=(rings * cells, 16), cell="quad", order=2).mesh()
    r = np.interp(grid.points[:, 0], np.linspace(0, 1, rings + 1), radii)
    phi = angle * grid.points[:, 1]
    of_cell = np.minimum((grid.cell_centers[:, 0] * rings).astype(int), rings - 1)
    regions = {f"ring{i}": np.flatnonzero(of_cell == i) for i in range(rings)}
    points = np.stack([r * np.cos(phi), r * np.sin(phi)], axis=1)
    return Mesh(points=points, cells=grid.cells, boundaries=grid.boundaries, regions=regions)


def test_a_coaxial_cable(verified: Verified) -> None:
    """Energy of a quarter, with H = I(r)/2πr in the inner conductor (hollow), the gap and the outer one."""
    a0, a, b, c, current = 0.2e-3, 1e-3, 3e-3, 4e-3, 2.0
    mesh = sector([a0, a, b, c], 8)
    density = current / np.pi
    case = Case(
        mesh,
        Magnetostatics(),
        conditions={"right": Dirichlet(0)},
        source={"ring0": density / (a**2 - a0**2), "ring2": -density / (c**2 - b**2)},
    )

    def share(inner: float, outer: float, hole: float) -> float:
        """∫ (r² - hole²)²/r dr over the ring, over (outer² - inner²)²."""
        terms = [r**4 / 4 - hole**2 * r**2 + hole**4 * np.log(r) for r in (inner, outer)]
        return float(terms[1] - terms[0]) / (outer**2 - inner**2) ** 2

    whole = MU * current**2 / (4 * np.pi) * (share(a0, a, a0) + np.log(b / a) + share(b, c, c))
    found, expected = 2 * 4 * solve(case).quantities["energy"] / current**2, 2 * whole / current**2
    verified("magnetostatics", "a coaxial cable", "inductance (H/m)", found, expected, 1e-3, "Ampère's law")


def test_a_wire(verified: Verified) -> None:
    """B = μ₀I/2πr outside of a wire of iron."""
    radius, current = 1e-3, 5.0
    mesh = sector([1e-6, radius, 4e-3], 12)
    case = Case(
        mesh,
        Magnetostatics(),
        conditions={"right": Dirichlet(0)},
        coefficients={"permeability": {"ring0": 500 * MU, "ring1": MU}},
        source={"ring0": current / (np.pi * radius**2)},
    )
    density = solve(case).with_derived().fields["flux_density"]
    r = np.linalg.norm(mesh.points, axis=1)
    at = np.abs(r - 2.5e-3).argmin()
    found, expected = np.linalg.norm(density[at]), MU * current / (2 * np.pi * r[at])
    verified("magnetostatics", "a wire of iron", "flux density beside it (T)", found, expected, 3e-3, "Ampère's law")


def test_a_core_with_a_gap(verified: Verified) -> None:
    """A ring of iron with a gap: B = μ₀ N I/(g + l/μᵣ), with the gap's own field beyond its edges left out."""
    n, relative, ampere = 60, 2000.0, 100.0
    grid = Grid(shape=(n, n), cell="quad").mesh()
    x, y = 60e-3 * grid.cell_centers.T
    core = (np.abs(x - 30e-3) < 20e-3) & (np.abs(y - 30e-3) < 20e-3)
    window = (np.abs(x - 30e-3) < 10e-3) & (np.abs(y - 30e-3) < 10e-3)
    gap = (x > 40e-3) & (np.abs(y - 30e-3) < 1e-3)
    iron = core & ~window & ~gap
    inner = window & (x < 24e-3) & (np.abs(y - 30e-3) < 8e-3)
    outer = (x > 6e-3) & (x < 10e-3) & (np.abs(y - 30e-3) < 8e-3)
    air = ~iron
    regions = {"iron": iron, "air": air, "inner": inner, "outer": outer}
    mesh = replace(grid.scaled(60e-3), regions={k: np.flatnonzero(v) for k, v in regions.items()})
    area = {k: mesh.measure[mesh.regions[k]].sum() for k in ("inner", "outer")}
    case = Case(
        mesh,
        Magnetostatics(),
        conditions={"*": Dirichlet(0)},
        coefficients={"permeability": {"iron": relative * MU, "air": MU}},
        source={"inner": ampere / area["inner"], "outer": -ampere / area["outer"]},
    )
    density = solve(case).with_derived().fields["flux_density"]
    at = np.linalg.norm(mesh.points - [45e-3, 30e-3], axis=1).argmin()
    expected = MU * ampere / (2e-3 + (4 * 30e-3 - 2e-3) / relative)
    found, quantity = np.linalg.norm(density[at]), "flux density in the gap (T)"
    verified("magnetostatics", "a core with a gap", quantity, found, expected, 0.1, "the magnetic circuit")
