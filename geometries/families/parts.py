"""A folder of CAD and mesh files as a family."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from geometries.errors import ReadError
from geometries.families._library import EXTENSIONS, load
from geometries.families.base import Family, Shape
from geometries.mesh import Mesh
from geometries.refine import second_order


@dataclass(frozen=True)
class Parts(Family):
    """The CAD and mesh files in `folder`, each as likely; their names of faces and of solids are kept.

    CAD files are meshed with edges of `size` relative to the diagonal of their bounding box; mesh files are taken as
    they are. `dim` is the dimension of the cells, `order` 1 or 2. A file is read once in a process; one that cannot be
    read, or holds no cells of that dimension, fails each sample that draws it, with its name in the error. Programs
    (.geo) are left out. A shape holds file, its name in the folder.
    """

    name: ClassVar[str] = "parts"
    folder: str = ""
    size: float = 0.05
    dim: int = 3  # type: ignore[misc]
    order: int = 1

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.require_numbers()
        self.require("folder", bool(self.folder) and Path(self.folder).is_dir(), "a folder of CAD and mesh files")
        self.require("size", 0.002 <= self.size <= 0.5, "0.002 to 0.5 of the diagonal")
        self.require("dim", self.dim in (1, 2, 3), "1, 2 or 3")
        self.require("order", self.order in (1, 2), "1 or 2")

    def files(self) -> list[str]:
        """Return the names of the files, sorted."""
        return sorted(f.name for f in Path(self.folder).iterdir() if f.suffix.lower() in EXTENSIONS and f.is_file())

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a file; raises `ReadError` if there is none."""
        names = self.files()
        if not names:
            raise ReadError(f"{self.folder} holds no CAD or mesh files; expected some of {', '.join(EXTENSIONS)}.")
        return {"file": names[rng.integers(len(names))]}

    def mesh(self, shape: Shape) -> Mesh:
        """Return the mesh in a file, or of a CAD file; raises `ReadError` where it cannot be read."""
        mesh = load(Path(self.folder) / shape["file"], size=self.size, relative=True, dim=self.dim)
        return second_order(mesh) if self.order == 2 and mesh.order == 1 else mesh
