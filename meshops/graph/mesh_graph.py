"""`MeshGraph`: the graph of a case, one for every operator."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data


@dataclass(frozen=True)
class Level:
    """A coarser graph. `cluster` (n_finer,) is the node of this level that each node of the finer one belongs to."""

    cluster: Tensor
    pos: Tensor
    mass: Tensor
    edge_index: Tensor

    @property
    def num_nodes(self) -> int:
        """Number of nodes of this level."""
        return self.pos.shape[0]


class MeshGraph(Data):
    """The graph of a dimensionless case. N nodes, E directed edges, M boundary nodes, d dimensions, B graphs.

    | field | shape | meaning |
    | --- | --- | --- |
    | pos | N d | coordinates, centred and divided by the characteristic length |
    | edge_index | 2 E | both directions of each mesh edge, sorted by target (row 1), then source (row 0); also those \
between images of one point on periodic sides |
    | x | N C_in | source and coefficients, as the schema names them |
    | y | N C_out | the reference field, where known |
    | mass | N | lumped quadrature weight, summing to the measure in units of length^d |
    | boundary_index | M | nodes on the outer boundary, and on inner sides with conditions, ascending |
    | boundary_x | M C_b | conditions, outward normal, weight, as the schema names them |
    | boundary_mass | M | size of the boundary about each of its nodes, in units of length^(d-1); `weight` as it was |
    | boundary_edge_index | 2 E_b | edges of these facets, both directions, as positions in `boundary_index` |
    | image_index | 2 I | nodes, and the nodes whose values they have: where conditions may be periodic |
    | fixed, fixed_value | N C_out | where essential conditions hold (bool), and their values |
    | theta | B P | global parameters |
    | cluster_l, pos_l, mass_l, edge_index_l | | level l = 1, 2, ...; see `levels` |

    Every field is a tensor, so that graphs batch with torch_geometric's loaders and store as they are.
    """

    @property
    def levels(self) -> tuple[Level, ...]:
        """The coarser graphs, finest first."""
        found: list[Level] = []
        while f"cluster_{len(found) + 1}" in self:
            names = (f"{name}_{len(found) + 1}" for name in ("cluster", "pos", "mass", "edge_index"))
            found.append(Level(*(self[name] for name in names)))
        return tuple(found)

    @property
    def graph_of_node(self) -> Tensor:
        """(N,) the graph in the batch that each node belongs to; zeros for a single graph."""
        batch = self.get("batch")
        return self.edge_index.new_zeros(self.pos.shape[0]) if batch is None else batch

    @property
    def joins_images(self) -> Tensor:
        """(E,) whether an edge is between images of one point: its length says nothing then."""
        images, own = self.get("image_index"), torch.arange(self.pos.shape[0], device=self.pos.device)
        if images is not None:
            own = own.index_copy(0, images[0], images[1])
        source, target = own[self.edge_index]
        return source == target

    @property
    def size(self) -> int:
        """Number of graphs, B."""
        return self.theta.shape[0]

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return by how much an index grows from one graph of a batch to the next."""
        if key.startswith("cluster_"):
            return self[f"pos_{key.removeprefix('cluster_')}"].shape[0]
        if key.startswith("edge_index_"):
            return self[f"pos_{key.removeprefix('edge_index_')}"].shape[0]
        if key == "boundary_edge_index":
            return self.boundary_index.shape[0]
        if key in ("edge_index", "boundary_index", "image_index"):
            return self.pos.shape[0]
        return 0

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Index pairs are joined along their second dimension, everything else along the first."""
        return 1 if "edge_index" in key or key == "image_index" else 0

    def double(self) -> MeshGraph:
        """Return the graph with every floating-point field in float64; this one stays as it is."""
        return copy(self).apply(lambda t: t.double() if t.is_floating_point() else t)


def coarse_batch(batch: Tensor, levels: tuple[Level, ...]) -> list[Tensor]:
    """Return, for the nodes of each level, the graph that they belong to."""
    found = []
    for level in levels:
        batch = torch.zeros_like(level.mass, dtype=torch.long).scatter_(0, level.cluster, batch)
        found.append(batch)
    return found
