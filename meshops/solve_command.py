"""The command `solve`."""

from __future__ import annotations

from pathlib import Path

from meshops import console


def solve(
    case: Path,
    *,
    output: Path,
    surrogate: Path | None = None,
    tol: float | None = None,
    sharpen: int = 0,
    accelerate: bool = False,
    compare: bool = False,
    json: bool = False,
) -> int:
    """Solve a case by the reference solver, or by a trained operator with a verdict, and write fields for ParaView.

    The verdict tells how wrong the answer is at most; the exit code is 3 where it is `do not use`.

    Example: meshops solve case.yaml -o answer.vtu

    Args:
        case: Case file (YAML).
        output: File to write, .vtu (or .vtk, .xdmf); none that the case is read from.
        surrogate: Folder of a run; its operator answers instead of the reference solver.
        tol: Polish the operator's answer until its error is at most this share of the solution, in the energy norm.
        sharpen: Further V-cycles, each of which narrows the verdict's bounds.
        accelerate: Let the operator propose directions while polishing, as long as they pay.
        compare: Also solve by the reference, write both and their difference, and tell the relative error.
        json: Print one JSON object.
    """
    from geometries.files import check_apart, check_target
    from geometries.formats import writable
    from meshops.answer import Demand, answer, in_words, report
    from meshops.equations.case_file import files_of

    check_target(output, writable(fields=True))
    check_apart(output, files_of(case), "the case")
    demand = Demand(tol, 1 + sharpen, accelerate, compare)
    with console.working(f"solving {case.name}"):
        found = answer(case, run=surrogate, demand=demand)
    found.save(output)
    if json:
        console.print_json(report(found))
        return found.exit_code
    rows = [(n, *s.values()) for n, s in found.solution.summary().items()]
    times = found.solution.case.times
    what = f"field at t = {times[-1]:.6g}" if times else "field"
    console.table(f"{case.name} → {output.name}", (what, "min", "max", "mean"), rows)
    if found.solution.quantities:
        console.table("", ("quantity", "value"), list(found.solution.quantities.items()))
    console.table("", ("stage", "seconds"), list(found.seconds.items()))
    if found.relative_l2 is not None:
        console.line(f"relative L2 against the reference: {found.relative_l2:.4g}")
    for text in in_words(found):
        console.line(text)
    return found.exit_code
