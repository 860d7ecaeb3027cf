"""Essential conditions as u = value + ties z: values that are given, and unknowns that are tied to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array, hstack
from scipy.sparse.csgraph import connected_components

from geometries.conditions import Periodic, Roller
from geometries.errors import SpecError
from geometries.mesh import Mesh
from meshops.equations.case import Case, Part
from meshops.equations.layout import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ALIGNED = 1e-9  # of a unit normal off an axis: an axis all the same
_APART = 1e-6  # of the mesh's extent, between a point and its periodic image


@dataclass(frozen=True, eq=False)
class Constraints:
    """See `LinearSystem`: where unknowns are fixed, their values, and the ties of the others, if there are any."""

    fixed: NDArray[np.bool_]
    value: Floats
    ties: csr_array | None = None


def constraints(case: Case, layout: Layout, time: float = 0.0) -> Constraints:
    """Return what the Dirichlet, Roller and Periodic conditions of `case` say of its unknowns at `time`.

    Raises `SpecError` where a periodic boundary is not its partner moved.
    """
    numbers = layout.numbers[case.equation.field]
    given = case.fixed_at(time)
    fixed, value = np.zeros(layout.size, bool), np.zeros(layout.size)
    at = ~np.isnan(given[:, : numbers.shape[1]])
    fixed[numbers[at]], value[numbers[at]] = True, given[:, : numbers.shape[1]][at]
    ties = None
    oblique = _rollers(case, fixed, numbers)
    if oblique:
        fixed, value, ties = _slide(oblique, numbers, fixed, value)
    images = [_images(case.mesh, part) for part in case.parts if isinstance(part.condition, Periodic)]
    if images and oblique:
        raise SpecError("periodic boundaries and rollers off the axes cannot stand in one case.", ("conditions",))
    if images:
        fixed, value, ties = _identify(np.concatenate(images), layout, fixed, value)
    return Constraints(fixed, value, ties)


# -- rollers -----------------------------------------------------------------------------------------------------------
def _rollers(case: Case, fixed: NDArray[np.bool_], numbers: Ints) -> list[tuple[Ints, Floats]]:
    """Fix the normal components where a roller is along axes; return (points, normals) of the others."""
    oblique = []
    for part in case.parts:
        if not isinstance(part.condition, Roller):
            continue
        nodes, normals = node_normals(case.mesh, part.sides)
        aligned = np.abs(normals).max(1) > 1 - _ALIGNED
        fixed[numbers[nodes[aligned], np.abs(normals[aligned]).argmax(1)]] = True
        if not aligned.all():
            oblique.append((nodes[~aligned], normals[~aligned]))
    return oblique


def node_normals(mesh: Mesh, sides: Ints) -> tuple[Ints, Floats]:
    """Return the (n,) points on `sides` and their (n, d) unit normals, the means by area."""
    _, normals, areas = mesh.side_geometry(sides)
    total = np.zeros((mesh.num_points, mesh.space_dim))
    for _, at, points in mesh.facets(sides):
        np.add.at(total, points, (normals[at] * areas[at, None])[:, None, :])
    nodes = mesh.nodes(sides)
    size = np.linalg.norm(total[nodes], axis=1, keepdims=True)
    return nodes, total[nodes] / np.where(size > 0, size, 1.0)


def _slide(
    oblique: list[tuple[Ints, Floats]], numbers: Ints, fixed: NDArray[np.bool_], value: Floats
) -> tuple[NDArray[np.bool_], Floats, csr_array]:
    """Tie the components of each point on an oblique roller: those left free span what is tangential to all normals.

    A point's constraints are rows C u = c: its fixed components and the normals of its rollers. The null space of C,
    by a singular value decomposition of all points at once, is the basis of its free directions.
    """
    points = np.unique(np.concatenate([nodes for nodes, _ in oblique]))
    d, place = numbers.shape[1], np.searchsorted(points, np.arange(points[-1] + 1))
    held = fixed[numbers[points]]
    rows = np.concatenate([held[:, :, None] * np.eye(d), np.zeros((len(points), len(oblique), d))], axis=1)
    for i, (nodes, normals) in enumerate(oblique):
        rows[place[nodes], d + i] = normals
    right = np.concatenate([value[numbers[points]] * held, np.zeros((len(points), len(oblique)))], axis=1)
    particular = np.einsum("pdr,pr->pd", np.linalg.pinv(rows), right)
    _, size, axes = np.linalg.svd(rows)
    free = size < 1e-9
    value, fixed = np.array(value), np.array(fixed)
    value[numbers[points]] = particular
    fixed[numbers[points]] = ~np.any(free, axis=1)[:, None]
    loose = np.ones(len(fixed), bool)
    loose[numbers[points]] = False
    loose &= ~fixed
    own = csr_array(eye_array(len(fixed)))[:, np.flatnonzero(loose)]
    p, k = np.nonzero(free)
    columns = np.repeat(np.arange(len(p)), d)
    tied = coo_array((axes[p, k].ravel(), (numbers[points[p]].ravel(), columns)), shape=(len(fixed), len(p)))
    return fixed, value, csr_array(hstack([own, tied]))


# -- periodic boundaries -----------------------------------------------------------------------------------------------
def images_of(case: Case) -> Ints:
    """Return (n, 2) points that have the value of another one by periodic conditions, each with that one.

    Points that are images of each other, also over several boundaries, share the first of them.
    """
    pairs = [_images(case.mesh, part) for part in case.parts if isinstance(part.condition, Periodic)]
    if not pairs:
        return np.empty((0, 2), np.int64)
    a, b = np.concatenate(pairs).T
    n = case.mesh.num_points
    _, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    _, first = np.unique(label, return_index=True)
    own = np.arange(n)
    moved = own[first[label] != own]
    return np.stack([moved, first[label[moved]]], axis=1)


def _images(mesh: Mesh, part: Part) -> Ints:
    """(n, 2) points of a periodic boundary, each with its image on the partner."""
    from scipy.spatial import cKDTree

    partner = part.condition.partner if isinstance(part.condition, Periodic) else part.name
    here, there = mesh.nodes(part.sides), mesh.nodes(mesh.sides(partner))
    shift = _center(mesh, mesh.sides(partner)) - _center(mesh, part.sides)
    distance, nearest = cKDTree(mesh.points[there]).query(mesh.points[here] + shift)
    far = distance > _APART * np.ptp(mesh.points, axis=0).max()
    if far.any() or len(here) != len(there) or len(np.unique(nearest)) != len(here):
        raise SpecError(
            f"{part.name!r} moved onto {partner!r}: {int(far.sum())} of {len(here)} points find no image among "
            f"{len(there)}; mesh both alike, or name another partner.",
            ("conditions", part.name, "periodic"),
        )
    return np.stack([here, there[nearest]], axis=1)


def _center(mesh: Mesh, sides: Ints) -> Floats:
    centers, _, areas = mesh.side_geometry(sides)
    return areas @ centers / areas.sum()


def _identify(
    pairs: Ints, layout: Layout, fixed: NDArray[np.bool_], value: Floats
) -> tuple[NDArray[np.bool_], Floats, csr_array]:
    """Make one unknown of all that are images of each other, in every field; where one of them is fixed, all are."""
    n = len(fixed)
    found = [np.concatenate([numbers[pairs[:, i]].ravel() for numbers in layout.numbers.values()]) for i in (0, 1)]
    a, b = (ends[found[0] >= 0] for ends in found)
    count, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    held = np.zeros(count, bool)
    held[label[fixed]] = True
    common = np.zeros(count)
    common[label[fixed]] = value[fixed]
    group = np.cumsum(~held) - 1
    free = np.flatnonzero(~held[label])
    shape = (n, count - int(held.sum()))
    merged = csr_array((np.ones(len(free)), (free, group[label[free]])), shape=shape)
    return held[label], np.where(held[label], common[label], 0.0), merged
