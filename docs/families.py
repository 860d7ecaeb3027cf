"""Write `images/families.png`: three members of each family, boundaries and regions in colours. Run: make gallery."""

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from PIL import Image

from geometries import Mesh
from geometries.families import FAMILIES, Family
from geometries.files import atomic_write
from meshops.viz.camera import views
from meshops.viz.colors import categorical
from meshops.viz.paint import paint
from meshops.viz.render import Drawing, Frame, Strokes, render
from meshops.viz.scenes import Group, Scene

HERE = Path(__file__).parent
BRACKET = HERE.parent / "meshops" / "resources" / "bracket.step"
COLUMNS, MEMBERS, CELL = 4, 3, (450, 212)  # pixels
INK, SOFT, PAPER = "#1d2430", "#6b7480", "#eceff3"
GIVEN = {"morph": {"file": str(BRACKET), "amplitude": 0.06, "radii": {"bore": (0.7, 1.3)}}, "grid": {"shape": (9, 9)}}
WINDOWS = {
    "airfoil": ((-0.3, -0.65), (1.3, 0.65)),
    "inductor": ((-0.9, -0.75), (0.7, 0.85)),
}  # what is shown of a large domain
SEEDS = {"csg": (2, 3, 7)}


def families() -> list[Family]:
    """Return those to show, plane ones first; `parts` is whatever the user has."""
    found = [family(**GIVEN.get(name, {})) for name, family in FAMILIES.items() if name != "parts"]
    return sorted(found, key=lambda family: (family.dim, family.name))


def tints(names: list[str]) -> dict[str, str]:
    """Return light colours of regions."""
    return dict(zip(names, ("#e6eef8", "#f0b870", "#8fd0a6", "#e8a0b4"), strict=False))


def flat(axes: Axes, mesh: Mesh, colors: dict[str, str], window: tuple | None) -> None:
    """Draw a plane mesh."""
    fill = np.full(mesh.num_cells, PAPER, dtype=object)
    for name, color in tints([*mesh.regions]).items():
        fill[mesh.regions[name]] = color
    corners = [mesh.points[nodes[:, : kind.corners]] for kind, nodes, _ in mesh.blocks()]
    axes.add_collection(PolyCollection(np.concatenate(corners), facecolors=fill, edgecolors="#b9c0ca", linewidths=0.25))
    for name, color in colors.items():
        pairs = np.concatenate([mesh.points[nodes[:, :2]] for _, _, nodes in mesh.facets(mesh.sides(name))])
        axes.add_collection(LineCollection(pairs, colors=color, linewidths=1.7, capstyle="round"))
    low, high = window or (mesh.points.min(0), mesh.points.max(0))
    pad = 0.03 * np.max(np.subtract(high, low))
    axes.set(xlim=(low[0] - pad, high[0] + pad), ylim=(low[1] - pad, high[1] + pad), aspect="equal")


def solid(axes: Axes, mesh: Mesh, colors: dict[str, str], box: tuple[float, float]) -> None:
    """Draw a solid from above."""
    groups = tuple(Group(name, color, mesh.sides(name)) for name, color in colors.items())
    painted, view = paint(Scene(mesh, groups=groups)), views(mesh)[0]
    places = view.project(painted.surface.points)[:, :2]
    size = (round(2 * box[0]), round(2 * box[1]))
    pixel = float((np.ptp(places, axis=0) / size).max()) * 1.04
    lines = (Strokes(painted.outline, INK, 0.8, 0.25), Strokes(painted.sharp, INK, 1.5, 0.8, layer=2))
    look = {"colors": painted.triangle_colors(), "strokes": lines, "shade": painted.shade(field=False)}
    drawing = Drawing(painted.surface.points, painted.surface.triangles, **look)
    middle = (places.min(0) + places.max(0)) / 2
    axes.imshow(render(drawing, view, Frame((middle[0], middle[1]), size, pixel)))


def show(figure: Figure, family: Family, corner: tuple[float, float]) -> None:
    """Draw a family's members with its name, and below them the names of boundaries in their colours."""
    seeds = SEEDS.get(family.name, range(MEMBERS))
    meshes = [family.sample(np.random.default_rng(seed)) for seed in seeds][: 1 if family.name == "grid" else MEMBERS]
    names = list(dict.fromkeys(name for mesh in meshes for name in mesh.boundaries))
    names = [name for name in names if name != "outer" or "left" not in names]
    colors = dict(zip(names, categorical(len(names)), strict=True))
    extent = np.ptp(meshes[0].points, axis=0)
    wide = family.dim == 2 and extent[0] > 2.4 * extent[1]
    (x, y), (width, height) = corner, (CELL[0] - 24, CELL[1] - 56)
    write(figure, (x, y + 14), family.name, color=INK, size=9.5, weight="bold")
    for i, mesh in enumerate(meshes):
        each = (width, height / MEMBERS) if wide else (width / MEMBERS - 6, height)
        at = (x, y + 22 + i * each[1]) if wide else (x + i * width / MEMBERS, y + 22)
        axes = figure.add_axes(place(figure, at, each))
        axes.set_axis_off()
        own = {name: color for name, color in colors.items() if name in mesh.boundaries}
        if family.dim == 3:
            solid(axes, mesh, own, each)
        else:
            flat(axes, mesh, own, WINDOWS.get(family.name))
    regions = tints([*meshes[0].regions]) if len(meshes[0].regions) > 1 else {}
    legend(figure, (x, y + CELL[1] - 20), colors, regions)


def legend(figure: Figure, at: tuple[float, float], colors: dict[str, str], regions: dict[str, str]) -> None:
    """Write the names of boundaries in their colours, those of regions beside theirs."""
    x, y = at
    for name in [*colors, *regions]:
        if name in regions:
            figure.patches.append(swatch(figure, (x, y), regions[name]))
            x += 13
        write(figure, (x, y), name, color=colors.get(name, SOFT), size=7.5, weight="bold")
        x += 5.8 * len(name) + 12


def swatch(figure: Figure, at: tuple[float, float], color: str) -> object:
    """Return a small square."""
    from matplotlib.patches import Rectangle

    (left, bottom, width, height) = place(figure, (at[0], at[1] - 9), (10, 10))
    return Rectangle(
        (left, bottom), width, height, facecolor=color, edgecolor=SOFT, lw=0.4, transform=figure.transFigure
    )


def place(figure: Figure, at: tuple[float, float], size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return a box, given by its top left corner in pixels from the top, as shares of the figure."""
    width, height = figure.get_size_inches() * figure.dpi
    return at[0] / width, 1 - (at[1] + size[1]) / height, size[0] / width, size[1] / height


def write(figure: Figure, at: tuple[float, float], text: str, **style: object) -> None:
    """Write a line of text, its left end at pixels from the top left."""
    left, bottom, _, _ = place(figure, at, (0, 0))
    figure.text(left, bottom, text, va="baseline", **style)


def page() -> Figure:
    """Return the picture."""
    shown = families()
    rows = -(-len(shown) // COLUMNS)
    size = (COLUMNS * CELL[0] / 100, rows * CELL[1] / 100 + 0.1)
    figure = Figure(figsize=size, dpi=100, facecolor="white")
    for i, family in enumerate(shown):
        row, column = divmod(i, COLUMNS)
        show(figure, family, (column * CELL[0] + 14, row * CELL[1] + 8))
    return figure


if __name__ == "__main__":
    drawn = io.BytesIO()
    page().savefig(drawn, format="png")
    with atomic_write(HERE / "images" / "families.png") as beside:
        Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            beside, format="png", optimize=True
        )
