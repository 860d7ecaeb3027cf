"""Selectors: what names facets that a file does not name.

Each is a frozen class called with a mesh; it returns sides of the outer boundary. `read_selector` is its YAML form:
`{normal: [0, 0, -1]}`, `{cylinder: {axis: [0, 0, 1], radius: 4}}`, and `{all: [...]}`, `{any: [...]}`, `{not: ...}`.
A new one is one class with a `key` and one entry in `SELECTORS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries.errors import SelectionError, SpecError, nearest, short
from geometries.mesh import Mesh, Selector
from geometries.sides import unique_rows
from geometries.values import as_value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Vector: TypeAlias = Sequence[float]
_ALONG = 0.2  # a facet runs along an axis if the cosine between its normal and the axis is below this


def _vector(values: ArrayLike, mesh: Mesh, what: str) -> Floats:
    vector = np.asarray(values, dtype=np.float64)
    if vector.shape != (mesh.space_dim,):
        raise SelectionError(f"{what} is {vector.tolist()}; expected {mesh.space_dim} numbers.")
    return vector


def _direction(values: ArrayLike, mesh: Mesh, what: str) -> Floats:
    vector = _vector(values, mesh, what)
    size = np.linalg.norm(vector)
    if not size > 0:
        raise SelectionError(f"{what} is {vector.tolist()}; expected a direction, not zero.")
    return vector / size


def _found(mesh: Mesh, mask: NDArray[np.bool_], selector: object) -> Ints:
    if not mask.any():
        low, high = mesh.points.min(0).round(6).tolist(), mesh.points.max(0).round(6).tolist()
        raise SelectionError(f"{selector} finds no outer facet; the mesh spans {low} to {high}.")
    return mesh.outer[mask]


def _slack(mesh: Mesh, tolerance: float | None) -> float:
    """Distances on curved facets: a user's tolerance, else 1e-3 of the mesh's characteristic length."""
    return 1e-3 * mesh.length if tolerance is None else tolerance


@dataclass(frozen=True)
class Normal:
    """Outer facets whose outward normal is within `tolerance` degrees of `direction`."""

    key: ClassVar[str] = "normal"
    direction: Vector
    tolerance: float = 5.0

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        direction = _direction(self.direction, mesh, "normal")
        _, normals, _ = mesh.side_geometry(mesh.outer)
        return _found(mesh, normals @ direction >= np.cos(np.radians(self.tolerance)), self)


@dataclass(frozen=True)
class Plane:
    """Outer facets whose points all lie on the plane through `point` with the given `normal`."""

    key: ClassVar[str] = "plane"
    point: Vector
    normal: Vector
    tolerance: float | None = None

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        normal = _direction(self.normal, mesh, "normal of plane")
        distance = np.abs((mesh.points - _vector(self.point, mesh, "point of plane")) @ normal)
        return _found(mesh, _every_point(mesh, distance <= _slack(mesh, self.tolerance)), self)


@dataclass(frozen=True)
class Box:
    """Outer facets whose points all lie between `low` and `high`."""

    key: ClassVar[str] = "box"
    low: Vector
    high: Vector

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        low, high = _vector(self.low, mesh, "low of box"), _vector(self.high, mesh, "high of box")
        slack = 1e-9 * mesh.length
        inside = ((mesh.points >= low - slack) & (mesh.points <= high + slack)).all(1)
        return _found(mesh, _every_point(mesh, inside), self)


@dataclass(frozen=True)
class Sphere:
    """Outer facets whose corners all lie on the sphere (in 2-D the circle) of `radius` about `center`."""

    key: ClassVar[str] = "sphere"
    center: Vector
    radius: float
    tolerance: float | None = None

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        distance = np.linalg.norm(mesh.points - _vector(self.center, mesh, "center of sphere"), axis=1)
        return _found(mesh, _every_point(mesh, np.abs(distance - self.radius) <= _slack(mesh, self.tolerance)), self)


@dataclass(frozen=True)
class Cylinder:
    """Outer facets on cylinders of `radius` along `axis`: on the one through `point`, or on all of them."""

    key: ClassVar[str] = "cylinder"
    axis: Vector
    radius: float
    point: Vector | None = None
    tolerance: float | None = None

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        if mesh.space_dim != 3:
            raise SelectionError("cylinder selects in 3-D only; in 2-D use sphere, which is a circle there.")
        axis = _direction(self.axis, mesh, "axis of cylinder")
        if self.point is not None:
            near = _radial(mesh.points - _vector(self.point, mesh, "point of cylinder"), axis)
            return _found(mesh, _every_point(mesh, np.abs(near - self.radius) <= _slack(mesh, self.tolerance)), self)
        return _found(mesh, self._any_axis(mesh, axis), self)

    def _any_axis(self, mesh: Mesh, axis: Floats) -> NDArray[np.bool_]:
        slack = _slack(mesh, self.tolerance)
        mask = np.zeros(len(mesh.outer), dtype=bool)
        for line in _axis_lines(mesh, axis, self.radius, slack):
            mask |= _every_point(mesh, np.abs(_radial(mesh.points - line, axis) - self.radius) <= 2 * slack)
        _, normals, _ = mesh.side_geometry(mesh.outer)
        return mask & (np.abs(normals @ axis) < _ALONG)


@dataclass(frozen=True)
class Nearest:
    """The connected flat or smooth face (edges sharper than `angle` degrees end it) nearest to `point`."""

    key: ClassVar[str] = "nearest"
    point: Vector
    angle: float = 30.0

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        centers, _, _ = mesh.side_geometry(mesh.outer)
        start = int(np.argmin(np.linalg.norm(centers - _vector(self.point, mesh, "nearest"), axis=1)))
        faces = smooth_faces(mesh, self.angle)
        return _found(mesh, faces == faces[start], self)


@dataclass(frozen=True)
class All:
    """Facets that every one of `selectors` finds."""

    selectors: tuple[Selector, ...]

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        masks = [_member(mesh, s(mesh)) for s in self.selectors]
        return _found(mesh, np.logical_and.reduce(masks), self)


@dataclass(frozen=True)
class Any:
    """Facets that at least one of `selectors` finds."""

    selectors: tuple[Selector, ...]

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        return unique_rows(np.concatenate([s(mesh) for s in self.selectors]))


@dataclass(frozen=True)
class Not:
    """Outer facets that `selector` does not find."""

    selector: Selector

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        return _found(mesh, ~_member(mesh, self.selector(mesh)), self)


SELECTORS: dict[str, type] = {s.key: s for s in (Normal, Plane, Box, Sphere, Cylinder, Nearest)}


def read_selector(spec: object, key: tuple[str | int, ...] = ()) -> Selector:
    """Turn the YAML form into a selector; raises `SpecError` at the key that is wrong."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise SpecError(f"found {short(spec)}; expected one selector such as {{normal: [0, 0, -1]}}.", key)
    kind, given = next(iter(spec.items()))
    if kind in ("all", "any"):
        if not isinstance(given, list) or not given:
            raise SpecError(f"{kind} needs a list of selectors.", (*key, kind))
        parts = tuple(read_selector(s, (*key, kind, i)) for i, s in enumerate(given))
        return All(parts) if kind == "all" else Any(parts)
    if kind == "not":
        return Not(read_selector(given, (*key, kind)))
    if kind not in SELECTORS:
        raise SpecError(f"unknown selector {kind!r}; {nearest(kind, [*SELECTORS, 'all', 'any', 'not'])}", (*key, kind))
    return _build(SELECTORS[kind], given, (*key, kind))


def _build(cls: type, given: object, key: tuple[str | int, ...]) -> Selector:
    slots = {f.name: f for f in fields(cls)}
    values = given if isinstance(given, Mapping) else {next(iter(slots)): given}
    for name in values:
        if name not in slots:
            raise SpecError(f"unknown key {name!r}; {nearest(name, slots)}", (*key, name))
    for name, slot in slots.items():
        if slot.default is MISSING and name not in values:
            raise SpecError(f"{key[-1]} needs {name!r}.", key)
    return cls(**{k: _numbers(v, "Vector" in str(slots[k].type), (*key, k)) for k, v in values.items()})


def _numbers(given: object, vector: bool, key: tuple[str | int, ...]) -> float | tuple[float, ...]:
    value = None if isinstance(given, str) else as_value(given, key)
    if value is None or np.ndim(value) != vector:
        raise SpecError(f"found {short(given)}; expected {'a list of numbers' if vector else 'a number'}.", key)
    return tuple(value.tolist()) if isinstance(value, np.ndarray) else value


# -- geometry of the outer boundary ----------------------------------------------------------------------------------
def smooth_faces(mesh: Mesh, angle: float = 30.0) -> Ints:
    """Return (n,) face numbers of the outer sides: faces are joined where normals turn by less than `angle` degrees."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = side_pairs(mesh)
    _, normals, _ = mesh.side_geometry(mesh.outer)
    cosine = (normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1)
    smooth = pairs[cosine >= np.cos(np.radians(angle))]
    n = len(mesh.outer)
    graph = coo_array((np.ones(len(smooth)), (smooth[:, 0], smooth[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def side_pairs(mesh: Mesh) -> Ints:
    """Return (n, 2) pairs of outer sides (positions in `mesh.outer`) that share a ridge: a point or an edge."""
    ridges, owner = [], []
    for kind, at, points in mesh.facets(mesh.outer):
        for _, nodes in kind.facets or (("vertex", (0,)),):
            ridge = np.sort(points[:, list(nodes[: max(mesh.dim - 1, 1)])], axis=1)
            ridges.append(ridge)
            owner.append(at)
    rows, owners = np.concatenate(ridges), np.concatenate(owner)
    order = np.lexsort(rows.T[::-1])
    same = (rows[order[1:]] == rows[order[:-1]]).all(1)
    return np.stack([owners[order[:-1]][same], owners[order[1:]][same]], axis=1)


def _every_point(mesh: Mesh, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which outer sides have all their corners in `mask`."""
    out = np.zeros(len(mesh.outer), dtype=bool)
    for kind, at, points in mesh.facets(mesh.outer):
        out[at] = mask[points[:, : kind.corners]].all(1)
    return out


def _member(mesh: Mesh, sides: Ints) -> NDArray[np.bool_]:
    return np.isin(mesh.facet_ids(mesh.outer), mesh.facet_ids(sides))


def _radial(offsets: Floats, axis: Floats) -> Floats:
    return np.linalg.norm(offsets - (offsets @ axis)[:, None] * axis, axis=1)


def _axis_lines(mesh: Mesh, axis: Floats, radius: float, slack: float) -> Floats:
    """Return (n, 3) points, one on each axis line of a cylinder of `radius` among the outer facets.

    The corners of two neighbouring facets whose normals differ fix a circle in the plane across `axis`; those whose
    radius is the one asked for give an axis each.
    """
    pairs = side_pairs(mesh)
    _, normals, _ = mesh.side_geometry(mesh.outer)
    along = (np.abs(normals @ axis) < _ALONG)[pairs].all(1)
    turning = (normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1) < 1 - 1e-6
    pairs = pairs[along & turning]
    across = np.linalg.svd(axis[None, :])[2][1:]
    flat = mesh.points[_outer_corners(mesh)[pairs].reshape(len(pairs), -1)] @ across.T
    centers, radii = _fit_circles(flat)
    fits = np.abs(radii - radius) <= slack
    return np.unique(np.round(centers[fits] / slack), axis=0) * slack @ across


def _outer_corners(mesh: Mesh) -> Ints:
    """(n, k) corners of the outer sides, the first one repeated where a facet has fewer."""
    found = list(mesh.facets(mesh.outer))
    out = np.zeros((len(mesh.outer), max(kind.corners for kind, _, _ in found)), dtype=np.int64)
    for kind, at, points in found:
        out[at] = points[:, :1]
        out[at, : kind.corners] = points[:, : kind.corners]
    return out


def _fit_circles(flat: Floats) -> tuple[Floats, Floats]:
    """Centres (n, 2) and radii (n,) of the circles nearest to each row of points (n, k, 2), by linear least squares."""
    middle = flat.mean(1, keepdims=True)
    local = flat - middle
    matrix = np.concatenate([2 * local, np.ones_like(local[..., :1])], axis=2)
    solved = (np.linalg.pinv(matrix) @ (local**2).sum(2)[..., None])[..., 0]
    radii = np.sqrt(np.maximum(solved[:, 2] + (solved[:, :2] ** 2).sum(1), 0.0))
    return solved[:, :2] + middle[:, 0], radii
