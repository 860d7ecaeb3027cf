"""A run that has seen brackets is asked about a gear: it says so, and polishing makes the answer right all the same."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from geometries.conditions import Dirichlet, Robin
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.answer import Demand, predicted
from meshops.data import Normalization, Recipe, generate
from meshops.equations import EQUATIONS, Case, solve
from meshops.operators import build
from meshops.training import Surrogate
from meshops.training.seeds import seeded
from meshops.trust import Guard

TEETH = 14


def gear(bore: float = 10.0, rim: float = 34.0, tooth: float = 5.0, width: float = 9.0) -> Mesh:
    """A spur gear in millimetres: a grid in radius, angle and height, closed to a ring, its rim raised to teeth."""
    around = 4 * TEETH
    grid = Grid(shape=(5, around, 3)).mesh()
    share, turn, height = grid.points.T
    raised = np.round(turn * around).astype(int) % 4 < 2
    radius = bore + share * (rim - bore + tooth * raised)
    angle = 2 * np.pi * turn
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), width * height], axis=1)
    same = {tuple(p): i for i, p in reversed(list(enumerate(points.round(6))))}
    first = np.array([same[tuple(p)] for p in points.round(6)])
    used, numbers = np.unique(first, return_inverse=True)
    names = {"left": "bore", "right": "teeth", "front": "base", "back": "face"}
    boundaries = {new: grid.boundaries[old] for old, new in names.items()}
    return Mesh(points=points[used], cells={"tetra": numbers[grid.cells["tetra"]]}, boundaries=boundaries)


@pytest.mark.slow
def test_a_gear_is_unusual_for_a_run_that_has_seen_brackets(tmp_path: Path) -> None:
    samples = generate(Recipe.load("bracket"), tmp_path, count=40, workers=1)
    graphs = list(samples)
    guard = Guard.calibrate(graphs, samples.schema)
    options = {"width": 8, "cycles": 1}
    with seeded(0):
        operator = build("multigrid", samples.schema, options)
    surrogate = Surrogate(operator, Normalization.fit(graphs, samples.schema), "multigrid", options)
    with as_file(files("meshops") / "resources") as resources:
        bracket = Case.read(resources / "bracket.yaml")
    conditions = {"base": Dirichlet(20.0), "bore": Dirichlet(60.0), "*": Robin(1e-3, 20.0)}
    case = Case(gear(), EQUATIONS["heat"], conditions=conditions, coefficients={"conductivity": 0.045})
    assert guard.unusual(surrogate.graph_of(bracket)) == ()
    found = predicted(surrogate, guard, case, Demand(), {})
    assert found.verdict is not None
    assert any("extent" in u or "facing" in u for u in found.verdict.unusual)
    right = predicted(surrogate, guard, replace(case), Demand(tolerance=1e-6), {})
    assert right.verdict is not None
    assert right.verdict.unusual
    assert right.verdict.guaranteed
    assert right.verdict.relative_energy_error[1] <= 1.1e-6
    np.testing.assert_allclose(right.solution.values, solve(case).values, rtol=1e-5)
