"""Airfoils in a far field: NACA sections, and sections from coordinate files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from geometries.errors import ReadError
from geometries.families._planar import Loop, Planar, box_names, rectangle
from geometries.families._sections import CAMBER, naca, section
from geometries.families.base import Shape

_NAMES = ("inflow", "outflow", "farfield", "farfield")
_FILES = (".dat", ".txt", ".csv")
_CAMBERS = tuple(CAMBER)


@dataclass(frozen=True)
class Airfoil(Planar):
    """An airfoil of chord 1 at a random `angle` of attack in degrees, in a rectangle `far` chords away on all sides.

    Sections are drawn from the NACA series of `digits` 4 or 5, of `thickness` (a range) in hundredths of the chord, or
    from `files`: one coordinate file of Selig's or Lednicer's form, or a folder of such. `points` along either surface
    set the edge length at the section; `size` is the target at the far field. The nose is the origin; the section is
    turned about it, nose up, and the flow is along x. Boundaries: inflow (left), outflow (right), farfield (bottom and
    top), airfoil. A shape holds section, such as "2412" or a file's name, and angle.
    """

    name: ClassVar[str] = "airfoil"
    sizes: ClassVar[tuple[float, float]] = (0.02, 10.0)
    size: float = 1.2
    far: float = 5.0
    digits: int = 4
    thickness: tuple[int, int] = (8, 20)
    angle: tuple[float, float] = (-5.0, 10.0)
    points: int = 40
    files: str = ""

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.require("digits", self.digits in (4, 5), "4 or 5")
        self.require_counts("thickness", 4, 40)
        self.require("far", 1 <= self.far <= 100, "1 to 100 chords")
        self.require("points", 12 <= self.points <= 1000, "12 to 1000")
        self.require("angle", self.angle[0] >= -30 and self.angle[1] <= 30, "-30 to 30 degrees, low and high")

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a section and an angle; raises `ReadError` where `files` holds none."""
        names = [file.name for file in self._files()]
        drawn = names[rng.integers(len(names))] if names else self._digits(rng)
        return {"section": drawn, "angle": float(rng.uniform(*self.angle))}

    def loops(self, shape: Shape) -> list[Loop]:
        """Return the far field and the section."""
        if self.files:
            corners = section(next(f for f in self._files() if f.name == shape["section"]), self.points)
        else:
            corners = naca(shape["section"], self.points)
        angle = np.radians(shape["angle"])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        box = rectangle((-self.far, -self.far), (self.far + 1, self.far))
        steps = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        fine = np.maximum(steps, np.roll(steps, 1))
        far = Loop(box, box_names(box, "", _NAMES), self.size)
        return [far, Loop(corners @ turn, "airfoil", fine, fill=None)]

    def _digits(self, rng: np.random.Generator) -> str:
        thick = rng.integers(*self.thickness, endpoint=True)
        if self.digits == 5:
            return f"{rng.integers(1, 5)}{_CAMBERS[rng.integers(len(_CAMBERS))]}{thick:02}"
        camber = rng.integers(0, 7)
        return f"{camber}{rng.integers(2, 7) if camber else 0}{thick:02}"

    def _files(self) -> list[Path]:
        """Return the coordinate files by name; none if sections are NACA's."""
        if not self.files:
            return []
        given = Path(self.files)
        found = sorted(f for f in given.iterdir() if f.suffix.lower() in _FILES) if given.is_dir() else [given]
        if not found or not found[0].is_file():
            raise ReadError(f"{self.files} holds no airfoil; expected a file, or a folder of .dat files.")
        return found
