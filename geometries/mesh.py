"""`Mesh`: points, cells by type, and names for sets of facets and of cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries import sides as _sides
from geometries.cells import CELLS, CellType
from geometries.errors import MeshError, SelectionError, nearest, short
from geometries.measures import folded, signed_measure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
S = TypeVar("S", bound=np.generic)
_NONE = np.empty(0, np.int64)


class Selector(Protocol):
    """What names facets: see `geometries.tags`."""

    def __call__(self, mesh: Mesh) -> Ints:
        """Return the (n, 2) sides selected on `mesh`."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Mesh:
    """Points (N, d), cells of one dimension by type, and named sets. Frozen and checked at birth.

    - `points` (N, d) float64, d = 1, 2 or 3.
    - `cells` {meshio type name: (C, k) int64}, one block a type. Cells are numbered through the blocks in order.
    - `regions` {name: (n,) cell numbers}, which may overlap.
    - `boundaries` {name: (n, 2) sides}; a side is (cell number, local facet), see `geometries.cells`. Sides may overlap
      and may lie inside the mesh (an interface).
    - `point_data` {name: (N, ...)}, `cell_data` {name: (C_total, ...)}.

    Raises `MeshError` where the arrays do not form a valid mesh: non-finite points, indices out of range, inverted or
    empty cells, names that are empty or `*`.
    """

    points: Floats
    cells: Mapping[str, Ints]
    regions: Mapping[str, Ints] = field(default_factory=dict)
    boundaries: Mapping[str, Ints] = field(default_factory=dict)
    point_data: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    cell_data: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Freeze and check every array."""
        put = object.__setattr__
        put(self, "points", _frozen(_points(self.points)))
        put(self, "cells", _freeze(_cells(self.cells, len(self.points))))
        put(self, "regions", _regions(self.regions, self.num_cells))
        put(self, "boundaries", _boundaries(self.boundaries, self))
        put(self, "point_data", _freeze(_data(self.point_data, self.num_points, "point")))
        put(self, "cell_data", _freeze(_data(self.cell_data, self.num_cells, "cell")))
        _check_measure(self)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as plain dicts (between our own processes; files are never pickles)."""
        names = ("cells", "regions", "boundaries", "point_data", "cell_data")
        return partial(Mesh, points=self.points, **{name: dict(getattr(self, name)) for name in names}), ()

    # -- sizes ---------------------------------------------------------------------------------------------------
    @property
    def num_points(self) -> int:
        """Number of points, N."""
        return len(self.points)

    @property
    def num_cells(self) -> int:
        """Number of cells in all blocks."""
        return sum(len(c) for c in self.cells.values())

    @property
    def space_dim(self) -> int:
        """Dimension of the coordinates, d."""
        return self.points.shape[1]

    @property
    def dim(self) -> int:
        """Dimension of the cells; less than `space_dim` on a manifold."""
        return next(CELLS[kind].dim for kind in self.cells)

    @property
    def order(self) -> int:
        """Highest order of the cells, 1 or 2."""
        return max(CELLS[kind].order for kind in self.cells)

    def blocks(self) -> Iterator[tuple[CellType, Ints, int]]:
        """Yield each block as (cell type, cells, number of its first cell)."""
        start = 0
        for kind, cells in self.cells.items():
            yield CELLS[kind], cells, start
            start += len(cells)

    # -- measures --------------------------------------------------------------------------------------------------
    @cached_property
    def measure(self) -> Floats:
        """(C,) length, area or volume of each cell, by its corners: of curved and warped cells not their own; positive.

        Quads count as two triangles, and what bulges between the corners of second-order cells does not count.
        """
        return _frozen(np.concatenate([signed_measure(self.points, kind, cells) for kind, cells, _ in self.blocks()]))

    @cached_property
    def folded(self) -> Ints:
        """(n,) the cells whose map turns over inside though they measure more than 0; see `geometries.measures`."""
        masks = [folded(self.points, kind, cells) for kind, cells, _ in self.blocks()]
        return _frozen(np.flatnonzero(np.concatenate(masks)))

    @cached_property
    def mass(self) -> Floats:
        """(N,) lumped quadrature weight of each point; sums to the mesh's measure."""
        return _frozen(self._shared(self.measure))

    @cached_property
    def centroid(self) -> Floats:
        """(d,) centre of mass."""
        return _frozen(self.mass @ self.points / self.mass.sum())

    @cached_property
    def length(self) -> float:
        """Characteristic length: the radius of gyration, the root mean square distance from the centroid."""
        squares = ((self.points - self.centroid) ** 2).sum(1)
        return float(np.sqrt(self.mass @ squares / self.mass.sum()))

    @cached_property
    def cell_centers(self) -> Floats:
        """(C, d) mean of each cell's corners."""
        return _frozen(np.concatenate([self.points[c[:, : k.corners]].mean(1) for k, c, _ in self.blocks()]))

    def to_points(self, values: Floats) -> Floats:
        """Return (N,) the mean, weighted by measure, of cell values (C_total,) around each point."""
        return self._shared(self.measure * values) / np.where(self.mass > 0, self.mass, 1.0)

    def _shared(self, amounts: Floats) -> Floats:
        """Return (N,) amounts of cells (C_total,), each shared among its points."""
        total = np.zeros(self.num_points)
        for kind, cells, start in self.blocks():
            parts = amounts[start : start + len(cells), None] * np.asarray(kind.shares)
            total += np.bincount(cells.ravel(), parts.ravel(), minlength=self.num_points)
        return total

    # -- edges and sides -------------------------------------------------------------------------------------------
    @cached_property
    def edges(self) -> Ints:
        """(E, 2) pairs of points joined by an edge, i < j, sorted; second-order cells as if refined once."""
        return _frozen(_sides.edges(self))

    @cached_property
    def _table(self) -> _sides.SideTable:
        return _sides.table(self)

    @cached_property
    def outer(self) -> Ints:
        """(n, 2) the sides that belong to one cell only: the outer boundary."""
        table = self._table
        return _frozen(table.sides[table.count[table.facet] == 1])

    @cached_property
    def neighbors(self) -> Ints:
        """(n, 2) pairs of cells that share a facet; a facet of k cells, where a surface branches, gives k - 1 pairs."""
        return _frozen(self._table.neighbors())

    @cached_property
    def num_facets(self) -> int:
        """Number of distinct facets, inside and outside."""
        return len(self._table.count)

    def facet_ids(self, sides: Ints) -> Ints:
        """Return the (n,) facet numbers of sides: two sides of one interface share theirs."""
        return self._table.ids(sides)

    def facets(self, sides: Ints) -> Iterator[tuple[CellType, Ints, Ints]]:
        """Yield (facet type, positions in `sides`, (n, k) points) for each facet type among `sides`."""
        return _sides.facets(self, sides)

    def nodes(self, sides: Ints) -> Ints:
        """Return the sorted points on `sides`, mid-nodes included."""
        found = [points.ravel() for _, _, points in self.facets(sides)]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def side_geometry(self, sides: Ints) -> tuple[Floats, Floats, Floats]:
        """Return centres (n, d), unit outward normals (n, d) and measures (n,) of `sides`."""
        return _sides.geometry(self, sides)

    def sides(self, name: str) -> Ints:
        """Return the (n, 2) sides of the boundary `name`; raises `SelectionError` with the nearest name."""
        if name not in self.boundaries:
            raise SelectionError(f"no boundary is named {name!r}; {nearest(name, self.boundaries)}")
        return self.boundaries[name]

    # -- new meshes ------------------------------------------------------------------------------------------------
    def scaled(self, factor: float) -> Mesh:
        """Return the mesh with every coordinate multiplied by `factor` > 0 (a change of unit)."""
        if not (np.isfinite(factor) and factor > 0):
            raise MeshError(f"cannot scale by {factor!r}; expected a finite number above 0.")
        return replace(self, points=self.points * factor)

    def with_boundary(self, name: str, selector: Selector) -> Mesh:
        """Return the mesh with the sides that `selector` finds named `name`; `SelectionError` if it finds none."""
        return self.named(boundaries={**self.boundaries, name: selector(self)})

    def named(self, *, boundaries: Mapping[str, Ints] | None = None, regions: Mapping[str, Ints] | None = None) -> Mesh:
        """Return the mesh with these boundaries, regions or both in place of its own; cheaper than `replace`.

        Points, cells and all that was derived from them are shared.
        """
        new = object.__new__(Mesh)
        new.__dict__.update(self.__dict__)
        if regions is not None:
            object.__setattr__(new, "regions", _regions(regions, self.num_cells))
        if boundaries is not None:
            object.__setattr__(new, "boundaries", _boundaries(boundaries, self))
        return new

    def renamed(self, names: Mapping[str, str]) -> Mesh:
        """Return the mesh with boundaries and regions renamed; two that get one name are merged."""
        unknown = [n for n in names if n not in self.boundaries and n not in self.regions]
        if unknown:
            raise SelectionError(
                f"nothing is named {unknown[0]!r}; {nearest(unknown[0], [*self.boundaries, *self.regions])}"
            )
        return self.named(boundaries=_rename(self.boundaries, names), regions=_rename(self.regions, names))


def _rename(sets: Mapping[str, Ints], names: Mapping[str, str]) -> dict[str, Ints]:
    out: dict[str, Ints] = {}
    for old, items in sets.items():
        new = names.get(old, old)
        out[new] = np.concatenate([out[new], items]) if new in out else items
    return out


# -- checks at birth ---------------------------------------------------------------------------------------------------
def _frozen(array: NDArray[S]) -> NDArray[S]:
    array.setflags(write=False)
    return array


def _freeze(arrays: Mapping[str, NDArray[S]]) -> Mapping[str, NDArray[S]]:
    return MappingProxyType({k: _frozen(v) for k, v in arrays.items()})


def _points(points: ArrayLike) -> Floats:
    try:
        array = np.array(points, dtype=np.float64) if not np.iscomplexobj(points) else None
    except (ValueError, TypeError):
        array = None
    if array is None:
        raise MeshError(f"points are {short(points)}; expected (N, d) numbers.")
    if array.ndim != 2 or array.shape[1] not in (1, 2, 3) or not len(array):
        raise MeshError(f"points have shape {array.shape}; expected (N, d) with N > 0 and d = 1, 2 or 3.")
    bad = np.flatnonzero(~np.isfinite(array).all(1))
    if len(bad):
        raise MeshError(f"{len(bad)} of {len(array)} points are not finite (first: point {bad[0]}).")
    return array


def _integers(values: ArrayLike, what: str) -> Ints:
    try:
        array = np.asarray(values)
    except ValueError:
        raise MeshError(f"{what} has rows of different lengths; expected an array of integers.") from None
    if array.size and array.dtype.kind not in "iu":
        raise MeshError(f"{what} holds {array.dtype}; expected integers.")
    return np.array(array, dtype=np.int64)


def _in_range(array: Ints, size: int, what: str) -> Ints:
    if array.size and (array.min() < 0 or array.max() >= size):
        bad = array.min() if array.min() < 0 else array.max()
        raise MeshError(f"{what} holds {bad}; expected 0 to {size - 1}.")
    return array


def _cells(cells: Mapping[str, ArrayLike], num_points: int) -> dict[str, Ints]:
    unknown = [k for k in cells if k not in CELLS]
    if unknown:
        raise MeshError(f"unknown cell type {unknown[0]!r}; {nearest(unknown[0], CELLS)}")
    blocks = {k: _integers(c, f"cell block {k!r}") for k, c in cells.items()}
    for kind, block in blocks.items():
        if block.ndim != 2 or block.shape[1] != CELLS[kind].nodes:
            raise MeshError(f"cell block {kind!r} has shape {block.shape}; expected (C, {CELLS[kind].nodes}).")
        _in_range(block, num_points, f"cell block {kind!r}")
    blocks = {k: c for k, c in blocks.items() if len(c)}
    dims = sorted({CELLS[k].dim for k in blocks})
    if len(dims) != 1 or dims[0] == 0:
        raise MeshError(f"cells have dimensions {dims}; expected cells of exactly one dimension, 1, 2 or 3.")
    return blocks


def _named(name: object, what: str) -> None:
    if not isinstance(name, str) or not name.strip() or name == "*":
        raise MeshError(f"a {what} is named {name!r}; expected a text that is not empty and not '*'.")


def _regions(regions: Mapping[str, ArrayLike], num_cells: int) -> Mapping[str, Ints]:
    return _freeze({name: _region(name, cells, num_cells) for name, cells in regions.items()})


def _boundaries(boundaries: Mapping[str, ArrayLike], mesh: Mesh) -> Mapping[str, Ints]:
    facets = _sides.facets_per_cell(mesh) if boundaries else _NONE
    return _freeze({name: _boundary(name, sides, facets) for name, sides in boundaries.items()})


def _region(name: str, values: ArrayLike, num_cells: int) -> Ints:
    _named(name, "region")
    array = _integers(values, f"region {name!r}")
    if array.ndim != 1:
        raise MeshError(f"region {name!r} has shape {array.shape}; expected (n,) cell numbers.")
    return np.unique(_in_range(array, num_cells, f"region {name!r}"))


def _boundary(name: str, values: ArrayLike, facets: Ints) -> Ints:
    """Check sides by (C,) how many `facets` each cell has."""
    _named(name, "boundary")
    array = _integers(values, f"boundary {name!r}")
    if array.ndim != 2 or array.shape[1] != 2:
        raise MeshError(f"boundary {name!r} has shape {array.shape}; expected (n, 2) sides: cell, local facet.")
    _in_range(array[:, 0], len(facets), f"boundary {name!r} (cells)")
    if (array[:, 1] < 0).any() or (array[:, 1] >= facets[array[:, 0]]).any():
        raise MeshError(f"boundary {name!r} names a local facet that its cell does not have.")
    return _sides.unique_rows(array)


def _data(arrays: Mapping[str, ArrayLike], size: int, what: str) -> dict[str, NDArray[np.generic]]:
    out = {k: np.array(v) for k, v in arrays.items()}
    for name, array in out.items():
        if array.dtype.kind not in "biuf" or array.ndim == 0 or len(array) != size:
            raise MeshError(
                f"{what} data {name!r} has shape {array.shape} of {array.dtype}; expected ({size}, ...) of numbers."
            )
    return out


def spatial(points: Floats) -> Floats:
    """Return (N, 3) points: those of a line or a plane get zeros."""
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def _check_measure(mesh: Mesh) -> None:
    if mesh.dim > mesh.space_dim:
        raise MeshError(f"cells of dimension {mesh.dim} have points in {mesh.space_dim} dimensions.")
    bad = np.flatnonzero(~(mesh.measure > 0))
    if len(bad):
        raise MeshError(f"{len(bad)} of {mesh.num_cells} cells are inverted or empty (first: cell {bad[0]}).")
