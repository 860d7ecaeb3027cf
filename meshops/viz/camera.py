"""Where pictures are taken from: parallel views, and which of them shows most of a part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometries.mesh import Mesh, spatial

Floats = NDArray[np.float64]
# Upper corners to look from, in order of preference, and how much better another one must be.
_CORNERS = np.array([[0.8, -1, 0.75], [-0.8, -1, 0.75], [0.8, 1, 0.75], [-0.8, 1, 0.75]])
_MARGIN = 1.05


@dataclass(frozen=True, eq=False)
class View:
    """A parallel projection: the unit vectors to the picture's right, to its top and towards the viewer."""

    right: Floats
    top: Floats
    toward: Floats

    def project(self, points: Floats) -> Floats:
        """Return (n, 3) right, top and depth (larger is nearer) of (n, 3) points."""
        return points @ np.stack([self.right, self.top, self.toward]).T


PLAN = View(*np.eye(3))


def looking_from(direction: Floats) -> View:
    """Return the view from `direction` with z up."""
    toward = direction / np.linalg.norm(direction)
    right = np.cross([0.0, 0.0, 1.0], toward)
    right /= np.linalg.norm(right)
    return View(right, np.cross(toward, right), toward)


def is_flat(mesh: Mesh) -> bool:
    """Whether the mesh lies in the x, y plane."""
    return mesh.dim < 3 and (mesh.space_dim < 3 or float(np.ptp(mesh.points[:, 2])) == 0.0)


def views(mesh: Mesh) -> tuple[View, ...]:
    """Return the plan view of a flat mesh, else two that together show every side: from above, and its opposite."""
    if is_flat(mesh):
        return (PLAN,)
    best = _best_corner(mesh)
    return looking_from(best), looking_from(-best)


def _best_corner(mesh: Mesh) -> Floats:
    """Return the corner from which most of the outer area is seen."""
    if mesh.dim < 3:
        return _CORNERS[0]
    centers, normals, areas = mesh.side_geometry(mesh.outer)
    seen = np.array([_seen_area(looking_from(c), centers, normals, areas) for c in _CORNERS])
    return _CORNERS[0] if seen[0] * _MARGIN >= seen.max() else _CORNERS[int(seen.argmax())]


def _seen_area(view: View, centers: Floats, normals: Floats, areas: Floats) -> float:
    """Area of the facets that face the viewer and are not behind others, on a coarse depth grid."""
    front = normals @ view.toward > 0.1
    places = view.project(spatial(centers)[front])
    span = float(np.ptp(places, axis=0).max()) or 1.0
    grid = int(np.clip(np.sqrt(len(places)) / 2, 4, 64))
    at = np.minimum(((places[:, :2] - places[:, :2].min(0)) / span * grid).astype(int), grid - 1) @ (grid, 1)
    nearest = np.full(grid * grid, -np.inf)
    np.maximum.at(nearest, at, places[:, 2])
    return float(areas[front][places[:, 2] >= nearest[at] - 2.5 * span / grid].sum())
