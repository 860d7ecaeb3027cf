"""Essential conditions as u = value + ties z: values that are given, and unknowns that are tied to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array, hstack

from geometries.conditions import Dirichlet, Periodic, Roller
from geometries.errors import SpecError
from geometries.faces import resolved
from geometries.mesh import Mesh
from geometries.sides import components, ranks
from meshops.equations.case import Case, Part, on_nodes
from meshops.equations.layout import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ALIGNED = 1e-9  # of a unit normal off an axis: an axis all the same
_SMOOTH = np.cos(np.radians(30)) - 1e-9  # of the unit normals of two facets: of one smooth face
_COARSE = np.cos(np.radians(55))  # the same of a circle of few chords: gmsh makes at least 7, which turn by 51.4°
_FREE = 1e-9  # of a singular value of constraints on unit vectors: none
_APART = 1e-6  # of the mesh's extent, between a point and its periodic image


@dataclass(frozen=True, eq=False)
class Constraints:
    """See `LinearSystem`: where unknowns are fixed, their values, and the ties of the others, if there are any."""

    fixed: NDArray[np.bool_]
    value: Floats
    ties: csr_array | None = None


def constraints(case: Case, layout: Layout, time: float = 0.0) -> Constraints:
    """Return what the Dirichlet, Roller and Periodic conditions of `case` say of its unknowns at `time`.

    Where Dirichlet values and rollers meet, the values hold, and the rollers in the components that are left. Points of
    no cell are held at 0.
    Raises `SpecError` where a periodic boundary is not its partner moved.
    """
    numbers = layout.numbers[case.equation.field]
    given = case.fixed_at(time)
    fixed, value = np.zeros(layout.size, bool), np.zeros(layout.size)
    for own in layout.numbers.values():
        fixed[own[(case.mesh.mass == 0) & (own[:, 0] >= 0)]] = True
    at = ~np.isnan(given[:, : numbers.shape[1]])
    fixed[numbers[at]], value[numbers[at]] = True, given[:, : numbers.shape[1]][at]
    ties = None
    sides = [part.sides for part in case.parts if isinstance(part.condition, Roller)]
    oblique = _roll(case.mesh, np.concatenate(sides), fixed, numbers) if sides else None
    if oblique is not None:
        fixed, value, ties = _slide(*oblique, numbers, fixed, value)
    images = [_images(case.mesh, part) for part in case.parts if isinstance(part.condition, Periodic)]
    if images and oblique is not None:
        raise SpecError("periodic boundaries and rollers off the axes cannot stand in one case.", ("conditions",))
    if images:
        named = np.full(layout.size, np.nan)
        named[numbers[at]] = value[numbers[at]]
        fixed, value, ties = _identify(np.concatenate(images), layout, fixed, named)
    return Constraints(fixed, value, ties)


def held_along(case: Case, part: Part) -> Floats:
    """Return (N, k, c) unit vectors along which a Dirichlet or Roller condition holds each point, zeros elsewhere."""
    if isinstance(part.condition, Dirichlet):
        given = ~np.isnan(on_nodes(case, part, "value").reshape(case.mesh.num_points, -1))
        return given[:, :, None] * np.eye(given.shape[1])
    points, normals = node_normals(case.mesh, part.sides)
    place = ranks(points)
    out = np.zeros((case.mesh.num_points, place.max(initial=-1) + 1, case.mesh.space_dim))
    out[points, place] = normals
    return out


# -- rollers -----------------------------------------------------------------------------------------------------------
def _roll(mesh: Mesh, sides: Ints, fixed: NDArray[np.bool_], numbers: Ints) -> tuple[Ints, Floats] | None:
    """Fix the normal components where rollers are along axes; return (points, normals) of the others, if any.

    `sides` are those of all rollers: what a smooth face holds does not depend on the names that it is cut into.
    """
    points, normals = node_normals(mesh, sides)
    aligned = np.abs(normals).max(1) > 1 - _ALIGNED
    fixed[numbers[points[aligned], np.abs(normals[aligned]).argmax(1)]] = True
    return None if aligned.all() else (points[~aligned], normals[~aligned])


def node_normals(mesh: Mesh, sides: Ints) -> tuple[Ints, Floats]:
    """Return (n,) points on `sides` and (n, d) unit normals there, one of each smooth face that a point lies on.

    Facets around a point are of one smooth face where they turn by 30° or less from one to another, or by 55° or less
    if neither is of a face that is flat or told finely: those are chords of a coarse circle, with no edge between. The
    normal of a face is their mean by area. So a point on an edge or at a corner stands there more than once.
    """
    _, normals, areas = mesh.side_geometry(sides)
    found = [np.stack([points.ravel(), np.repeat(at, points.shape[1])]) for _, at, points in mesh.facets(sides)]
    point, facet = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
    around = csr_array((np.ones(len(point)), (np.arange(len(point)), point)), shape=(len(point), mesh.num_points))
    a, b = (around @ around.T).nonzero()
    turn, chord = (normals[facet[a]] * normals[facet[b]]).sum(1), _chords(mesh, sides)[facet]
    smooth = turn > np.where(chord[a] & chord[b], _COARSE, _SMOOTH)
    face = components(np.stack([a, b], 1)[smooth], len(point))
    count = face.max(initial=-1) + 1
    total, points = np.zeros((count, mesh.space_dim)), np.zeros(count, np.int64)
    np.add.at(total, face, normals[facet] * areas[facet, None])
    points[face] = point
    size = np.linalg.norm(total, axis=1, keepdims=True)
    order = np.argsort(points, kind="stable")
    return points[order], (total / np.where(size > 0, size, 1.0))[order]


def _chords(mesh: Mesh, sides: Ints) -> NDArray[np.bool_]:
    """(n,) whether each of `sides` is of an outer face that is told coarsely."""
    chord = np.zeros(mesh.num_facets, bool)
    chord[mesh.facet_ids(mesh.outer)] = ~resolved(mesh)
    return chord[mesh.facet_ids(sides)]


def _slide(
    points: Ints, normals: Floats, numbers: Ints, fixed: NDArray[np.bool_], value: Floats
) -> tuple[NDArray[np.bool_], Floats, csr_array]:
    """Tie the components of each point on an oblique roller: those left free span what is tangential to all normals."""
    own = numbers[np.unique(points)]
    held, given = fixed[own], np.where(fixed[own], value[own], 0.0)
    particular, axes, free = _directions(points, normals, held, given)
    value, fixed = np.array(value), np.array(fixed)
    value[own] = np.where(held, given, particular)
    fixed[own] = ~np.any(free, axis=1)[:, None]
    loose = np.ones(len(fixed), bool)
    loose[own] = False
    loose &= ~fixed
    alone = csr_array(eye_array(len(fixed)))[:, np.flatnonzero(loose)]
    p, k = np.nonzero(free)
    columns = np.repeat(np.arange(len(p)), own.shape[1])
    tied = coo_array((axes[p, k].ravel(), (own[p].ravel(), columns)), shape=(len(fixed), len(p)))
    return fixed, value, csr_array(hstack([alone, tied]))


def _directions(
    points: Ints, normals: Floats, held: NDArray[np.bool_], given: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return of each point (d,) values that meet its constraints, (d, d) directions as rows, and which are free.

    The constraints are rows C u = c: its components that are `held`, and the normals of its rollers in the others. So
    the former keep their values; a roller along them says nothing. The null space of C, by a singular value
    decomposition of all points at once, is the basis of the free directions.
    """
    _, place, count = np.unique(points, return_inverse=True, return_counts=True)
    d, rank = held.shape[1], ranks(place)
    rows, right = np.zeros((len(count), d + count.max(), d)), np.zeros((len(count), d + count.max()))
    rows[:, :d], right[:, :d] = held[:, :, None] * np.eye(d), given
    across = np.where(held[place], 0.0, normals)
    says = (across**2).sum(1) > 2 * _ALIGNED
    rows[place, d + rank] = across * says[:, None]
    right[place, d + rank] = -(normals * given[place]).sum(1) * says
    left, size, axes = np.linalg.svd(rows, full_matrices=False)
    free = size < _FREE
    along = np.einsum("prk,pr->pk", left, right) / np.where(free, np.inf, size)
    return np.einsum("pkd,pk->pd", axes, along), axes, free


# -- periodic boundaries -----------------------------------------------------------------------------------------------
def images_of(case: Case) -> Ints:
    """Return (n, 2) points that have the value of another one by periodic conditions, each with that one.

    Points that are images of each other, also over several boundaries, share the first of them.
    """
    pairs = [_images(case.mesh, part) for part in case.parts if isinstance(part.condition, Periodic)]
    if not pairs:
        return np.empty((0, 2), np.int64)
    label = components(np.concatenate(pairs), case.mesh.num_points)
    first = np.unique(label, return_index=True)[1][label]
    moved = np.flatnonzero(first != np.arange(len(first)))
    return np.stack([moved, first[moved]], axis=1)


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
    pairs: Ints, layout: Layout, fixed: NDArray[np.bool_], named: Floats
) -> tuple[NDArray[np.bool_], Floats, csr_array]:
    """Make one unknown of all that are images of each other, in every field; where one of them is fixed, all are.

    As where boundaries meet, its value is the mean of those `named` for its images; NaN names none, as a roller.
    """
    n = len(fixed)
    found = [np.concatenate([numbers[pairs[:, i]].ravel() for numbers in layout.numbers.values()]) for i in (0, 1)]
    label = components(np.stack(found, 1)[found[0] >= 0], n)
    count = label.max() + 1
    held = np.zeros(count, bool)
    held[label[fixed]] = True
    given = ~np.isnan(named)
    times = np.bincount(label[given], minlength=count)
    common = np.bincount(label[given], named[given], count) / np.maximum(times, 1)
    group = np.cumsum(~held) - 1
    free = np.flatnonzero(~held[label])
    shape = (n, count - int(held.sum()))
    merged = csr_array((np.ones(len(free)), (free, group[label[free]])), shape=shape)
    return held[label], np.where(held[label], common[label], 0.0), merged
