"""Two operators as one: the second learns what the first leaves."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema
from meshops.operators.base import Normal, Operator


class Boosted(Operator):
    """u = first(graph) + scale g ⊙ second(graph), the first one trained before and left as it is.

    g, a number for each column, is learned from 0 on (arXiv 2003.04887): the sum begins as the first operator, where a
    random second would have to unlearn itself.

    Boosting after SpecBoost (arXiv 2404.07200): the first operator's error has the frequencies that it does not learn,
    at a `scale` that hides them from its loss; the second has them at order one. Differs from the paper: any two
    operators on meshes, and any loss of the sum, so labels are not needed for its residual.
    """

    name: ClassVar[str] = "boosted"
    reference: ClassVar[str] = "arXiv 2404.07200"
    cost: ClassVar[str] = "that of both"

    def __init__(self, schema: Schema, first: Operator, second: Operator, *, scale: float) -> None:
        """Put two operators for `schema` together; `scale` is about the first one's relative error."""
        super().__init__(schema)
        self.first, self.second, self.scale = first.requires_grad_(False), second, scale
        self.gain = nn.Parameter(torch.zeros(len(schema.y)))

    @property
    def head(self) -> nn.Linear:
        """That of the second."""
        return self.second.head

    @property
    def pieces(self) -> list[nn.Module]:
        """Those of the second: the first is not trained."""
        return self.second.pieces

    def prepare(self, normal: Normal) -> None:
        """Prepare the second; the first comes prepared, for the same normalization."""
        self.second.prepare(normal)

    def train(self, mode: bool = True) -> Boosted:
        """Set the mode of the second; the first stays in evaluation."""
        super().train(mode)
        self.first.eval()
        return self

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        with torch.no_grad():
            found = self.first(graph)
        return found + self.scale * self.gain * self.second.predict(graph)
