"""What `meshops inspect` tells of a file: as tables for a person, as plain data for programs."""

from __future__ import annotations

import numpy as np

from geometries.build import Reading
from geometries.mesh import Mesh
from geometries.proposals import propose
from geometries.quality import BINS, quality
from meshops import console

_BAR = 24


def tables(reading: Reading, title: str) -> None:
    """Print what a file holds."""
    mesh = reading.mesh
    low, high = (" ".join(f"{v:.6g}" for v in corner) for corner in (mesh.points.min(0), mesh.points.max(0)))
    facts = [
        ("dimension", f"{mesh.dim}"),
        ("points", f"{mesh.num_points}"),
        ("cells", ", ".join(f"{len(cells)} {kind}" for kind, cells in mesh.cells.items())),
        ("from", low),
        ("to", high),
        ("unit", _unit(reading)),
    ]
    console.table(title, ("", ""), facts)
    words = ("count", "length", "area", "volume")[mesh.dim - 1 : mesh.dim + 1]
    how = " of the straight cells" if mesh.order > 1 else ""  # sides and cells are measured by their corners
    sides = [(n, len(s), float(mesh.side_geometry(s)[2].sum())) for n, s in mesh.boundaries.items()]
    console.table("boundaries", ("name", "facets", words[0] + how), sides)
    volume = [(n, len(c), float(mesh.measure[c].sum())) for n, c in mesh.regions.items()]
    console.table("regions", ("name", "cells", words[1] + how), volume)
    _quality_tables(mesh)
    found = propose(mesh)
    if found:
        console.line("boundaries:  # names to choose from, for a case file")
    for proposal in found:
        console.line(f"  {proposal.line}  # {proposal.what}, {words[0]} {proposal.measure:.4g}")
    for problem in reading.problems:
        console.line(f"note: {problem}")


def report(reading: Reading) -> dict[str, object]:
    """Return what `inspect --json` prints."""
    mesh = reading.mesh
    return {
        "dim": mesh.dim,
        "points": mesh.num_points,
        "cells": {kind: len(cells) for kind, cells in mesh.cells.items()},
        "boundaries": {name: len(sides) for name, sides in mesh.boundaries.items()},
        "regions": {name: len(cells) for name, cells in mesh.regions.items()},
        "bounds": [mesh.points.min(0).tolist(), mesh.points.max(0).tolist()],
        "problems": list(reading.problems),
        "unit": reading.unit,
        "file_unit": reading.file_unit,
        "quality": quality(mesh).to_json(),
        "proposals": [
            {"name": p.name, "selector": dict(p.selector), "what": p.what, "measure": p.measure} for p in propose(mesh)
        ],
    }


def _unit(reading: Reading) -> str:
    other = reading.file_unit not in (None, reading.unit)
    return f"{reading.unit or 'not told'}{f' (the file is written in {reading.file_unit})' if other else ''}"


def _quality_tables(mesh: Mesh) -> None:
    if mesh.dim < 2:
        return
    found = quality(mesh)
    worst = {
        "smallest angle (degrees)": found.angle.min(),
        "mean ratio": found.ratio.min(),
        "aspect ratio": found.aspect.max(),
    }
    medians = [float(np.median(values)) for values in (found.angle, found.ratio, found.aspect)]
    rows = [(name, float(value), median) for (name, value), median in zip(worst.items(), medians, strict=True)]
    console.table("quality", ("", "worst", "median"), rows)
    counts = found.histogram()
    top = max(counts)
    bars = [(f"{i / BINS:.1f} to {(i + 1) / BINS:.1f}", n, "█" * round(_BAR * n / top)) for i, n in enumerate(counts)]
    console.table("mean ratio of the cells (1 is ideal)", ("", "cells", ""), bars)
