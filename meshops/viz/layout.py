"""Where things go on a page, in pixels of a page about 1600 x 1000, y downwards."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshops.viz.camera import View
from meshops.viz.paint import Painted

Floats = NDArray[np.float64]
Shape = tuple[int, int]  # rows, columns
EDGE, TITLE, CAPTION, HEADER, BAR = 28.0, 64.0, 52.0, 42.0, 92.0
LINE, COLUMN = 27.0, 9.5  # height of a legend's line, width of a letter


@dataclass(frozen=True)
class Box:
    """A rectangle by its left top corner and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Boxes of each panel's header, views (one a view) and colour bar; `pixel` is the length per pixel of all views."""

    pixel: float
    headers: tuple[Box, ...]
    views: tuple[tuple[Box, ...], ...]
    bars: tuple[Box, ...]
    legend: Box


@dataclass(frozen=True)
class _Grid:
    """How panels and the views in each are arranged, and the length per pixel that this allows."""

    panels: Shape
    views: Shape
    pixel: float


def arrange(painted: Painted, views: tuple[View, ...], size: tuple[float, float]) -> Layout:
    """Find the arrangement, panels in a row or column and views in a row or column, that draws the part largest."""
    scene = painted.scene
    legend = legend_width([g.name for g in scene.groups], size[1])
    top = TITLE if scene.title else EDGE
    body = Box(EDGE, top, size[0] - 2 * EDGE - legend, size[1] - top - CAPTION)
    above = HEADER if any(p.title for p in scene.panels) else 0.0
    below = BAR if scene.panels else 0.0
    spans, margins = _spans(painted, views), margin(painted, views)
    ways = itertools.product(*({(1, n), (n, 1)} for n in (max(len(scene.panels), 1), len(views))))
    grids = [_grid(p, v, body, above + below, spans, margins) for p, v in ways]
    best = min(grids, key=lambda g: (g.pixel, g.panels, g.views))
    return _place(best, body, above, below, spans, margins, Box(size[0] - EDGE - legend, top, legend, body.height))


def margin(painted: Painted, views: tuple[View, ...]) -> tuple[float, float]:
    """Space around the part in a view: (beside, above and below); more where labels or numbers stand outside."""
    if len(views) > 1 or painted.scene.mesh.dim == 3:
        return 24.0, 24.0
    if painted.scene.groups:
        return 110.0, 62.0
    return (24.0, 20.0) if len(painted.scene.panels) > 1 else (80.0, 50.0)


def legend_shape(names: list[str], height: float) -> tuple[int, int]:
    """Rows and columns of the legend of `names`."""
    rows = int((height - 2 * TITLE - CAPTION) // LINE)
    return rows, min(-(-len(names) // rows), 3)


def legend_width(names: list[str], height: float) -> float:
    """Width of the legend of `names`, 0 without."""
    if not names:
        return 0.0
    return legend_shape(names, height)[1] * column_width(names) + 8


def column_width(names: list[str]) -> float:
    """Width of one column of a legend."""
    return 44 + COLUMN * max(min(max(map(len, names)), 24), 8)


def _spans(painted: Painted, views: tuple[View, ...]) -> Floats:
    """(2,) largest width and height of the part in the views."""
    return np.max([np.ptp(v.project(painted.surface.points)[:, :2], axis=0) for v in views], axis=0)


def _grid(
    panels: Shape,
    views: Shape,
    body: Box,
    extra: float,
    spans: Floats,
    margins: tuple[float, float],
) -> _Grid:
    width = body.width / panels[1] / views[1] - 2 * margins[0]
    height = (body.height / panels[0] - extra) / views[0] - 2 * margins[1]
    pixel = max(spans[0] / max(width, 1.0), spans[1] / max(height, 1.0)) or 1.0
    return _Grid(panels, views, pixel)


def _place(
    grid: _Grid, body: Box, above: float, below: float, spans: Floats, margins: tuple[float, float], legend: Box
) -> Layout:
    """Pack the panels around the middle of the body as closely as the part's size allows."""
    wide, high = spans / grid.pixel + 2 * np.array(margins)
    cell = body.width / grid.panels[1]
    inner = wide * grid.views[1]
    block = min(max(inner, 260.0), cell) + min(max(cell - inner, 0.0), 40.0)
    tall = above + high * grid.views[0] + below
    left = body.x + (body.width - block * grid.panels[1]) / 2
    top = body.y + (body.height - tall * grid.panels[0]) / 2
    headers, boxes, bars = [], [], []
    for row, column in itertools.product(range(grid.panels[0]), range(grid.panels[1])):
        x, y = left + column * block, top + row * tall
        start = x + (block - inner) / 2
        spots = itertools.product(range(grid.views[0]), range(grid.views[1]))
        headers.append(Box(x, y, block, above))
        boxes.append(tuple(Box(start + c * wide, y + above + r * high, wide, high) for r, c in spots))
        bar = min(block - 30, 460.0)
        bars.append(Box(x + (block - bar) / 2, y + tall - below, bar, below))
    return Layout(float(grid.pixel), tuple(headers), tuple(boxes), tuple(bars), legend)
