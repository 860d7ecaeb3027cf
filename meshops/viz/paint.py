"""From a scene to coloured triangles and lines: what the picture and the page both draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh
from meshops.viz.camera import is_flat
from meshops.viz.colors import UNNAMED, rgb
from meshops.viz.scenes import Group, Panel, Scene
from meshops.viz.surface import Surface, lines, surface

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PLAIN = "#b9c7d8"
PAPER = "#eceff3"
SHADE, FIELD_SHADE = 0.4, 0.25  # fields less, so that their colours are those of the bar


@dataclass(frozen=True, eq=False)
class Painted:
    """A scene's surface; `group` (F,) is the group on top of each facet, -1 where there is none.

    In a plane mesh groups are lines: `strokes` (n, 2) point pairs with `stroke_group` (n,), and the same of the groups
    that lie beneath others, `under` and `under_group`, to be drawn wider.
    """

    scene: Scene
    surface: Surface
    group: Ints
    strokes: Ints
    stroke_group: Ints
    under: Ints
    under_group: Ints

    @cached_property
    def outline(self) -> Ints:
        """(n, 2) edges of the drawn mesh."""
        return self.surface.outline()

    @cached_property
    def sharp(self) -> Ints:
        """(n, 2) edges to stress."""
        return self.surface.sharp(self.group)

    @property
    def on_facets(self) -> bool:
        """Whether groups are what is drawn as triangles, and not lines."""
        return bool(self.scene.groups) and (self.scene.mesh.dim == 3 or bool((self.group >= 0).any()))

    @property
    def shown(self) -> set[int]:
        """Groups that have any facet or line of their own to see."""
        return set(np.unique(np.concatenate([self.group, self.stroke_group, self.under_group])).tolist()) - {-1}

    def named_lines(self) -> tuple[tuple[Ints, Ints, float], ...]:
        """Point pairs, groups and width in pixels of the lines to draw, in this order."""
        return (self.under, self.under_group, 10.0), (self.strokes, self.stroke_group, 5.0)

    def shade(self, *, field: bool) -> float:
        """How much the angle of a facet darkens it; a flat mesh not at all."""
        if is_flat(self.scene.mesh):
            return 0.0
        return FIELD_SHADE if field else SHADE

    def triangle_colors(self) -> Bytes:
        """(T, 3) colours of the triangles in a scene without panels."""
        bare = UNNAMED if self.on_facets else PAPER if self.scene.groups else PLAIN
        palette = rgb((*(g.color for g in self.scene.groups), bare))
        return palette[self.group[self.surface.facet]]

    def corner_values(self, panel: Panel) -> Floats:
        """(T, 3) values at the corners of the triangles."""
        if on_points(self.scene.mesh, panel):
            return panel.values[self.surface.triangles]
        return np.repeat(panel.values[self.surface.cell][:, None], 3, axis=1)


def on_points(mesh: Mesh, panel: Panel) -> bool:
    """Whether the panel's values belong to points; where points and cells are as many, they do."""
    return len(panel.values) == mesh.num_points


def paint(scene: Scene) -> Painted:
    """Triangulate a scene's mesh and lay its groups on it, the smaller over the larger."""
    drawn, sides = surface(scene.mesh)
    none, empty = np.empty(0, np.int64), np.empty((0, 2), np.int64)
    if scene.mesh.dim == 3:
        _, group, _ = _layers(scene.mesh, scene.groups, sides)
        return Painted(scene, drawn, group, empty, none, empty, none)
    bare = np.full(len(sides), -1)
    if scene.mesh.dim == 1:
        return Painted(scene, drawn, bare, empty, none, empty, none)
    if any((g.sides[:, 1] < 0).any() for g in scene.groups):
        return Painted(scene, drawn, _on_cells(scene, bare), empty, none, empty, none)
    named = np.concatenate([scene.mesh.outer, *(g.sides for g in scene.groups)])
    _, first = np.unique(scene.mesh.facet_ids(named), return_index=True)
    _, top, under = _layers(scene.mesh, scene.groups, named[first])
    pairs, owner = lines(scene.mesh, named[first])
    below = under[owner] >= 0
    return Painted(scene, drawn, bare, pairs, top[owner], pairs[below], under[owner][below])


def _on_cells(scene: Scene, group: Ints) -> Ints:
    """(C,) the smallest group that each cell is in."""
    for number in sorted(range(len(scene.groups)), key=lambda i: -len(scene.groups[i].sides)):
        group[scene.groups[number].sides[:, 0]] = number
    return group


def _layers(mesh: Mesh, groups: Sequence[Group], sides: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the facet numbers of `sides` and the groups on top of each and just beneath, -1 where there is none."""
    facets = mesh.facet_ids(sides)
    top, under = np.full(mesh.num_facets, -1), np.full(mesh.num_facets, -1)
    sizes = [-float(mesh.side_geometry(g.sides)[2].sum()) for g in groups]
    for number in np.argsort(sizes, kind="stable"):
        mine = mesh.facet_ids(groups[number].sides)
        under[mine] = top[mine]
        top[mine] = number
    return facets, top[facets], under[facets]
