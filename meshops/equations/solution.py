"""`Solution`: the fields of a case on its mesh, and how they were obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
    """`fields` {name: (N, c), with times (T, N, c)} on the mesh of `case`; `made_by` says how: solver, seconds, steps.

    Raises `SolutionError` for fields of another shape and for values that are complex or not finite.
    """

    case: Case
    fields: Mapping[str, Floats]
    made_by: Mapping[str, object]

    def __post_init__(self) -> None:
        """Freeze and check."""
        checked = {name: _field(name, values, self.case) for name, values in self.fields.items()}
        object.__setattr__(self, "fields", MappingProxyType(checked))
        object.__setattr__(self, "made_by", MappingProxyType(dict(self.made_by)))

    @property
    def values(self) -> Floats:
        """The equation's first field: (N,) of a scalar, (N, c) of a vector; with times (T, ...)."""
        found = self.fields[self.case.equation.field]
        return found if self.case.equation.fields[0].components else found[..., 0]

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each stage, where they are known."""
        found = self.made_by.get("seconds", {})
        return {str(k): float(v) for k, v in found.items()} if isinstance(found, Mapping) else {}

    @cached_property
    def quantities(self) -> dict[str, float]:
        """The equation's derived numbers, such as forces; of a transient problem at its last time."""
        return self.case.equation.quantities(self.case, self.at(-1))

    def at(self, time: int) -> dict[str, Floats]:
        """Return the fields {name: (N, c)} at the time of this index; of a steady problem the fields."""
        return {name: values[time] if values.ndim == 3 else values for name, values in self.fields.items()}

    def with_derived(self) -> Solution:
        """Return the solution with the equation's derived fields, such as stresses, beside its own."""
        moments = range(len(self.case.times)) if self.case.transient else [0]
        found = [self.case.equation.derived(self.case, self.at(i)) for i in moments]
        more = {
            name: np.stack([f[name] for f in found]) if self.case.transient else found[0][name] for name in found[0]
        }
        return replace(self, fields={**self.fields, **more})

    def summary(self) -> dict[str, dict[str, float]]:
        """Return {field: min, max, mean} at the last time; the mean is over the domain, not over the points.

        Of a vector they are those of its length.
        """
        mass = self.case.mesh.mass / self.case.mesh.mass.sum()
        out = {}
        for name, v in self.at(-1).items():
            size = v[:, 0] if v.shape[1] == 1 else np.linalg.norm(v, axis=1)
            out[name] = {"min": float(size.min()), "max": float(size.max()), "mean": float(mass @ size)}
        return out

    def save(
        self,
        path: str | Path,
        *,
        cell_data: Mapping[str, Floats] = MappingProxyType({}),
        field_data: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write mesh, names and fields; by the extension, .vtu for choice. An existing file is replaced when whole.

        Of a transient problem a field of each time, called `field@time`. `cell_data` {name: (C,)} is written too, and
        `field_data` {name: text}, which only a .vtu holds.
        """
        from geometries.formats import vtu, write

        mesh = self.case.mesh
        data: dict[str, Floats] = {}
        for name, values in self.fields.items():
            series = {name: values} if values.ndim == 2 else _moments(name, values, self.case.times)
            data |= {n: v[:, 0] if v.shape[1] == 1 else _in_space(v) for n, v in series.items()}
        full = replace(mesh, point_data={**mesh.point_data, **data}, cell_data={**mesh.cell_data, **cell_data})
        if field_data and Path(path).suffix.lower() == ".vtu":
            vtu.write(full, path, field_data=field_data)
        else:
            write(full, path)


def _moments(name: str, values: Floats, times: tuple[float, ...]) -> dict[str, Floats]:
    return {f"{name}@{time:.6g}": v for time, v in zip(times, values, strict=True)}


def _in_space(values: Floats) -> Floats:
    """Vectors of two components get a third, 0, as VTK's filters expect."""
    return np.pad(values, ((0, 0), (0, 1))) if values.shape[1] == 2 else values


def _field(name: str, values: Floats, case: Case) -> Floats:
    if np.iscomplexobj(values):
        raise SolutionError(f"field {name!r} is complex; expected the real and the imaginary part as two components.")
    array = np.array(values, dtype=np.float64)
    n, times = case.mesh.num_points, (len(case.times),) if case.transient else ()
    if array.ndim != 2 + len(times) or array.shape[:-1] != (*times, n):
        expected = ", ".join(map(str, (*times, n)))
        raise SolutionError(f"field {name!r} has shape {array.shape}; expected ({expected}, components).")
    if not np.isfinite(array).all():
        bad = (~np.isfinite(array)).any(-1).reshape(-1, n).any(0).sum()
        raise SolutionError(f"field {name!r} is not finite at {int(bad)} points.")
    array.setflags(write=False)
    return array
