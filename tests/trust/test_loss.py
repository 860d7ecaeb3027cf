"""Losses of training without labels: energies of the error as shares of the solution's, whatever the units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from geometries.conditions import Dirichlet, Periodic
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, assemble, solve
from meshops.graph import build_graph, targets
from meshops.trust import LOSSES, PhysicsLoss, Problem, TrustError, certify
from meshops.trust import loss as losses
from tests.training.small import case as plate
from tests.trust.cases import PROVED, discrete_solution, random_case_of, true_error


def untied(name: str, seed: int) -> Case:
    """A random case without periodic sides."""
    seeds = (s for s in range(seed, seed + 100))
    cases = (random_case_of(name, s) for s in seeds)
    return next(c for c in cases if not any(isinstance(x, Periodic) for x in c.conditions.values()))


def fields_of(case: Case, values: np.ndarray) -> torch.Tensor:
    """(N, C) the dimensionless fields of unknowns."""
    solution = case.solution({case.equation.field: values.reshape(case.mesh.num_points, -1)})
    return torch.from_numpy(targets(solution, case.equation.scaling(case)))


@pytest.mark.parametrize("name", PROVED)
@pytest.mark.parametrize("seed", range(4))
def test_losses_are_shares_of_the_solutions_energy(name: str, seed: int) -> None:
    case = untied(name, 7 * seed)
    problem, system = Problem.of(case), assemble(case)
    exact = discrete_solution(system)
    least = certify(case).energy_norm(exact) ** 2
    assert problem.energy == pytest.approx(least, rel=0.3)
    values = exact + 0.1 * np.abs(exact).max() * np.random.default_rng(seed).standard_normal(len(exact))
    share = true_error(system, values, exact) ** 2 / problem.energy
    dual = float(problem.dual_norm(fields_of(case, values))) ** 2
    assert (1 - certify(case).contraction.bound) * share <= dual <= share * (1 + 1e-9)
    gap = problem.ritz(fields_of(case, values)) - problem.ritz(fields_of(case, exact))
    assert float(gap) == pytest.approx(share, rel=1e-6)
    assert float(problem.dual_norm(fields_of(case, exact))) < 1e-6
    assert abs(float(problem.ritz(fields_of(case, exact)))) < 0.3


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_know_no_units(loss: str) -> None:
    here, there = plate(0), plate(0, unit=1000.0)
    warmer = replace(here, conditions={"left": Dirichlet(float(here.conditions["left"].value) + 273.15),
        "top": replace(here.conditions["top"], ambient=float(here.conditions["top"].ambient) + 273.15)})  # fmt: skip
    fields = torch.randn(here.mesh.num_points, 1, generator=torch.Generator().manual_seed(0))
    found = [float(LOSSES[loss](Problem.of(case), fields)) for case in (here, there, warmer)]
    assert found == pytest.approx([found[0]] * 3, rel=1e-6)


def batch_of(numbers: range) -> Batch:
    graphs = [build_graph(plate(i)) for i in numbers]
    for i, graph in zip(numbers, graphs, strict=True):
        graph.sample = torch.tensor([i])
    return Batch.from_data_list(graphs)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_is_its_samples(name: str) -> None:
    loss, batch = PhysicsLoss(name, plate), batch_of(range(3, 6))
    fields = torch.randn(len(batch.pos), 1, generator=torch.Generator().manual_seed(1), requires_grad=True)
    whole = loss(fields, batch, lambda v: 2 * v + 1)
    assert whole.shape == (3,)
    assert torch.equal(loss(2 * fields + 1, batch, lambda v: v), whole)
    (gradient,) = torch.autograd.grad(whole.sum(), fields)
    for i, (part, own) in enumerate(zip(fields.detach().split([49] * 3), gradient.split([49] * 3), strict=True)):
        alone = part.clone().requires_grad_()
        single = loss(alone, batch_of(range(3 + i, 4 + i)), lambda v: 2 * v + 1)
        single.sum().backward()
        assert torch.equal(single[0], whole[i])
        assert torch.equal(alone.grad, own)
        ahead = loss(part + 1e-2 * own, batch_of(range(3 + i, 4 + i)), lambda v: 2 * v + 1)
        assert ahead[0] > single[0]


def test_normal_equations_are_those_of_the_error() -> None:
    case = untied("elasticity", 0)
    problem, system = Problem.of(case), assemble(case)
    exact, rng = discrete_solution(system), np.random.default_rng(0)
    n, c = case.mesh.num_points, case.mesh.dim
    fields = fields_of(case, exact) + 0.1 * torch.from_numpy(rng.standard_normal((n, c)))
    basis, weights = torch.from_numpy(rng.standard_normal((n, c, 3))), rng.standard_normal(3)
    gram, slope = problem.normal_equations(fields, basis)

    def share(fields: torch.Tensor) -> float:
        return true_error(system, problem.unknowns(fields).numpy(), exact) ** 2 / problem.energy

    moved = fields + basis @ torch.from_numpy(weights)
    assert share(moved) - share(fields) == pytest.approx(weights @ gram @ weights - 2 * slope @ weights, rel=1e-8)


def test_a_constant_solution_has_a_finite_loss() -> None:
    mesh = Grid(shape=(8, 8)).mesh()
    case = Case(mesh, EQUATIONS["heat"], conditions={"left": Dirichlet(5.0)}, coefficients={"conductivity": 2.0})
    problem, fields = Problem.of(case), torch.zeros(mesh.num_points, 1)
    assert float(problem.dual_norm(fields)) < 1e-6
    assert 0 < float(problem.dual_norm(fields + torch.rand_like(fields))) < 1e6


@pytest.mark.parametrize("loss", LOSSES)
def test_the_solution_has_a_finite_gradient(loss: str) -> None:
    """Also where nothing is left of the residual, not even by rounding."""
    nothing = Case(Grid(shape=(8, 8)).mesh(), EQUATIONS["heat"], conditions={"left": Dirichlet(0.0)},
        coefficients={"conductivity": 2.0})  # fmt: skip
    for case in (plate(0), nothing):
        fields = fields_of(case, solve(case).values).requires_grad_()
        LOSSES[loss](Problem.of(case), fields).backward()
        assert fields.grad.isfinite().all()


def test_systems_are_kept_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def cases(i: int) -> Case:
        made.append(i)
        return plate(i)

    monkeypatch.setattr(losses, "ROOM", 2 * 49)
    loss = PhysicsLoss("ritz", cases)
    for i in (0, 1, 0, 2, 0, 1):
        loss.problem(i)
    assert made == [0, 1, 2, 1]


REFUSED = {
    "nonlinear": ({"coefficients": {"conductivity": "1 + u**2"}}, "linear.*--loss labels"),
    "transient": ({"times": (0.0, 1.0), "initial": {"temperature": 0.0}}, "steady.*--loss labels"),
    "tied": ({"conditions": {"left": Dirichlet(0.0), "bottom": Periodic("top")}}, "tied.*--loss labels"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_such_loss_is_refused(kind: str) -> None:
    change, message = REFUSED[kind]
    straight = replace(plate(0, noise=0.0), **change)
    with pytest.raises(TrustError, match=message):
        Problem.of(straight)


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(TrustError, match="dual-norm"):
        PhysicsLoss("dual", plate)
