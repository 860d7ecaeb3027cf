"""Graphs of real cases with mixed conditions, and what the laws do to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from geometries.conditions import Dirichlet, Neumann, Robin
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from meshops.data.imports.base import Fields
from meshops.equations import EQUATIONS, Case, solve
from meshops.graph import MeshGraph, Schema, build_graph, schema_of
from meshops.operators import Operator, build, options_of

SMALL = {  # what an operator takes of these
    "width": 16, "steps": 2, "cycles": 2, "layers": 1, "heads": 2, "experts": 2, "slices": 8, "basis": 16, "rank": 8,
    "kernel": 8, "resolution": 8, "modes": 3, "code": 8, "depth": 3,
}  # fmt: skip


def small(name: str, given: int | Schema, **sizes: int) -> Operator:
    """The operator `name` at a small size, for heat in so many dimensions or a schema, the same weights each time."""
    options = {k: v for k, v in (SMALL | sizes).items() if k in options_of(name)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(name, schema(given) if isinstance(given, int) else given, options)


def schema(dim: int) -> Schema:
    return schema_of(EQUATIONS["heat"], dim)


def wide_schema(dim: int) -> Schema:
    """Heat's, with three fields and two parameters."""
    return replace(schema(dim), y=("u", "v", "w"), theta=("a", "b"))


def wide(graph: MeshGraph, *theta: float) -> MeshGraph:
    """The graph with three fields, fixed at different places, and two parameters."""
    graph = graph.clone()
    graph.theta = graph.pos.new_tensor([theta])
    graph.y = torch.cat([graph.y, graph.y + 1, 2 * graph.y], 1)
    graph.fixed = torch.cat([graph.fixed, ~graph.fixed, torch.zeros_like(graph.fixed)], 1)
    graph.fixed_value = torch.where(graph.fixed, graph.y, torch.zeros_like(graph.y))
    return graph


def mixed_case(*shape: int, cell: str = "", source: str = "1 + sin(5*x)") -> Case:
    """Heat on a grid: fixed on the left, exchange on the right, flux on top (from 2-D on), insulated elsewhere."""
    conditions = {"left": Dirichlet("3 + x"), "right": Robin("2 + x", 5.0)}
    if len(shape) > 1:
        conditions = {"left": Dirichlet("3 + y"), "right": Robin("2 + y", 5.0), "top": Neumann("x")}
    mesh = Grid(shape=shape, cell=cell).mesh()
    return Case(mesh, EQUATIONS["heat"], conditions=conditions, source=source, coefficients={"conductivity": "1 + x/2"})


def mixed_graph(*shape: int, cell: str = "", dtype: torch.dtype = torch.float32) -> MeshGraph:
    case = mixed_case(*shape, cell=cell)
    return numbered(build_graph(case, solve(case), dtype))


def surface_graph(*shape: int, dtype: torch.dtype = torch.float32) -> MeshGraph:
    """The graph of a curved sheet in 3-D, without a solution."""
    flat = mixed_case(*shape)
    points = np.column_stack([flat.mesh.points, np.sin(2 * flat.mesh.points[:, 0])])
    sheet = Mesh(points=points, cells=flat.mesh.cells, boundaries=flat.mesh.boundaries)
    return numbered(build_graph(replace(flat, mesh=sheet), dtype=dtype))


def imported_fields(*shape: int) -> Fields:
    """Fields of another program, of no equation: outputs alone, as of VTK files."""
    mesh = Grid(shape=shape).mesh()
    return Fields(mesh, {}, {"pressure": mesh.points[:, :1], "velocity": mesh.points})


def numbered(graph: MeshGraph) -> MeshGraph:
    """The graph as if its problem were nonlinear, with numbers that are not 0."""
    graph.theta = graph.pos.new_tensor([[0.7, -0.4]])
    return graph


def renumbered(case: Case, order: np.ndarray) -> Case:
    """The case on a mesh whose point i is the old point order[i]."""
    place = np.argsort(order)
    mesh = case.mesh
    return replace(
        case, mesh=replace(mesh, points=mesh.points[order], cells={k: place[c] for k, c in mesh.cells.items()})
    )


def permuted(graph: MeshGraph, order: torch.Tensor) -> MeshGraph:
    """The same graph with its old node `order[i]` as node i, and the nodes of each level reversed."""
    new = torch.argsort(order)
    surface, at = new[graph.boundary_index].sort()
    nodal = ("pos", "x", "y", "mass", "fixed", "fixed_value")
    fields = {k: graph[k][order] for k in nodal if k in graph}
    fields |= {"theta": graph.theta, "boundary_index": surface, "boundary_x": graph.boundary_x[at]}
    fields |= {"boundary_mass": graph.boundary_mass[at], "image_index": new[graph.image_index]}
    fields["edge_index"] = by_target(new[graph.edge_index])
    fields["boundary_edge_index"] = by_target(torch.argsort(at)[graph.boundary_edge_index])
    for number, level in enumerate(graph.levels, start=1):
        back = torch.arange(level.num_nodes).flip(0)
        fields[f"cluster_{number}"] = back[level.cluster[order]]
        fields |= {f"pos_{number}": level.pos[back], f"mass_{number}": level.mass[back]}
        fields[f"edge_index_{number}"] = by_target(back[level.edge_index])
        order = back
    return MeshGraph(**fields)


def by_target(edge_index: torch.Tensor) -> torch.Tensor:
    source, target = edge_index
    return edge_index[:, torch.argsort(target * 10**6 + source)]


def with_edges_shuffled(graph: MeshGraph) -> MeshGraph:
    graph = graph.clone()
    for key in [k for k in graph.keys() if "edge_index" in k]:  # noqa: SIM118  (Data iterates over pairs)
        edges = graph[key]
        graph[key] = edges[:, torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(0))]
    return graph


def moved(graph: MeshGraph, by: float) -> MeshGraph:
    graph = graph.clone()
    for key in [k for k in graph.keys() if k.startswith("pos")]:  # noqa: SIM118
        graph[key] = graph[key] + by
    return graph
