"""Samples of PLAID (arXiv 2505.02974), where the package `pyplaid` is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geometries.cells import CELLS
from geometries.mesh import Mesh
from meshops.data.imports.base import Fields, Importer, ImportFailure, Made, Sample

# CGNS's names of elements; corner and mid-node orders are VTK's up to second order, but for those left out here
_TYPES = {
    "BAR_2": "line", "TRI_3": "triangle", "QUAD_4": "quad", "TETRA_4": "tetra", "PYRA_5": "pyramid",
    "PENTA_6": "wedge", "HEXA_8": "hexahedron", "TRI_6": "triangle6", "TETRA_10": "tetra10",
}  # fmt: skip


def _folders(source: Path) -> list[Path]:
    return sorted(f for f in source.glob("**/sample_*") if (f / "meshes").is_dir()) if source.is_dir() else []


def _samples(source: Path) -> Iterator[Sample]:
    try:
        from plaid.containers.sample import Sample as PlaidSample
    except ImportError:
        raise ImportFailure("PLAID samples are read by the package pyplaid: pip install pyplaid.") from None
    for folder in _folders(source):
        read: Callable[[], Made] = partial(_read, PlaidSample, folder)
        yield folder.name, read


def _read(kind: Any, folder: Path) -> Fields:  # noqa: ANN401
    sample = kind.load_from_dir(folder)
    points = np.asarray(sample.get_nodes(), dtype=np.float64)
    cells = {_TYPES[n]: np.asarray(c, dtype=np.int64) for n, c in sample.get_elements().items() if n in _TYPES}
    if not cells:
        raise ImportFailure(f"{folder.name} holds none of {', '.join(_TYPES)}.")
    dim = max(CELLS[name].dim for name in cells)
    flat = points[:, : _space_dim(points)]
    mesh = Mesh(points=flat, cells={n: c for n, c in cells.items() if CELLS[n].dim == dim})
    fields = {n: np.asarray(sample.get_field(n), dtype=np.float64) for n in sample.get_field_names()}
    outputs = {n: v.reshape(len(points), -1) for n, v in fields.items() if len(v) == len(points)}
    scalars = {n: np.full((len(points), 1), float(sample.get_scalar(n))) for n in sample.get_scalar_names()}
    return Fields(mesh, scalars, outputs)


def _space_dim(points: np.ndarray) -> int:
    """Return 2 where all third coordinates are equal."""
    return 2 if points.shape[1] == 3 and not np.ptp(points[:, 2]) else points.shape[1]


IMPORTER = Importer(
    "plaid", "PLAID data sets; scalars are inputs, fields outputs", lambda s: bool(_folders(s)), _samples
)
