"""The loss, and the error that it stands for."""

from __future__ import annotations

import torch
from torch import Tensor

from meshops.graph import MeshGraph, segment_sum

FLOOR = 1e-3  # of the root mean square of y: a field of zeros has no relative error


def relative_l2(prediction: Tensor, target: Tensor, graph: MeshGraph) -> Tensor:
    """Return (B,) ||prediction - target||_m / max(||target||_m, 1e-3 ||1||_m) of (N, C) fields, one for each graph.

    ||u||_m² = Σ m |u|² with the nodes' mass m, so that a refined mesh gives the same norm. The gradient is 0, not NaN,
    where the error is 0.
    """
    error = (prediction.to(target.dtype) - target).square().sum(1)
    rows = graph.mass[:, None] * torch.stack([error, target.square().sum(1), torch.ones_like(error)], dim=1)
    error, size, total = segment_sum(rows, graph.graph_of_node, graph.size).unbind(1)
    tiny = torch.finfo(error.dtype).tiny
    return (error.clamp_min(tiny) / torch.maximum(size, FLOOR**2 * total).clamp_min(tiny)).sqrt()
