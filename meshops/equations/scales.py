"""What scalings share: the level and the size of a field, from what holds it and from what is put in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet, Neumann, Pressure, Radiation
from geometries.errors import SpecError
from geometries.values import evaluate, slope_by_field
from meshops.equations.case import Case, Part, on_sides

Floats = NDArray[np.float64]
_ROUNDING = 1e-12  # of a mean: levels that differ by less are equal


def mean(case: Case, name: str) -> float:
    """Return the mean of a coefficient over the volume; of a tensor that of its diagonal, of a vector its length's."""
    values = case.nodal(name)
    if values.ndim == 3:
        values = np.trace(values, axis1=1, axis2=2) / values.shape[1]
    elif values.ndim == 2:
        values = np.linalg.norm(values, axis=1)
    return float(case.mesh.mass @ values / case.mesh.mass.sum())


def relative_slope(case: Case, name: str, level: float) -> float:
    """Return k'(u)/k(u) at u = `level`, by their means over the volume; 0 where they are not finite there."""
    given, points, mass = case.given(name), case.mesh.points, case.mesh.mass
    if isinstance(given, Mapping):
        return 0.0
    shape, u = case.shape_of(name), np.full(len(points), level)
    try:
        value = evaluate(given, points, name, shape=shape, time=case.start, u=u)
        slope = evaluate(slope_by_field(given, points, time=case.start, u=u), points, name, shape=shape)
    except SpecError:
        return 0.0
    size = float(mass @ _trace(value))
    return float(mass @ _trace(slope)) / size if size else 0.0


def _trace(values: Floats) -> Floats:
    return np.trace(values, axis1=1, axis2=2) if values.ndim == 3 else values


def offset_and_scale(case: Case, k0: float, time: float = 0.0, *, loss: str = "") -> tuple[float, float]:
    """Return u₀ and U of a scalar u = u₀ + U u' in c ∂u/∂t - ∇·(k ∇u) + s u = f, where `loss` names s if there is one.

    u₀ is the mean of the given levels, weighted by area and by how tightly each holds (1 for Dirichlet, Bi/(1 + Bi) for
    Robin and radiation, Bi = h L/k₀ with h = 4 εσ u_a³), and of the start's, weighted by `time` over the duration; it
    is 0 where there is a loss. U² = their variance + (Q/G)², with Q = ∫|f| + ∫|q| all that is put in and
    G = k₀/L ∫ weight + ∫ s the conductance out; 0 where that is nothing but rounding.
    """
    mesh, length = case.mesh, case.mesh.length
    weights, levels = _held(case, k0, time)
    conductance, lost = float(weights.sum()), case.nodal(loss) if loss else np.zeros_like(mesh.mass)
    offset = float(weights @ levels / conductance) if conductance and not (lost > 0).any() else 0.0
    gaps = np.where(np.isclose(levels, offset, rtol=_ROUNDING, atol=0.0), 0.0, levels - offset)
    spread = float(weights @ gaps**2 / conductance) if conductance else 0.0
    out = k0 / length * conductance + float(mesh.mass @ lost)
    return offset, float(np.sqrt(spread + (put_in(case) / out) ** 2))


def scalar_quantities(case: Case, k0: float, offset: float, scale: float) -> dict[str, tuple[float, float]]:
    """Return (offset, scale) of the field, the source and the values of Dirichlet, Neumann and Robin conditions."""
    length = case.mesh.length
    return {
        case.equation.field: (offset, scale),
        "source": (0.0, k0 * scale / length**2),
        "dirichlet.value": (offset, scale),
        "neumann.value": (0.0, k0 * scale / length),
        "robin.coefficient": (0.0, k0 / length),
        "robin.ambient": (offset, scale),
    }


def put_in(case: Case) -> float:
    """Return ∫|f| over the volume and ∫|q| over the boundaries with fluxes or pressures; of vectors their lengths."""
    total = float(case.mesh.mass @ _size(case.loads))
    for part in case.parts:
        if isinstance(part.condition, Neumann | Pressure):
            total += float(case.mesh.side_geometry(part.sides)[2] @ _size(on_sides(case, part, "value")))
    return total


def held_size(case: Case) -> float:
    """Return the root mean square of the values given on boundaries and at the start, 0 where there are none."""
    mesh, square, weight = case.mesh, 0.0, 0.0
    for part in case.parts:
        name = "value" if isinstance(part.condition, Dirichlet) else "ambient"
        if name in part.values and not isinstance(part.condition, Neumann):
            area = mesh.side_geometry(part.sides)[2] * mesh.length
            square += float(area @ _size(on_sides(case, part, name)) ** 2)
            weight += float(area.sum())
    if case.transient:
        square += float(mesh.mass @ _size(case.start_values()[case.equation.field]) ** 2)
        weight += float(mesh.mass.sum())
    return float(np.sqrt(square / weight)) if weight else 0.0


def _size(values: Floats) -> Floats:
    """(n,) absolute values, of vectors their lengths; open components count as 0."""
    return np.linalg.norm(np.nan_to_num(values).reshape(len(values), -1), axis=1)


def _held(case: Case, k0: float, time: float) -> tuple[Floats, Floats]:
    """Return the weights and the levels to which conditions, and the start, hold the field."""
    found = [_held_by(case, part, k0 / case.mesh.length) for part in case.parts]
    if case.transient:
        mesh = case.mesh
        share = time / (case.times[-1] - case.times[0]) / mesh.length
        found.append((mesh.mass * share, case.start_values()[case.equation.field][:, 0]))
    weights, levels = zip((np.empty(0), np.empty(0)), *(f for f in found if f is not None), strict=True)
    return np.concatenate(weights), np.concatenate(levels)


def _held_by(case: Case, part: Part, unit: float) -> tuple[Floats, Floats] | None:
    if "coefficient" not in part.values and not isinstance(part.condition, Dirichlet):
        return None
    _, _, area = case.mesh.side_geometry(part.sides)
    if isinstance(part.condition, Dirichlet):
        return area, on_sides(case, part, "value")
    ambient = on_sides(case, part, "ambient")
    exchange = on_sides(case, part, "coefficient")
    if isinstance(part.condition, Radiation):
        exchange = 4 * exchange * np.abs(ambient) ** 3
    biot = exchange / unit
    return area * biot / (1 + biot), ambient
