"""The Fourier neural operator, through a latent grid."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.nn import MLP, LatentGrid, Linear, SpectralConv, node_features, node_width
from meshops.operators.base import Operator, OperatorError

LEAST = 4  # points a side: two of them are margin
IN_3D = 8  # modes at most in three dimensions, as published: a layer has width² (2 modes)^d/2 complex weights


class FNO(Operator):
    """From the mesh to a regular grid by an integral, Fourier layers there, and back by an integral.

        v_i = MLP(features of i)
        to the grid    v_g = Σ_i w_gi κ(x_i - x_g) ⊙ v_i / Σ_i w_gi, and log(1 + Σ_i w_gi): where the domain is
        on the grid    v ← gelu(F⁻¹(R F v) + W v), `layers` times, the last without gelu;
                       R on the lowest `modes` frequencies only
        from the grid  u_i = MLP(Σ_g λ_gi κ'(x_i - x_g) ⊙ v_g)

    Shapes: v_i (N, width), v_g (B, width, resolution^d), R (width, width, 2 modes, ..., modes). The grid is a cube
    about each graph, with a margin, so that what wraps around lies outside. Nodes and grid points are neighbours where
    a node lies in a cell of the point, w is mass times the multilinear weight λ, and κ multiplies channels: no search,
    and continuous as nodes move. It sees positions relative to the grid only.

    As GINO (arXiv 2309.00583), but with neighbours by cell where that has balls of a radius, with the domain's density
    on the grid where that has the distance to its surface, and 32 points a side where that has 64. In 3-D at most 8
    modes.
    """

    name: ClassVar[str] = "fno"
    reference: ClassVar[str] = "arXiv 2010.08895; arXiv 2309.00583"
    cost: ClassVar[str] = "O(N + resolution^d)"
    invariances: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(
        self, schema: Schema, *, width: int = 32, layers: int = 4, modes: int = 12, resolution: int = 32
    ) -> None:
        """`resolution` is that of the grid. Raises `OperatorError` below 4, and for more modes than half of it."""
        super().__init__(schema)
        if resolution < LEAST:
            raise OperatorError(f"resolution is {resolution}; expected at least {LEAST}, for a cell within the margin.")
        modes = min(modes, IN_3D) if schema.dim == 3 else modes
        if 2 * modes > resolution:
            raise OperatorError(f"{modes} modes at resolution {resolution}; expected at most half the resolution.")
        self.resolution = resolution
        self.encode = MLP(node_width(schema), width, width, activation=nn.GELU)
        self.to_grid = MLP(schema.dim, width, width, activation=nn.GELU)
        self.lift = Linear(width + 1, width)
        self.spectral = nn.ModuleList(SpectralConv(width, schema.dim, modes) for _ in range(layers))
        self.local = nn.ModuleList(Linear(width, width) for _ in range(layers))
        self.from_grid = MLP(schema.dim, width, width, activation=nn.GELU)
        self.decode = MLP(width, 4 * width, len(schema.y), activation=nn.GELU)

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        grid = LatentGrid.around(graph.pos, graph.mass, graph.graph_of_node, graph.size, self.resolution)
        rows = self.encode(node_features(graph, self.schema))
        v = _channels(self.lift, torch.cat(grid.gather(self.to_grid(grid.offset), rows), 1))
        for number, (spectral, local) in enumerate(zip(self.spectral, self.local, strict=True), start=1):
            v = spectral(v) + _channels(local, v)
            v = nn.functional.gelu(v) if number < len(self.local) else v
        return self.decode(grid.spread(self.from_grid(grid.offset), v))


def _channels(layer: nn.Module, v: Tensor) -> Tensor:
    """Apply a linear layer to the channels of (B, C, ...)."""
    return layer(v.movedim(1, -1)).movedim(-1, 1)
