"""Names for faces that a file does not name: the large flat and cylindrical ones, with selectors that find them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.errors import SelectionError
from geometries.faces import ALONG, fit_circles, side_pairs, smooth_faces
from geometries.mesh import Mesh
from geometries.sides import components
from geometries.tags import read_selector
from geometries.yaml_file import flow

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Spec: TypeAlias = dict[str, Any]
MOST = 12
_FLAT, _SMOOTH = 1.0, 35.0  # degrees between neighbouring facets: of one plane, of one curved face
_SHARE = 0.02, 0.3  # of the outer boundary, or of its smooth face: smaller flat pieces are no faces of their own
_FIT = 1e-3  # of the radius: points that are further off are not on a cylinder
_FEW = 8  # pieces: a set of more is no name of a face
_NUMBERED = re.compile(r"(face|edge|solid)?\d+|color #[0-9a-f]{6}")
_ENDS = {2: (("left", "right"), ("bottom", "top")), 3: (("left", "right"), ("front", "back"), ("bottom", "top"))}


@dataclass(frozen=True, eq=False)
class Proposal:
    """A name, the selector that finds its sides (in YAML's form), what it is in words, and its length or area."""

    name: str
    selector: Mapping[str, Any]
    what: str
    measure: float

    @property
    def line(self) -> str:
        """The line for the section `boundaries` of a case file."""
        return f"{self.name}: {flow(self.selector)}"


def propose(mesh: Mesh) -> tuple[Proposal, ...]:
    """Return at most `MOST` proposals, largest first: flat faces, cylinders (circles in 2-D), other smooth faces.

    Each selector finds exactly the face that its proposal means, or all holes of one kind. Faces that carry a name
    which a user gave, and meshes of lines and of surfaces in space, get none.
    """
    if mesh.dim < 2 or mesh.dim != mesh.space_dim:
        return ()
    _, normals, sizes = mesh.side_geometry(mesh.outer)
    pieces = _unnamed(mesh, list(_pieces(mesh, sizes)))
    pieces.sort(key=lambda at: -sizes[at].sum())
    found: list[Proposal] = []
    taken = set(mesh.boundaries)
    covered = np.zeros(len(mesh.outer), dtype=bool)
    for at in pieces[: 2 * MOST]:
        if covered[at].all():
            continue
        described = _Face(mesh, at, normals[at], sizes[at]).described()
        if described is None:
            continue
        stem, spec, what, sides = described
        name = _free(stem, taken)
        taken.add(name)
        covered[sides] = True
        found.append(Proposal(name, spec, what, float(sizes[sides].sum())))
    return tuple(sorted(found, key=lambda p: -p.measure)[:MOST])


def _unnamed(mesh: Mesh, pieces: list[Ints]) -> list[Ints]:
    """Return the pieces that have no name yet: numbers, colours and sets of many pieces are none."""
    ids, out = mesh.facet_ids(mesh.outer), pieces
    for name, sides in mesh.boundaries.items():
        if not _NUMBERED.fullmatch(name):
            inside = np.isin(ids, mesh.facet_ids(sides))
            rest = [at for at in out if not inside[at].all()]
            out = rest if len(out) - len(rest) <= _FEW else out
    return out


def _pieces(mesh: Mesh, sizes: Floats) -> Iterator[Ints]:
    """Yield the smooth faces, as positions among the outer sides; large flat parts of curved ones on their own."""
    flat, smooth = smooth_faces(mesh, _FLAT), smooth_faces(mesh, _SMOOTH)
    area, around = np.bincount(flat, sizes)[flat], np.bincount(smooth, sizes)[smooth]
    large = (area >= _SHARE[0] * sizes.sum()) | (area >= _SHARE[1] * around)
    strips = _strips(mesh, flat, smooth)
    alone = large & ~strips[flat]
    label = np.where(alone, flat, flat.max() + 1 + smooth)
    pairs = side_pairs(mesh)
    for own in _groups(label):
        yield from _connected(own, pairs[(label[pairs] == label[own[0]]).all(1)])


def _strips(mesh: Mesh, flat: Ints, smooth: Ints) -> NDArray[np.bool_]:
    """Whether each flat part is a strip of a coarse curved face: its smooth face is all strips of about one width."""
    _, _, sizes = mesh.side_geometry(mesh.outer)
    area = np.bincount(flat, sizes)
    whole = np.zeros(len(area), dtype=np.int64)
    whole[flat] = smooth
    count = np.bincount(whole)
    largest = np.zeros(len(count))
    np.maximum.at(largest, whole, area)
    total = np.bincount(whole, area)
    return (count[whole] > 2) & (largest[whole] * count[whole] < 3 * total[whole])


def _groups(label: Ints) -> list[Ints]:
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)


def _connected(own: Ints, pairs: Ints) -> Iterator[Ints]:
    yield from (own[part] for part in _groups(components(np.searchsorted(own, pairs), len(own))))


@dataclass(frozen=True, eq=False)
class _Face:
    """A connected piece of the outer boundary: positions, normals and measures of its sides."""

    mesh: Mesh
    at: Ints
    normals: Floats
    sizes: Floats

    def described(self) -> tuple[str, Spec, str, Ints] | None:
        """Return a stem of its name, a selector, words, and the positions of the sides that the selector finds."""
        kinds = [found for found in (self.plane(), self.circular()) if found[1]]
        stem, specs, what = kinds[0] if kinds else ("face", [], "curved")
        for spec in (*specs, *self.seeds()):
            if (sides := self.match(spec)) is not None:
                return stem, spec, what, sides
        return None

    def plane(self) -> tuple[str, list[Spec], str]:
        """Flat: its normal, or its plane where others look that way too."""
        normal = self.sizes @ self.normals
        normal = normal / (np.linalg.norm(normal) or 1.0)
        if (self.normals @ normal < np.cos(np.radians(_FLAT))).any():
            return "", [], ""
        axis = int(np.argmax(np.abs(normal)))
        straight = abs(normal[axis]) > 1 - 1e-9
        names = _ENDS[self.mesh.dim]
        point = self.near(self.center())
        stem, direction = "plane", _rounded(normal)
        if straight:
            direction = [int(np.sign(normal[i])) if i == axis else 0 for i in range(len(normal))]
            low, high = self.mesh.points.min(0)[axis], self.mesh.points.max(0)[axis]
            end = high if normal[axis] > 0 else low
            if abs(self.center()[axis] - end) <= 1e-6 * (high - low):
                stem = names[axis][int(normal[axis] > 0)]
        what = "flat" if straight else "flat, inclined"
        return stem, [{"normal": direction}, {"plane": {"point": point, "normal": direction}}], what

    def circular(self) -> tuple[str, list[Spec], str]:
        """On a cylinder (in 2-D a circle): by radius and axis, alone or with all that are alike."""
        points = self.mesh.points[self.corners()]
        axis = self.axis(points) if self.mesh.dim == 3 else None
        if len(points) < 5 or (axis is not None and np.abs(self.normals @ axis).max() > ALONG):
            return "", [], ""
        across = np.eye(2) if axis is None else np.linalg.svd(axis[None])[2][1:]
        centers, radii = fit_circles((points @ across.T)[None])
        center, radius = centers[0], float(radii[0])
        off = np.abs(np.linalg.norm(points @ across.T - center, axis=1) - radius)
        if not off.max() <= _FIT * radius or radius > 10 * np.ptp(self.mesh.points, axis=0).max():
            return "", [], ""
        inward = ((self.middles() @ across.T - center) * (self.normals @ across.T)).sum(1).mean() < 0
        closed = np.linalg.norm(self.sizes @ self.normals) < 0.05 * self.sizes.sum()
        stem = ("hole" if inward else ("circle" if axis is None else "shaft")) if closed else "round"
        place, size = _places(center @ across, self.mesh), _significant(radius)
        what = f"{stem if closed or not inward else 'hollow'} of radius {size:g}"
        if axis is None:
            return stem, [{"sphere": {"center": place, "radius": size}}], what
        direction = _rounded(axis * np.sign(axis[np.argmax(np.abs(axis))]))
        alike: Spec = {"axis": direction, "radius": size}
        return stem, [{"cylinder": alike}, {"cylinder": {**alike, "point": place}}], what

    def axis(self, points: Floats) -> Floats:
        """Return the direction across which `points` lie best on a circle, starting from across all normals."""
        from scipy.optimize import least_squares

        start = np.linalg.svd(np.sqrt(self.sizes)[:, None] * self.normals, full_matrices=True)[2]
        some = points[:: 1 + len(points) // 400]

        def off(tilt: Floats) -> Floats:
            axis = start[2] + tilt @ start[:2]
            flat = some @ np.linalg.svd(axis[None] / np.linalg.norm(axis))[2][1:].T
            centers, radii = fit_circles(flat[None])
            return np.linalg.norm(flat - centers[0], axis=1) - radii[0]

        axis = start[2] + least_squares(off, np.zeros(2), xtol=1e-12, ftol=1e-12).x @ start[:2]
        axis = axis / np.linalg.norm(axis)
        straight = np.eye(3)[np.argmax(np.abs(axis))]
        return straight if np.abs(straight @ axis) > 1 - 1e-5 else axis

    def corners(self) -> Ints:
        """Return the corners of the sides: mid-nodes need not lie on the true surface."""
        found = [points[:, : kind.corners].ravel() for kind, _, points in self.mesh.facets(self.mesh.outer[self.at])]
        return np.unique(np.concatenate(found))

    def match(self, spec: Spec) -> Ints | None:
        """Return what a selector finds if that is this face alone, or all cylinders of its kind; else None."""
        mesh = self.mesh
        try:
            found = np.flatnonzero(np.isin(mesh.facet_ids(mesh.outer), mesh.facet_ids(read_selector(spec)(mesh))))
        except SelectionError:
            return None
        if np.array_equal(found, np.sort(self.at)):
            return found
        alike = "cylinder" in spec and "point" not in spec["cylinder"] and np.isin(self.at, found).all()
        return found if alike and self.alike(found) else None

    def alike(self, found: Ints) -> bool:
        """Whether `found` falls into whole cylinders that are described as this face is."""
        pairs = side_pairs(self.mesh)
        _, normals, sizes = self.mesh.side_geometry(self.mesh.outer)
        parts = list(_connected(found, pairs[np.isin(pairs, found).all(1)]))
        faces = (_Face(self.mesh, at, normals[at], sizes[at]) for at in parts)
        return len(parts) <= _FEW and all(face.circular()[::2] == self.circular()[::2] for face in faces)

    def seeds(self) -> list[Spec]:
        """Return selectors by a point on the face: the plain one, then those that stop at blunter edges."""
        point = self.near(self.center())
        return [{"nearest": point}, *({"nearest": {"point": point, "angle": angle}} for angle in (20, 10, 3))]

    def middles(self) -> Floats:
        """(n, d) centres of the sides."""
        return self.mesh.side_geometry(self.mesh.outer[self.at])[0]

    def center(self) -> Floats:
        """(d,) centre of the face."""
        return self.sizes @ self.middles() / self.sizes.sum()

    def near(self, point: Floats) -> list[float]:
        """Return the centre of the side nearest to a point."""
        middles = self.middles()
        return _places(middles[np.argmin(np.linalg.norm(middles - point, axis=1))], self.mesh)


def _free(stem: str, taken: set[str]) -> str:
    return stem if stem not in taken else next(f"{stem}{i}" for i in range(2, 10**6) if f"{stem}{i}" not in taken)


def _significant(value: float) -> float:
    return float(f"{value:.6g}")


def _rounded(vector: Floats) -> list[float]:
    return [float(v) + 0.0 for v in np.round(vector, 6)]


def _places(point: Floats, mesh: Mesh) -> list[float]:
    """Round coordinates to a millionth of the mesh's extent, at least."""
    digits = 6 - int(np.floor(np.log10(np.ptp(mesh.points, axis=0).max())))
    return [float(v) + 0.0 for v in np.round(point, digits)]
