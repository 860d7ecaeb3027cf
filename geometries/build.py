"""From what a reader returns to a valid `Mesh`: the one place where readers' output is checked and put right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries import sides
from geometries.cells import CELLS, CellType
from geometries.deck import Loads
from geometries.defects import defects
from geometries.errors import NoVolumeCells, ReadError
from geometries.faces import every_point
from geometries.measures import signed_measure
from geometries.mesh import Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]
_FLAT = 1e-10  # of the mesh's extent: coordinates that vary less are constant
_EMPTY = 1e-14  # of a cell's extent to the power of its dimension: cells that measure less are empty

_DROPPING: ContextVar[bool] = ContextVar("dropping empty cells", default=False)


@contextmanager
def dropping_empty_cells(yes: bool) -> Iterator[None]:
    """Let `mesh_from_blocks` drop empty cells inside, whichever reader calls it, and tell so, instead of raising."""
    token = _DROPPING.set(yes)
    try:
        yield
    finally:
        _DROPPING.reset(token)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """A mesh, and what else its file tells: problems found, the unit of length if known, other field data.

    `unit` is that of the mesh's points; `file_unit` the one that the file is written in, where a kernel converts it.
    `loads` are the conditions in a solver's deck.
    """

    mesh: Mesh
    problems: tuple[str, ...] = ()
    unit: str | None = None
    file_unit: str | None = None
    field_data: Mapping[str, NDArray[np.generic] | str] = field(default_factory=dict)
    loads: Loads | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Cells of one type: `nodes` (C, k), `names` {name: rows}, `data` {name: (C, ...)}."""

    kind: str
    nodes: Ints
    names: Mapping[str, Ints] = field(default_factory=dict)
    data: Arrays = field(default_factory=dict)

    @property
    def type(self) -> CellType:
        """The cell type."""
        return CELLS[self.kind]


def mesh_from_blocks(
    points: ArrayLike,
    blocks: Sequence[Block | Mapping[str, Any]],
    *,
    dim: int | None = None,
    point_data: Arrays = MappingProxyType({}),
    node_sets: Mapping[str, Ints] = MappingProxyType({}),
    problems: Sequence[str] = (),
) -> Reading:
    """Return a valid mesh of the cells of dimension `dim` (default: the highest) and the problems that were put right.

    They follow the `problems` that the reader met.

    Blocks (or dicts of `Block`'s fields) may be of any dimension, several of one type. Named cells one dimension lower
    become boundaries, and so do `node_sets` {name: point numbers}: the outer sides whose corners are all in the set,
    unless there is a boundary of that name already. Points that no cell uses and duplicate cells (their names merged)
    are dropped; inverted cells are reoriented; coordinates beyond `dim` that are constant are dropped. What
    `geometries.defects` finds is told and left as it is.

    Raises `ReadError` for points that are not finite, nodes out of range, no cells of that dimension (`NoVolumeCells`
    if it is 3), empty cells.
    """
    problems = list(problems)
    given = [_checked(b if isinstance(b, Block) else Block(**b), len(np.asarray(points))) for b in blocks]
    dim = _dimension(given, dim)
    own = [_distinct(block, problems) for block in _joined(given, dim)]
    number = _numbering(own, len(np.asarray(points)))
    coordinates, point_data = _used(points, number, point_data, problems)
    own, lower = ([replace(b, nodes=number[b.nodes]) for b in blocks] for blocks in (own, _joined(given, dim - 1)))
    coordinates = _flattened(coordinates, dim, problems)
    own = _oriented(coordinates, own, problems)
    mesh = Mesh(
        points=coordinates,
        cells={b.kind: b.nodes for b in own},
        regions=_regions(own),
        point_data=point_data,
        cell_data=_cell_data(own),
    )
    left = defects(mesh)
    mesh = mesh.named(boundaries=_boundaries(mesh, lower, problems))
    further = {_clean(k): number[v] for k, v in node_sets.items() if _clean(k) not in mesh.boundaries}
    mesh = mesh.named(boundaries={**mesh.boundaries, **_on_nodes(mesh, further, problems)})
    problems += _left_out(given, dim, {*mesh.boundaries, *mesh.regions})
    return Reading(mesh=mesh, problems=(*problems, *left))


def _left_out(blocks: list[Block], dim: int, kept: set[str]) -> list[str]:
    """Tell the names that lie on edges of solids or on points only: no mesh of dimension `dim` holds those."""
    names = {name for b in blocks if b.type.dim < dim - 1 for name, rows in b.names.items() if len(rows)} - kept
    return [f"names on edges or points are left out: {', '.join(sorted(names)[:8])}"] if names else []


def _checked(block: Block, num_points: int) -> Block:
    if block.kind not in CELLS:
        raise ReadError(f"the file holds {block.kind!r} cells; expected cells of the first or second order.")
    nodes = np.asarray(block.nodes)
    if nodes.ndim != 2 or nodes.shape[1] != block.type.nodes or nodes.dtype.kind not in "iu":
        raise ReadError(f"{block.kind!r} cells have nodes of shape {nodes.shape}; expected (C, {block.type.nodes}).")
    if nodes.size and (nodes.min() < 0 or nodes.max() >= num_points):
        bad = int(((nodes < 0) | (nodes >= num_points)).any(1).sum())
        raise ReadError(f"{bad} {block.kind!r} cells refer to points that the file's {num_points} do not include.")
    names: dict[str, list[Ints]] = {}
    for name, rows in block.names.items():
        names.setdefault(_clean(name), []).append(np.asarray(rows, dtype=np.int64))
    return replace(block, nodes=nodes.astype(np.int64), names={k: np.concatenate(v) for k, v in names.items()})


def _clean(name: str) -> str:
    """Return a name that a set may have; `*` means all others in a case."""
    stripped = name.strip()
    return "all" if stripped == "*" else stripped or "unnamed"


def _dimension(blocks: Sequence[Block], dim: int | None) -> int:
    found = sorted({b.type.dim for b in blocks if len(b.nodes)} - {0})
    if not found:
        raise ReadError("the file holds no cells; expected lines, surfaces or volumes.")
    if dim is None or dim in found:
        return found[-1] if dim is None else dim
    error = NoVolumeCells if dim == 3 else ReadError
    raise error(f"the file holds cells of dimension {', '.join(map(str, found))}, none of dimension {dim}.")


def _joined(blocks: Sequence[Block], dim: int) -> list[Block]:
    """Return the blocks of dimension `dim`, one a type."""
    out: dict[str, Block] = {}
    for block in blocks:
        if block.type.dim == dim and len(block.nodes):
            out[block.kind] = _join(out[block.kind], block) if block.kind in out else block
    return list(out.values())


def _join(a: Block, b: Block) -> Block:
    later = {k: rows + len(a.nodes) for k, rows in b.names.items()}
    names = {k: np.concatenate([a.names.get(k, _NONE), later.get(k, _NONE)]) for k in {**a.names, **later}}
    data = {k: np.concatenate([a.data[k], b.data[k]]) for k in a.data if k in b.data}
    return Block(kind=a.kind, nodes=np.concatenate([a.nodes, b.nodes]), names=names, data=data)


_NONE = np.empty(0, np.int64)


def _distinct(block: Block, problems: list[str]) -> Block:
    """Drop repeated cells; the one that stays gets their names."""
    kept, place = sides.first_rows(np.sort(block.nodes, axis=1))
    if len(kept) == len(place):
        return block
    names = {k: np.unique(place[rows]) for k, rows in block.names.items()}
    copies = np.bincount(place)
    labels = np.bincount(np.concatenate([_NONE, *names.values()]), minlength=len(kept))
    # Formats with one name a cell repeat the cells that have several: no problem.
    spare = int((copies - np.clip(labels, 1, copies)).sum())
    if spare:
        problems.append(f"{spare} duplicate {block.kind} cells dropped")
    return replace(block, nodes=block.nodes[kept], names=names, data={k: v[kept] for k, v in block.data.items()})


def _numbering(blocks: list[Block], count: int) -> Ints:
    """(count,) the new number of each point: those that no cell uses get -1."""
    used = np.zeros(count, dtype=bool)
    for block in blocks:
        used[block.nodes.ravel()] = True
    return np.where(used, np.cumsum(used) - 1, -1)


def _used(points: ArrayLike, number: Ints, point_data: Arrays, problems: list[str]) -> tuple[Floats, Arrays]:
    """Drop the points that no cell uses; check that the rest are finite."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] not in (1, 2, 3):
        raise ReadError(f"points have shape {array.shape}; expected (N, 1), (N, 2) or (N, 3).")
    used = number >= 0
    spare = len(array) - int(used.sum())
    if spare:
        problems.append(f"{spare} points that no cell uses dropped")
    bad = int((~np.isfinite(array[used]).all(1)).sum())
    if bad:
        raise ReadError(f"{bad} of {int(used.sum())} points are not finite; the file is damaged.")
    return array[used], {k: np.asarray(v)[used] for k, v in point_data.items()}


def _flattened(points: Floats, dim: int, problems: list[str]) -> Floats:
    """Drop last coordinates beyond `dim` that are constant."""
    low, high = points.min(0), points.max(0)
    while points.shape[1] > dim and high[points.shape[1] - 1] - low[points.shape[1] - 1] <= _FLAT * (high - low).max():
        axis = points.shape[1] - 1
        if abs(low[axis]) > _FLAT * (high - low).max():
            problems.append(f"constant {'xyz'[axis]} = {low[axis]:g} dropped")
        points = points[:, :axis]
    if points.shape[1] < dim:
        raise ReadError(f"points have {points.shape[1]} coordinates; expected {dim} for cells of dimension {dim}.")
    return points


def _oriented(points: Floats, blocks: list[Block], problems: list[str]) -> list[Block]:
    out, empty, inverted = [], 0, 0
    for block in blocks:
        measure, bad = signed_measure(points, block.type, block.nodes), is_empty(points, block.type, block.nodes)
        empty += int(bad.sum())
        inverted += int((measure < 0).sum())
        block = replace(block, nodes=_mirrored(block, measure < 0))
        out.append(_kept(block, ~bad) if bad.any() else block)
    total = sum(len(b.nodes) for b in blocks)
    if empty and (empty == total or not _DROPPING.get()):
        raise ReadError(
            f"{empty} of {total} cells are empty (zero measure); mesh the part again, or --repair drops them."
        )
    if empty:
        problems.append(f"repaired: {empty} empty cells dropped")
    if inverted:
        problems.append(f"{inverted} inverted cells reoriented")
    return [block for block in out if len(block.nodes)]


def _kept(block: Block, mask: NDArray[np.bool_]) -> Block:
    """Return a block of the cells in `mask`."""
    place = np.cumsum(mask) - 1
    names = {k: place[rows[mask[rows]]] for k, rows in block.names.items() if mask[rows].any()}
    return replace(block, nodes=block.nodes[mask], names=names, data={k: v[mask] for k, v in block.data.items()})


def is_empty(points: Floats, kind: CellType, cells: Ints) -> NDArray[np.bool_]:
    """(C,) whether cells measure nothing, as far as rounding tells."""
    corners = points[cells[:, : kind.corners]]
    extent = np.linalg.norm(corners.max(1) - corners.min(1), axis=1)
    return np.abs(signed_measure(points, kind, cells)) <= _EMPTY * extent**kind.dim


def _mirrored(block: Block, mask: NDArray[np.bool_]) -> Ints:
    return np.where(mask[:, None], block.nodes[:, list(block.type.mirror)], block.nodes)


def _regions(blocks: list[Block]) -> dict[str, Ints]:
    found: dict[str, list[Ints]] = {}
    start = 0
    for block in blocks:
        for name, rows in block.names.items():
            found.setdefault(name, []).append(rows + start)
        start += len(block.nodes)
    return {name: np.concatenate(rows) for name, rows in found.items()}


def _cell_data(blocks: list[Block]) -> dict[str, NDArray[np.generic]]:
    shared = [k for k in blocks[0].data if all(k in b.data for b in blocks)]
    return {k: np.concatenate([b.data[k] for b in blocks]) for k in shared}


def _boundaries(mesh: Mesh, lower: list[Block], problems: list[str]) -> dict[str, Ints]:
    """Return the sides that named lower cells lie on."""
    table = mesh._table
    found: dict[str, list[Ints]] = {}
    for block in lower:
        on = table.find(block.nodes[:, : block.type.corners])
        for name, rows in block.names.items():
            found.setdefault(name, []).append(on[rows])
    out = {}
    for name, parts in found.items():
        all_sides = np.concatenate(parts)
        lost = int((all_sides[:, 0] < 0).sum())
        if lost:
            problems.append(f"{lost} of {len(all_sides)} facets of {name!r} are on no cell: dropped")
        if lost < len(all_sides):
            out[name] = all_sides[all_sides[:, 0] >= 0]
    return out


def _on_nodes(mesh: Mesh, sets: Mapping[str, Ints], problems: list[str]) -> dict[str, Ints]:
    """Return the outer sides whose corners are all in a set of points (-1: none), for each set."""
    out = {}
    for name, points in sets.items():
        inside = np.zeros(mesh.num_points + 1, dtype=bool)
        inside[points] = True
        inside[-1] = False
        on = every_point(mesh, inside)
        if on.any():
            out[name] = mesh.outer[on]
        else:
            problems.append(f"the {len(points)} nodes of {name!r} are the corners of no outer facet: dropped")
    return out
