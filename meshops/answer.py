"""From a case file to an answer: by the reference solver, or by a surrogate and then compared."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geometries.errors import MeshopsError, nearest
from geometries.mesh import Mesh
from meshops.equations import Case, Solution
from meshops.equations import solve as solve_reference
from meshops.evaluation import relative_l2
from meshops.graph import targets
from meshops.training import Surrogate
from meshops.viz import Scene, show

REFERENCE, ERROR = "_reference", "_error"  # suffixes of the fields that a comparison adds


@dataclass(frozen=True, eq=False)
class Answer:
    """A solution, the seconds of each stage, and the error against the reference where it was asked for."""

    solution: Solution
    seconds: Mapping[str, float]
    relative_l2: float | None = None


def answer(path: Path, *, run: Path | None = None, compare: bool = False) -> Answer:
    """Read a case file and solve it; raises `MeshopsError` for `compare` without a surrogate."""
    if compare and run is None:
        raise MeshopsError("--compare needs --surrogate RUN: without one the answer is the reference itself.")
    start = time.perf_counter()
    case = Case.read(path)
    seconds = {"read": time.perf_counter() - start}
    if run is None:
        solution = solve_reference(case)
        return Answer(solution, seconds | solution.seconds)
    surrogate = Surrogate.load(run)
    start = time.perf_counter()
    solution = surrogate.solve(case)
    seconds["surrogate"] = time.perf_counter() - start
    return compared(solution, seconds) if compare else Answer(solution, seconds)


def compared(solution: Solution, seconds: Mapping[str, float] | None = None) -> Answer:
    """Solve the same case by the reference; add it and the error to the fields."""
    case = solution.case
    start = time.perf_counter()
    reference = solve_reference(case)
    seconds = {**(seconds or {}), "reference": time.perf_counter() - start}
    scaling = case.equation.scaling(case)
    error = relative_l2(targets(solution, scaling), targets(reference, scaling), case.mesh.mass)
    fields = dict(solution.fields)
    for name, values in reference.fields.items():
        fields |= {name + REFERENCE: values, name + ERROR: solution.fields[name] - values}
    return Answer(Solution(case, fields, solution.made_by), seconds, error)


def report(found: Answer) -> dict[str, object]:
    """Return what `solve --json` prints."""
    made_by = {k: v for k, v in found.solution.made_by.items() if k != "seconds"}
    out: dict[str, object] = {"fields": found.solution.summary(), "seconds": dict(found.seconds), "made_by": made_by}
    if found.solution.quantities:
        out["quantities"] = found.solution.quantities
    return out if found.relative_l2 is None else out | {"relative_l2": found.relative_l2}


def scene_of(mesh: Mesh, field: str | None, *, title: str) -> Scene:
    """Return the picture of a mesh: `field`, beside its reference where the file holds one; else the boundaries."""
    fields = [name for name in mesh.point_data if not name.partition("@")[0].endswith((REFERENCE, ERROR))]
    if field is None and len(fields) == 1:
        field = fields[0]
    if field is not None and field not in mesh.point_data and field not in mesh.cell_data:
        raise MeshopsError(f"the file has no field {field!r}; {nearest(field, [*mesh.point_data, *mesh.cell_data])}")
    name, at, moment = (field or "").partition("@")
    reference = f"{name}{REFERENCE}{at}{moment}"
    return show(mesh, field=field, compare=reference if reference in mesh.point_data else None, title=title)
