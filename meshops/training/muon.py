"""Muon for the matrices inside a network and AdamW for the rest, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

FASTER = 3.0  # Muon's learning rate over AdamW's: of 1, 3 and 6 the one that learns brackets soonest
LEAST = 32  # a weight with fewer rows or columns is an input, an output or a small map: AdamW's


class BatchedMuon(Muon):
    """torch's Muon, with all matrices of a shape orthogonalized together: for many small ones several times faster.

    Equal to it but for the rounding of bfloat16, in which both iterate.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401  (as in torch)
        """Take a step."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            matrices: list[Tensor] = []
            grads: list[Tensor] = []
            buffers: list[Tensor] = []
            self._init_group(group, matrices, grads, buffers)
            if matrices:
                torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
                torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
                steps = orthogonalized(torch._foreach_lerp(grads, buffers, group["momentum"]), group)
                torch._foreach_add_(matrices, steps)
        return loss


def orthogonalized(updates: Sequence[Tensor], group: Mapping[str, Any]) -> list[Tensor]:
    """Return the steps, -rate times the nearly orthogonal matrix of each of `updates`, by Newton-Schulz iterations."""
    a, b, c = group["ns_coefficients"]
    found: list[Tensor] = list(updates)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for i, update in enumerate(updates):
        shapes.setdefault(tuple(sorted(update.shape)), []).append(i)
    for shape, places in shapes.items():
        wide = torch.stack([updates[i] if updates[i].shape == shape else updates[i].mT for i in places])
        x = wide.bfloat16()
        x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(group["eps"])
        for _ in range(group["ns_steps"]):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        x = x.to(wide.dtype) * (-0.2 * group["lr"] * shape[1] ** 0.5)
        for i, one in zip(places, x, strict=True):
            found[i] = one if updates[i].shape == shape else one.mT
    return found


class MuonAdamW(Optimizer):
    """Muon (https://kellerjordan.github.io/posts/muon) on matrices of at least 32 rows and columns, else AdamW.

    Muon's step is the momentum's nearest orthogonal matrix, scaled to the root mean square that AdamW's steps have
    (arXiv 2502.16982) and made `FASTER`. Weights decay; biases, norms and temperatures, of one dimension, do not.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        """Sort the parameters; one group each for Muon's matrices, AdamW's matrices and the rest."""
        given = [p for p in parameters if p.requires_grad]
        rest = [p for p in given if p.dim() < 2]
        large = [p for p in given if p.dim() == 2 and min(p.shape) >= LEAST]
        small = [p for p in given if p.dim() > 2 or (p.dim() == 2 and min(p.shape) < LEAST)]
        super().__init__(given, {"lr": lr})
        groups = [{"params": small, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
        adamw = [AdamW([g for g in groups if g["params"]], lr=lr, fused=True)] if small or rest else []
        muon = [BatchedMuon(large, FASTER * lr, weight_decay, adjust_lr_fn="match_rms_adamw")] if large else []
        self.parts: list[Optimizer] = [*muon, *adamw]
        self._join()

    def _join(self) -> None:
        """Share the parts' groups and states, so that whoever changes a learning rate here changes it there."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]
        self.state.clear()
        for part in self.parts:
            self.state.update(part.state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401  (as in torch)
        """Take a step with both."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._join()
