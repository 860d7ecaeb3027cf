"""Seconds and memory of a heat problem in 3-D up to a million unknowns: `make bench-solvers`.

The unit cube in tetrahedra, one face held, one cooled, a conductivity that varies, solved to 1e-10 by conjugate
gradients and multigrid. The exponent is the slope of log seconds over log unknowns, by least squares: 1 is ideal.
Memory is the most that the process has held so far, torch and all else that meshops imports included.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

import numpy as np

from geometries import Dirichlet, Robin
from geometries.families.grid import Grid
from meshops.equations import Case, Heat
from meshops.equations.assembly import Assembler
from meshops.equations.solvers import hierarchy, multigrid

SIDES = (32, 46, 68, 99)  # cells along a side: 34 thousand to 990 thousand unknowns
STAGES = ("mesh and case", "assembly", "hierarchy", "iterations", "all")


@dataclass(frozen=True)
class Run:
    """One size: unknowns, seconds by stage, iterations of conjugate gradients, the most memory so far in GB."""

    unknowns: int
    seconds: dict[str, float]
    iterations: int
    memory: float


def run(side: int) -> Run:
    """Solve the problem on a cube with `side` cells along each edge."""
    ticks = [time.perf_counter()]
    case = Case(
        Grid(shape=(side,) * 3).mesh(),
        Heat(),
        conditions={"left": Dirichlet(0), "right": Robin(1, ambient=1)},
        coefficients={"conductivity": "1+x"},
        source=1,
    )
    ticks.append(time.perf_counter())
    matrix, right = Assembler(case).system(None, case.start).reduced()
    ticks.append(time.perf_counter())
    levels = hierarchy(matrix)
    ticks.append(time.perf_counter())
    _, iterations = multigrid(matrix, levels, right)
    ticks.append(time.perf_counter())
    seconds = dict(zip(STAGES, [*np.diff(ticks), ticks[-1] - ticks[0]], strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Run(matrix.shape[0], seconds, iterations, peak / 1e9)


def exponents(runs: list[Run]) -> dict[str, float]:
    """Return {stage: exponent of its seconds in the unknowns}."""
    sizes = np.log([r.unknowns for r in runs])
    return {stage: float(np.polyfit(sizes, np.log([r.seconds[stage] for r in runs]), 1)[0]) for stage in STAGES}


def main(sides: tuple[int, ...] = SIDES) -> None:
    """Write the table."""
    head = "".join(f"{stage:>15}" for stage in STAGES)
    sys.stdout.write(f"{'unknowns':>10}{head}{'steps':>8}{'GB':>8}\n")
    runs = []
    for side in sides:
        runs.append(found := run(side))
        times = "".join(f"{found.seconds[stage]:15.2f}" for stage in STAGES)
        sys.stdout.write(f"{found.unknowns:10,}{times}{found.iterations:8}{found.memory:8.2f}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{'exponent':>10}" + "".join(f"{e:15.2f}" for e in exponents(runs).values()) + "\n")


if __name__ == "__main__":
    main()
