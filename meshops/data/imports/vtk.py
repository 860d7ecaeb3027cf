"""Folders of VTK files with fields at their points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from geometries import formats
from geometries.mesh import Mesh
from meshops.data.imports.base import Fields, Floats, Importer, ImportFailure, Made, Sample

_EXTENSIONS = (".vtu", ".vtp", ".vtk")


def _files(source: Path) -> list[Path]:
    found = [source] if source.is_file() else sorted(source.rglob("*"))
    return [f for f in found if f.suffix.lower() in _EXTENSIONS and f.is_file() and not f.is_symlink()]


def _samples(source: Path) -> Iterator[Sample]:
    for file in _files(source):
        read: Callable[[], Made] = partial(_read, file)
        yield file.name, read


def _read(file: Path) -> Fields:
    mesh = formats.read(file)
    fields = {name: _columns(values) for name, values in mesh.point_data.items() if values.dtype.kind in "iuf"}
    if not fields:
        raise ImportFailure(f"{file.name} has no fields of numbers at its points.")
    bare = Mesh(points=mesh.points, cells=mesh.cells, boundaries=mesh.boundaries, regions=mesh.regions)
    return Fields(bare, {}, fields)


def _columns(values: np.ndarray) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1)


IMPORTER = Importer(
    "vtk",
    ".vtu, .vtp and .vtk files, one a sample; every field at the points is an output",
    lambda source: bool(_files(source)),
    _samples,
)
