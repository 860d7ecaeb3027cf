"""CORAL: neural fields with codes found by gradient descent."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

import torch
from torch import Tensor, nn

from meshops.graph import MeshGraph, Schema, gather
from meshops.nn import MLP, Linear, node_features, node_width, share
from meshops.operators.base import Operator

FREQUENCY = 10.0  # ω of the sines
RATE = 0.1  # of the descent, to begin with


class Coral(Operator):
    """Two neural fields that share their weights over all samples; a sample is a code in each, and codes map to codes.

        encode  z ← z - α s / max(1, |s|), s = ∂/∂z Σ_i m_i |f(x_i; z) - a_i|² / (K Σ m), `steps` times from z = 0, for
                the K features a
        map     z' = z + MLP(z, theta)
        decode  u_i = g(x_i; z')
        f, g:   h ← sin(ω (W_l h + b_l + V_l z)), `layers` times from h = x, then a linear layer

    Shapes: z (B, code), α (code,), h (N, width). The code is found from the input at any nodes, on any mesh, and the
    answer can be read anywhere. The descent is part of the forward pass and is differentiated through, in the
    evaluation too, where only its first derivative is needed.

    Differs from the paper: it trains in stages (both fields by meta-learning, each to reconstruct its own function,
    then the map between their frozen codes), here everything is trained at once on the error of the answer, so that g
    needs no codes found by descent; α is learned for each channel (it starts at 0.1); the fit is by mass; slopes are
    shortened to 1, without which training can end in gradients that are not finite. The input is the field of node
    features, the conditions scattered to boundary nodes, and 0 inside.
    """

    name: ClassVar[str] = "coral"
    reference: ClassVar[str] = "arXiv 2306.07266"
    cost: ClassVar[str] = "O(N)"

    def __init__(self, schema: Schema, *, width: int = 128, layers: int = 4, code: int = 128, steps: int = 3) -> None:
        """`layers` is that of each field, `code` the size of z, `steps` the number of steps of the descent."""
        super().__init__(schema)
        self.steps = steps
        self.input = ModulatedSiren(schema.dim, node_width(schema), width=width, layers=layers, code=code)
        self.output = ModulatedSiren(schema.dim, len(schema.y), width=width, layers=layers, code=code)
        self.rate = nn.Parameter(torch.full((code,), RATE))
        self.map = MLP(code + len(schema.theta), width, width, code)

    @property
    def head(self) -> nn.Linear:
        """The last layer of the output's field."""
        return self.output.out

    def predict(self, graph: MeshGraph) -> Tensor:
        """Return (N, C_out)."""
        code = self.encode(graph)
        code = code + self.map(torch.cat([code, graph.theta], 1))
        return self.output(graph.pos, code, graph.graph_of_node)

    @torch.compiler.disable
    def encode(self, graph: MeshGraph) -> Tensor:
        """Return the codes (B, code) of the features of each graph."""
        wanted = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.enable_grad():  # the descent needs gradients in every mode
            given = (node_features(graph, self.schema), graph.pos, graph.graph_of_node)
            features, pos, batch = (t.clone() for t in given)
            weight = share(graph.mass.clone(), batch, graph.size)[:, None] / features.shape[1]
            code = pos.new_zeros(graph.size, len(self.rate), requires_grad=True)
            for _ in range(self.steps):
                loss = (weight * (self.input(pos, code, batch) - features).square()).sum()
                (slope,) = torch.autograd.grad(loss, code, create_graph=wanted)
                code = code - self.rate * slope / slope.norm(dim=1, keepdim=True).clamp_min(1.0)
                code = code if wanted else code.detach().requires_grad_()
        return code


class ModulatedSiren(nn.Module):
    """h ← sin(ω (W_l h + b_l + V_l z)), then a linear layer: sines (arXiv 2006.09661) shifted by a code z."""

    def __init__(self, dim: int, out: int, *, width: int, layers: int, code: int) -> None:
        """`layers` is the number of sines."""
        super().__init__()
        self.layers = nn.ModuleList(Linear(width if i else dim, width) for i in range(layers))
        self.shift = Linear(code, layers * width, bias=False)
        self.out = Linear(width, out)
        for i, layer in enumerate(self.layers):
            bound = sqrt(6 / width) / FREQUENCY if i else 1 / dim
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, pos: Tensor, code: Tensor, batch: Tensor) -> Tensor:
        """Return (n, out) at pos (n, dim), with the codes (B, code) of the graphs `batch` (n,)."""
        h = pos
        for layer, shift in zip(self.layers, self.shift(code).chunk(len(self.layers), 1), strict=True):
            h = (FREQUENCY * (layer(h) + gather(shift, batch))).sin()
        return self.out(h)
