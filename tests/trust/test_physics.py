"""Losses without labels: their gradients are their derivatives, and their minima the discrete solution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshops.equations import assemble
from meshops.trust import certify, dual_norm, ritz
from tests.trust.cases import SHAPES, discrete_solution, random_case, true_error

EVERY = range(len(SHAPES))


def energy(u, _, system):
    return ritz(u, system)


LOSSES = (dual_norm, energy)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", EVERY)
def test_the_gradient_is_the_derivative(loss, seed: int) -> None:
    """Both are quadratic, so a central difference is exact but for rounding."""
    case = random_case(seed)
    system, hierarchy = assemble(case), certify(case).hierarchy
    rng = np.random.default_rng(seed)
    u = torch.tensor(rng.standard_normal(len(system.rhs)), requires_grad=True)
    way = torch.tensor(rng.standard_normal(len(system.rhs)))
    loss(u, hierarchy, system).backward()
    with torch.no_grad():
        ahead, behind = (loss(u + sign * way, hierarchy, system) for sign in (1, -1))
    assert float(u.grad @ way) == pytest.approx(float(ahead - behind) / 2, rel=1e-7)
    assert (u.grad.numpy()[system.fixed] == 0).all()


@pytest.mark.parametrize("seed", EVERY)
def test_the_losses_are_energies_of_the_error(seed: int) -> None:
    case = random_case(seed)
    system, certificate = assemble(case), certify(case)
    exact = discrete_solution(system)
    values = exact + 0.1 * np.random.default_rng(seed).standard_normal(len(exact))
    square = true_error(system, values, exact) ** 2
    dual = float(dual_norm(torch.from_numpy(values), certificate.hierarchy, system))
    assert (1 - certificate.contraction.bound) * square <= dual <= square * (1 + 1e-9)
    gap = float(ritz(torch.from_numpy(values), system) - ritz(torch.from_numpy(exact), system))
    assert gap == pytest.approx(square / 2, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_is_its_columns_in_any_precision(loss) -> None:
    case = random_case(0)
    system, hierarchy = assemble(case), certify(case).hierarchy
    u = torch.randn(len(system.rhs), 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    whole = loss(u, hierarchy, system)
    assert whole.dtype == torch.float32
    assert torch.allclose(whole, torch.stack([loss(c, hierarchy, system) for c in u.unbind(1)]))
    (whole * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    first = u.detach()[:, 1].clone().requires_grad_()
    (2.0 * loss(first, hierarchy, system)).backward()
    assert torch.allclose(u.grad[:, 1], first.grad)


def test_descent_in_the_dual_norm_does_not_depend_on_the_mesh_size() -> None:
    """Its condition is that of (BA)², so few steps of a plain optimiser reach the solution: no labels."""
    case = random_case(0)
    system, hierarchy = assemble(case), certify(case).hierarchy
    exact = discrete_solution(system)
    u = torch.zeros(len(exact), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [u], max_iter=400, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = dual_norm(u, hierarchy, system)
        loss.backward()
        return loss

    optimiser.step(closure)
    start = true_error(system, np.zeros_like(exact), exact)
    assert true_error(system, u.detach().numpy(), exact) < 1e-2 * start
