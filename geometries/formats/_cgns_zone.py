"""One zone of a CGNS base: its points, its cells, and the sets that its boundary conditions name. In the child."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.cells import CELLS
from geometries.errors import ReadError
from geometries.formats._hdf5 import Node, text
from geometries.formats._text import chain

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
_DATA = " data"
_MIXED, _POLYGONS = 20, (22, 23)
# CGNS's number of an element type: our name, and the CGNS node that each of our nodes is where the orders differ
KINDS: dict[int, tuple[str, tuple[int, ...]]] = {
    2: ("vertex", ()), 3: ("line", ()), 4: ("line3", ()), 5: ("triangle", ()), 6: ("triangle6", ()),
    7: ("quad", ()), 8: ("quad8", ()), 9: ("quad9", ()), 10: ("tetra", ()), 11: ("tetra10", ()),
    12: ("pyramid", ()), 13: ("pyramid14", ()), 21: ("pyramid13", ()), 14: ("wedge", ()),
    15: ("wedge15", (*range(9), 12, 13, 14, 9, 10, 11)),
    16: ("wedge18", (*range(9), 12, 13, 14, 9, 10, 11, 15, 16, 17)),
    17: ("hexahedron", ()), 18: ("hexahedron20", (*range(12), 16, 17, 18, 19, 12, 13, 14, 15)),
    19: ("hexahedron27", (*range(12), 16, 17, 18, 19, 12, 13, 14, 15, 24, 22, 21, 23, 20, 25, 26)),
}  # fmt: skip
_BLOCK = {1: "line", 2: "quad", 3: "hexahedron"}
_NONE = np.empty(0, np.int64)


# -- nodes of the tree -------------------------------------------------------------------------------------------------
def labelled(node: Node, label: str) -> Iterator[tuple[str, Node]]:
    """Yield the children with a label; raises `ReadError` where one is a link."""
    for name, child in node.children():
        if text(child.attribute("label")) == label:
            if text(child.attribute("type")) == "LK":
                raise ReadError(f"{child.file} keeps {child.place!r} in another place; write it without links.")
            yield name, child


def kept(node: Node, *labels: str) -> dict[str, Node]:
    """Return {label: the first child that has it}."""
    found = {label: next((child for _, child in labelled(node, label)), None) for label in labels}
    return {label: child for label, child in found.items() if child}


def data(node: Node) -> Array | None:
    """Return what a node holds; indices come in the reverse order of the standard's, the first one runs fastest."""
    return node.array(_DATA)


def _words(node: Node | None) -> str:
    return text(data(node)) if node else ""


def _numbers(node: Node) -> Ints:
    values = data(node)
    if values is None or values.dtype.kind not in "iu":
        raise ReadError(f"{node.file} has no whole numbers at {node.place!r}; it is damaged.")
    return values.astype(np.int64)


# -- zones -------------------------------------------------------------------------------------------------------------
def zone_mesh(zone: Node, dim: int, families: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return a zone as keyword arguments of `build.mesh_from_blocks`."""
    structured = _words(kept(zone, "ZoneType_t").get("ZoneType_t")) == "Structured"
    sizes = _numbers(zone).reshape(3, -1)
    if sizes.shape[1] != (dim if structured else 1) or sizes.min() < 0 or sizes[0].min() < 1:
        raise ReadError(f"{zone.file}: the sizes of zone {zone.place!r} are {sizes.tolist()}; it is damaged.")
    count = math.prod(sizes[0].tolist())
    points = _points(zone, count)
    cells = _Structured(sizes[0]) if structured else _Sections(zone, dim, count)
    conditions = list(_conditions(zone, families))
    for name, place, where in conditions:
        cells.name(name, place, where)
    return {"points": points, "blocks": cells.blocks(bare=not conditions), "node_sets": cells.node_sets}


def _points(zone: Node, count: int) -> NDArray[np.float64]:
    grid = kept(zone, "GridCoordinates_t").get("GridCoordinates_t")
    arrays = {name: child for name, child in labelled(grid, "DataArray_t")} if grid else {}
    names = [name for name in ("CoordinateX", "CoordinateY", "CoordinateZ") if name in arrays]
    if not names or len(names) < len(arrays):
        found = ", ".join(arrays) or "none"
        raise ReadError(f"{zone.file}: zone {zone.place!r} has coordinates {found}; expected CoordinateX, Y and Z.")
    columns = [data(arrays[name]) for name in names]
    if any(c is None or c.size != count for c in columns):
        raise ReadError(f"{zone.file}: zone {zone.place!r} declares {count} points and holds others; it is damaged.")
    return np.column_stack([np.asarray(c, np.float64).ravel() for c in columns])


@dataclass(frozen=True, eq=False)
class _Where:
    """Where a condition holds: the node with the indices, whether they are a range, and of what they are."""

    indices: Ints
    is_range: bool
    location: str


def _conditions(zone: Node, families: Mapping[str, list[str]]) -> Iterator[tuple[str, str, _Where]]:
    """Yield each name of each boundary condition, its place in the file, and where it holds."""
    for _, group in labelled(zone, "ZoneBC_t"):
        for title, condition in labelled(group, "BC_t"):
            found = kept(condition, "GridLocation_t", "FamilyName_t")
            location = _words(found.get("GridLocation_t")) or "Vertex"
            family = _words(found.get("FamilyName_t"))
            own = [] if family and _words(condition) == "FamilySpecified" else [title]
            names = dict.fromkeys([*own, *(families.get(family, [family]) if family else ())])
            for key in ("PointRange", "PointList", "ElementRange", "ElementList"):
                child = condition.child(key)
                if child:
                    at = "CellCenter" if key.startswith("Element") else location
                    where = _Where(_numbers(child), key.endswith("Range"), at)
                    yield from ((name, condition.place, where) for name in names)


# -- unstructured zones ------------------------------------------------------------------------------------------------
class _Sections:
    """The sections of an unstructured zone: cells and facets with the numbers that they have there."""

    def __init__(self, zone: Node, dim: int, count: int) -> None:
        """Read the elements; raises `ReadError` for kinds that a mesh does not have."""
        self._dim, self._count, self._file = dim, count, zone.file
        self._parts = [part for name, node in labelled(zone, "Elements_t") for part in _elements(name, node)]
        self._names: list[dict[str, Ints]] = [{} for _ in self._parts]
        self.node_sets: dict[str, Ints] = {}

    def name(self, name: str, place: str, where: _Where) -> None:
        """Give a name to what a condition holds on."""
        flat = where.indices.ravel()
        if where.is_range and flat.size != 2:
            raise ReadError(f"{self._file} has a range of {flat.size} numbers at {place!r}; expected 2.")
        if where.location == "Vertex":
            if flat.size and not 1 <= flat.min() <= flat.max() <= self._count:
                raise ReadError(f"{self._file} has points at {place!r} that are not there; it is damaged.")
            points = np.arange(flat[0] - 1, flat[1]) if where.is_range else flat - 1
            self.node_sets[name] = np.union1d(self.node_sets.get(name, _NONE), points)
            return
        for (_, _, _, numbers), names in zip(self._parts, self._names, strict=True):
            mask = (numbers >= flat[0]) & (numbers <= flat[1]) if where.is_range else np.isin(numbers, flat)
            if mask.any():
                names[name] = np.union1d(names.get(name, _NONE), np.flatnonzero(mask))

    def blocks(self, *, bare: bool) -> list[dict[str, Any]]:
        """Return the blocks; where no condition names anything (`bare`), sections of facets name themselves."""
        out = []
        for (title, kind, nodes, _), names in zip(self._parts, self._names, strict=True):
            own = {title: np.arange(len(nodes))} if bare and CELLS[kind].dim == self._dim - 1 else {}
            out.append({"kind": kind, "nodes": nodes, "names": names | own})
        return out


def _elements(title: str, node: Node) -> Iterator[tuple[str, str, Ints, Ints]]:
    """Yield the elements of a section by type: title, our kind, (C, k) nodes, (C,) numbers."""
    head, span = _numbers(node), node.child("ElementRange")
    body = node.child("ElementConnectivity")
    bounds = _numbers(span).ravel() if span else _NONE
    if bounds.size != 2 or body is None or not head.size:
        raise ReadError(f"{node.file}: section {node.place!r} lacks its range or its nodes; it is damaged.")
    values, code = _numbers(body).ravel(), int(head.flat[0])
    count = int(bounds[1] - bounds[0] + 1)
    if code in _POLYGONS:
        raise ReadError(f"{node.file}: section {node.place!r} holds polygons or polyhedra; expected other cells.")
    starts = chain(_lengths(values)) if code == _MIXED else np.arange(0, values.size, _width(code, node))
    codes = values[starts] if code == _MIXED else np.full(len(starts), code)
    if len(starts) != count or (code != _MIXED and values.size != count * _width(code, node)):
        raise ReadError(f"{node.file}: section {node.place!r} does not hold the {count} elements that it declares.")
    for found in np.unique(codes):
        width, at = _width(int(found), node), np.flatnonzero(codes == found)
        first = starts[at] + (code == _MIXED)
        if len(first) and first[-1] + width > values.size:
            raise ReadError(f"{node.file}: section {node.place!r} breaks off within an element; it is damaged.")
        kind, order = KINDS[int(found)]
        nodes = values[first[:, None] + np.arange(width)] - 1
        yield title, kind, nodes[:, list(order)] if order else nodes, bounds[0] + at


def _width(code: int, node: Node) -> int:
    if code not in KINDS:
        raise ReadError(f"{node.file}: section {node.place!r} holds elements of type {code}; expected order 1 or 2.")
    return CELLS[KINDS[code][0]].nodes


def _lengths(values: Ints) -> Ints:
    """(n,) how long a record is that begins at each number, if its type does."""
    known = np.ones(max(KINDS) + 1, np.int64)
    for code, (kind, _) in KINDS.items():
        known[code] += CELLS[kind].nodes
    return known[np.clip(values, 0, max(KINDS))]


# -- structured zones --------------------------------------------------------------------------------------------------
class _Structured:
    """A structured zone: lines, quads or hexahedra between its points, the first index running fastest."""

    def __init__(self, sizes: Ints) -> None:
        """Number the points."""
        self._numbers = np.arange(math.prod(sizes.tolist())).reshape(sizes[::-1])
        self._patches: list[dict[str, Any]] = []
        self.node_sets: dict[str, Ints] = {}

    def name(self, name: str, place: str, where: _Where) -> None:
        """Give a name to the facets in a range of indices; to the points, where the indices are listed."""
        sizes, axes = np.array(self._numbers.shape[::-1]), self._numbers.ndim
        rows = where.indices.reshape(-1, axes) - 1
        if where.is_range and len(rows) != 2:
            raise ReadError(f"a range of {len(rows)} indices stands at {place!r}; expected 2.")
        low, high = rows.min(0), rows.max(0)
        if (low < 0).any() or (high >= sizes).any():
            raise ReadError(f"indices at {place!r} are beyond the zone's {sizes.tolist()} points; it is damaged.")
        if not where.is_range:
            points = self._numbers[tuple(rows[:, ::-1].T)]
            self.node_sets[name] = np.union1d(self.node_sets.get(name, _NONE), points)
            return
        across = np.flatnonzero(low == high)
        if where.location != "Vertex":  # numbers of facets: one less than of points along them, and I, J or K across
            across = across[across == "IJK".index(where.location[0])] if where.location[0] in "IJK" else across[:1]
            high = np.where(np.isin(np.arange(axes), across), high, high + 1)
        if len(across) != 1:
            raise ReadError(f"the indices at {place!r} span {low.tolist()} to {high.tolist()}; expected one side.")
        patch = self._numbers[tuple(slice(a, b + 1) for a, b in zip(low[::-1], high[::-1], strict=True))]
        nodes = blocks_of(patch.squeeze(axes - 1 - int(across[0])))
        kind = _BLOCK.get(axes - 1, "vertex")
        self._patches.append({"kind": kind, "nodes": nodes, "names": {name: np.arange(len(nodes))}})

    def blocks(self, *, bare: bool) -> list[dict[str, Any]]:
        """Return the cells and the named facets."""
        return [{"kind": _BLOCK[self._numbers.ndim], "nodes": blocks_of(self._numbers), "names": {}}, *self._patches]


def blocks_of(numbers: Ints) -> Ints:
    """Return the vertices, lines, quads or hexahedra (C, 2^d) between neighbours in a grid of point numbers."""
    out = numbers[..., None]
    for axis in range(numbers.ndim - 1, -1, -1):
        low, high = (np.take(out, range(a, out.shape[axis] - 1 + a), axis) for a in (0, 1))
        # A quad goes around: the far line runs back.
        far = high[..., ::-1] if out.shape[-1] == 2 else high
        out = np.concatenate([low, far], axis=-1)
    return out.reshape(-1, out.shape[-1])
