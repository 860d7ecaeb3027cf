"""From a case file to an answer: by the reference solver, or by a surrogate and then compared."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition
from geometries.errors import MeshopsError, nearest
from geometries.mesh import Mesh
from meshops.equations import Case, Solution
from meshops.equations import solve as solve_reference
from meshops.equations.elevated import elevated
from meshops.evaluation import relative_l2
from meshops.graph import targets
from meshops.training import Surrogate
from meshops.trust import Discretisation, Guard, Verdict, assess, at_points_of, discretised, on_own_mesh, polish
from meshops.trust.fields import unknowns
from meshops.viz import Scene, show

Floats = NDArray[np.float64]
REFERENCE, ERROR = "_reference", "_error"  # suffixes of the fields that a comparison adds
TOLERANCE = 0.1  # of the energy norm, for the word of a verdict where the user states none
PER_CELL = "discretisation_error"  # the field of the cells' shares, in the energy norm


@dataclass(frozen=True, eq=False)
class Answer:
    """A solution, the seconds of each stage, and how far to trust it.

    `relative_l2` is the error against the reference where that was asked for. A surrogate's answer has a `verdict`, the
    reference's own a `discretisation`; where there is none, `doubt` says why, and of a surrogate's what is `unusual`.
    """

    solution: Solution
    seconds: Mapping[str, float]
    relative_l2: float | None = None
    verdict: Verdict | None = None
    doubt: str | None = None
    unusual: tuple[str, ...] | None = None
    discretisation: Discretisation | None = None

    @property
    def exit_code(self) -> int:
        """The verdict's; without one 3 where the input is unlike the training data, else 0."""
        if self.verdict is not None:
            return self.verdict.exit_code
        return 3 if self.unusual else 0

    def save(self, path: Path) -> None:
        """Write the fields with derived ones, the cells' shares of the discretisation error, and the verdict."""
        known = self.verdict.discretisation if self.verdict else self.discretisation
        cells = {} if known is None else {PER_CELL: known.per_cell}
        notes = {} if self.verdict is None else {"verdict": json.dumps(self.verdict.to_json())}
        self.solution.with_derived().save(path, cell_data=cells, field_data=notes)


@dataclass(frozen=True)
class Demand:
    """What is asked of a surrogate's answer: a tolerance that it is polished to, `cycles` of each bound, ...

    `accelerate` lets the operator propose directions while polishing; `compare` measures against the reference.
    Raises `MeshopsError` for what does not fit together.
    """

    tolerance: float | None = None
    cycles: int = 1
    accelerate: bool = False
    compare: bool = False

    def __post_init__(self) -> None:
        """Check."""
        if self.accelerate and self.tolerance is None:
            raise MeshopsError("--accelerate needs --tol T: it speeds up the polishing to that tolerance.")
        if self.cycles < 1:
            raise MeshopsError(f"--sharpen is {self.cycles - 1}; expected 0 or more V-cycles.")
        if self.tolerance is not None and not (isfinite(self.tolerance) and self.tolerance > 0):
            raise MeshopsError(f"--tol is {self.tolerance}; expected a share of the solution above 0, such as 1e-3.")


def answer(path: Path, *, run: Path | None, demand: Demand) -> Answer:
    """Read a case file and solve it; raises `MeshopsError` for a demand without a surrogate."""
    if run is None and demand != Demand():
        raise MeshopsError(
            "--compare, --tol, --sharpen and --accelerate need --surrogate RUN: without one the answer is the "
            "reference itself."
        )
    start = time.perf_counter()
    case = Case.read(path)
    seconds = {"read": time.perf_counter() - start}
    if run is None:
        return referenced(case, seconds)
    surrogate, guard = Surrogate.load(run), Guard.load(run)
    return predicted(surrogate, guard, case, demand, seconds)


def referenced(case: Case, seconds: Mapping[str, float]) -> Answer:
    """Return the reference's answer with its discretisation error, or why that is not assessed."""
    solution = solve_reference(elevated(case))  # with the mid-nodes of a flow, which the estimate is made of
    start, known, doubt = time.perf_counter(), None, None
    try:
        known = discretised(solution.case, unknowns(solution))
    except MeshopsError as error:
        doubt = str(error)
    more = solution.seconds | {"discretisation": time.perf_counter() - start}
    return Answer(at_points_of(case, solution), {**seconds, **more}, doubt=doubt, discretisation=known)


def predicted(
    surrogate: Surrogate, guard: Guard | None, case: Case, demand: Demand, seconds: Mapping[str, float]
) -> Answer:
    """Return the surrogate's answer as `demand` has it, with its verdict."""
    watch = _Watch(dict(seconds))
    graph = surrogate.graph_of(case)
    watch.lap("graph")
    solution = on_own_mesh(surrogate.solve(case, graph=graph))
    watch.lap("predict")
    unusual = None if guard is None else guard.unusual(graph)
    if demand.tolerance is not None:
        direction = direction_of(surrogate, case) if demand.accelerate else None
        solution = polish(solution, tolerance=demand.tolerance, compare=demand.compare, direction=direction)
        watch.lap("polish")
    verdict, doubt = None, None
    try:
        verdict = assess(solution, tolerance=demand.tolerance or TOLERANCE, cycles=demand.cycles, unusual=unusual)
    except MeshopsError as error:
        doubt = str(error)
    watch.lap("verdict")
    found = Answer(at_points_of(case, solution), watch.seconds, None, verdict, doubt, unusual)
    return compared(found) if demand.compare else found


class _Watch:
    """Adds the seconds since the last lap to those of stages."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self._last = seconds, time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[stage], self._last = now - self._last, now


def direction_of(surrogate: Surrogate, case: Case) -> Callable[[Floats], Floats]:
    """Return the operator as a preconditioner: a residual (n,) as the source of `case` with all else zero."""
    bare = replace(case, conditions={name: _homogeneous(given) for name, given in case.conditions.items()})
    shape = case.equation.fields[0].shape(case.mesh.space_dim)

    def direction(residual: Floats) -> Floats:
        source = (residual.reshape(case.mesh.num_points, -1) / case.mesh.mass[:, None]).reshape(-1, *shape)
        try:
            return unknowns(surrogate.solve(replace(bare, source=source)))
        except MeshopsError:
            return np.zeros_like(residual)  # one that cannot be scaled

    return direction


def _homogeneous(given: Condition | Sequence[Condition]) -> tuple[Condition, ...]:
    """Return conditions without their data: only what the matrix is made of stays."""
    zero = {"value": 0.0, "ambient": 0.0}
    parts = (given,) if isinstance(given, Condition) else given
    return tuple(replace(p, **{f.name: zero[f.name] for f in dataclass_fields(p) if f.name in zero}) for p in parts)


def compared(found: Answer) -> Answer:
    """Solve the same case by the reference; add it and the error to the fields."""
    solution, case = found.solution, found.solution.case
    start = time.perf_counter()
    reference = solve_reference(case)
    seconds = {**found.seconds, "reference": time.perf_counter() - start}
    scaling = case.equation.scaling(case)
    error = relative_l2(targets(solution, scaling), targets(reference, scaling), case.mesh.mass)
    fields = dict(solution.fields)
    for name, values in reference.fields.items():
        fields |= {name + REFERENCE: values, name + ERROR: solution.fields[name] - values}
    return replace(found, solution=Solution(case, fields, solution.made_by), seconds=seconds, relative_l2=error)


def report(found: Answer) -> dict[str, object]:
    """Return what `solve --json` prints."""
    made_by = {k: v for k, v in found.solution.made_by.items() if k != "seconds"}
    out: dict[str, object] = {"fields": found.solution.summary(), "seconds": dict(found.seconds), "made_by": made_by}
    if found.solution.quantities:
        out["quantities"] = found.solution.quantities
    if found.relative_l2 is not None:
        out["relative_l2"] = found.relative_l2
    if "surrogate" not in made_by:
        out["discretisation"] = found.discretisation.to_json() if found.discretisation else None
        return out | ({"no_discretisation": found.doubt} if found.doubt else {})
    out["verdict"] = found.verdict.to_json() if found.verdict else None
    if found.doubt:
        out |= {"no_verdict": found.doubt, "unusual": None if found.unusual is None else list(found.unusual)}
    return out


def in_words(found: Answer) -> list[str]:
    """Return what a person is told of an answer's trust, a line each."""
    if "surrogate" not in found.solution.made_by:
        return _discretised(found)
    lines = []
    record = found.solution.made_by.get("polish")
    if isinstance(record, Mapping):
        lines.append(_polished(record))
    if found.verdict is not None:
        lines.append(f"verdict: {found.verdict}")
    if found.doubt is not None:
        unusual = f"; unlike the training data: {', '.join(found.unusual)}" if found.unusual else ""
        lines.append(f"no verdict: {found.doubt}{unusual}")
    if found.unusual is None:
        lines.append("the run holds no record of its training data; train again to be warned of unusual inputs")
    return lines


def _discretised(found: Answer) -> list[str]:
    case, known = found.solution.case, found.discretisation
    return [str(known) if known else f"discretisation error not assessed: {found.doubt}", *case.equation.doubts(case)]


def _polished(record: Mapping[str, Any]) -> str:
    seconds = record["seconds"]
    taken = sum(seconds.values()) if isinstance(seconds, Mapping) else seconds
    text = f"polished by {record['solver']}: {record['iterations']} iterations, {taken:.3g} s"
    zero = record.get("from_zero")
    if not isinstance(zero, Mapping):
        return text
    spent = seconds["iterate"] if isinstance(seconds, Mapping) else seconds
    how = "" if zero["measured"] else ", by extrapolation"
    return f"{text} ({spent:.3g} s iterating); from zero {zero['iterations']} and {zero['seconds']:.3g} s{how}"


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
