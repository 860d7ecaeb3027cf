"""What every operator of the registry obeys: one list, small sizes, graphs of real cases in 1-D, 2-D and 3-D."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch_geometric.data import Batch

from geometries.conditions import Periodic
from geometries.families.grid import Grid
from meshops.equations import EQUATIONS, Case
from meshops.graph import MeshGraph, build_graph
from meshops.nn import plain_forms
from meshops.operators import OPERATORS, Operator, OperatorError
from tests.operators.graphs import (
    SMALL,
    imported_fields,
    mixed_case,
    mixed_graph,
    moved,
    numbered,
    permuted,
    renumbered,
    schema,
    small,
    surface_graph,
    wide,
    wide_schema,
    with_edges_shuffled,
)

GRAPHS = {
    "1-D": {"shape": (150,)},
    "triangle": {"shape": (12, 11)},
    "quad": {"shape": (11, 14), "cell": "quad"},
    "surface": {"shape": (11, 12)},
    "tetra": {"shape": (6, 5, 4)},
    "hexahedron": {"shape": (5, 6, 5), "cell": "hexahedron"},
}  # large enough for edges on the coarsest level
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def graph_of(kind: str, dtype: torch.dtype = torch.float32) -> MeshGraph:
    return _graph_of(kind, dtype).clone()


@cache
def _graph_of(kind: str, dtype: torch.dtype) -> MeshGraph:
    given = dict(GRAPHS[kind])
    make = surface_graph if kind == "surface" else mixed_graph
    return make(*given.pop("shape"), **given, dtype=dtype)


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= TOLERANCE[a.dtype] * b.abs().max())


@pytest.fixture(params=OPERATORS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[kind for kind in GRAPHS if kind != "quad"])  # to an operator, quads are triangles
def graph(request: pytest.FixtureRequest) -> MeshGraph:
    return graph_of(request.param)


@pytest.fixture
def operator(name: str, graph: MeshGraph) -> Operator:
    return small(name, graph.pos.shape[1])


@pytest.fixture
def plane(name: str) -> Operator:
    return small(name, 2)


def test_permuting_the_nodes_permutes_the_output(operator: Operator, graph: MeshGraph) -> None:
    operator, graph = operator.double(), graph.double()
    order = torch.randperm(len(graph.pos), generator=torch.Generator().manual_seed(1))
    assert close(operator.predict(permuted(graph, order)), operator.predict(graph)[order])


@pytest.mark.parametrize("shape", [(40,), (7, 6), (4, 3, 3)], ids=["1-D", "2-D", "3-D"])
def test_an_answer_does_not_depend_on_how_the_mesh_is_numbered(name: str, shape: tuple[int, ...]) -> None:
    case, operator = mixed_case(*shape), small(name, len(shape)).double()
    order = np.random.default_rng(2).permutation(case.mesh.num_points)
    ours, theirs = (operator(numbered(build_graph(c, dtype=torch.float64))) for c in (case, renumbered(case, order)))
    assert close(theirs, ours[torch.from_numpy(order)])


def test_the_order_of_edges_changes_nothing(operator: Operator, graph: MeshGraph) -> None:
    operator, graph = operator.double(), graph.double()
    assert close(operator.predict(with_edges_shuffled(graph)), operator.predict(graph))


@pytest.mark.parametrize("shape", [(40,), (7, 6)], ids=["1-D", "2-D"])
def test_periodic_images_have_one_value(name: str, shape: tuple[int, ...]) -> None:
    conditions = {"left": Periodic("right")}
    case = Case(Grid(shape=shape).mesh(), EQUATIONS["heat"], conditions=conditions, coefficients={"loss": 1.0})
    graph = numbered(build_graph(case, dtype=torch.float64))
    out, (image, own) = small(name, len(shape)).double()(graph), graph.image_index
    assert len(image)
    assert torch.equal(out[image], out[own])
    assert out.std() > 0


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kinds", [("triangle", "quad"), ("tetra", "hexahedron")], ids=["2-D", "3-D"])
def test_a_sample_does_not_see_its_batch(name: str, kinds: tuple[str, str], dtype: torch.dtype) -> None:
    first, second = (graph_of(kind, dtype) for kind in kinds)
    second = moved(second, 0.4)  # so that its boundary crosses the first
    operator = small(name, first.pos.shape[1]).to(dtype)
    alone = operator.predict(first)
    n = len(alone)
    before = operator.predict(Batch.from_data_list([first, second, second]))[:n]
    after = operator.predict(Batch.from_data_list([second, first]))[-n:]
    assert close(before, alone)
    assert close(after, alone)


def test_essential_values_are_exact_and_others_predicted(operator: Operator, graph: MeshGraph) -> None:
    out = operator(graph)
    assert torch.equal(out[graph.fixed], graph.fixed_value[graph.fixed])
    assert torch.equal(out[~graph.fixed], operator.predict(graph)[~graph.fixed])
    assert 0 < graph.fixed.sum() < len(out)


def test_the_head_gives_the_output_or_a_part_of_it(name: str) -> None:
    """What its last call gives is added to the output as it is, also where hidden layers are as wide as the output."""
    width, graph = SMALL["width"], mixed_graph(3, 3, dtype=torch.float64)
    graph.fixed, graph.fixed_value = graph.fixed.expand(-1, width), graph.fixed_value.expand(-1, width)
    operator = small(name, replace(schema(2), y=tuple(f"u{i}" for i in range(width)))).double()
    calls: list[int] = []
    try:
        operator.head.register_forward_hook(lambda *_: calls.append(1))
    except OperatorError:
        pytest.skip("it has none")
    before, count = operator.predict(graph), len(calls)
    operator.head.register_forward_hook(lambda _, __, out: out + (len(calls) == 2 * count))
    assert close(operator.predict(graph), before + 1.0)


def test_every_parameter_gets_a_finite_gradient(operator: Operator, graph: MeshGraph) -> None:
    (operator(Batch.from_data_list([graph, graph])) - 1.0).square().mean().backward()
    gradients = {key: p.grad for key, p in operator.named_parameters()}
    assert [k for k, g in gradients.items() if g is None or not g.isfinite().all() or not g.any()] == []


def test_imported_fields_reach_every_parameter(name: str) -> None:
    fields = imported_fields(*GRAPHS["triangle"]["shape"])
    operator = small(name, fields.schema)
    (operator(Batch.from_data_list([fields.graph, fields.graph])) - 1.0).square().mean().backward()
    assert [k for k, p in operator.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_saved_and_loaded_gives_the_same_output(plane: Operator, name: str, tmp_path) -> None:
    graph = graph_of("triangle")
    with torch.no_grad():
        for p in plane.parameters():
            p.add_(0.01)
    save_file(plane.state_dict(), tmp_path / "operator.safetensors")
    loaded = small(name, 2)
    assert not torch.equal(loaded(graph), plane(graph))
    loaded.load_state_dict(load_file(tmp_path / "operator.safetensors"))
    assert torch.equal(loaded(graph), plane(graph))


def test_float64_agrees_with_float32(operator: Operator, graph: MeshGraph) -> None:
    single = operator.predict(graph)
    double = operator.double().predict(graph.double())
    assert double.dtype == torch.float64
    assert (double - single).abs().max() < 1e-3 * double.abs().max()


def test_bfloat16_is_finite(operator: Operator, graph: MeshGraph) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = operator(Batch.from_data_list([graph, graph]))
        out.float().square().mean().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in operator.parameters())


def test_bfloat16_runs_where_norms_are_float32(plane: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a graphics card, whose autocast gives norms and softmax in float32."""
    for owner, function in ((torch.nn.functional, "layer_norm"), (Tensor, "softmax")):
        plain = getattr(owner, function)
        monkeypatch.setattr(owner, function, lambda x, *args, plain=plain, **named: plain(x.float(), *args, **named))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = plane(graph_of("triangle"))
        out.square().mean().backward()
    assert out.isfinite().all()


def test_moving_the_graph_changes_nothing(operator: Operator, graph: MeshGraph) -> None:
    if "translation" not in operator.invariances:
        pytest.skip("not declared")
    operator, graph = operator.double(), graph.double()
    assert close(operator.predict(moved(graph, 0.7)), operator.predict(graph))


def test_it_sees_source_coefficients_and_conditions(operator: Operator, graph: MeshGraph) -> None:
    out = operator.predict(graph)
    for key in ("x", "boundary_x"):
        for column in range(graph[key].shape[1]):
            changed = graph.clone()
            changed[key] = graph[key].clone()
            changed[key][:, column] += 1.0
            assert not torch.equal(operator.predict(changed), out), (key, operator.schema)


def test_several_fields_and_parameters(name: str) -> None:
    one, other = wide(graph_of("triangle"), 0.3, -1.0), wide(graph_of("quad"), 0.1, 2.0)
    operator = small(name, wide_schema(2))
    out = operator(one)
    assert torch.equal(out[one.fixed], one.fixed_value[one.fixed])
    assert close(operator(Batch.from_data_list([other, one]))[-len(out) :], out)
    for column in range(2):
        changed = one.clone()
        changed.theta = one.theta + torch.eye(2)[column]
        assert not torch.equal(operator.predict(changed), operator.predict(one))
    operator.predict(Batch.from_data_list([one, other])).square().mean().backward()
    assert [k for k, p in operator.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_tuned_kernels_equal_their_plain_forms(operator: Operator, graph: MeshGraph) -> None:
    operator, batch = operator.double(), Batch.from_data_list([graph.double(), graph.double()])
    ours = operator.predict(batch)
    with plain_forms():
        assert close(ours, operator.predict(batch))


def test_recomputing_gives_the_same_gradients_and_keeps_less(plane: Operator) -> None:
    batch = Batch.from_data_list([graph_of("triangle"), graph_of("quad")]).double()
    before = _values_gradients_bytes(plane.double(), batch)
    plane.recompute()
    after = _values_gradients_bytes(plane, batch)
    assert all(close(a, b) for a, b in zip(after[0], before[0], strict=True))
    assert after[1] < 0.8 * before[1]


def _values_gradients_bytes(operator: Operator, batch: MeshGraph) -> tuple[list[Tensor], int]:
    """Return the output with the parameters' gradients, and the bytes that the backward pass was kept."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = operator(batch)
    return [out, *torch.autograd.grad(out.square().sum(), list(operator.parameters()))], sum(kept.values())


def test_evaluation_gives_the_same(plane: Operator) -> None:
    graph = graph_of("triangle")
    training = plane(graph)
    plane.eval()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert close(plane(graph.clone()), training)


def test_the_graph_is_left_as_it_was(plane: Operator) -> None:
    graph = graph_of("triangle")
    before = graph.clone()
    plane(graph)
    assert list(before.keys()) == list(graph.keys())
    assert all(torch.equal(before[k], graph[k]) for k in graph.keys())  # noqa: SIM118


def test_one_sample_can_be_overfitted(plane: Operator) -> None:
    graph = mixed_graph(5, 4)
    optimizer = torch.optim.Adam(plane.parameters(), lr=5e-3)
    losses = []
    for _ in range(300):
        loss = (plane(graph) - graph.y).square().mean() / graph.y.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < 0.02 * losses[0]:
            return
    raise AssertionError(f"the loss fell from {losses[0]:.3g} to {min(losses):.3g} only")


@pytest.mark.slow
def test_compiled_gives_the_same_values_and_gradients(name: str) -> None:
    torch.compiler.reset()
    operator, graph = small(name, 2, steps=1), graph_of("triangle")
    plain, compiled = operator(graph), torch.compile(operator)(graph)
    assert close(compiled, plain)
    ours, theirs = (torch.autograd.grad(out.square().sum(), list(operator.parameters())) for out in (compiled, plain))
    largest = max(g.abs().max() for g in theirs)
    assert all((a - b).abs().max() < 1e-4 * largest for a, b in zip(ours, theirs, strict=True))
