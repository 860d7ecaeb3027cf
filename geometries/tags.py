"""Selectors: what names facets that a file does not name.

Each is a frozen class called with a mesh. Those of geometry return sides of the outer boundary; those of regions and
of names may also return sides inside the mesh. `read_selector` is the YAML form: `{normal: [0, 0, -1]}`,
`{cylinder: {axis: [0, 0, 1], radius: 4}}`, `{name: "bore*"}`, `{interface: [steel, air]}`, and `{all: [...]}`,
`{any: [...]}`, `{not: ...}`. A new one is one class with a `key` and one entry in `SELECTORS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from fnmatch import fnmatchcase
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries.errors import SelectionError, SpecError, nearest, short
from geometries.faces import ALONG, axis_lines, every_point, nearest_facet, outer_corners, radial, smooth_faces
from geometries.mesh import Mesh, Selector
from geometries.sides import facets_per_cell, unique_rows
from geometries.values import as_value
from geometries.yaml_file import flow

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Vector: TypeAlias = Sequence[float]

_TEXTS = {"str": (1, False), "tuple[str, str]": (2, True)}  # how many, whether in a list


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


def _found(mesh: Mesh, mask: NDArray[np.bool_], selector: object, sides: Ints | None = None) -> Ints:
    """Return those of `sides` (default: the outer ones) that `mask` picks."""
    if not mask.any():
        low, high = mesh.points.min(0).round(6).tolist(), mesh.points.max(0).round(6).tolist()
        what = "outer facet" if sides is None or _member(mesh, sides, mesh.outer).all() else "facet"
        hint = f"the mesh spans {low} to {high}; `meshops inspect FILE` proposes selectors"
        raise SelectionError(f"{flow(write_selector(selector))} finds no {what}; {hint}.")
    return (mesh.outer if sides is None else sides)[mask]


def _member(mesh: Mesh, sides: Ints, found: Ints) -> NDArray[np.bool_]:
    return np.isin(mesh.facet_ids(sides), mesh.facet_ids(found))


def _cells_of(mesh: Mesh, region: str) -> NDArray[np.bool_]:
    if region not in mesh.regions:
        raise SelectionError(f"no region is named {region!r}; {nearest(region, mesh.regions)}")
    mask = np.zeros(mesh.num_cells, dtype=bool)
    mask[mesh.regions[region]] = True
    return mask


def _sides_of(mesh: Mesh, cells: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return all sides (n, 2) of the cells that `cells` picks, and their facets (n,)."""
    counts = facets_per_cell(mesh) * cells
    first = np.repeat(np.cumsum(counts) - counts, counts)
    sides = np.stack([np.repeat(np.arange(mesh.num_cells), counts), np.arange(counts.sum()) - first], axis=1)
    return sides, mesh.facet_ids(sides)


def _slack(mesh: Mesh, tolerance: float | None) -> Floats:
    """(n,) how far off a surface each outer facet may be: a user's tolerance, else 1e-3 of the mesh's length.

    At most half the depth of the cell behind then, so that of a thin sheet one face is found.
    """
    if tolerance is not None:
        return np.full(len(mesh.outer), tolerance)
    most, sizes = 1e-3 * mesh.length, mesh.side_geometry(mesh.outer)[2]
    depth = mesh.measure[mesh.outer[:, 0]] / np.where(sizes > 0, sizes, np.inf)
    return np.clip(0.5 * depth, 1e-3 * most, most)


def _on(mesh: Mesh, distance: Floats, across: Floats, slack: Floats) -> NDArray[np.bool_]:
    """Return which outer facets are on a surface, by the distance (N,) of points from it, and run along it.

    On it are facets whose corners are within `slack` (n,); along it is within 45 degrees of normal to `across` (n, d),
    the surface's normals, of cells that fill space.
    """
    mask = np.abs(distance)[outer_corners(mesh)].max(1) <= slack
    if mesh.dim == mesh.space_dim:
        _, normals, _ = mesh.side_geometry(mesh.outer)
        mask &= np.abs((normals * across).sum(1)) > np.sqrt(0.5) * np.linalg.norm(across, axis=1)
    return mask


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
    """Outer facets whose corners all lie on the plane through `point` with the given `normal`, and that run along it.

    On it is what is within `tolerance`: by default 1e-3 of the mesh's characteristic length, at most half the depth of
    the cell behind, so that of a thin sheet one face is found. Along it is within 45 degrees, of cells that fill space.
    Both hold of `Sphere` and `Cylinder` too.
    """

    key: ClassVar[str] = "plane"
    point: Vector
    normal: Vector
    tolerance: float | None = None

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        normal = _direction(self.normal, mesh, "normal of plane")
        distance = (mesh.points - _vector(self.point, mesh, "point of plane")) @ normal
        return _found(mesh, _on(mesh, distance, normal[None], _slack(mesh, self.tolerance)), self)


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
        return _found(mesh, every_point(mesh, inside), self)


@dataclass(frozen=True)
class Sphere:
    """Outer facets whose corners all lie on the sphere (in 2-D the circle) of `radius` about `center`."""

    key: ClassVar[str] = "sphere"
    center: Vector
    radius: float
    tolerance: float | None = None

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        center, facets = _vector(self.center, mesh, "center of sphere"), mesh.side_geometry(mesh.outer)[0]
        distance = np.linalg.norm(mesh.points - center, axis=1) - self.radius
        return _found(mesh, _on(mesh, distance, facets - center, _slack(mesh, self.tolerance)), self)


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
        slack = _slack(mesh, self.tolerance)
        if self.point is not None:
            return _found(mesh, self._about(mesh, axis, _vector(self.point, mesh, "point of cylinder"), slack), self)
        mask = np.zeros(len(mesh.outer), dtype=bool)
        for line in axis_lines(mesh, axis, self.radius, slack):
            mask |= self._about(mesh, axis, line, 1.5 * slack)  # the line is as near as its facets are
        return _found(mesh, mask & (np.abs(mesh.side_geometry(mesh.outer)[1] @ axis) < ALONG), self)

    def _about(self, mesh: Mesh, axis: Floats, point: Floats, slack: Floats) -> NDArray[np.bool_]:
        offsets = mesh.side_geometry(mesh.outer)[0] - point
        distance = radial(mesh.points - point, axis) - self.radius
        return _on(mesh, distance, offsets - (offsets @ axis)[:, None] * axis, slack)


@dataclass(frozen=True)
class Nearest:
    """The connected flat or smooth face (edges sharper than `angle` degrees end it) nearest to `point`."""

    key: ClassVar[str] = "nearest"
    point: Vector
    angle: float = 30.0

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        faces = smooth_faces(mesh, self.angle)
        start = nearest_facet(mesh, _vector(self.point, mesh, "nearest"))
        return _found(mesh, faces == faces[start], self)


@dataclass(frozen=True)
class Named:
    """The boundaries that the mesh has already whose names match `pattern`: `*`, `?` and `[abc]` as in a shell."""

    key: ClassVar[str] = "name"
    pattern: str

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        found = [sides for name, sides in mesh.boundaries.items() if fnmatchcase(name, self.pattern)]
        if not found:
            hint = nearest(self.pattern, mesh.boundaries)
            raise SelectionError(f"no boundary has a name that matches {self.pattern!r}; {hint}")
        return unique_rows(np.concatenate(found))


@dataclass(frozen=True)
class Around:
    """The boundary of a region: sides of its cells that face another region or the outside."""

    key: ClassVar[str] = "region"
    region: str

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        sides, facets = _sides_of(mesh, _cells_of(mesh, self.region))
        single = np.bincount(facets, minlength=mesh.num_facets) == 1
        return _found(mesh, single[facets], self, sides)


@dataclass(frozen=True)
class Interface:
    """Where two regions meet: sides of cells of the first whose facets cells of the second share."""

    key: ClassVar[str] = "interface"
    regions: tuple[str, str]

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        first, second = (_cells_of(mesh, name) for name in self.regions)
        sides, facets = _sides_of(mesh, first & ~second)
        _, others = _sides_of(mesh, second & ~first)
        return _found(mesh, np.isin(facets, others), self, sides)


@dataclass(frozen=True)
class All:
    """Facets that every one of `selectors` finds: the sides that the first one finds them by."""

    selectors: tuple[Selector, ...]

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        first, *others = [s(mesh) for s in self.selectors if not isinstance(s, Not)] or [mesh.outer]
        barred = [s.selector(mesh) for s in self.selectors if isinstance(s, Not)]
        masks = [_member(mesh, first, sides) for sides in others] + [~_member(mesh, first, sides) for sides in barred]
        return _found(mesh, np.logical_and.reduce([np.ones(len(first), dtype=bool), *masks]), self, first)


@dataclass(frozen=True)
class Any:
    """Facets that at least one of `selectors` finds."""

    selectors: tuple[Selector, ...]

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        return unique_rows(np.concatenate([s(mesh) for s in self.selectors]))


@dataclass(frozen=True)
class Not:
    """Outer facets that `selector` does not find; among the parts of `All`, any facets."""

    selector: Selector

    def __call__(self, mesh: Mesh) -> Ints:
        """Select on `mesh`."""
        return _found(mesh, ~_member(mesh, mesh.outer, self.selector(mesh)), self)


SELECTORS: dict[str, type] = {
    s.key: s for s in (Normal, Plane, Box, Sphere, Cylinder, Nearest, Named, Around, Interface)
}


def read_selector(spec: object, key: tuple[str | int, ...] = ()) -> Selector:
    """Turn the YAML form into a selector; raises `SpecError` at the key that is wrong."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise SpecError(f"found {short(spec)}; expected one selector such as {flow(_example(spec))}.", key)
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


def _example(spec: object) -> object:
    """Return `spec` as it was meant where slots of a selector stand beside it: `{normal: [0, 1], tolerance: 9}`."""
    if isinstance(spec, Mapping) and spec:
        (kind, given), *rest = spec.items()
        slots = [f.name for f in fields(SELECTORS[kind])] if kind in SELECTORS else []
        if slots and not isinstance(given, Mapping) and {name for name, _ in rest} <= {*slots[1:]}:
            return {kind: {slots[0]: given, **dict(rest)}}
    return {"normal": [0, 0, -1]}


def write_selector(selector: object) -> object:
    """Return the YAML form of a selector, without what it has by default; another callable is told by its text."""
    if isinstance(selector, All | Any):
        return {"all" if isinstance(selector, All) else "any": [write_selector(s) for s in selector.selectors]}
    if isinstance(selector, Not):
        return {"not": write_selector(selector.selector)}
    key = next((key for key, kind in SELECTORS.items() if isinstance(selector, kind)), None)
    if key is None:
        return str(selector)
    slots = {f.name: (np.asarray(getattr(selector, f.name)).tolist(), f.default) for f in fields(SELECTORS[key])}
    given = {name: value for name, (value, default) in slots.items() if value != default}
    return {key: next(iter(given.values())) if len(given) == 1 else given}


def _build(cls: type, given: object, key: tuple[str | int, ...]) -> Selector:
    slots = {f.name: f for f in fields(cls)}
    values = given if isinstance(given, Mapping) else {next(iter(slots)): given}
    for name in values:
        if name not in slots:
            raise SpecError(f"unknown key {name!r}; {nearest(name, slots)}", (*key, name))
    for name, slot in slots.items():
        if slot.default is MISSING and name not in values:
            raise SpecError(f"{key[-1]} needs {name!r}.", key)
    return cls(**{k: _slot(str(slots[k].type), v, (*key, k)) for k, v in values.items()})


def _slot(kind: str, given: object, key: tuple[str | int, ...]) -> str | float | tuple[str, ...] | tuple[float, ...]:
    """Return `given` as what a selector's slot of type `kind` holds."""
    if "str" not in kind:
        return _numbers(given, "Vector" in kind, key)
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(t, str) for t in texts) or (len(texts), isinstance(given, list)) != _TEXTS[kind]:
        raise SpecError(f"found {short(given)}; expected {'a name' if kind == 'str' else 'two names'}.", key)
    return texts[0] if kind == "str" else tuple(texts)


def _numbers(given: object, vector: bool, key: tuple[str | int, ...]) -> float | tuple[float, ...]:
    value = None if isinstance(given, str) else as_value(given, key)
    value = None if isinstance(value, tuple) else value
    if value is None or np.ndim(value) != vector:
        raise SpecError(f"found {short(given)}; expected {'a list of numbers' if vector else 'a number'}.", key)
    return tuple(value.tolist()) if isinstance(value, np.ndarray) else value
