"""Message passing: the split first layer equals concatenation, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from meshops.nn import MLP, Chain, EdgeMLP, GraphNetwork, MessagePassing, Neighbors, edgewise, messages, plain_forms

N, WIDTH, EDGES = 9, 8, 30


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    h = torch.randn(N, WIDTH, dtype=torch.float64, generator=random, requires_grad=True)
    edge_index = torch.randint(N - 1, (2, EDGES), generator=random)  # the last node has no edge
    return h, edge_index, torch.randn(EDGES, WIDTH, dtype=torch.float64, generator=random, requires_grad=True)


def assert_same(fast: Tensor, slow: Tensor, leaves: list[Tensor]) -> None:
    assert torch.allclose(fast, slow, rtol=1e-12, atol=1e-12)
    weight = torch.linspace(-1, 1, fast.numel(), dtype=fast.dtype).view_as(fast)
    ours, theirs = (torch.autograd.grad((out * weight).sum(), leaves) for out in (fast, slow))
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(params=[(1, EDGES), (8, EDGES), (8, EDGES - 1), None], ids=str)
def in_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges a block and edges up to which blocks are held; None for all at once."""
    if request.param is None:
        monkeypatch.setattr(edgewise, "by_blocks", lambda _: False)
    else:
        monkeypatch.setattr(edgewise, "BLOCK", request.param[0] * WIDTH)
        monkeypatch.setattr(edgewise, "HELD", request.param[1])


@pytest.mark.usefixtures("in_blocks")
def test_message_passing_equals_its_reference(inputs) -> None:
    h, edge_index, edge = inputs
    step = MessagePassing(WIDTH, WIDTH).double()
    leaves = [h, edge, *step.parameters()]
    assert_same(step(h, edge_index, edge), step.reference(h, edge_index, edge), leaves)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("activation", [nn.SiLU, nn.ReLU, nn.GELU])
@pytest.mark.parametrize("hidden", [1, 3])
def test_the_edge_mlp_equals_its_reference(inputs, hidden: int, activation: type[nn.Module]) -> None:
    h, edge_index, edge = inputs
    mlp = EdgeMLP(WIDTH, hidden=hidden, activation=activation).double()
    leaves = [h, edge, *mlp.parameters()]
    for k in range(2):
        assert_same(mlp(h, edge, edge_index)[k], mlp.reference(h, edge, edge_index)[k], leaves)
    assert sum(isinstance(m, nn.Linear) for m in mlp.modules()) == 3 + hidden
    assert sum(isinstance(m, activation) for m in mlp.modules()) == hidden


@pytest.mark.parametrize(("mean", "scale"), [(False, 2.0), (True, 1.0)])
def test_doubled_edges_double_the_sum_and_keep_the_mean(inputs, mean: bool, scale: float) -> None:
    h, edge_index, edge = inputs
    step = GraphNetwork(WIDTH, mean=mean).double()
    seen = []
    step.update.register_forward_hook(lambda _, given, __: seen.append(given[0][:, WIDTH:]))
    step(h, edge, edge_index)
    step(h, edge.repeat(2, 1), edge_index.repeat(1, 2))
    assert torch.allclose(seen[1], scale * seen[0])
    assert not seen[0][-1].any()


def test_a_graph_network_adds_to_nodes_and_edges(inputs) -> None:
    h, edge_index, edge = inputs
    step = GraphNetwork(WIDTH, context=3).double()
    context = torch.ones(N, 3, dtype=torch.float64)
    new, new_edge = step(h, edge, edge_index, context)
    total, advanced = step.message.reference(h, edge, edge_index)
    assert torch.allclose(new, h + step.update(torch.cat([h, total, context], 1)))
    assert torch.allclose(new_edge, advanced)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("keep", [True, False])
def test_derivatives_of_messages_are_those_of_differences(keep: bool) -> None:
    edge_index = torch.tensor([[1, 0, 2, 0, 1, 2, 1, 0, 2, 1], [0, 1, 1, 2, 2, 0, 2, 1, 0, 0]])
    rest = nn.Sequential(nn.SiLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.LayerNorm(2)).double()
    rows = torch.randn(18, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    given = [part.clone().requires_grad_() for part in rows.split([3, 3, 10, 2])]

    def run(s: Tensor, t: Tensor, edge: Tensor, weight: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        found = messages((s, t), edge, edge_index, weight=weight, rest=rest, keep=keep)
        return found if keep else found[:1]

    assert torch.autograd.gradcheck(run, (*given, *rest.parameters()))


@pytest.mark.usefixtures("in_blocks")
def test_a_second_backward_pass_gives_the_same(inputs) -> None:
    h, edge_index, edge = inputs
    loss = EdgeMLP(WIDTH, hidden=2).double()(h, edge, edge_index)[1].square().sum()
    (first,), (second,) = (torch.autograd.grad(loss, h, retain_graph=True) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.usefixtures("in_blocks")
def test_a_graph_without_edges_has_no_messages(inputs) -> None:
    h, *_ = inputs
    total, new = EdgeMLP(WIDTH, hidden=1).double()(h, h[:0], torch.empty(2, 0, dtype=torch.long))
    assert not total.any()
    assert new.shape == (0, WIDTH)
    (slope,) = torch.autograd.grad(total.sum() + new.sum(), h)
    assert not slope.any()


def test_what_the_backward_pass_holds_goes_with_it(inputs) -> None:
    h, edge_index, edge = inputs
    total, _ = EdgeMLP(WIDTH, hidden=1).double()(h, edge, edge_index)
    node = total.grad_fn
    assert len(node.saved_tensors) > len(inputs)
    total.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = node.saved_tensors


def test_a_chain_holds_no_result_of_an_activation_and_has_its_gradients() -> None:
    layers = nn.Sequential(nn.SiLU(), nn.SiLU(), nn.Linear(3, 4), nn.SiLU(), nn.Linear(4, 3), nn.LayerNorm(3)).double()
    chain, rows = Chain(layers), torch.linspace(-2, 2, 15, dtype=torch.float64).view(5, 3).requires_grad_()
    weight = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)
    slow = torch.autograd.grad((layers(rows) * weight).sum(), [rows, *chain.weights])
    with torch.no_grad():
        held = chain.forward(rows.clone(), chain.weights)[1]
        found = [torch.zeros_like(w) for w in chain.weights]
        d_rows = chain.backward(weight.clone(), held, chain.weights, found)
    assert [len(tensors) for tensors in held] == [1, 1, 0, 1, 0, 3]
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip([d_rows, *found], slow, strict=True))


def test_a_chain_rejects_layers_that_it_does_not_know() -> None:
    with pytest.raises(KeyError):
        Chain(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))


@pytest.mark.usefixtures("in_blocks")
def test_messages_without_a_gradient_hold_the_same(inputs) -> None:
    h, edge_index, edge = inputs
    mlp = EdgeMLP(WIDTH, hidden=1).double()
    with torch.no_grad():
        total, rows = mlp(h, edge, edge_index, keep=False)
    assert rows is None
    assert torch.allclose(total, mlp.reference(h, edge, edge_index)[0], rtol=1e-12)


@pytest.mark.usefixtures("in_blocks")
def test_a_loss_of_the_messages_alone_has_the_same_gradient(inputs) -> None:
    h, edge_index, edge = inputs
    mlp, leaves = EdgeMLP(WIDTH, hidden=1).double(), [h, edge]
    ours, theirs = (torch.autograd.grad(f(h, edge, edge_index)[1].sum(), leaves) for f in (mlp, mlp.reference))
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(ours, theirs, strict=True))


def test_neighbor_sums_equal_their_plain_form(inputs) -> None:
    h, edge_index, _ = inputs
    weight = torch.linspace(-1, 2, EDGES, dtype=torch.float64, requires_grad=True)
    neighbors = Neighbors.of(edge_index, N)
    with plain_forms():
        plain = neighbors.sum(h, weight)
    assert_same(neighbors.sum(h, weight), plain, [h, weight])
    places = (edge_index[1], edge_index[0])
    dense = torch.zeros(N, N, dtype=torch.float64).index_put(places, weight, accumulate=True)
    assert_same(neighbors.sum(h, weight[neighbors.order]), dense @ h, [h, weight])


def test_neighbor_sums_without_edges_are_zero(inputs) -> None:
    h, *_ = inputs
    total = Neighbors.of(torch.empty(2, 0, dtype=torch.long), N).sum(h, torch.ones(0, dtype=torch.float64))
    assert total.shape == (N, WIDTH)
    assert not total.any()
    assert not torch.autograd.grad(total.sum(), h)[0].any()


def test_neighbor_sums_between_two_sets_of_nodes(inputs) -> None:
    h, _, _ = inputs
    cluster = torch.tensor([3, 0, 0, 1, 1, 1, 0, 3, 3])
    edges, weight = torch.stack([torch.arange(N), cluster]), torch.ones(N, dtype=torch.float64)
    down, up = Neighbors.of(edges, 5, N), Neighbors.of(edges.flip(0), N, 5)
    assert_same(down.sum(h, weight), torch.zeros(5, WIDTH, dtype=torch.float64).index_add(0, cluster, h), [h])
    rows = torch.arange(10.0, dtype=torch.float64).view(5, 2)
    assert torch.equal(up.sum(rows, weight), rows[cluster])


def test_an_mlp_of_few_inputs_equals_its_plain_form() -> None:
    mlp, x = MLP(3, 5, 2).double(), torch.linspace(-1, 2, 84, dtype=torch.float64).view(4, 7, 3).requires_grad_()
    with plain_forms():
        plain = mlp(x)
    assert_same(mlp(x), plain, [x, *mlp.parameters()])
