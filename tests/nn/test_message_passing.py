"""Message passing: the split first layer equals concatenation, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from meshops.graph import segment_mean, segment_sum
from meshops.nn import EdgeMLP, GraphNetwork, MessagePassing

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


def test_message_passing_equals_its_reference(inputs) -> None:
    h, edge_index, edge = inputs
    step = MessagePassing(WIDTH, WIDTH).double()
    leaves = [h, edge, *step.parameters()]
    assert_same(step(h, edge_index, edge), step.reference(h, edge_index, edge), leaves)


@pytest.mark.parametrize("activation", [nn.SiLU, nn.ReLU])
@pytest.mark.parametrize("hidden", [1, 3])
def test_the_edge_mlp_equals_its_reference(inputs, hidden: int, activation: type[nn.Module]) -> None:
    h, edge_index, edge = inputs
    mlp = EdgeMLP(WIDTH, hidden, activation).double()
    leaves = [h, edge, *mlp.parameters()]
    assert_same(mlp(h, edge, edge_index), mlp.reference(h, edge, edge_index), leaves)
    assert sum(isinstance(m, nn.Linear) for m in mlp.modules()) == 3 + hidden
    assert sum(isinstance(m, activation) for m in mlp.modules()) == hidden


@pytest.mark.parametrize(("reduce", "scale"), [(segment_sum, 2.0), (segment_mean, 1.0)])
def test_doubled_edges_double_the_sum_and_keep_the_mean(inputs, reduce, scale: float) -> None:
    h, edge_index, edge = inputs
    step = GraphNetwork(WIDTH, reduce=reduce).double()
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
    message = step.message.reference(h, edge, edge_index)
    total = torch.zeros_like(h).index_add(0, edge_index[1], message)
    assert torch.allclose(new, h + step.update(torch.cat([h, total, context], 1)))
    assert torch.allclose(new_edge, edge + message)
