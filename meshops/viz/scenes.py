"""What a picture shows, as data: a mesh with named groups of facets, or with one panel a field.

A scene needs no graphics; `meshops.viz.export` turns it into a picture or a page.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries.errors import nearest
from geometries.mesh import Mesh
from meshops.viz.colors import DIVERGING, SEQUENTIAL, categorical
from meshops.viz.probe import VizError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Panel:
    """One field: `values` on points (N,) or cells (C,), drawn between `limits` in the colour map `colormap`."""

    title: str
    values: Floats
    label: str
    limits: tuple[float, float]
    colormap: str = SEQUENTIAL
    note: str = ""


@dataclass(frozen=True)
class Group:
    """A named set of sides (n, 2) in its colour, `#rrggbb`; of cells of a surface, whose local facet is -1."""

    name: str
    color: str
    sides: Ints


@dataclass(frozen=True, eq=False)
class Scene:
    """A mesh and what to colour it by: `panels` side by side, else `groups`, else nothing."""

    mesh: Mesh
    title: str = ""
    panels: tuple[Panel, ...] = ()
    groups: tuple[Group, ...] = field(default=())


def mesh_scene(mesh: Mesh, *, title: str = "") -> Scene:
    """Show the mesh alone."""
    return Scene(mesh, title)


def boundaries_scene(mesh: Mesh, *, title: str = "") -> Scene:
    """Show each boundary in its own colour; where boundaries overlap, the smaller lies over the larger."""
    colors = categorical(len(mesh.boundaries))
    groups = (Group(name, color, sides) for (name, sides), color in zip(mesh.boundaries.items(), colors, strict=True))
    return Scene(mesh, title, groups=tuple(groups))


def regions_scene(mesh: Mesh, *, title: str = "") -> Scene:
    """Show each region of a surface in its own colour; where regions overlap, the smaller lies over the larger."""
    colors = categorical(len(mesh.regions))
    groups = (
        Group(name, color, np.column_stack([cells, np.full(len(cells), -1)]))
        for (name, cells), color in zip(mesh.regions.items(), colors, strict=True)
    )
    return Scene(mesh, title, groups=tuple(groups))


def field_scene(
    mesh: Mesh, values: ArrayLike, name: str, *, unit: str = "", title: str = "", signed: bool = False
) -> Scene:
    """Show one field, (N,) on points or (C,) on cells; of vectors (N, k) the length, of one column its values.

    What is `signed` and somewhere below 0 is drawn symmetric about zero, as an error is.
    Raises `VizError` if the number of values fits neither or a value is not finite.
    """
    array, name = _scalar(mesh, values, name)
    label, largest = _label(name, unit), float(np.abs(array).max())
    panel = Panel("", array, label, _range(array))
    if signed and array.min() < 0:
        panel = Panel("", array, label, (-largest, largest), DIVERGING)
    return Scene(mesh, title or name, (panel,))


def comparison_scene(
    mesh: Mesh, prediction: ArrayLike, reference: ArrayLike, *, name: str, unit: str = "", title: str = ""
) -> Scene:
    """Show prediction and reference in one range, and their signed difference, symmetric about zero.

    Raises `VizError` as `field_scene`.
    """
    ours, shown = _scalar(mesh, prediction, name)
    theirs, _ = _scalar(mesh, reference, name)
    if ours.shape != theirs.shape:
        raise VizError(f"prediction has {len(ours)} values and reference {len(theirs)}; expected as many.")
    error = ours - theirs
    largest = float(np.abs(error).max())
    span = largest or 1e-3 * float(np.ptp(theirs)) or 1.0
    both, label = _range(np.concatenate([ours, theirs])), _label(shown, unit)
    note = f"largest {largest:.3g}{' ' + unit if unit else ''}"
    return Scene(
        mesh,
        title,
        (
            Panel("Prediction", ours, label, both),
            Panel("Reference", theirs, label, both),
            Panel("Error (prediction − reference)", error, label, (-span, span), DIVERGING, note),
        ),
    )


def show(mesh: Mesh, *, field: str | None = None, compare: str | None = None, unit: str = "", title: str = "") -> Scene:
    """Pick the scene of a mesh and its data: a comparison, a field, the boundaries, or the mesh alone.

    `field` and `compare` are names of point or cell data; a field called `FIELD_reference` is compared with unasked,
    and one called `FIELD_error` is signed.
    Raises `VizError` with the nearest name if there is no such field.
    """
    if field is None:
        return boundaries_scene(mesh, title=title) if mesh.boundaries else mesh_scene(mesh, title=title)
    values = _lookup(mesh, field)
    partner = compare or f"{field}_reference"
    if compare is None and partner not in {**mesh.point_data, **mesh.cell_data}:
        signed = field.partition("@")[0].endswith("_error")
        return field_scene(mesh, values, field, unit=unit, title=title, signed=signed)
    return comparison_scene(mesh, values, _lookup(mesh, partner), name=field, unit=unit, title=title)


def _lookup(mesh: Mesh, name: str) -> NDArray[np.generic]:
    data = {**mesh.cell_data, **mesh.point_data}
    if name not in data:
        raise VizError(f"no field is named {name!r}; {nearest(name, data) if data else 'the mesh holds no fields.'}")
    return data[name]


def _scalar(mesh: Mesh, values: ArrayLike, name: str) -> tuple[Floats, str]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or len(array) not in (mesh.num_points, mesh.num_cells):
        raise VizError(
            f"field {name!r} has shape {array.shape}; expected {mesh.num_points} (points) or {mesh.num_cells} (cells)."
        )
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise VizError(f"field {name!r} has {bad} of {array.size} values that are not finite.")
    if array.ndim == 2 and array.shape[1] != 1:
        return np.linalg.norm(array, axis=1), f"|{name}|"
    return array.reshape(len(array)), name


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _range(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if high - low > 1e-12 * max(abs(low), abs(high)):
        return low, high
    margin = 1e-3 * abs(low) or 1.0
    return low - margin, high + margin
