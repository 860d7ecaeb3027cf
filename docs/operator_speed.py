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
the plain form over ours, taken in turns: messages of concatenated rows, torch_geometric's scatter, padded batches, and
the library that torch itself gives products to. The exponent is that of inference time with nodes, between the two
largest meshes. A step that would take more than 10 GiB is left out.

The rows below were measured one operator after the other, an AMD EPYC with AVX-512, mostly with another program on the
other core; ratios within a tenth of 1 are noise. Memory a node falls from size to size or stays, but in a step of
`bistride_unet` (161 kB, then 165): it grows as the nodes. Time a node grows by up to fourfold from 10,000 nodes to
100,000, where nothing fits the caches any longer; the steps at 100,000 are the first of their process. At ten thousand
nodes every operator with messages is at least twice as quick as its plain form, but `multigrid` (1.5); none is slower.
The plain form of `omega` depends most on what else uses the memory: before oneDNN its ratio was 1.7 to 3.7.

What limits the ratio is arithmetic. A product of 128 columns by 128 for each of 59,202 edges takes 21 ms by MKL here
(91 GFLOP/s on one core) and 12 ms by oneDNN, which large products go to (`meshops.nn.Linear`); an activation, a gather
or a sum takes 1 to 4 ms. Counted in such products for each edge
(a node's are a sixth), the plain form has over ours: 1.41 in `meshgraphnet` (5.7 and 4.0), 1.31 in `beno` (7.0 and
5.4), 1.55 in `bistride_unet` on the finest mesh, 1.93 in `mp_pde` (3.6 and 1.9): their messages have hidden layers and
a LayerNorm, which no sum commutes with. The rest of a ratio is memory traffic that blocks of edges avoid, and the
library. With one library for both forms, MKL or oneDNN, 10,000 nodes: `omega` 3.7 and 3.3, `bistride_unet` 1.8 and 1.9,
`mp_pde` 1.8 and 1.9, `chebnet` 1.5 and 1.95, `meshgraphnet` 1.6 and 1.7. Most of `multigrid`'s time is in products of
nodes' rows, which the plain form has as well. Operators without a tuned kernel differ from their plain form by little
but the library. The plain form of `pign` and of `multigrid`'s context gathered by indexing then, 1.3 to 1.6 times as
slow as torch_geometric's `index_select`, which it has since: their ratios are a little too high.

The rows are of the form that handed all products of an operator over, if it was 128 columns wide. Since products go one
by one, steps with messages were measured again, on a machine of the same name that gave half as much, with a training
on the other core: 84 GFLOP/s by oneDNN there and 70 by MKL. Where the library gains so little, `chebnet`, `mgno` and
`beno` fall below 2 as well:

| plain / ours, a slower machine | 1,024 nodes | 10,000 nodes |
| --- | ---: | ---: |
| `gno` | 2.96 | 3.55 |
| `multipole_gno` | 2.19 | 2.60 |
| `omega` | 1.62 | 2.58 |
| `pign` | 1.64 | 2.30 |
| `mp_pde` | 2.00 | 2.16 |
| `meshgraphnet` | 1.57 | 2.06 |
| `bistride_unet` | 1.61 | 1.98 |
| `mgno` | 1.29 | 1.80 |
| `chebnet` | 1.26 | 1.71 |
| `beno` | 1.29 | 1.59 |
| `multigrid` | 1.15 | 1.51 |

Activation checkpointing (`meshops train --recompute`) keeps less of a step, which then takes 1.46 times as long in
`mp_pde`, 1.32 in `multigrid` and `transolver`, 1.12 in `pign` (10,000 nodes, best of three, in turns). On that machine,
the first step of its process, kB and µs a node (`meshops.evaluation.speed.measure(..., recompute=True)`):

| `recompute` | kB, 10,000 nodes | kB, 99,856 nodes | µs, 99,856 nodes |
| --- | ---: | ---: | ---: |
| `multigrid` | 32.3 | 28.1 | 47 |
| `mp_pde` | 50.1 | 16.1 | 276 |
| `transolver` | 59.8 | 18.6 | 454 |
| `meshgraphnet` | 135.9 | 62.0 | 1048 |
| `bistride_unet` | 83.1 | 14.1 | 401 |
| `gnot` | 93.9 | 47.9 | 595 |
| `gno` | 126.5 | 117.9 | 545 |
| `multipole_gno` | 151.1 | 145.2 | 611 |
| `beno` | 369.6 | – | – |

So at 99,856 nodes a step of every operator fits 14 GiB, and memory grows as the nodes or slower; `beno`, whose cost is
not linear, was not tried. Where it falls much, messages are held for the backward pass up to 131,072 edges, and not
above.

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
