"""What a verdict costs at 100,000 unknowns, beside a solve from scratch: `make bench-trust`.

Shared: matrix, levels and contraction are there from an earlier case on the part, and only the load is new. Cold:
nothing is there. Assembly and set-up count on both sides. The solve is `solve`, and once more with the matrix and load
that verdicts use, which are assembled by whole arrays. Best of three, of the discretisation error once; one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.equations import EQUATIONS, Case, Solution, solve
from meshops.equations.solvers import solve_system
from meshops.trust import certify, descend, equilibrate, judge, recover, system_of
from meshops.trust.certificate import forget
from meshops.trust.polish import best_start

_RUNS = 3
SHAPES = ((315, 315), (46, 46, 46))


def case_on(mesh: Mesh, ambient: float) -> Case:
    """Return a case with every kind of condition, an expression for the source and one for the conductivity."""
    conditions = {"left": Dirichlet("3 + y"), "right": Robin("2 + y", ambient), "top": Neumann("x")}
    coefficients = {"conductivity": "1 + x/2"}
    return Case(mesh, EQUATIONS["heat"], conditions=conditions, source="1 + sin(5*x)", coefficients=coefficients)


def best(task: Callable[[], object], before: Callable[[], object] = lambda: None, runs: int = _RUNS) -> float:
    """Return the least seconds of `task` over some runs, `before` done before each."""
    found = []
    for _ in range(runs):
        before()
        start = time.perf_counter()
        task()
        found.append(time.perf_counter() - start)
    return min(found)


def measured(shape: tuple[int, ...]) -> dict[str, float]:
    """Return the seconds of solving and judging on a grid of `shape` cells."""
    mesh = Grid(shape=shape).mesh()
    case, other = case_on(mesh, 5.0), case_on(mesh, 6.0)
    exact = solve(case)
    noise = 0.01 * np.sin(20 * mesh.points).prod(1)

    def guess(of: Case) -> Solution:
        return of.solution(exact.values + noise)

    found = {
        "solve from scratch": best(lambda: solve(case)),
        "the same, assembled by whole arrays": best(lambda: solve_system(system_of(case))),
        "verdict, cold": best(lambda: judge(guess(case), tolerance=0.1), forget),
        "verdict, shared": best(lambda: judge(guess(other), tolerance=0.1), lambda: certify(case)),
        "verdict, shared, 4 cycles": best(lambda: judge(guess(other), tolerance=0.1, cycles=4)),
    }
    found |= polished(guess(other))
    plain = replace(case, coefficients={})
    values = solve(plain).values
    return found | {
        "recovered gradients (estimate)": best(lambda: recover(plain, values), runs=1),
        "equilibrated fluxes (bound)": best(lambda: equilibrate(plain, values), runs=1),
    }


def polished(field: Solution) -> dict[str, float]:
    """Return the seconds of the same iteration from a field and from zero, set-up left out."""
    certificate, system = certify(field.case), system_of(field.case)
    start = best_start(certificate, system, field.values)
    return {
        "polish to 1e-6, from the field": best(lambda: descend(certificate, system, start, 1e-6)),
        "polish to 1e-6, from zero": best(lambda: descend(certificate, system, np.zeros_like(start), 1e-6)),
    }


def main() -> None:
    """Write one table for triangles and one for tetrahedra."""
    for shape in SHAPES:
        found = measured(shape)
        whole = found["solve from scratch"]
        quick = found["the same, assembled by whole arrays"]
        lines = [f"{np.prod([n + 1 for n in shape]):,} unknowns in {len(shape)}-D"]
        lines += [f"{'':40}{'seconds':>10}{'of a solve':>12}{'of the quick one':>18}"]
        lines += [f"  {name:38}{s:10.3f}{s / whole:12.1%}{s / quick:18.1%}" for name, s in found.items()]
        sys.stdout.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()
