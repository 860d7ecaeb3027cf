"""The table of a bench: a line for each operator, for the terminal and as a page."""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from math import inf
from pathlib import Path
from shlex import quote

import numpy as np
import torch

from meshops.data.cluster import available
from meshops.evaluation.bench import BATCH, Plan, Row


def summary(rows: Sequence[Row]) -> tuple[list[str], list[list[object]]]:
    """Return the table's columns, and a line for each operator: means over seeds, half their range after ±.

    Runs that failed are left out of the means, and counted after the name.
    """
    splits = _splits(rows)
    columns = [
        "",
        "class",
        "parameters",
        "rate",
        *(f"L2 {name}" for name in splits),
        "median",
        "gradient",
        "samples/s",
        "ms",
        "MB",
    ]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.operator, []).append(row)
    return columns, [_line(name, group, splits) for name, group in groups.items()]


def _splits(rows: Sequence[Row]) -> dict[str, int]:
    """Return the splits of all rows, in the order in which rows have them, with the first's numbers of samples."""
    found: dict[str, int] = {}
    for row in rows:
        found |= {name: errors.count for name, errors in row.splits.items() if name not in found}
    return found


def brief(rows: Sequence[Row]) -> tuple[list[str], list[list[object]]]:
    """Return the columns of `summary` that fit a terminal: names, which tell the class, sizes, errors and times."""
    columns, lines = summary(rows)
    kept = [i for i, name in enumerate(columns) if name in ("", "parameters", "ms") or name.startswith("L2 ")]
    return [columns[i] for i in kept], [[line[i] for i in kept] for line in lines]


def _line(name: str, group: Sequence[Row], splits: Collection[str]) -> list[object]:
    done = [row for row in group if not row.failure]
    name += f" ({len(group) - len(done)} of {len(group)} failed)" if len(done) < len(group) else ""
    if not done:
        return [name, group[0].kind, *["–"] * (len(splits) + 7)]
    errors = [_spread([row.splits[split].mean for row in done if split in row.splits]) for split in splits]
    test = [row.splits["test"] for row in done]
    trained = done[0].parameters > 0
    return [
        name,
        done[0].kind,
        f"{done[0].parameters:,}" if trained else "–",
        "/".join(f"{rate:g}" for rate in sorted({row.learning_rate for row in done})) if trained else "–",
        *errors,
        _spread([e.median for e in test]),
        _spread([e.gradient for e in test]),
        f"{np.mean([row.samples_per_second for row in done]):.0f}" if trained else "–",
        _short(1e3 * float(np.mean([row.infer_seconds for row in done]))),
        f"{max(row.peak_memory for row in done) / 1e6:.0f}" if trained else "–",
    ]


def _short(value: float) -> str:
    """Return two digits, or all before the point."""
    return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"


def _spread(values: Sequence[float]) -> str:
    """Return the mean, with half the range where there are several; a dash where there is none."""
    if not values:
        return "–"
    half = (max(values) - min(values)) / 2
    return f"{np.mean(values):.3g}" + (f" ± {half:.1g}" if len(values) > 1 else "")


def ranking(rows: Sequence[Row]) -> str:
    """Return a sentence that ranks the operators by their error on the test split; one that failed is last."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.kind == "operator":
            found.setdefault(row.operator, []).append(inf if row.relative_l2 is None else row.relative_l2)
    means = sorted((float(np.mean(errors)), name) for name, errors in found.items())
    if len(means) < 3:
        return ""
    middle = float(np.median([mean for mean, _ in means]))
    (best, first), (second, other) = means[:2]
    return (
        f"Of {len(means)} operators the median has {middle:.3g} on the test split, the best, {first}, {best:.3g} "
        f"({best / middle:.2g} of the median), the next, {other}, {second:.3g}."
    )


def markdown(plan: Plan, rows: Sequence[Row]) -> str:
    """Return the table as a page, with the command that makes it."""
    columns, lines = summary(rows)
    sizes = _splits(rows)
    said = "".join(f"\n{text}\n" for text in (ranking(rows), *dict.fromkeys(row.failure for row in rows)) if text)
    table: list[Sequence[object]] = [columns, ["---", "---", *["---:"] * (len(columns) - 2)], *lines]
    start = f"meshops bench {quote(plan.recipe)} -o {quote(str(plan.folder.parent))}"
    names, rates = ",".join(plan.operators), ",".join(f"{rate:g}" for rate in plan.rates)
    return (
        f"# {Path(plan.recipe).stem}\n\n"
        f"`{start} --operators {names} --budget {plan.minutes:g} --seeds {plan.seeds} "
        f"--count {plan.count} --rates {rates}` on {_machine()}. {plan.minutes:g} minutes of training each, batches of "
        f"{BATCH}, every operator at its default size; validation picks the learning rate and the weights. Relative L2 "
        "by mass, of the dimensionless field, means over the samples of a split "
        f"({', '.join(f'{n}: {c}' for n, c in sizes.items())}); median and gradient are of the test split. ms are the "
        "median of one answer, the graph given; of the reference, of assembly and solution, the mesh given. MB are the "
        "process's most.\n\n" + "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in table) + said
    )


def _machine() -> str:
    return f"{available()} cores of {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
