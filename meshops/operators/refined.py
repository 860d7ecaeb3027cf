"""An operator with one more linear map of its last features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph
from meshops.nn import Linear
from meshops.operators.base import Operator, OperatorError


class Refined(Operator):
    """u = inner(graph) + W φ(graph), φ (N, F) what the inner operator's `head` is last given, W from least squares.

    The last layer's fine-tuning of Spectral-Refiner (arXiv 2405.17211), as a map beside the layer: where a layer is
    used several times, as in cycles with the same weights, only its last use is refined. W begins at zero, so that
    nothing changes until it is found. Differs from the paper: for all samples at once, not for each answer.
    """

    name: ClassVar[str] = "refined"
    reference: ClassVar[str] = "arXiv 2405.17211"
    cost: ClassVar[str] = "that of the operator"

    def __init__(self, inner: Operator) -> None:
        """Refine `inner`. Raises `OperatorError` where it has no such layer."""
        super().__init__(inner.schema)
        self.inner = inner.requires_grad_(False)
        head = inner.head
        self.correction = Linear(head.in_features, head.out_features, bias=head.bias is not None)
        nn.init.zeros_(self.correction.weight)
        if head.bias is not None:
            nn.init.zeros_(self.correction.bias)

    @property
    def head(self) -> nn.Linear:
        """The inner operator's."""
        return self.inner.head

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        found, rows = self._run(graph)
        return found + self.correction(rows)

    @torch.no_grad()
    def parts(self, graph: MeshGraph) -> tuple[Tensor, Tensor]:
        """Return (N, C) the inner operator's fields, and (N, C, m) those that the m parameters of W add.

        The parameters are in the order of `set_correction`.
        """
        found, rows = self._run(graph)
        if self.correction.bias is not None:
            rows = torch.cat([rows, torch.ones_like(rows[:, :1])], 1)
        each = torch.eye(self.correction.out_features).to(rows)
        return found, torch.einsum("nf,cd->ncdf", rows, each).flatten(2)

    @torch.no_grad()
    def set_correction(self, weights: Tensor) -> None:
        """Take (m,) parameters: of each component its weights, then its bias."""
        layer = self.correction
        table = weights.reshape(layer.out_features, -1)
        layer.weight.copy_(table[:, : layer.in_features])
        if layer.bias is not None:
            layer.bias.copy_(table[:, -1])

    def _run(self, graph: MeshGraph) -> tuple[Tensor, Tensor]:
        """Return the inner operator's fields, and what its head was last given."""
        with _given(self.head) as seen:
            found = self.inner.predict(graph)
        if not seen or seen[-1].ndim != 2 or len(seen[-1]) != len(graph.pos):
            raise OperatorError(f"the last layer of {self.inner.name} is not given one row a node; it is not refined.")
        return found, seen[-1]


@contextmanager
def _given(layer: nn.Module) -> Iterator[list[Any]]:
    """Yield a list that gets what `layer` is given, call by call."""
    seen: list[Any] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()
