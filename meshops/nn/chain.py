"""Layers one after another on a block of rows, differentiated by hand: what a block needs stays in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from meshops.nn.products import Linear, add_sums, times

HELD = 2**17  # rows up to which the backward pass is given what the forward pass found; above, it finds it again
aten = torch.ops.aten


def by_blocks(rows: Tensor) -> bool:
    """Return whether blocks pay: on a CPU, and where neither a compiler nor mixed precision has its own ways."""
    return rows.device.type == "cpu" and not (torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"))


class Chain:
    """`Linear`, `ReLU`, `SiLU` and `LayerNorm` modules as one function of rows (n, C) and their weights.

    `forward` returns the rows and, for each layer, what `backward` takes; `backward` returns the gradient of the rows
    it was given and adds those of the weights to `found`, as zeros at first. Both may overwrite the rows given to them.
    What a SiLU gives a linear layer is not held but computed again, which is as quick as to write and read it.
    """

    def __init__(self, layers: nn.Module) -> None:
        """Take the layers within `layers`, in their order; raises `KeyError` for one of another kind."""
        self.layers = _leaves(layers)
        self.rules = [_RULES[type(layer)](layer) for layer in self.layers]
        behind = (isinstance(a, _SiLU) and isinstance(b, _Linear) for a, b in pairwise(self.rules))
        self.again = [False, *behind]  # for each layer, whether what it was given is computed again

    @staticmethod
    def takes(layers: nn.Module) -> bool:
        """Return whether all layers within `layers` are of such kinds."""
        return all(type(layer) in _RULES for layer in _leaves(layers))

    @property
    def weights(self) -> list[Tensor]:
        """The parameters, layer by layer."""
        return [p for layer in self.layers for p in layer.parameters()]

    def forward(self, rows: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, list[list[Tensor]]]:
        """Return the result and what each layer holds."""
        held = []
        for rule, again, own in zip(self.rules, self.again, self._split(weights), strict=True):
            given = [] if again else [rows]
            rows, more = rule.forward(rows, *own)
            held.append(given + more)
        return rows, held

    def backward(
        self, grad: Tensor, held: list[list[Tensor]], weights: Sequence[Tensor], found: Sequence[Tensor]
    ) -> Tensor:
        """Return the gradient of the rows; add those of the weights to `found`."""
        own, totals = list(self._split(weights)), list(self._split(found))
        for i in reversed(range(len(self.rules))):
            given = [nn.functional.silu(held[i - 1][0])] if self.again[i] else []
            grad = self.rules[i].backward(grad, given + held[i], own[i], totals[i])
        return grad

    def _split(self, weights: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
        """Yield the part of each layer."""
        start = 0
        for layer in self.layers:
            stop = start + len(list(layer.parameters()))
            yield weights[start:stop]
            start = stop


class _Rule:
    """How one layer goes forward and back.

    `forward` returns the result and what `backward` needs besides the rows given, which come first in its `held`.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        raise NotImplementedError

    def backward(self, grad: Tensor, held: list[Tensor], weights: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError


class _Linear(_Rule):
    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        return times(x, weights[0].t(), *weights[1:]), []

    def backward(self, grad: Tensor, held: list[Tensor], weights: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
        add_sums(found[0], grad, held[0])
        for bias in found[1:]:
            bias += grad.sum(0)
        return times(grad, weights[0])


class _ReLU(_Rule):
    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        return x.relu_(), []

    def backward(self, grad: Tensor, held: list[Tensor], weights: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
        return aten.threshold_backward(grad, held[0], 0, grad_input=grad)


class _SiLU(_Rule):
    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        return nn.functional.silu(x), []

    def backward(self, grad: Tensor, held: list[Tensor], weights: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
        return aten.silu_backward(grad, held[0], grad_input=grad)


class _LayerNorm(_Rule):
    layer: nn.LayerNorm

    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        y, mean, scale = aten.native_layer_norm(x, self.layer.normalized_shape, *weights, self.layer.eps)
        return y, [mean, scale]

    def backward(self, grad: Tensor, held: list[Tensor], weights: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
        x, mean, scale = held
        given = (grad, x, list(self.layer.normalized_shape), mean, scale, *weights, [True, True, True])
        grad, *own = aten.native_layer_norm_backward(*given)
        for total, part in zip(found, own, strict=True):
            total += part
        return grad


def _leaves(layers: nn.Module) -> list[nn.Module]:
    return [layer for layer in layers.modules() if not list(layer.children())]


_RULES: dict[type[nn.Module], type[_Rule]] = {
    nn.Linear: _Linear,
    Linear: _Linear,
    nn.ReLU: _ReLU,
    nn.SiLU: _SiLU,
    nn.LayerNorm: _LayerNorm,
}
