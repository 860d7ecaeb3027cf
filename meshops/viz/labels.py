"""Names written onto the picture: in the middle of what is seen of a boundary, none over another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import spatial
from meshops.viz.camera import View
from meshops.viz.layout import Box
from meshops.viz.paint import Painted
from meshops.viz.render import Drawing, Frame, render

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LETTER, _HEIGHT = 9.6, 20.0
_COARSE = 2.0  # pixels of the page for one of the picture in which labels find their place
_ROOM = 6.0  # a label needs this much of its boundary around its centre
_COVER = 0.4  # share of a patch that its label may hide
_TRIES = 24
_LONGEST = 24


@dataclass(frozen=True)
class Label:
    """A text centred at (x, y) on the page; a line leads from it to `at` where it stands beside what it names."""

    text: str
    x: float
    y: float
    at: tuple[float, float] | None = None

    def overlaps(self, other: Label) -> bool:
        """Whether the two would touch."""
        wide = (len(self.text) + len(other.text)) * _LETTER / 2
        return abs(self.x - other.x) < wide + 4 and abs(self.y - other.y) < _HEIGHT + 2


def place_labels(painted: Painted, view: View, box: Box, pixel: float) -> list[Label]:
    """Return labels for the groups that are seen in this view and have room; the largest choose first."""
    if not painted.scene.groups or painted.scene.mesh.dim == 1:
        return []
    spots = (_on_faces if painted.on_facets else _on_lines)(painted, view, box, pixel)
    placed: list[Label] = []
    for choices in spots:
        free = [c for c in choices if _inside(c, box) and not any(c.overlaps(p) for p in placed)]
        placed += free[:1]
    return placed


def _inside(label: Label, box: Box) -> bool:
    half = len(label.text) * _LETTER / 2
    return (
        box.x <= label.x - half
        and label.x + half <= box.x + box.width
        and abs(label.y - box.y - box.height / 2) < box.height / 2
    )


def _text(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _on_faces(painted: Painted, view: View, box: Box, pixel: float) -> list[list[Label]]:
    from scipy.ndimage import distance_transform_edt, label

    seen = _identities(painted, view, box, pixel)
    found = []
    for number in np.unique(seen[seen >= 0]):
        depth = distance_transform_edt(np.pad(seen == number, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[y, x] * _COARSE >= _ROOM:
            spot = (box.x + (x + 0.5) * _COARSE, box.y + (y + 0.5) * _COARSE)
            text = _text(painted.scene.groups[number].name)
            patches, _ = label(seen == number)
            patch = float((patches == patches[y, x]).sum()) * _COARSE**2
            found.append((-depth[y, x], _choices(text, spot, depth[y, x] * _COARSE, patch)))
    return [labels for _, labels in sorted(found, key=lambda f: f[0])]


def _choices(text: str, spot: tuple[float, float], room: float, patch: float) -> list[Label]:
    """On the spot unless the text would hide much of the `patch` (an area) that it names, else beside it."""
    half = len(text) * _LETTER / 2
    if 2 * half * _HEIGHT < _COVER * patch:
        return [Label(text, *spot)]
    ring = [(0, -1), (0, 1), (1, -0.7), (-1, -0.7), (1, 0.7), (-1, 0.7)]
    beside = [(dx * (half + room + 8), dy * (_HEIGHT + room + 8)) for dx, dy in ring]
    return [Label(text, spot[0] + dx, spot[1] + dy, spot) for dx, dy in beside]


def _identities(painted: Painted, view: View, box: Box, pixel: float) -> Ints:
    """Return the group at each pixel of a coarse picture, -1 where there is none."""
    number = painted.group[painted.surface.facet] + 1
    colors = np.stack([number // 65536, number // 256 % 256, number % 256], axis=1).astype(np.uint8)
    places = view.project(painted.surface.points)[:, :2]
    frame = Frame(
        tuple((places.min(0) + places.max(0)) / 2),
        (int(box.width / _COARSE), int(box.height / _COARSE)),
        pixel * _COARSE,
    )
    drawing = Drawing(painted.surface.points, painted.surface.triangles, colors=colors)
    image = render(drawing, view, frame, samples=1).astype(np.int64)
    number = image @ (65536, 256, 1)
    return np.where(number < len(painted.scene.groups) + 1, number, 0) - 1


def _on_lines(painted: Painted, view: View, box: Box, pixel: float) -> list[list[Label]]:
    """Beside the line, on the outer side, at its middle or where there is room."""
    mesh = painted.scene.mesh
    places = view.project(painted.surface.points)[:, :2]
    middle, center = (places.min(0) + places.max(0)) / 2, np.array([box.x + box.width / 2, box.y + box.height / 2])
    found = []
    for group in painted.scene.groups:
        if not len(group.sides):
            continue
        centers, normals, sizes = mesh.side_geometry(group.sides)
        flat, out = (view.project(spatial(a))[:, :2] for a in (centers, normals))
        far = np.linalg.norm(flat - np.average(flat, axis=0, weights=sizes), axis=1)
        order = np.argsort(far, kind="stable")
        tries = order[np.unique(np.linspace(0, len(order) - 1, _TRIES).astype(int))]
        text = _text(group.name)
        reach = np.abs(out[tries]) @ (len(text) * _LETTER / 2, _HEIGHT / 2) + 10
        spots = center + ((flat[tries] - middle) / pixel + out[tries] * reach[:, None]) * (1, -1)
        found.append((sizes.sum(), [Label(text, float(x), float(y)) for x, y in spots]))
    return [labels for _, labels in sorted(found, key=lambda f: f[0])]
