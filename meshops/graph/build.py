"""From a case to its `MeshGraph`: everything dimensionless, by the equation's own scaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geometries.conditions import CONDITIONS, Dirichlet, Periodic
from geometries.mesh import Mesh
from geometries.sides import unique_rows
from geometries.values import names_in
from meshops.equations import Case, Scaling, Solution
from meshops.equations.base import Coefficient
from meshops.equations.case import Part, on_nodes
from meshops.equations.constraints import constraints, images_of
from meshops.equations.layout import Layout
from meshops.equations.loads import loads
from meshops.graph.levels import coarsen, directed, joined, level_arrays
from meshops.graph.lifting import harmonic_extension
from meshops.graph.mesh_graph import MeshGraph
from meshops.graph.schema import Schema, SchemaError, coefficient_columns, kind_columns, schema_of, value_columns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = dict[str, Floats]
EQUAL = 1e-5  # of a time step, by which others may differ: times are written with six digits


def build_graph(
    case: Case, solution: Solution | None = None, dtype: torch.dtype = torch.float32, *, schema: Schema | None = None
) -> MeshGraph:
    """Return the graph of `case`; with `solution`, its fields become `y`.

    The columns are those of `schema`, by default all that the equation has. Positive coefficients enter `x` as
    logarithms. A Robin condition enters as log(1 + Bi) and as Bi/(1 + Bi) u_a, so that a strong exchange looks like the
    Dirichlet condition that it tends to. `mass` is that of `case.mesh` in units of length^d. Periodic images are joined
    by an edge, on every level. Raises `SchemaError` for a schema of another equation, dimension or number of times, and
    for what it has no columns for: conditions and coefficients, tensors that differ by direction, times in unequal
    steps.
    """
    mesh, scaling = case.mesh, case.equation.scaling(case)
    chosen = schema or schema_of(case.equation, mesh.space_dim, times=len(case.times))
    _require_problem(case, chosen)
    _require(case, chosen)
    pos = (mesh.points - np.asarray(scaling.center)) / scaling.length
    mass = mesh.mass / scaling.length**mesh.dim
    images = images_of(case)
    levels = coarsen(pos, mass, directed(mesh.edges), images)
    edge_index = directed(joined(mesh.edges, images))
    inside, fixed = _node_columns(case, scaling), _fixed(case, scaling)
    if chosen.lifting:
        inside |= _named(list(chosen.lifting), harmonic_extension(mesh, fixed["fixed"], fixed["fixed_value"]))
    arrays = {"pos": pos, "edge_index": edge_index, "mass": mass, "x": np.stack([inside[n] for n in chosen.x], axis=1)}
    arrays |= _boundary(case, scaling, chosen) | fixed | {"theta": _theta(case, scaling, chosen)}
    if Periodic.key in chosen.kinds:
        arrays["image_index"] = images.T
    arrays |= level_arrays(levels)
    if solution is not None:
        arrays["y"] = targets(solution, scaling)
    return to_graph(arrays, dtype)


def to_graph(arrays: dict[str, NDArray[np.generic]], dtype: torch.dtype = torch.float32) -> MeshGraph:
    """Return a graph of numpy arrays: floats as `dtype`, integers and booleans as they are."""
    tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()}
    return MeshGraph(**{k: t.to(dtype) if t.is_floating_point() else t for k, t in tensors.items()})


def targets(solution: Solution, scaling: Scaling) -> Floats:
    """Return (N, C_out) the dimensionless fields, of a transient problem those after the start, time by time."""
    names = [field.name for field in solution.case.equation.fields]
    moments = range(1, len(solution.case.times)) if solution.case.transient else [0]
    return np.concatenate([scaling.apply(n, solution.at(i)[n]) for i in moments for n in names], axis=1)


def untargeted(case: Case, scaling: Scaling, values: Floats) -> dict[str, Floats]:
    """Return {field: (N, c) or (T, N, c)} in the case's own units from (N, C_out); `targets` gives those back."""
    sizes = [len(field.parts(case.mesh.space_dim)) for field in case.equation.fields]
    ends = np.cumsum(np.tile(sizes, max(len(case.times) - 1, 1)))[:-1]
    blocks, out, start = np.split(values, ends, axis=1), {}, case.start_values()
    for i, field in enumerate(case.equation.fields):
        series = [scaling.undo(field.name, block) for block in blocks[i :: len(sizes)]]
        out[field.name] = np.stack([start[field.name], *series]) if case.transient else series[0]
    return out


def with_essential(solution: Solution) -> Solution:
    """Return the solution with essential values as the case gives them, to the last bit."""
    case, layout = solution.case, Layout(solution.case.mesh, solution.case.equation.fields)
    fields = {name: np.array(values) for name, values in solution.fields.items()}
    for i, time in enumerate(case.times or (case.start,)):
        held = constraints(case, layout, time)
        for name, numbers in layout.numbers.items():
            own = held.fixed[numbers] & (numbers >= 0)
            moment = fields[name][i] if case.transient else fields[name]
            moment[own] = held.value[numbers][own]
    return replace(solution, fields=fields)


def _require_problem(case: Case, schema: Schema) -> None:
    found = case.equation.name, case.mesh.space_dim, len(case.times)
    expected = schema.equation, schema.dim, schema.times
    if found != expected:
        told = "the case's equation, dimension and number of times are"
        raise SchemaError(f"{told} {found}; the schema is of {expected}: give the schema of such cases.")


def _require(case: Case, schema: Schema) -> None:
    for part in case.parts:
        if part.condition.key not in schema.kinds:
            raise SchemaError(
                f"{part.name!r} has a {part.condition.key} condition; expected {', '.join(schema.kinds)}, which these "
                "graphs have columns for."
            )
    moving = case.varying.intersection(c.name for c in case.equation.coefficients) - set(schema.varying)
    if moving:
        raise SchemaError(f"{min(moving)} depends on the field; these graphs are of problems where it does not.")
    unseen = _unseen(case)
    if unseen:
        raise SchemaError(
            f"{unseen} changes in time; expected that only the source and held values do: graphs have the rest at the "
            "start alone. Solve it without a surrogate."
        )
    steps = np.diff(case.times)
    if len(steps) and np.ptp(steps) > EQUAL * steps.max():
        raise SchemaError(
            f"times are {steps.min():.9g} to {steps.max():.9g} apart; expected equal steps: graphs know the last time "
            "and how many there are."
        )
    if case.moving and not schema.moving:
        raise SchemaError("the source changes in time; these graphs are of problems where it does not.")
    for info in case.equation.coefficients:
        plain = info.name in schema.coefficients or info.transient or case.given(info.name) == info.default
        if not plain:
            raise SchemaError(
                f"{info.name} is given; these graphs have columns for {', '.join(schema.coefficients) or 'none'}."
            )
        if info.rank == 2 and not _isotropic(case, info.name):
            raise SchemaError(
                f"{info.name} is a tensor that differs by direction or depends on the field; graphs have the mean of "
                "its diagonal alone. Solve it without a surrogate."
            )


def _unseen(case: Case) -> str:
    """Return what changes in time and has columns for the start alone; empty where nothing does."""
    if not case.transient:
        return ""
    given = {name: value for name, value in case.coefficients.items() if not isinstance(value, Mapping)}
    for part in case.parts:
        if part.condition.key != Dirichlet.key:
            given |= {f"{name} on {part.name!r}": part.values[name] for name in part.values}
    return next((name for name, value in given.items() if "t" in names_in(value)), "")


def _node_columns(case: Case, scaling: Scaling) -> Columns:
    d = case.mesh.space_dim
    names = _prefixed("source", case.shape_of("source"))
    columns = _named(names, scaling.apply("source", case.loads))
    for k, time in enumerate(case.times[1:], 1):
        later = loads(case, time) if case.moving else case.loads
        columns |= _named([f"{name}@{k}" for name in names], scaling.apply("source", later))
    for info in case.equation.coefficients:
        columns |= _named(coefficient_columns(info, d), _coefficient(case, info, scaling))
    if case.transient:
        for suffix in ("", ".rate")[: case.equation.time_order]:
            start = case.start_values(suffix)
            for field in case.equation.fields:
                if suffix:
                    values = start[field.name] * scaling.time / scaling.quantities[field.name][1]
                else:
                    values = scaling.apply(field.name, start[field.name])
                columns |= _named([f"initial.{name}{suffix}" for name in field.columns(d)], values)
    return columns


def _coefficient(case: Case, info: Coefficient, scaling: Scaling) -> Floats:
    values = case.nodal(info.name)
    if values.ndim == 3:
        values = np.trace(values, axis1=1, axis2=2) / values.shape[1]
    values = scaling.apply(info.name, values)
    return np.log(values) if info.positive else values


def _isotropic(case: Case, name: str) -> bool:
    """Return whether a coefficient is given by scalars, or as a tensor that is the identity times a number."""
    values = case.nodal(name)
    if values.ndim < 3:
        return True
    if name in case.varying:
        return False
    mean = np.trace(values, axis1=1, axis2=2)[:, None, None] / values.shape[1] * np.eye(values.shape[1])
    return bool((np.abs(values - mean) <= 1e-9 * np.abs(mean).max()).all())


def _prefixed(name: str, shape: tuple[int, ...]) -> list[str]:
    return [f"{name}.{axis}" for axis in "xyz"[: shape[0]]] if shape else [name]


def _named(names: list[str], values: Floats) -> Columns:
    flat = values.reshape(len(values), -1)
    return {name: flat[:, i] for i, name in enumerate(names)}


def _theta(case: Case, scaling: Scaling, schema: Schema) -> Floats:
    values = dict(scaling.numbers)
    if case.transient:
        values["duration"] = float(np.log((case.times[-1] - case.times[0]) / scaling.time))
    return np.array([[values[name] for name in schema.theta]]).reshape(1, -1)


def _fixed(case: Case, scaling: Scaling) -> dict[str, NDArray[Any]]:
    """Where essential conditions hold, rollers along the axes included, for each column of `y`."""
    layout = Layout(case.mesh, case.equation.fields)
    fixed, values = [], []
    for time in case.times[1:] or (case.start,):
        held = constraints(case, layout, time)
        for field in case.equation.fields:
            numbers = layout.numbers[field.name]
            own = held.fixed[numbers] & (numbers >= 0)
            fixed.append(own)
            values.append(np.where(own, scaling.apply(field.name, held.value[numbers]), 0.0))
    return {"fixed": np.concatenate(fixed, axis=1), "fixed_value": np.concatenate(values, axis=1)}


def _boundary(case: Case, scaling: Scaling, schema: Schema) -> dict[str, NDArray[np.generic]]:
    mesh = case.mesh
    sides = np.unique(np.concatenate([mesh.outer, *(sides for _, sides in _held(case))]), axis=0)
    nodes = mesh.nodes(sides)
    normal, weight = point_normals(mesh, sides)
    columns = _conditions(case, scaling, weight)
    columns |= {f"normal.{axis}": normal[:, i] for i, axis in enumerate("xyz"[: mesh.space_dim])}
    columns["weight"] = weight / scaling.length ** (mesh.dim - 1)
    zeros = np.zeros(mesh.num_points)
    return {
        "boundary_index": nodes,
        "boundary_x": np.stack([columns.get(n, zeros)[nodes] for n in schema.boundary_x], axis=1),
        "boundary_mass": columns["weight"][nodes],
        "boundary_edge_index": edges_on(mesh, sides),
    }


def _conditions(case: Case, scaling: Scaling, total: Floats) -> Columns:
    """Return {column: (N,)}: the share of a point's boundary area that each kind holds, and its dimensionless values.

    Where two parts of one kind meet at a point, their values are averaged by area.
    """
    mesh, d = case.mesh, case.mesh.space_dim
    sums: Columns = {}
    areas: Columns = {}
    for part, sides in _held(case):
        kind = CONDITIONS[part.condition.key]
        _, area = point_normals(mesh, sides)
        values = _part_values(case, part, scaling)
        held = [area] * len(kind_columns(case.equation, kind, d))
        if len(held) > 1:
            held = [area * ~np.isnan(column) for column in values["value"].T]
        for name, own in zip(kind_columns(case.equation, kind, d), held, strict=True):
            sums[name] = sums.get(name, 0.0) + own
        for name, found in values.items():
            flat = found.reshape(len(found), -1).T
            for i, (column, value) in enumerate(zip(value_columns(case.equation, kind, name, d), flat, strict=True)):
                own = held[i] if len(held) > 1 else area
                sums[column] = sums.get(column, 0.0) + own * np.nan_to_num(value)
                areas[column] = areas.get(column, 0.0) + own
    weights = {name: areas.get(name, total) for name in sums}
    return {name: sums[name] / np.where(weights[name] > 0, weights[name], 1.0) for name in sums}


def _held(case: Case) -> list[tuple[Part, Ints]]:
    """Return each part with the sides where its condition holds: of all periodic ones once, those of partners too."""
    periodic = [(part, part.condition) for part in case.parts if isinstance(part.condition, Periodic)]
    held = [(part, part.sides) for part in case.parts if not isinstance(part.condition, Periodic)]
    if not periodic:
        return held
    sides = [own for part, condition in periodic for own in (part.sides, case.mesh.sides(condition.partner))]
    return [*held, (periodic[0][0], np.unique(np.concatenate(sides), axis=0))]


def _part_values(case: Case, part: Part, scaling: Scaling) -> Columns:
    """{value: (N, *shape)}; an exchange enters as log(1 + Bi), its surroundings' level as Bi/(1 + Bi) u_a."""
    values = {n: scaling.apply(f"{part.condition.key}.{n}", on_nodes(case, part, n)) for n in part.values}
    if "coefficient" in values:
        biot = values["coefficient"]
        level = values["ambient"]
        share = (biot / (1 + biot)).reshape(-1, *(1 for _ in level.shape[1:]))
        values = {"coefficient": np.log1p(biot), "ambient": level * share}
    return values


def edges_on(mesh: Mesh, sides: Ints) -> Ints:
    """Return (2, E) both ways the edges of `sides`, between positions in `mesh.nodes(sides)`."""
    edges = [points[:, np.asarray(kind.edges)].reshape(-1, 2) for kind, _, points in mesh.facets(sides) if kind.edges]
    pairs = unique_rows(np.sort(np.concatenate([np.empty((0, 2), np.int64), *edges]), axis=1))
    return directed(np.searchsorted(mesh.nodes(sides), pairs))


def point_normals(mesh: Mesh, sides: Ints) -> tuple[Floats, Floats]:
    """Return (N, d) the unit mean normal and (N,) the area that each point has of `sides`; zeros off them."""
    _, normals, areas = mesh.side_geometry(sides)
    vector, weight = np.zeros((mesh.num_points, mesh.space_dim)), np.zeros(mesh.num_points)
    for kind, at, points in mesh.facets(sides):
        shares = areas[at][:, None] * np.asarray(kind.shares)
        weight += np.bincount(points.ravel(), shares.ravel(), mesh.num_points)
        for axis in range(mesh.space_dim):
            vector[:, axis] += np.bincount(
                points.ravel(), (shares * normals[at, axis][:, None]).ravel(), mesh.num_points
            )
    size = np.linalg.norm(vector, axis=1, keepdims=True)
    return vector / np.where(size > 0, size, 1.0), weight
