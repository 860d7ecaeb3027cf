"""Samples of PLAID (arXiv 2505.02974), where the package `pyplaid` (from 1.0) is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from geometries.cells import CELLS
from geometries.child import Child
from geometries.mesh import Mesh
from meshops.data.imports.base import Fields, Importer, ImportFailure, Made, Sample

# CGNS's names of elements; corner and mid-node orders are VTK's up to second order, but for those left out here
_TYPES = {
    "BAR_2": "line", "TRI_3": "triangle", "QUAD_4": "quad", "TETRA_4": "tetra", "PYRA_5": "pyramid",
    "PENTA_6": "wedge", "HEXA_8": "hexahedron", "TRI_6": "triangle6", "TETRA_10": "tetra10",
}  # fmt: skip
_SECONDS, _MEMORY = 300.0, 64.0


def _folders(source: Path) -> list[Path]:
    return sorted(f for f in source.glob("**/sample_*") if (f / "meshes").is_dir()) if source.is_dir() else []


def _samples(source: Path) -> Iterator[Sample]:
    if find_spec("plaid") is None:
        raise ImportFailure("PLAID samples are read by the package pyplaid: pip install pyplaid.")
    for folder in _folders(source):
        read: Callable[[], Made] = partial(_read, folder)
        yield folder.name, read


def _read(folder: Path) -> Fields:
    with Child("meshops") as child:  # its native reader may crash on a bad file
        found = child.call(f"{__name__}:read_plain", {"folder": str(folder)}, timeout=_SECONDS, memory=_MEMORY)
    points = np.asarray(found["points"], dtype=np.float64)
    cells = {_TYPES[n]: np.asarray(c, dtype=np.int64) for n, c in found["cells"].items() if n in _TYPES}
    if not cells:
        raise ImportFailure(f"{folder.name} holds none of {', '.join(_TYPES)}.")
    dim = max(CELLS[name].dim for name in cells)
    mesh = Mesh(points=points[:, : _space_dim(points)], cells={n: c for n, c in cells.items() if CELLS[n].dim == dim})
    outputs = {n: v.reshape(len(points), -1) for n, v in found["fields"].items() if len(v) == len(points)}
    return Fields(mesh, {n: np.full((len(points), 1), v) for n, v in found["numbers"].items()}, outputs)


def read_plain(folder: str) -> dict[str, Any]:
    """Return points, cells by CGNS's names, fields and global numbers of a sample, for a call in a child process."""
    from plaid.containers.sample import Sample as PlaidSample

    sample = PlaidSample.load_from_dir(folder)
    every = {n: np.asarray(sample.get_global(n)) for n in sample.get_global_names()}
    return {
        "points": np.asarray(sample.get_nodes(), dtype=np.float64),
        "cells": {n: np.asarray(c, dtype=np.int64) for n, c in sample.get_elements().items()},
        "fields": {n: np.asarray(sample.get_field(n), dtype=np.float64) for n in sample.get_field_names()},
        "numbers": {n: float(v.ravel()[0]) for n, v in every.items() if v.size == 1 and v.dtype.kind in "iuf"},
    }


def _space_dim(points: np.ndarray) -> int:
    """Return 2 where all third coordinates are equal."""
    return 2 if points.shape[1] == 3 and not np.ptp(points[:, 2]) else points.shape[1]


IMPORTER = Importer(
    "plaid", "PLAID data sets; global numbers are inputs, fields outputs", lambda s: bool(_folders(s)), _samples
)
