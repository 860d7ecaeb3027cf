"""A single part as a family: any CAD or mesh file under random smooth deformations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from geometries.errors import SelectionError, SpecError
from geometries.families import _deformation as deformation
from geometries.families._library import load
from geometries.families.base import Family, Shape, is_range
from geometries.mesh import Mesh
from geometries.refine import second_order

_WAVES = 6


@dataclass(frozen=True)
class Morph(Family):
    """The part in `file`, stretched, its round features grown or shrunk, and bent by waves; all its names are kept.

    In this order: the radii of the boundaries named in `radii` {name: (low, high)}, circles or cylinders such as bores,
    are multiplied by one factor each; each axis is multiplied by a factor from the range `stretch`; points x move by a
    sum of six waves of random direction, of up to `frequency` cycles over the diagonal of the bounding box, whose root
    mean square along each axis is `amplitude` of the diagonal. Boundaries in `keep` are not moved by the waves, those
    in `slide` stay in their planes. A deformation is scaled back until every cell has positive measure and at least
    0.35 of the mean ratio it had. Cells and names are those of the file; the size of the cells is that of the part as
    it was.

    `size` is the target edge length of a CAD file, in the mesh's unit (0: a 20th of the diagonal), `order` 1 or 2. The
    file is read once in a process. A shape holds stretch, radii and waves [{vector, frequency, phase}, ...], lengths
    over the diagonal; of a plane part the third components are left unused. Raises `SpecError` for names that the part
    lacks, and for boundaries that are not round, or not flat, as they should be.
    """

    name: ClassVar[str] = "morph"
    file: str = ""
    size: float = 0.0
    order: int = 1
    amplitude: float = 0.02
    frequency: float = 1.0
    stretch: tuple[float, float] = (1.0, 1.0)
    keep: tuple[str, ...] = dataclasses.field(default_factory=tuple)
    slide: tuple[str, ...] = dataclasses.field(default_factory=tuple)
    radii: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the parameters; the file is read when it is needed."""
        self.require_numbers()
        self.require("file", isinstance(self.file, str) and bool(self.file), "the path of a CAD or mesh file")
        self.require("size", self.size >= 0, "an edge length above 0, or 0 for a 20th of the diagonal")
        self.require("order", self.order in (1, 2), "1 or 2")
        self.require("amplitude", 0 <= self.amplitude <= 0.2, "0 to 0.2 of the diagonal")
        self.require("frequency", 0 < self.frequency <= 4, "up to 4 cycles over the diagonal")
        self.require("stretch", self.stretch[0] >= 0.2 and self.stretch[1] <= 5, "0.2 to 5, low and high")
        for field in ("keep", "slide"):
            given = getattr(self, field)
            names = (given,) if isinstance(given, str) else given
            named = isinstance(names, tuple | list) and all(isinstance(name, str) for name in names)
            self.require(field, named, "names of boundaries")
            object.__setattr__(self, field, tuple(names))
        fits = isinstance(self.radii, Mapping) and all(is_range(r) and r[0] > 0 for r in self.radii.values())
        self.require("radii", fits, "a range of factors above 0 for each name, such as {bore: [0.8, 1.2]}")

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Dimension of the file's cells."""
        return self.part.dim

    @property
    def part(self) -> Mesh:
        """The part as it is in the file."""
        return load(self.file, size=self.size or None)

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw factors and waves."""
        low, high = np.log(self.stretch)
        factors = np.exp(rng.uniform(low, high, 3))
        radii = {name: float(np.exp(rng.uniform(*np.log(self.radii[name])))) for name in sorted(self.radii)}
        return {"stretch": factors.tolist(), "radii": radii, "waves": [self._wave(rng) for _ in range(_WAVES)]}

    def mesh(self, shape: Shape) -> Mesh:
        """Return the deformed part."""
        part = self._known(self.part)
        mesh, factors = part, np.array(shape["stretch"])[: part.space_dim]
        for name, factor in shape["radii"].items():
            mesh = deformation.apply(mesh, deformation.grown(mesh, name, factor))
        if (factors != 1).any():
            mesh = deformation.apply(mesh, mesh.points * (factors - 1))
        moves = deformation.held(mesh, deformation.waves(mesh.points, shape["waves"]), self.keep)
        mesh = deformation.apply(mesh, deformation.sliding(mesh, moves, self.slide))
        return second_order(mesh) if self.order == 2 and mesh.order == 1 else mesh

    def _wave(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a wave; sin² has the mean 1/2."""
        direction = rng.normal(size=3)
        frequency = direction / np.linalg.norm(direction) * self.frequency * rng.uniform()
        vector = rng.normal(size=3) * self.amplitude * np.sqrt(2 / _WAVES)
        return {"vector": vector.tolist(), "frequency": frequency.tolist(), "phase": float(rng.uniform(0, 2 * np.pi))}

    def _known(self, part: Mesh) -> Mesh:
        """Return the part; raises `SpecError` for names that it lacks."""
        for parameter in ("keep", "slide", "radii"):
            for name in getattr(self, parameter):
                try:
                    part.sides(name)
                except SelectionError as error:
                    raise SpecError(str(error), (parameter,)) from None
        return part
