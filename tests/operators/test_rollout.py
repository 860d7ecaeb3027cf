"""Any operator as a time stepper: exact where its step is, for every bundle, and refused where it makes no sense."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from geometries.conditions import Dirichlet, Periodic
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case, solve
from meshops.graph import MeshGraph, Schema, build_graph, schema_of
from meshops.operators import OPERATORS, Boosted, Operator, OperatorError, Rollout, build, options_of
from tests.operators.graphs import SMALL, small

TIMES = (0.0, 0.1, 0.2, 0.3, 0.4)
SCHEMA = schema_of(EQUATIONS["heat"], 2, times=len(TIMES))


class Halving(Operator):
    """u_{k+j} - u_k = (2^-j - 1) u_k: the state halves at each time."""

    def predict(self, graph: MeshGraph) -> Tensor:
        state = graph.x[:, [self.schema.x.index("initial.temperature")]]
        powers = torch.arange(1, len(self.schema.y) + 1).to(state)
        return (0.5**powers - 1) * state


def graph_of(source: str = "x") -> MeshGraph:
    case = Case(
        Grid(shape=(6, 5)).mesh(), EQUATIONS["heat"], conditions={"left": Dirichlet("1 + y")}, source=source,
        initial={"temperature": "1 + x*y"}, times=TIMES,
    )  # fmt: skip
    return build_graph(case, solve(case), dtype=torch.float64, schema=SCHEMA)


def normal(graph: MeshGraph, *, seed: int) -> SimpleNamespace:
    """Means and scales as if drawn; what the operator computes must not depend on them but through its inputs."""
    draw = torch.Generator().manual_seed(seed)
    sizes = {"x": graph.x.shape[1], "y": graph.y.shape[1]}
    mean = {f"{k}_mean": torch.randn(n, generator=draw, dtype=torch.float64) for k, n in sizes.items()}
    return SimpleNamespace(
        **mean, **{f"{k}_scale": 0.5 + torch.rand(n, generator=draw, dtype=torch.float64) for k, n in sizes.items()}
    )


@pytest.mark.parametrize("bundle", [1, 2, 4])
def test_a_step_that_is_exact_gives_the_trajectory(bundle: int) -> None:
    graph = graph_of()
    operator = Rollout(SCHEMA, Halving, bundle=bundle, pushforward=False, noise=0.0).double()
    start = graph.x[:, [SCHEMA.x.index("initial.temperature")]]
    free = ~graph.fixed
    free[:, 1:] &= ~graph.fixed[:, :-1].any(1, keepdim=True)
    expected = torch.cat([start * 0.5**k for k in range(1, 5)], dim=1)
    torch.testing.assert_close(operator(graph)[free], expected[free])


def test_states_go_through_the_normalization() -> None:
    graph = graph_of()
    graph.fixed = torch.zeros_like(graph.fixed)
    own = normal(graph, seed=0)
    operator = Rollout(SCHEMA, Halving, bundle=2, pushforward=False, noise=0.0).double()
    operator.prepare(own)
    column = SCHEMA.x.index("initial.temperature")
    raw = graph.x.clone()
    graph.x = (raw - own.x_mean) / own.x_scale
    state = graph.x[:, [column]]
    in_units = torch.cat([state * 0.5**k for k in range(1, 5)], 1) * own.x_scale[column] + own.x_mean[column]
    torch.testing.assert_close(operator(graph) * own.y_scale + own.y_mean, in_units)


@pytest.mark.parametrize("bundle", [0, 1, 2])
def test_mp_pde_that_decodes_nothing_keeps_its_start(bundle: int) -> None:
    graph = graph_of()
    graph.fixed = torch.zeros_like(graph.fixed)
    own = normal(graph, seed=0)
    options = {"width": 64, "steps": 1} | ({"bundle": bundle} if bundle else {})
    operator = build("mp_pde", SCHEMA, options).double()
    operator.prepare(own)
    for weight in (operator.step if bundle else operator).decode.parameters():
        weight.data.zero_()
    start = graph.x[:, [SCHEMA.x.index("initial.temperature")]].repeat(1, 4)
    graph.x = (graph.x - own.x_mean) / own.x_scale
    torch.testing.assert_close(operator(graph) * own.y_scale + own.y_mean, start)


class Correcting(Operator):
    """u_{k+1} - u_k = what is missing to the truth, 7."""

    def predict(self, graph: MeshGraph) -> Tensor:
        return 7.0 - graph.x[:, [self.schema.x.index("initial.temperature")]]


def test_a_step_that_corrects_its_noisy_state_is_right() -> None:
    operator = Rollout(SCHEMA, Correcting, bundle=1, pushforward=False, noise=0.5).double()
    graph = graph_of()
    found = operator(graph)
    torch.testing.assert_close(found[~graph.fixed], torch.full_like(found[~graph.fixed], 7.0))


class Keeping(Operator):
    """u_{k+1} = u_k."""

    def predict(self, graph: MeshGraph) -> Tensor:
        return 0.0 * graph.x[:, [self.schema.x.index("initial.temperature")]]


class Recording(Keeping):
    """u_{k+1} = u_k, and what was seen of it is kept."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self.states: list[Tensor] = []

    def predict(self, graph: MeshGraph) -> Tensor:
        self.states.append(graph.x[:, self.schema.x.index("initial.temperature")])
        return super().predict(graph)


def test_noise_is_in_the_state_that_is_advanced_where_it_is_not_held() -> None:
    operator = Rollout(SCHEMA, Keeping, bundle=1, pushforward=False, noise=0.5).double()
    graph = graph_of()
    start, found = graph.x[:, [SCHEMA.x.index("initial.temperature")]], operator(graph)
    free = ~graph.fixed[:, :1]
    assert (found[:, :1] - start)[free].std() == pytest.approx(0.5, rel=0.5)
    assert torch.equal(found[graph.fixed], graph.fixed_value[graph.fixed])


def test_noise_does_not_tear_images_apart() -> None:
    case = Case(
        Grid(shape=(6, 5)).mesh(), EQUATIONS["heat"], conditions={"left": Periodic("right")}, times=TIMES,
        initial={"temperature": "y"},
    )  # fmt: skip
    operator = Rollout(SCHEMA, Recording, bundle=1, pushforward=False, noise=0.5).double()
    graph = build_graph(case, dtype=torch.float64, schema=SCHEMA)
    operator(graph)
    image, own = graph.image_index
    assert len(image)
    assert all(torch.equal(state[image], state[own]) for state in operator.step.states)


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"point_mlp"}))  # which sees no other node
@pytest.mark.parametrize("bundle", [0, 2])
def test_held_values_of_the_last_time_are_seen_at_it(name: str, bundle: int) -> None:
    graph = graph_of()
    later = graph.clone()
    later.fixed_value[:, -1] = torch.where(graph.fixed[:, -1], 3 * graph.fixed_value[:, -1], graph.fixed_value[:, -1])
    operator = small(name, SCHEMA, width=32).double() if not bundle else small_steps(name, bundle)
    free = ~graph.fixed.any(1)
    assert not torch.equal(operator(graph)[free, -1], operator(later)[free, -1])


def small_steps(name: str, bundle: int) -> Operator:
    step = small(name, SCHEMA, width=32)
    options = {k: v for k, v in (SMALL | {"width": 32}).items() if k in options_of(name)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Rollout(SCHEMA, type(step), bundle=bundle, pushforward=False, noise=0.0, **options).double().eval()


def test_steps_have_no_last_layer() -> None:
    with pytest.raises(OperatorError, match="cannot be refined"):
        _ = build("multigrid", SCHEMA, {"width": 16, "bundle": 1}).head


@pytest.mark.parametrize("boosted", [False, True])
def test_recomputing_reaches_the_operator_within(boosted: bool) -> None:
    options = {"width": 16, "steps": 1}
    step = Rollout(SCHEMA, OPERATORS["mp_pde"], bundle=2, pushforward=False, noise=0.0, **options)
    calls = []
    step.step.steps[0].update.register_forward_pre_hook(lambda *_: calls.append(1))
    operator = Boosted(SCHEMA, build("point_mlp", SCHEMA, {}), step, scale=0.1) if boosted else step
    operator.recompute()
    operator.double()(graph_of()).sum().backward()
    assert len(calls) == 2 * step.count


class Adding(Operator):
    """u_{k+j} - u_k = the sum of the source from the step's start to k + j."""

    def predict(self, graph: MeshGraph) -> Tensor:
        places = [self.schema.x.index(name) for name in self.schema.x if name.split("@")[0] == "source"]
        return graph.x[:, places].cumsum(1)[:, 1:]


@pytest.mark.parametrize("bundle", [1, 2])
def test_each_step_has_the_source_of_its_own_time(bundle: int) -> None:
    graph = graph_of("(1 + 10*t)*x")
    graph.fixed = torch.zeros_like(graph.fixed)
    own = normal(graph, seed=0)
    start, *sources = map(SCHEMA.x.index, ("initial.temperature", "source", *(f"source@{k}" for k in range(1, 5))))
    for column in (start, *sources[: bundle + 1]):  # so that a step can add them
        own.x_mean[column], own.x_scale[column] = 0.0, 1.0
    operator = Rollout(SCHEMA, Adding, bundle=bundle, pushforward=False, noise=0.0).double()
    operator.prepare(own)
    moments, state, expected = graph.x[:, sources], graph.x[:, [start]], []
    for first in range(0, 4, bundle):
        expected += [state + moments[:, first : first + bundle + 1].cumsum(1)[:, 1:]]
        state = expected[-1][:, -1:]
    graph.x = (graph.x - own.x_mean) / own.x_scale
    torch.testing.assert_close(operator(graph) * own.y_scale + own.y_mean, torch.cat(expected, 1))


def test_essential_values_are_exact_at_every_time() -> None:
    graph = graph_of()
    operator = build("multigrid", SCHEMA, {"width": 16, "bundle": 2}).double()
    operator.prepare(normal(graph, seed=1))
    torch.testing.assert_close(operator(graph)[graph.fixed], graph.fixed_value[graph.fixed])


def test_pushforward_lets_no_gradient_back_to_earlier_steps() -> None:
    graph = graph_of()
    for pushforward in (False, True):
        operator = build("point_mlp", SCHEMA, {"width": 8, "bundle": 2, "pushforward": pushforward}).double()
        graph.x.requires_grad_()
        late = operator(graph)[:, 2:].square().sum()
        (found,) = torch.autograd.grad(late, graph.x)
        reaches = bool(found[:, SCHEMA.x.index("initial.temperature")].any())
        assert reaches is not pushforward


def test_noise_is_for_training_only() -> None:
    graph = graph_of()
    operator = build("point_mlp", SCHEMA, {"width": 8, "bundle": 1, "noise": 0.1}).double()
    assert not torch.equal(operator(graph), operator(graph))
    operator.eval()
    assert torch.equal(operator(graph), operator(graph))


@pytest.mark.parametrize(
    ("schema", "options"),
    [
        (schema_of(EQUATIONS["heat"], 2), {"bundle": 1}),
        (schema_of(EQUATIONS["wave"], 2, times=5), {"bundle": 1}),
        (SCHEMA, {"bundle": 3}),
        (SCHEMA, {"noise": 0.1}),
        (SCHEMA, {"bundle": 2.0}),
        (SCHEMA, {"bundle": 1, "noise": -1.0}),
        (SCHEMA, {"bundle": 1, "noise": float("nan")}),
    ],
)
def test_what_cannot_be_stepped_is_refused(schema, options: dict) -> None:
    with pytest.raises(OperatorError):
        build("point_mlp", schema, options)


def test_the_step_is_built_for_its_own_columns() -> None:
    operator = build("point_mlp", SCHEMA, {"bundle": 2})
    assert isinstance(operator, Rollout)
    seen = tuple(name for name in SCHEMA.x if name not in ("source@3", "source@4"))
    assert operator.step.schema == replace(SCHEMA, x=seen, y=SCHEMA.y[:2], times=3)
