"""Plates with round holes, and notches in their long edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.families._outlines import places
from geometries.families._planar import Loop, Planar, box_names, circle
from geometries.families.base import Shape, until

Floats = NDArray[np.float64]
_GAP = 0.08  # width of every ligament
_FINER = 0.6  # edge lengths round holes and notches over those elsewhere
_STEPS = 8  # segments of a round notch


@dataclass(frozen=True)
class Plate(Planar):
    """Plates of height 1 and random `length` with round `holes` and with `notches` in the bottom and top edges.

    Counts are ranges; `radius` is that of holes and of notches, which are half disks or V-shaped with a right angle.
    `size` is the target edge length, 0.6 of it round holes and notches. All keep 0.08 apart. Boundaries: left, right,
    bottom, top, `holes`, `notches`. A shape holds length, holes [[x, y, radius], ...] and notches
    [{"edge": "top", "at": x, "radius": r, "kind": "round" or "vee"}, ...].
    """

    name: ClassVar[str] = "plate"
    size: float = 0.08
    length: tuple[float, float] = (1.5, 2.5)
    holes: tuple[int, int] = (0, 3)
    notches: tuple[int, int] = (0, 3)
    radius: tuple[float, float] = (0.06, 0.2)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require_counts("holes", 0, 8)
        self.require_counts("notches", 0, 8)
        self.require("length", self.length[0] >= 1 and self.length[1] <= 10, "1 to 10, low and high")
        self.require("radius", self.radius[0] >= 0.02 and self.radius[1] <= 0.35, "0.02 to 0.35, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw the counts, then plates until one has room for all."""
        holes, notches = rng.integers(*self.holes, endpoint=True), rng.integers(*self.notches, endpoint=True)
        attempt = partial(self._attempt, rng, int(holes), int(notches))
        return until(attempt, f"plate with room for {holes} holes and {notches} notches")

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the outline and the holes."""
        corners, names = _outline(shape)
        fine = _FINER * self.size
        holes = [Loop(circle(*hole, size=fine), "holes", fine, fill=None) for hole in shape["holes"]]
        cut = np.array([name == "notches" for name in names])
        return [Loop(corners, names, np.where(cut | np.roll(cut, 1), fine, self.size)), *holes]

    def _attempt(self, rng: np.random.Generator, holes: int, notches: int) -> Shape | None:
        length = float(rng.uniform(*self.length))
        cut = [_notch(rng, length, self.radius) for _ in range(notches)]
        if not _apart(cut, length):
            return None
        outline = _outline({"length": length, "notches": cut})[0]
        disks = places(rng, outline, holes, radii=self.radius, gap=_GAP)
        return {"length": length, "holes": disks.tolist(), "notches": cut} if len(disks) == holes else None


def _notch(rng: np.random.Generator, length: float, radii: tuple[float, float]) -> dict[str, Any]:
    radius, edge = float(rng.uniform(*radii)), ("bottom", "top")[rng.integers(2)]
    at, kind = float(rng.uniform(radius, length - radius)), ("round", "vee")[rng.integers(2)]
    return {"edge": edge, "at": at, "radius": radius, "kind": kind}


def _apart(notches: list[dict[str, Any]], length: float) -> bool:
    """Whether notches keep a gap from the ends and from each other."""
    disks = np.array([(n["at"], n["edge"] == "top", n["radius"]) for n in notches], dtype=np.float64).reshape(-1, 3)
    x, r = disks[:, 0], disks[:, 2]
    inside = (x - r > _GAP) & (x + r < length - _GAP)
    gaps = np.linalg.norm(disks[:, None, :2] - disks[:, :2], axis=2) - r[:, None] - r
    return bool(inside.all() and (gaps[np.triu_indices(len(r), 1)] > _GAP).all())


def _outline(shape: Shape) -> tuple[Floats, list[str]]:
    """Return the corners, counter-clockwise from the origin, and the boundary of each segment."""
    length = shape["length"]
    rows = []
    for edge, start, end in (("bottom", (0, 0), (length, 0)), ("top", (length, 1), (0, 1))):
        own = sorted((n for n in shape["notches"] if n["edge"] == edge), key=lambda n: n["at"], reverse=edge == "top")
        turn = 1 if edge == "top" else -1
        rows += [[start], *[(n["at"], start[1]) + turn * _cut(n) for n in own], [end]]
    corners = np.concatenate([np.asarray(row, dtype=np.float64) for row in rows])
    return corners, box_names(corners, "notches")


def _cut(notch: dict[str, Any]) -> Floats:
    """Return the points of a notch in the edge y = 0 of a body below, from right to left."""
    t = np.linspace(0, -np.pi, (_STEPS if notch["kind"] == "round" else 2) + 1)
    return notch["radius"] * np.stack([np.cos(t), np.sin(t)], axis=1)
