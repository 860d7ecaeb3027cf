"""Pictures of data sets and recipes: a few samples side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.files import atomic_write
from meshops.data import MeshDataset
from meshops.data.card import PICTURE, write_card
from meshops.equations import Solution
from meshops.viz import field_scene, screenshot

_SAMPLES = 3
_SIZE = (420, 360)


def draw_samples(solutions: Sequence[Solution], path: Path) -> None:
    """Write a PNG of the solutions' own fields side by side, in 128 colours to keep it small."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        tiles = [_tile(solution, Path(folder) / f"{i}.png") for i, solution in enumerate(solutions)]
    picture = Image.fromarray((255 * np.concatenate(tiles, axis=1)).round().astype(np.uint8))
    with atomic_write(path) as temporary:
        picture.quantize(128).save(temporary, optimize=True)


def draw_card(dataset: MeshDataset) -> Path:
    """Draw samples of a data set beside its shards, and its card with them; return the card."""
    picked = np.unique(np.linspace(0, len(dataset) - 1, _SAMPLES).astype(int))
    draw_samples([dataset.solution(int(i)) for i in picked], dataset.folder / PICTURE)
    write_card(dataset)
    return dataset.folder / "README.md"


def _tile(solution: Solution, path: Path) -> NDArray[np.float64]:
    from matplotlib.image import imread

    name = solution.case.equation.field
    values = solution.fields[name]
    last = values[-1] if values.ndim == 3 else values
    scene = field_scene(solution.case.mesh, last[:, 0] if last.shape[1] == 1 else last, name)
    screenshot(scene, path, size=_SIZE)
    return imread(path)[..., :3]
