"""Measure every operator and write `operator_speed.md`. Run it with `make bench-operators`; it takes about an hour."""

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
HEAD = """\
# What the operators cost

Measured by `docs/operator_speed.py` on {machine}, one thread, torch {torch}: each operator at its
default size, heat on a square of triangles, batch 1, float32; processor time, the best of a few calls up to ten
thousand nodes and the first call above. Memory is what the process grew by at its peak. The ratio is a training step in
the plain form (messages of concatenated rows, torch_geometric's scatter, padded batches, the library that torch gives its
products to) over ours, taken in turns. The exponent is that of inference time with nodes, between the two largest meshes. A step that would take more than 10 GiB
is left out.

The rows below were collected operator by operator, two at a time, most beside another program; ratios within a tenth of
1 are noise there. Those of `multigrid` are of four cycles, before its global attention on the mesh; later figures
are in `benchmarks.md`. Memory a node falls or stays from size to size, inference at 100,000 nodes included, but in a
step of `bistride_unet` (135 kB, then 158) and of `low_rank` (19, then 23): it grows as the nodes. Time a node grows by
a tenth to threefold from 10,000 nodes to 100,000, where nothing fits the caches any longer; the steps at 100,000 are
the first of their process.

What limits the ratio is arithmetic. A product of 128 columns by 128 for each of 59,202 edges takes 20 ms at the 95
GFLOP/s that one core reaches with any of three libraries; an activation, a gather or a sum takes 1 to 4 ms. Counted in
such products for each edge (a node's are a sixth), the plain form has over ours: 1.41 in `meshgraphnet` (5.7 and 4.0),
1.31 in `beno` (7.0 and 5.4), 1.55 in `bistride_unet` on the finest mesh, 1.93 in `mp_pde` (3.6 and 1.9). The rest of
their ratios is memory traffic that blocks of edges avoid. A factor of 2 is not to be expected of the first three in
float32 without changing what is computed: their messages have hidden layers and a LayerNorm, which no sum commutes
with. At ten thousand nodes `gno`, `multipole_gno`, `pign`, `mp_pde` and `bistride_unet` reach 2; `omega`, `mgno`,
`meshgraphnet`, `chebnet`, `multigrid` and `beno` do not. Most of `multigrid`'s and `chebnet`'s time is in products of
nodes' rows, which the plain form has as well. Operators without a tuned kernel have a ratio of 1.

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
    """Write `operator_speed.md` from the costs of each operator."""
    machine = f"{platform.machine()} ({os.cpu_count()} cores)"
    page = HEAD.format(machine=machine, torch=torch.__version__)
    (HERE / "operator_speed.md").write_text(page + "".join(line for f in found for line in rows(f)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
