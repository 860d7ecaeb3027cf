"""Arrays in numpy's format, named as those of Geo-FNO (arXiv 2207.05209): point clouds and structured grids.

NAME_XY*.npy (n, 2, S) or (S, n, 2), NAME_*.npy (n, S) or (S, n)        clouds of n points; S samples
NAME_X.npy, NAME_Y.npy (S, a, b), NAME_Q.npy (S, a, b) or (S, c, a, b)  grids of a x b points with c fields
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from glob import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh
from meshops.data.imports.base import Fields, Floats, Importer, ImportFailure, Made, Sample, load

_GAP = 3.0  # a triangle of a cloud is left out where its longest edge is as many times the median


def _clouds(source: Path) -> list[Path]:
    return sorted(source.glob("*_XY*.npy")) if source.is_dir() else []


def _grids(source: Path) -> list[Path]:
    found = sorted(source.glob("*_X.npy")) if source.is_dir() else []
    return [f for f in found if _beside(f, "Y").is_file() and _beside(f, "Q").is_file()]


def _beside(file: Path, letter: str) -> Path:
    return file.with_name(f"{file.stem[:-1]}{letter}.npy")


def _samples(source: Path) -> Iterator[Sample]:
    for file in _clouds(source):
        yield from _cloud_samples(file)
    for file in _grids(source):
        x, y, fields = (load(f) for f in (file, _beside(file, "Y"), _beside(file, "Q")))
        shapes = (x.shape, (*x.shape[:1], *fields.shape[1:2], *x.shape[1:]))  # of one field, of several
        if x.shape != y.shape or x.ndim != 3 or fields.shape not in shapes:
            raise ImportFailure(f"{file.name}: X {x.shape}, Y {y.shape}, Q {fields.shape}; expected (S, a, b) of each.")
        for i in range(len(x)):
            read: Callable[[], Made] = partial(_grid, x, y, fields, i)
            yield f"{file.stem} {i}", read


def _cloud_samples(file: Path) -> Iterator[Sample]:
    head, _, tail = file.name.partition("_XY")
    points = load(file)
    if points.ndim != 3 or 2 not in points.shape[1:]:
        raise ImportFailure(f"{file.name} has shape {points.shape}; expected (n, 2, S) or (S, n, 2).")
    last = points.shape[1] == 2  # the sample's number is the last index
    count, n = (points.shape[2], points.shape[0]) if last else points.shape[:2]
    fields = {}
    for other in sorted(file.parent.glob(f"{escape(head)}_*{escape(tail)}")):
        values = load(other)
        if other != file and values.shape == ((n, count) if last else (count, n)):
            fields[other.name.removeprefix(f"{head}_").removesuffix(tail)] = values
    if not fields:
        raise ImportFailure(f"{file.name}: no file beside it holds {n} values for each of {count} samples.")
    for i in range(count):
        read: Callable[[], Made] = partial(_cloud, points, fields, i, last)
        yield f"{file.stem} {i}", read


def _cloud(points: NDArray[np.generic], fields: dict[str, NDArray[np.generic]], i: int, last: bool) -> Fields:
    at = (Ellipsis, i) if last else (i, Ellipsis)
    mesh = triangulated(np.array(points[at], dtype=np.float64))
    return Fields(mesh, {}, {name: np.array(v[at], dtype=np.float64)[:, None] for name, v in fields.items()})


def _grid(x: NDArray[np.generic], y: NDArray[np.generic], fields: NDArray[np.generic], i: int) -> Fields:
    a, b = x.shape[1:]
    points = np.stack([np.asarray(v[i], dtype=np.float64).ravel() for v in (x, y)], axis=1)
    number = np.arange(a * b).reshape(a, b)
    quads = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], axis=-1).reshape(-1, 4)
    values = np.asarray(fields[i], dtype=np.float64).reshape(-1, a * b)
    return Fields(_oriented(points, quads), {}, {f"q{c}": v[:, None] for c, v in enumerate(values)})


def _oriented(points: Floats, quads: NDArray[np.int64]) -> Mesh:
    """Return the mesh of quads, all turned where most of them are clockwise."""
    corners = points[quads]
    x, y = corners[..., 0], corners[..., 1]
    area = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(1)
    return Mesh(points=points, cells={"quad": quads if (area > 0).mean() > 0.5 else quads[:, [0, 3, 2, 1]]})


def triangulated(points: Floats) -> Mesh:
    """Return Delaunay's triangles of a cloud (n, 2), without those that bridge gaps: edges beyond thrice the median.

    A cloud has no cells of its own: whether a void is a gap in it is a guess, good where points are evenly spaced.
    Raises `ImportFailure` for points that make no triangles.
    """
    from scipy.spatial import Delaunay, QhullError

    if not np.isfinite(points).all():
        raise ImportFailure(f"{int((~np.isfinite(points)).any(1).sum())} of {len(points)} points are not finite.")
    try:
        triangles = Delaunay(points).simplices.astype(np.int64)
    except QhullError as error:
        reason = str(error).splitlines()[0]
        raise ImportFailure(
            f"{len(points)} points make no triangles ({reason}); expected three or more off a line."
        ) from None
    corners = points[triangles]
    spans = corners[:, 1:] - corners[:, :1]
    area = spans[:, 0, 0] * spans[:, 1, 1] - spans[:, 0, 1] * spans[:, 1, 0]
    triangles = np.where((area > 0)[:, None], triangles, triangles[:, ::-1])
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    flat = np.abs(area) < 1e-3 * np.median(np.abs(area))
    return Mesh(points=points, cells={"triangle": triangles[(edges < _GAP * np.median(edges)) & ~flat]})


IMPORTER = Importer(
    "npy",
    "arrays named as Geo-FNO's: NAME_XY*.npy with fields beside it, or NAME_X, NAME_Y and NAME_Q",
    lambda source: bool(_clouds(source) or _grids(source)),
    _samples,
)
