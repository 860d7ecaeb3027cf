"""What a prediction saves Newton's method: `make bench-warm`, or `... warm RUN DATA` for a trained operator.

Without arguments: random nonlinear problems, heat with k(u) and hyperelastic cells, from predictions of a given
relative error: smooth, as a trained operator's mostly is, with a tenth of it rough. With a run and a data set: the
problems of its test split, from what the run predicts; the seconds of the prediction, graph and all, stand beside.
Iterations and seconds to the same tolerance, from the prediction and from the case's own start, one after the other in
one run; one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.families.grid import Grid
from geometries.families.unit_cell import UnitCell
from meshops.data import MeshDataset
from meshops.equations import EQUATIONS, Case, Solution, solve
from meshops.evaluation import relative_l2
from meshops.training import Surrogate
from meshops.trust import polish

COUNT = 8  # problems of each kind
ERRORS = (0.1, 0.03, 0.01, 0.001)
TOLERANCE = 1e-3
COLUMNS = ("error", "steps", "seconds", "steps from 0", "seconds", "saved", "prediction taken")
HEAD = "".join(f"{name:>18}" for name in COLUMNS) + "\n"


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


def measured(guesses: Sequence[Solution]) -> list[float]:
    """Return the mean iterations and seconds from the guesses, from zero, and the share that started from them."""
    rows = []
    for guess in guesses:
        record = polish(guess, tolerance=TOLERANCE, compare=True).made_by["polish"]
        assert isinstance(record, dict)
        zero, used = record["from_zero"], record["start"] == "prediction"
        rows.append([record["iterations"], record["seconds"], zero["iterations"], zero["seconds"], used])
    return np.mean(rows, axis=0).tolist()


def row(label: str, guesses: Sequence[Solution]) -> str:
    """Return a line of the table."""
    steps, seconds, zero_steps, zero_seconds, used = measured(guesses)
    saved = 1 - seconds / zero_seconds
    cells = (label, f"{steps:.1f}", f"{seconds:.3f}", f"{zero_steps:.1f}", f"{zero_seconds:.3f}", f"{saved:.0%}")
    return "".join(f"{x:>18}" for x in (*cells, f"{used:.0%}")) + "\n"


def trained(run: Path, data: Path) -> None:
    """Write the line of a trained operator on the test split of its data."""
    surrogate, split = Surrogate.load(run), MeshDataset.open(data).split("test")
    begun = time.perf_counter()
    guesses = [surrogate.solve(split.case(i)) for i in range(len(split))]
    spent = (time.perf_counter() - begun) / len(guesses)
    graphs = list(split)
    errors = [relative_l2(surrogate.predict(g).numpy(), g.y.numpy(), g.mass.numpy()) for g in graphs]
    points = f"{guesses[0].case.mesh.num_points:,} points"
    sys.stdout.write(f"{data.name}, {surrogate.name}: {len(guesses)} cases of about {points}\n")
    sys.stdout.write(HEAD + row(f"{np.mean(errors):.1%}", guesses) + f"a prediction took {spent:.3f} s more\n")


def synthetic() -> None:
    """Write a table of predictions that are off by given shares."""
    for name, cases in (("heat, k(u)", heat_cases()), ("hyperelastic cell", solid_cases())):
        exact, rng = [solve(case) for case in cases], np.random.default_rng(2)
        sys.stdout.write(f"{name}: {exact[0].case.mesh.num_points:,} points\n" + HEAD)
        for size in ERRORS:
            sys.stdout.write(row(f"{size:.1%}", [predictions(solution, size, rng) for solution in exact]))
            sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        trained(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        synthetic()
