"""From a case to its `MeshGraph`: everything dimensionless, by the equation's own scaling."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from geometries.conditions import Robin
from geometries.mesh import Mesh
from meshops.equations import Case, Scaling, Solution
from meshops.equations.case import Part, on_nodes
from meshops.graph.levels import coarsen, directed
from meshops.graph.mesh_graph import MeshGraph
from meshops.graph.schema import schema_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def build_graph(case: Case, solution: Solution | None = None, dtype: torch.dtype = torch.float32) -> MeshGraph:
    """Return the graph of `case`; with `solution`, its field becomes `y`.

    Positive coefficients enter `x` as logarithms. A Robin condition enters as log(1 + Bi) and as Bi/(1 + Bi) u_a, so
    that a strong exchange looks like the Dirichlet condition that it tends to. `mass` is that of `case.mesh` in units
    of length^d.
    """
    mesh, scaling = case.mesh, case.equation.scaling(case)
    pos = (mesh.points - np.asarray(scaling.center)) / scaling.length
    mass = mesh.mass / scaling.length**mesh.dim
    edge_index = directed(mesh.edges)
    arrays = {"pos": pos, "edge_index": edge_index, "mass": mass, "x": _node_features(case, scaling)}
    arrays |= _boundary(case, scaling) | _fixed(case, scaling) | {"theta": np.zeros((1, 0))}
    for number, level in enumerate(coarsen(pos, mass, edge_index), start=1):
        arrays |= {f"{name}_{number}": getattr(level, name) for name in ("cluster", "pos", "mass", "edge_index")}
    if solution is not None:
        arrays["y"] = scaling.apply(case.equation.field, solution.values)[:, None]
    return to_graph(arrays, dtype)


def to_graph(arrays: dict[str, NDArray[np.generic]], dtype: torch.dtype = torch.float32) -> MeshGraph:
    """Return a graph of numpy arrays: floats as `dtype`, integers and booleans as they are."""
    tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()}
    return MeshGraph(**{k: t.to(dtype) if t.is_floating_point() else t for k, t in tensors.items()})


def _node_features(case: Case, scaling: Scaling) -> Floats:
    columns = [scaling.apply("source", case.nodal("source"))]
    for info in case.equation.coefficients:
        values = scaling.apply(info.name, case.nodal(info.name))
        columns.append(np.log(values) if info.positive else values)
    return np.stack(columns, axis=1)


def _fixed(case: Case, scaling: Scaling) -> dict[str, NDArray[np.generic]]:
    fixed = ~np.isnan(case.fixed)
    value = np.where(fixed, scaling.apply(case.equation.field, case.fixed), 0.0)
    return {"fixed": fixed[:, None], "fixed_value": value[:, None]}


def _boundary(case: Case, scaling: Scaling) -> dict[str, NDArray[np.generic]]:
    mesh, outer = case.mesh, case.mesh.outer
    nodes = mesh.nodes(outer)
    place = np.full(mesh.num_points, -1)
    place[nodes] = np.arange(len(nodes))
    columns = _conditions(case, scaling)
    normal, weight = _normals(mesh, outer)
    names = schema_of(case.equation, mesh.space_dim).boundary_x
    columns |= {f"normal.{axis}": normal[:, i] for i, axis in enumerate("xyz"[: mesh.space_dim])}
    columns["weight"] = weight / scaling.length ** (mesh.dim - 1)
    edges = [points[:, np.asarray(kind.edges)].reshape(-1, 2) for kind, _, points in mesh.facets(outer) if kind.edges]
    pairs = np.unique(np.sort(np.concatenate([np.empty((0, 2), np.int64), *edges]), axis=1), axis=0)
    return {
        "boundary_index": nodes,
        "boundary_x": np.stack([columns[n][nodes] for n in names], axis=1),
        "boundary_edge_index": place[directed(pairs)],
    }


def _conditions(case: Case, scaling: Scaling) -> dict[str, Floats]:
    """Return {column: (N,)}: the share of a point's boundary area that each kind holds, and its dimensionless values.

    Where two parts of one kind meet at a point, their values are averaged by area.
    """
    mesh = case.mesh
    names = schema_of(case.equation, mesh.space_dim).boundary_x
    columns = {name: np.zeros(mesh.num_points) for name in names}
    _, total = _normals(mesh, mesh.outer)
    held = {kind: np.zeros(mesh.num_points) for kind in columns}
    for part in case.parts:
        kind = part.condition.key
        _, area = _normals(mesh, part.sides)
        held[kind] += area
        for name, values in _part_values(mesh, part, scaling).items():
            columns[f"{kind}.{name}"] += area * np.nan_to_num(values)
    for name in names:
        kind = name.split(".")[0]
        if kind in held and "." in name:
            columns[name] /= np.where(held[kind] > 0, held[kind], 1.0)
        elif kind in held:
            columns[name] = held[kind] / np.where(total > 0, total, 1.0)
    return columns


def _part_values(mesh: Mesh, part: Part, scaling: Scaling) -> dict[str, Floats]:
    values = {n: scaling.apply(f"{part.condition.key}.{n}", on_nodes(mesh, part, n)) for n in part.values}
    if isinstance(part.condition, Robin):
        biot = values["coefficient"]
        values = {"coefficient": np.log1p(biot), "ambient": values["ambient"] * biot / (1 + biot)}
    return values


def _normals(mesh: Mesh, sides: Ints) -> tuple[Floats, Floats]:
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
