"""`Solution`: the fields of a case on its mesh, and how they were obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometries.errors import MeshopsError

if TYPE_CHECKING:
    from meshops.equations.case import Case

Floats = NDArray[np.float64]


class SolutionError(MeshopsError):
    """The values do not form a solution of the case."""


@dataclass(frozen=True, eq=False)
class Solution:
    """`fields` {name: (N, c)} on the mesh of `case`; `made_by` says how: solver or surrogate, seconds, iterations.

    Raises `SolutionError` for fields of another length and for values that are not finite.
    """

    case: Case
    fields: Mapping[str, Floats]
    made_by: Mapping[str, object]

    def __post_init__(self) -> None:
        """Freeze and check."""
        checked = {name: _field(name, values, self.case.mesh.num_points) for name, values in self.fields.items()}
        object.__setattr__(self, "fields", MappingProxyType(checked))
        object.__setattr__(self, "made_by", MappingProxyType(dict(self.made_by)))

    @property
    def values(self) -> Floats:
        """(N,) the equation's own field."""
        return self.fields[self.case.equation.field][:, 0]

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each stage, where they are known."""
        found = self.made_by.get("seconds", {})
        return {str(k): float(v) for k, v in found.items()} if isinstance(found, Mapping) else {}

    def summary(self) -> dict[str, dict[str, float]]:
        """Return {field: min, max, mean}; the mean is over the domain, not over the points."""
        mass = self.case.mesh.mass / self.case.mesh.mass.sum()
        return {
            name: {"min": float(v.min()), "max": float(v.max()), "mean": float((mass @ v).mean())}
            for name, v in self.fields.items()
        }

    def save(self, path: str | Path) -> None:
        """Write mesh, names and fields; by the extension, .vtu for choice. An existing file is replaced when whole."""
        from dataclasses import replace

        from geometries.formats import write

        mesh = self.case.mesh
        data = {name: v[:, 0] if v.shape[1] == 1 else v for name, v in self.fields.items()}
        write(replace(mesh, point_data={**mesh.point_data, **data}), Path(path))


def _field(name: str, values: Floats, num_points: int) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 2 or len(array) != num_points:
        raise SolutionError(f"field {name!r} has shape {array.shape}; expected ({num_points}, components).")
    if not np.isfinite(array).all():
        raise SolutionError(f"field {name!r} is not finite at {int((~np.isfinite(array)).any(1).sum())} points.")
    array.setflags(write=False)
    return array
