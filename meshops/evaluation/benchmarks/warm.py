"""What a prediction saves Newton's method: `make bench-warm`.

Random nonlinear problems, heat with k(u) and hyperelastic cells, from predictions of a given relative error: smooth, as
a trained operator's mostly is, with a tenth of it rough. Iterations and seconds to the same tolerance, from the
prediction and from the case's own start, one after the other in one run; one thread.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.families.grid import Grid
from geometries.families.unit_cell import UnitCell
from meshops.equations import EQUATIONS, Case, Solution, solve
from meshops.trust import polish

COUNT = 8  # problems of each kind
ERRORS = (0.1, 0.03, 0.01, 0.001)
TOLERANCE = 1e-3


def heat_cases() -> Iterator[Case]:
    """Yield plates whose conductivity grows by a factor of 3 to 20 with the temperature."""
    rng, mesh = np.random.default_rng(0), Grid(shape=(60, 60)).mesh()
    for _ in range(COUNT):
        conditions = {"left": Dirichlet(0.0), "right": Dirichlet("1 + y"), "top": Robin(2.0, float(rng.uniform(0, 2)))}
        k = f"exp({rng.uniform(0.5, 1.5):.3f}*u)"
        source = f"{rng.uniform(0, 20):.3f}*sin(4*x)*y"
        yield Case(mesh, EQUATIONS["heat"], conditions=conditions, coefficients={"conductivity": k}, source=source)


def solid_cases() -> Iterator[Case]:
    """Yield cells with a void, clamped below and pulled above until they are about half as long again."""
    rng = np.random.default_rng(1)
    for _ in range(COUNT):
        mesh = UnitCell(size=0.025).sample(rng)
        pull = (float(rng.uniform(-0.05, 0.05)), float(rng.uniform(0.1, 0.3)))
        conditions = {"bottom": Dirichlet((0.0, 0.0)), "top": Neumann(pull)}
        yield Case(mesh, EQUATIONS["hyperelasticity"], conditions=conditions, coefficients={"poisson": 0.3})


def predictions(exact: Solution, size: float, rng: np.random.Generator) -> Solution:
    """Return a field at relative L2 error `size` from the solution, which keeps the essential values."""
    case, values = exact.case, exact.fields[exact.case.equation.field]
    points = case.mesh.points
    waves = [np.sin(points @ rng.uniform(-6, 6, points.shape[1]) + rng.uniform(0, 6)) for _ in values.T]
    error = np.stack(waves, axis=1) + 0.1 * rng.standard_normal(values.shape)
    error[~np.isnan(case.fixed).any(1)] = 0.0
    norm = np.sqrt(case.mesh.mass @ values**2).max() / np.sqrt(case.mesh.mass @ error**2).max()
    return case.solution(values + size * norm * error)


def measured(cases: list[Solution], size: float) -> list[float]:
    """Return the mean iterations and seconds from the prediction, from zero, and the share that started there."""
    rng = np.random.default_rng(2)
    rows = []
    for exact in cases:
        record = polish(predictions(exact, size, rng), tolerance=TOLERANCE, compare=True).made_by["polish"]
        assert isinstance(record, dict)
        zero = record["from_zero"]
        used = record["start"] == "prediction"
        rows.append([record["iterations"], record["seconds"], zero["iterations"], zero["seconds"], used])
    return np.mean(rows, axis=0).tolist()


def main() -> None:
    """Write a table."""
    head = ("error", "steps", "seconds", "steps from 0", "seconds", "saved", "prediction taken")
    for name, cases in (("heat, k(u)", heat_cases()), ("hyperelastic cell", solid_cases())):
        exact = [solve(case) for case in cases]
        sys.stdout.write(f"{name}: {exact[0].case.mesh.num_points:,} points\n")
        sys.stdout.write("".join(f"{h:>18}" for h in head) + "\n")
        for size in ERRORS:
            steps, seconds, zero_steps, zero_seconds, used = measured(exact, size)
            saved = 1 - seconds / zero_seconds
            row = (f"{size:.1%}", f"{steps:.1f}", f"{seconds:.3f}", f"{zero_steps:.1f}", f"{zero_seconds:.3f}")
            sys.stdout.write("".join(f"{x:>18}" for x in (*row, f"{saved:.0%}", f"{used:.0%}")) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
