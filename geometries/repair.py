"""Repair on request: merge points that coincide, drop cells that are empty or double and points that no cell uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geometries import sides as _sides
from geometries.build import Reading, is_empty
from geometries.defects import coincident
from geometries.errors import MeshError
from geometries.mesh import Mesh

Ints = NDArray[np.int64]
TOLERANCE = 1e-9  # of the mesh's extent


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells that stay, by type, and (C,) the new number of each old cell: that of its double, -1 if it is empty.

    `same` tells which old cells stay themselves.
    """

    blocks: Mapping[str, Ints]
    place: Ints
    same: NDArray[np.bool_]


def repaired(reading: Reading) -> Reading:
    """Return a reading whose mesh is repaired, with what was done among its problems."""
    mesh, done = repair(reading.mesh)
    gone = [p for p in reading.problems if "--repair" not in p]  # what the repair was offered for
    return replace(reading, mesh=mesh, problems=(*gone, *done))


def repair(mesh: Mesh, tolerance: float = TOLERANCE) -> tuple[Mesh, tuple[str, ...]]:
    """Return `mesh` with points that are closer than `tolerance` of its extent merged, and what was done, in words.

    Cells that become empty and cells that have the nodes of another are dropped, with the points that no cell uses. Of
    points, and of double cells, the first stays with its data; a double cell leaves its regions to it. Sides of dropped
    cells pass to the cell that has that facet. Raises `MeshError` where every cell would be dropped.
    """
    first = coincident(mesh.points, tolerance=tolerance * float(np.ptp(mesh.points, axis=0).max()))
    cells = _cells(mesh, first)
    used = np.zeros(mesh.num_points, dtype=bool)
    for nodes in cells.blocks.values():
        used[nodes.ravel()] = True
    number = np.cumsum(used) - 1
    stays = np.flatnonzero(cells.same)
    new = Mesh(
        points=mesh.points[used],
        cells={kind: number[nodes] for kind, nodes in cells.blocks.items()},
        regions={name: np.unique(kept[kept >= 0]) for name, kept in _placed(mesh.regions, cells)},
        point_data={name: values[used] for name, values in mesh.point_data.items()},
        cell_data={name: values[stays] for name, values in mesh.cell_data.items()},
    )
    corner = np.where(used[first], number[first], -1)
    boundaries, lost = _boundaries(mesh, new, cells, corner)
    merged = int((first != np.arange(len(first))).sum())
    counts = {
        "coincident points merged": merged,
        "empty cells dropped": int((cells.place < 0).sum()),
        "duplicate cells dropped": int(((cells.place >= 0) & ~cells.same).sum()),
        "points that no cell uses dropped": mesh.num_points - int(used.sum()) - merged,
        "sides of boundaries dropped with their cells": lost,
    }
    return new.named(boundaries=boundaries), tuple(f"repaired: {n} {what}" for what, n in counts.items() if n > 0)


def _cells(mesh: Mesh, first: Ints) -> _Cells:
    blocks, places, same, total = {}, [], [], 0
    for kind, old, _ in mesh.blocks():
        nodes = first[old]
        kept, number = _sides.first_rows(np.sort(nodes, axis=1))
        original = kept[number]
        empty = is_empty(mesh.points, kind, nodes)
        stays = (original == np.arange(len(nodes))) & ~empty
        place = (total + np.cumsum(stays) - 1)[original]
        places.append(np.where(empty, -1, place))
        same.append(stays)
        blocks[kind.name] = nodes[stays]
        total += int(stays.sum())
    if not total:
        raise MeshError(f"the repair would drop all {mesh.num_cells} cells; expected cells larger than its tolerance.")
    return _Cells(blocks, np.concatenate(places), np.concatenate(same))


def _placed(regions: Mapping[str, Ints], cells: _Cells) -> list[tuple[str, Ints]]:
    return [(name, cells.place[rows]) for name, rows in regions.items()]


def _boundaries(mesh: Mesh, new: Mesh, cells: _Cells, corner: Ints) -> tuple[dict[str, Ints], int]:
    """Return the boundaries on `new`, and how many sides have no facet there."""
    out, lost = {}, 0
    for name, old in mesh.boundaries.items():
        sides = np.stack([cells.place[old[:, 0]], old[:, 1]], axis=1)
        moved = np.flatnonzero(~cells.same[old[:, 0]])
        for kind, at, points in mesh.facets(old[moved]):
            sides[moved[at]] = new._table.find(corner[points[:, : kind.corners]])
        lost += int((sides[:, 0] < 0).sum())
        out[name] = sides[sides[:, 0] >= 0]
    return out, lost
