"""Pictures of data sets and recipes: a few samples side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.files import atomic_write
from geometries.mesh import Mesh, MeshError
from meshops.data import MeshDataset
from meshops.data.card import PICTURE, write_card
from meshops.equations import Solution
from meshops.viz import field_scene, screenshot
from meshops.viz.colors import SEQUENTIAL
from meshops.viz.layout import CAPTION

Floats = NDArray[np.float64]
_SAMPLES = 3
_SIZE = (640, 400)
_LONG = (960, 320)  # of shapes more than twice as long as high, which are stacked
_BENT = 0.08  # the largest displacement of a small one, over the longest side
_HIGHEST = 0.98  # of stresses: the few above, at corners and supports, get the colour of this one
_ROOM = 12  # pixels


def draw_samples(solutions: Sequence[Solution], path: Path) -> None:
    """Write a PNG of a few solutions, in 256 colours to keep it small.

    Solids are drawn deformed, in von Mises's stress; other vectors by their length; of several times the last. On lines
    a field is drawn as a curve, one for each time.
    """
    from PIL import Image

    long = all(_is_long(solution.case.mesh) for solution in solutions)
    with tempfile.TemporaryDirectory() as folder:
        tiles = [
            _tile(solution, Path(folder) / f"{i}.png", _LONG if long else _SIZE) for i, solution in enumerate(solutions)
        ]
    cropped = [_cropped([tile])[0] for tile in tiles] if long else _cropped(tiles)
    image = Image.fromarray((255 * np.concatenate(cropped, axis=0 if long else 1)).round().astype(np.uint8))
    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette().tobytes())
    with atomic_write(path) as temporary:
        image.quantize(palette=palette, dither=Image.Dither.NONE).save(temporary, optimize=True)


def draw_card(dataset: MeshDataset) -> None:
    """Draw samples of a data set beside its shards, and its card with them."""
    picked = np.unique(np.linspace(0, len(dataset) - 1, _SAMPLES).astype(int))
    draw_samples([dataset.solution(int(i)) for i in picked], dataset.folder / PICTURE)
    write_card(dataset)


def shown(solution: Solution) -> tuple[Mesh, Floats, str]:
    """Return the mesh as it is drawn, the values that colour it (N,) or (N, c), and their name."""
    mesh, name = solution.case.mesh, solution.case.equation.field
    fields = solution.with_derived().at(-1)
    if "von_mises" not in fields:
        return mesh, _column(fields[name]), name
    moved, stress = fields[name], _column(fields["von_mises"])
    small = _BENT * np.ptp(mesh.points, axis=0).max() / (np.abs(moved).max() or 1.0)
    bent = _bent(mesh, moved * (small if solution.case.linear else 1.0))
    return bent, np.minimum(stress, np.quantile(stress, _HIGHEST)), "von Mises"


def _bent(mesh: Mesh, moved: Floats) -> Mesh:
    """Return the mesh moved, or by a half, a quarter, ... where that would turn a cell over."""
    for halvings in range(6):
        try:
            return replace(mesh, points=mesh.points + moved / 2**halvings)
        except MeshError:
            continue
    return mesh


def _column(values: Floats) -> Floats:
    return values[:, 0] if values.shape[1] == 1 else values


def _is_long(mesh: Mesh) -> bool:
    extent = np.ptp(mesh.points, axis=0)
    return len(extent) == 2 and bool(extent[0] > 2 * extent[1])


def _tile(solution: Solution, path: Path, size: tuple[int, int]) -> Floats:
    from matplotlib.image import imread

    if solution.case.mesh.dim == 1:
        _curves(solution, path, size)
    else:
        screenshot(replace(field_scene(*shown(solution)), title=""), path, size=size)
        caption = round(CAPTION * min(size[0] / 1600, size[1] / 1000))
        return np.asarray(imread(path)[:-caption, :, :3], dtype=np.float64)
    return np.asarray(imread(path)[..., :3], dtype=np.float64)


def _palette() -> NDArray[np.uint8]:
    """(256, 3) the colours of fields, bright and under lines, and greys."""
    from matplotlib import colormaps

    field = colormaps[SEQUENTIAL](np.linspace(0, 1, 72))[:, :3]
    grey = np.repeat(np.linspace(0, 1, 40)[:, None], 3, axis=1)
    return (255 * np.concatenate([field, 0.87 * field, 0.74 * field, grey])).round().astype(np.uint8)


def _curves(solution: Solution, path: Path, size: tuple[int, int]) -> None:
    """Draw a field over x, in the colours of its times, the last one yellow."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    name, mesh = solution.case.equation.field, solution.case.mesh
    order = np.argsort(mesh.points[:, 0])
    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor="white", layout="constrained")
    axes = figure.add_subplot(xlabel="x", ylabel=name)
    moments = np.atleast_3d(solution.fields[name]).reshape(-1, mesh.num_points)
    for color, values in zip(np.linspace(0, 0.9, len(moments)), moments, strict=True):
        axes.plot(mesh.points[order, 0], values[order], color=colormaps["viridis"](color))
    figure.savefig(path)


def _cropped(tiles: Sequence[Floats]) -> list[Floats]:
    """Tiles without the rows that are white in all of them, but for some room."""
    used = np.flatnonzero(np.any([(tile < 1).any((1, 2)) for tile in tiles], axis=0))
    return [tile[max(used[0] - _ROOM, 0) : used[-1] + _ROOM] for tile in tiles]
