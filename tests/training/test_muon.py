"""Muon and AdamW as one optimizer."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from meshops.equations import EQUATIONS
from meshops.graph import schema_of
from meshops.operators import build
from meshops.training.muon import BatchedMuon, MuonAdamW


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1)).double()


def train(net: nn.Module, optimizer: MuonAdamW, steps: range) -> list[float]:
    losses = []
    for step in steps:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
        loss = (net(x) - x.prod(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_muons_step_evens_out_the_singular_values() -> None:
    """Of the inner matrix: those of the step lie near 1, those of its gradient far apart; AdamW's are left alone."""
    net = network()
    before = net[2].weight.detach().clone()
    train(net, MuonAdamW(net.parameters(), lr=1e-2, weight_decay=0.0), range(1))
    assert spread(net[2].weight.detach() - before) < 2
    assert spread(net[2].weight.grad) > 5


def test_matrices_together_take_the_step_of_each_alone() -> None:
    """Wide, tall and square; beside torch's Muon, to the rounding of bfloat16."""
    shapes, generator = [(40, 40), (33, 64), (64, 33), (40, 40), (64, 33)], torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    ours, theirs = ([nn.Parameter(m.clone()) for m in start] for _ in range(2))
    how = {"lr": 0.1, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    optimizers = BatchedMuon(ours, **how), torch.optim.Muon(theirs, **how)
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b, m in zip(ours, theirs, start, strict=True):
        assert (a - b).norm() < 1e-3 * (b - m).norm()


def spread(matrix: Tensor) -> float:
    values = torch.linalg.svdvals(matrix)
    return float(values[0] / values[4])


def test_saved_and_restored_goes_on_with_the_same_bits() -> None:
    whole, halves = network(), network()
    whole_losses = train(whole, MuonAdamW(whole.parameters(), lr=1e-2, weight_decay=1e-2), range(8))
    first = MuonAdamW(halves.parameters(), lr=1e-2, weight_decay=1e-2)
    losses = train(halves, first, range(4))
    again = MuonAdamW(halves.parameters(), lr=1.0, weight_decay=0.0)
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    assert losses + train(halves, again, range(4, 8)) == whole_losses
    assert all((a == b).all() for a, b in zip(whole.parameters(), halves.parameters(), strict=True))


def test_norms_and_temperatures_neither_decay_nor_go_to_muon() -> None:
    shapes = {
        "norm": (64,),
        "row": (1, 40),
        "column": (40, 1),
        "table": (4, 64),
        "kernel": (8, 1, 16),
        "matrix": (40, 64),
    }
    optimizer = MuonAdamW([nn.Parameter(torch.ones(shape)) for shape in shapes.values()], lr=1.0, weight_decay=0.1)
    decays = {tuple(p.shape): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name for name, shape in shapes.items() if decays[shape]} == set(shapes) - {"norm"}
    for operator in ("galerkin", "transolver", "multigrid"):
        named = build(operator, schema_of(EQUATIONS["heat"], 2), {}).named_parameters()
        own = [p for name, p in named if "norm" in name or "temperature" in name]
        assert own
        assert not any(g["weight_decay"] for g in MuonAdamW(own, lr=1.0, weight_decay=0.1).param_groups)


def test_a_learning_rate_set_on_the_whole_reaches_both() -> None:
    net = network()
    optimizer = MuonAdamW(net.parameters(), lr=1e-2, weight_decay=0.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [p.detach().clone() for p in net.parameters()]
    train(net, optimizer, range(2))
    assert all((a == b).all() for a, b in zip(before, net.parameters(), strict=True))
