"""Measure every operator, about an hour, and write the table of `operator_speed.md`. `make bench-operators` runs it."""

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from meshops.evaluation.speed import Cost, costs, exponent
from meshops.operators import OPERATORS

HERE = Path(__file__).parent
BEGIN = "## Every operator\n"  # what is above it in the page is written by hand
HEAD = """
On {machine}, torch {torch}, by `docs/operator_speed.py`: the best of a few calls up to 10,000 nodes, the first
call above. Memory is what the process grew by at its peak. The exponent is that of inference time with nodes, between
the two largest meshes. A step that would take more than 10 GiB is left out.

| operator | nodes | inference, µs a node | kB a node | step, µs a node | kB a node | plain / ours | exponent |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def rows(found: list[Cost]) -> list[str]:
    """Return the lines of the table for one operator."""
    power = f"{exponent(found):.2f}" if len(found) > 1 else ""
    lines = []
    for cost in found:
        infer = f"{1e6 * cost.infer_seconds / cost.nodes:.1f} | {cost.infer_bytes / cost.nodes / 1e3:.1f}"
        step = " | "
        if cost.step_seconds is not None and cost.step_bytes is not None:
            step = f"{1e6 * cost.step_seconds / cost.nodes:.1f} | {cost.step_bytes / cost.nodes / 1e3:.1f}"
        ratio = "" if cost.speedup is None else f"{cost.speedup:.2f}"
        last = power if cost is found[-1] else ""
        lines.append(f"| {cost.operator} | {cost.nodes} | {infer} | {step} | {ratio} | {last} |\n")
    return lines


def main(names: list[str]) -> None:
    """Print a line of JSON for each of the operators `names`; without names, for all, and write the page.

    A name that ends in `.jsonl` is a file of such lines, of which the page is written without measuring again.
    """
    if len(names) == 1 and names[0].endswith(".jsonl"):
        lines = Path(names[0]).read_text(encoding="utf-8").splitlines()
        measured = {line[0]["operator"]: [Cost(**cost) for cost in line] for line in map(json.loads, lines)}
        write_page([measured[name] for name in OPERATORS if name in measured])
        return
    found = []
    for name in names or list(OPERATORS):
        found.append(costs(name))
        sys.stdout.write(json.dumps([asdict(cost) for cost in found[-1]]) + "\n")
        sys.stdout.flush()
    if not names:
        write_page(found)


def write_page(found: list[list[Cost]]) -> None:
    """Write the table of `operator_speed.md` from the costs of each operator."""
    page = HERE / "operator_speed.md"
    by_hand = page.read_text(encoding="utf-8").partition(BEGIN)[0]
    head = HEAD.format(machine=f"{platform.machine()} ({os.cpu_count()} cores)", torch=torch.__version__)
    page.write_text(by_hand + BEGIN + head + "".join(line for f in found for line in rows(f)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
