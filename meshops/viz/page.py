"""A scene as one page: views drawn by VTK; titles, legends, labels and colour bars by Matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh
from meshops.viz import layout as at
from meshops.viz.camera import View, is_flat, views
from meshops.viz.labels import Label, place_labels
from meshops.viz.layout import Box, Layout, arrange
from meshops.viz.paint import Painted, paint
from meshops.viz.render import Drawing, Frame, Strokes, render
from meshops.viz.scenes import Panel, Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
INK, SOFT = "#1d2430", "#6b7480"
_DESIGN = (1600, 1000)


def compose(scene: Scene, size: tuple[int, int]) -> Figure:
    """Return the page of `size` pixels; fonts and lines grow with the page."""
    from matplotlib.figure import Figure

    scale = min(size[0] / _DESIGN[0], size[1] / _DESIGN[1])
    width, height = size[0] / scale, size[1] / scale
    figure = Figure(figsize=(width / 100, height / 100), dpi=100 * scale, facecolor="white")
    page = figure.add_axes((0, 0, 1, 1))
    page.set(xlim=(0, width), ylim=(height, 0))
    page.set_axis_off()
    painted, cameras = paint(scene), views(scene.mesh)
    plan = arrange(painted, cameras, (width, height))
    for number, panel in enumerate(scene.panels or (None,)):
        for view, box in zip(cameras, plan.views[number], strict=True):
            _view(page, painted, panel, view, box, (plan.pixel, scale))
        if panel:
            _header(page, panel, plan.headers[number])
            _bar(figure, panel, plan.bars[number])
    _labels(page, painted, cameras, plan)
    _legend(page, painted, plan.legend)
    _frame(page, scene, height)
    return figure


def _view(page: Axes, painted: Painted, panel: Panel | None, view: View, box: Box, scales: tuple[float, float]) -> None:
    pixel, scale = scales
    places = view.project(painted.surface.points)[:, :2]
    middle = (places.min(0) + places.max(0)) / 2
    size = (round(box.width * scale), round(box.height * scale))
    image = render(_drawing(painted, panel, pixel), view, Frame(tuple(middle), size, pixel * box.width / size[0]))
    page.imshow(image, extent=(box.x, box.x + box.width, box.y + box.height, box.y), aspect="auto", zorder=1)
    page.set(xlim=page.get_xlim(), ylim=page.get_ylim())
    onto = on_page(places, middle, box, pixel)
    _lines(page, painted, panel, onto)
    if view.toward[2] < 1:
        _triad(page, view, free_corner(box, onto))
    elif len(painted.scene.panels) < 2:
        _ruler(page, painted.scene.mesh, onto)


def on_page(places: Floats, middle: Floats, box: Box, pixel: float) -> Floats:
    """(n, 2) page coordinates of points (n, 2) on the view's plane."""
    shift = np.array([box.x + box.width / 2, box.y + box.height / 2])
    return shift + (places - middle) / pixel * (1, -1)


def _drawing(painted: Painted, panel: Panel | None, pixel: float) -> Drawing:
    drawn = painted.surface
    edges = Strokes(painted.outline, INK, 1.0, edge_opacity(painted, pixel, 0.2 if panel else 0.3))
    sharp = Strokes(painted.sharp, INK, 1.6, 0.8, layer=2)
    named = () if panel or is_flat(painted.scene.mesh) else tuple(_named_strokes(painted))
    look = {"strokes": (edges, sharp, *named), "shade": painted.shade(field=panel is not None)}
    if panel is None:
        return Drawing(drawn.points, drawn.triangles, colors=painted.triangle_colors(), **look)
    values = painted.corner_values(panel)
    return Drawing(drawn.points, drawn.triangles, values=values, colormap=panel.colormap, limits=panel.limits, **look)


def _named_strokes(painted: Painted) -> Iterator[Strokes]:
    """Yield the named boundaries of a mesh of surfaces in space, which may hide behind it."""
    for layer, (pairs, owner, width) in enumerate(painted.named_lines(), start=3):
        for number, group in enumerate(painted.scene.groups):
            yield Strokes(pairs[owner == number], group.color, width, layer=layer)


def edge_opacity(painted: Painted, pixel: float, most: float) -> float:
    """Edges fade as they get dense, so that a fine mesh does not turn black."""
    a, b = painted.surface.points[painted.outline].transpose(1, 0, 2)
    return float(most * np.clip((np.median(np.linalg.norm(a - b, axis=1)) / pixel - 3) / 12, 0, 1))


def _lines(page: Axes, painted: Painted, panel: Panel | None, onto: Floats) -> None:
    """Draw what nothing can hide: named boundaries of flat meshes, the wide ones first, and the cells of 1-D meshes."""
    from matplotlib.collections import LineCollection

    groups = painted.scene.groups
    if panel is None and groups and is_flat(painted.scene.mesh):
        colors = [*(g.color for g in groups), SOFT]
        for pairs, owner, width in painted.named_lines():
            named = [colors[g] for g in owner]
            widths = np.where(owner < 0, 1.2, width) * 0.72
            page.add_collection(LineCollection(onto[pairs], colors=named, lw=widths, capstyle="round", zorder=2))
    elif painted.scene.mesh.dim == 1:
        edges = painted.surface.edges
        cells = LineCollection(onto[edges], linewidths=6, zorder=2)
        if panel is None:
            cells.set(color=SOFT)
        else:
            cells.set(array=_line_values(painted, panel), cmap=panel.colormap, clim=panel.limits)
        page.add_collection(cells)


def _line_values(painted: Painted, panel: Panel) -> Floats:
    if len(panel.values) == painted.scene.mesh.num_points:
        return panel.values[painted.surface.edges].mean(1)
    return panel.values[painted.surface.edge_facet]


def free_corner(box: Box, drawn: Floats) -> Floats:
    """Return the corner for the axes: of those far from what is drawn the first, else the farthest."""
    low, high = np.array([box.x, box.y]) + 36, np.array([box.x + box.width, box.y + box.height]) - 36
    corners = np.array([(low[0], high[1]), high, low, (high[0], low[1])])
    away = np.linalg.norm(corners[:, None] - drawn, axis=2).min(1)
    return corners[np.argmax(np.minimum(away, 64))]


def _triad(page: Axes, view: View, origin: Floats) -> None:
    steps = np.stack([view.right, -view.top], axis=1) * 32
    for name, step, near in zip("xyz", steps, view.toward, strict=True):
        end = origin + step
        page.annotate("", end, origin, arrowprops={"arrowstyle": "-|>", "color": SOFT, "lw": 1.3}, zorder=4 + near)
        x, y = origin + 1.35 * step
        write(page, (x, y), name, color=SOFT, fontsize=11, ha="center", zorder=4 + near)


def _ruler(page: Axes, mesh: Mesh, onto: Floats) -> None:
    """Write a few coordinates below and to the left of a plane mesh."""
    from matplotlib.ticker import MaxNLocator

    (left, top), (right, bottom) = onto.min(0), onto.max(0)
    below = bottom + (46 if mesh.dim == 2 else 18)
    for axis in range(min(mesh.space_dim, 2)):
        start, end = mesh.points[:, axis].min(), mesh.points[:, axis].max()
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(start, end)
        for tick in ticks[(ticks >= start) & (ticks <= end)]:
            share = (tick - start) / ((end - start) or 1.0)
            x, y = (left - 62, bottom + share * (top - bottom)) if axis else (left + share * (right - left), below)
            write(page, (x, y), f"{tick:.6g}", color=SOFT, fontsize=10, ha="center")


def _header(page: Axes, panel: Panel, box: Box) -> None:
    if panel.title:
        write(page, (box.x + box.width / 2, box.y + 16), panel.title, fontsize=15, ha="center")


def _bar(figure: Figure, panel: Panel, box: Box) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    width, height = figure.get_size_inches() * 100
    place = (box.x / width, 1 - (box.y + 34) / height, box.width / width, 16 / height)
    bar = figure.colorbar(
        ScalarMappable(Normalize(*panel.limits), panel.colormap),
        cax=figure.add_axes(place),
        orientation="horizontal",
        ticks=MaxNLocator(6, steps=[1, 2, 5, 10]),
    )
    bar.outline.set(edgecolor=SOFT, linewidth=0.6)
    bar.ax.tick_params(labelsize=12, colors=INK, length=4)
    bar.set_label(
        f"{panel.label}, {panel.note}" if panel.note else panel.label, fontsize=12, color=INK, parse_math=False
    )


def _labels(page: Axes, painted: Painted, cameras: tuple[View, ...], plan: Layout) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3.5, foreground="white")]
    for view, box in zip(cameras, plan.views[0], strict=True):
        for label in place_labels(painted, view, box, plan.pixel):
            _label(page, label, halo)


def _label(page: Axes, label: Label, halo: list[object]) -> None:
    if label.at:
        page.plot(*zip(label.at, (label.x, label.y), strict=True), color=INK, linewidth=0.9, zorder=5)
        page.plot(*label.at, "o", color=INK, markersize=3, zorder=5)
    write(page, (label.x, label.y), label.text, fontsize=12, zorder=6, ha="center", path_effects=halo)


def _legend(page: Axes, painted: Painted, box: Box) -> None:
    from matplotlib.patches import Rectangle

    groups = painted.scene.groups
    if not groups:
        return
    names = [g.name for g in groups]
    rows, columns = at.legend_shape(names, box.height + at.TITLE + at.CAPTION)
    room = rows * columns
    shown = groups[: room - 1] if len(groups) > room else groups
    title = "Regions" if painted.on_facets and painted.scene.mesh.dim < 3 else "Boundaries"
    write(page, (box.x, box.y + 14), title, fontsize=12, color=SOFT)
    for number, group in enumerate(shown):
        x = box.x + number // rows * at.column_width(names)
        y = box.y + 48 + number % rows * at.LINE
        seen = number in painted.shown
        page.add_patch(Rectangle((x, y - 8), 16, 16, facecolor=group.color, alpha=1 if seen else 0.35, zorder=3))
        text = group.name if len(group.name) <= 24 else group.name[:23] + "…"
        look = {"color": INK, "style": "normal"} if seen else {"color": SOFT, "style": "italic"}
        write(page, (x + 26, y), text, fontsize=12, **look)
    if len(shown) < len(groups):
        x, y = box.x + (columns - 1) * at.column_width(names), box.y + 48 + (rows - 1) * at.LINE
        write(page, (x, y), f"and {len(groups) - len(shown)} more", fontsize=12, color=SOFT)


def _frame(page: Axes, scene: Scene, height: float) -> None:
    if scene.title:
        write(page, (at.EDGE, 34), scene.title, fontsize=18, weight="bold")
    write(page, (at.EDGE, height - 24), caption(scene.mesh), fontsize=11, color=SOFT)


def write(page: Axes, spot: tuple[float, float], text: str, **style: object) -> None:
    """Write one line, as it is: a `$` in a name starts no formula."""
    page.text(
        *spot, " ".join(text.split()), **{"color": INK, "va": "center", "zorder": 3, "parse_math": False, **style}
    )


def caption(mesh: Mesh) -> str:
    """One line on the mesh: points, cells by type, size."""
    cells = ", ".join(f"{len(block):,} cells ({kind})" for kind, block in mesh.cells.items())
    extent = " × ".join(f"{s:.4g}" for s in np.ptp(mesh.points, axis=0))
    return f"{mesh.num_points:,} points, {cells}, {extent}"
