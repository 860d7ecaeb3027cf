"""Inputs that operators share: node features with the boundary's scattered in, and relative edge features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from meshops.graph import MeshGraph, Schema, gather, segment_mean


def node_width(schema: Schema) -> int:
    """Number of columns of `node_features`."""
    return len(schema.x) + len(schema.boundary_x) + len(schema.theta) + 2 + held_width(schema)


def held_width(schema: Schema) -> int:
    """Number of columns of values that are held at each time: `boundary_x` has those of the start alone."""
    return len(schema.y) if schema.times else 0


def node_features(graph: MeshGraph, schema: Schema) -> Tensor:
    """Return (N, node_width): `x`, `boundary_x` and a flag on boundary nodes and 0 inside, log of mass, `theta`.

    Of problems in time also the held values at each output time, 0 elsewhere.
    """
    ones = graph.boundary_x.new_ones(graph.boundary_x.shape[0], 1)
    boundary = _on_boundary(graph, torch.cat([graph.boundary_x, ones], dim=1))
    held = graph.fixed_value[:, : held_width(schema)]
    return torch.cat([graph.x, boundary, log_mass(graph.mass), theta_of_nodes(graph), held], dim=1)


@dataclass(frozen=True)
class Columns:
    """Places of the columns of `x` and `boundary_x` that are a problem's data, and of those that say what it is.

    `data` and `problem` count the columns of `data_features` without the essential values, and of `problem_features`.
    """

    x_data: list[int]
    x_problem: list[int]
    boundary_data: list[int]
    boundary_problem: list[int]
    others: int

    @classmethod
    def of(cls, schema: Schema) -> Columns:
        """Sort the columns of `schema`."""
        x, boundary = ([name in schema.data for name in names] for names in (schema.x, schema.boundary_x))
        places = ([i for i, is_data in enumerate(x) if is_data], [i for i, is_data in enumerate(x) if not is_data])
        edge = ([i for i, d in enumerate(boundary) if d], [i for i, d in enumerate(boundary) if not d])
        return cls(*places, *edge, 2 + len(schema.y) + len(schema.theta))

    @property
    def data(self) -> int:
        """Number of data columns."""
        return len(self.x_data) + len(self.boundary_data)

    @property
    def problem(self) -> int:
        """Number of columns of `problem_features`."""
        return len(self.x_problem) + len(self.boundary_problem) + self.others


def data_features(graph: MeshGraph, columns: Columns) -> Tensor:
    """Return (N, data + C) the data columns, 0 where the boundary's are not, and the essential values."""
    values = graph.boundary_x[:, columns.boundary_data]
    return torch.cat([graph.x[:, columns.x_data], _on_boundary(graph, values), graph.fixed_value], dim=1)


def problem_features(graph: MeshGraph, columns: Columns) -> Tensor:
    """Return (N, problem) the other columns, a flag on boundary nodes, log of mass, where values are held, `theta`."""
    ones = graph.boundary_x.new_ones(graph.boundary_x.shape[0], 1)
    boundary = torch.cat([graph.boundary_x[:, columns.boundary_problem], ones], dim=1)
    return torch.cat(
        [
            graph.x[:, columns.x_problem],
            _on_boundary(graph, boundary),
            log_mass(graph.mass),
            graph.fixed.to(graph.x.dtype),
            theta_of_nodes(graph),
        ],
        dim=1,
    )


def centered(graph: MeshGraph) -> Tensor:
    """Return (N, d) positions about each graph's center of mass: where a node is, whatever the origin."""
    batch = graph.graph_of_node
    return graph.pos - gather(segment_mean(graph.pos, batch, graph.size, graph.mass), batch)


def _on_boundary(graph: MeshGraph, rows: Tensor) -> Tensor:
    """Return (N, c) rows (M, c) at the boundary's nodes and 0 inside."""
    return graph.x.new_zeros(graph.x.shape[0], rows.shape[1]).index_copy(0, graph.boundary_index, rows)


def theta_of_nodes(graph: MeshGraph) -> Tensor:
    """Return (N, P) `theta` of each node's graph."""
    return gather(graph.theta, graph.graph_of_node)


def log_mass(mass: Tensor) -> Tensor:
    """Return (N, 1) logarithms of the masses, about -1 to 1 on meshes of a thousand nodes."""
    return (mass.clamp_min(1e-12).log()[:, None] + 6.0) / 3.0


def edge_width(dim: int) -> int:
    """Number of columns of `edge_features`."""
    return 2 * dim + 1


def edge_features(pos: Tensor, edge_index: Tensor) -> Tensor:
    """Return (E, 2 d + 1): x_source - x_target, its direction, and the log of its length; translation invariant."""
    gap = pos.index_select(0, edge_index[0]) - pos.index_select(0, edge_index[1])
    return relative(gap)


def relative(gap: Tensor) -> Tensor:
    """Return (n, 2 d + 1) the vector, its direction and the log of its length, of (n, d) vectors."""
    length = gap.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return torch.cat([gap, gap / length, (length.log() + 2.0) / 2.0], dim=1)
