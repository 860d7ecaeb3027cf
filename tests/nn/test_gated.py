"""Layers that are linear in a state: gates equal their plain form, and a smoother is its sum written out."""

from __future__ import annotations

import pytest
import torch

from meshops.nn import degree, edgewise, gated
from meshops.nn.gated import Gate, Gates, SliceMap, Smoother
from tests.nn.test_message_passing import assert_same
from tests.nn.test_per_graph import random

EDGES = torch.tensor([[1, 2, 0, 3, 0, 1, 1], [0, 0, 1, 1, 2, 3, 2]])


@pytest.mark.parametrize("block", [1, 3, 2048])
def test_gates_in_blocks_equal_those_by_concatenation(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgewise, "BLOCK", 4 * block)
    gates, context, edge = Gates(3, 5, 4).double(), random(5, 3).requires_grad_(), random(7, 5).requires_grad_()
    ours, theirs = gates(context, EDGES, edge), gates.reference(context, EDGES, edge)
    leaves = [context, edge, gates.source.weight, gates.target.weight, gates.target.bias, gates.edge.weight]
    assert_same(ours.edge, theirs.edge, leaves)
    assert torch.equal(ours.node, theirs.node)
    assert torch.equal(ours.share, theirs.share)


def test_a_smoother_is_its_sum() -> None:
    """h_i + V (mean_j g_ij ⊙ (A h)_j + d_i ⊙ (A h)_i); the last node has no neighbour."""
    gates, smoother = Gates(3, 2, 4).double(), Smoother(4).double()
    h, gate = random(5, 4), gates(random(5, 3), EDGES, random(7, 2))
    expected = h + (gate.node * (h @ smoother.source.weight.T)) @ smoother.value.weight.T
    for i in range(5):
        near = [(e, j) for e, (j, k) in enumerate(EDGES.T.tolist()) if k == i]
        terms = [gate.edge[e] * (smoother.source.weight @ h[j]) for e, j in near]
        if terms:
            expected[i] += smoother.value.weight @ (sum(terms) / len(terms))
    assert torch.allclose(smoother(h, gate, EDGES), expected)


@pytest.mark.parametrize("block", [1, 700, 2**20, None])  # edges; None: as where no blocks are made
def test_a_smoother_equals_its_plain_form(block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if block is None:
        monkeypatch.setattr(gated, "by_blocks", lambda rows: False)
    else:
        monkeypatch.setattr(edgewise, "BLOCK", 6 * block)
    draw = torch.Generator().manual_seed(0)
    edge_index = torch.randint(49, (2, 1500), generator=draw)  # in no order; the last node has no neighbour
    smoother, h = Smoother(6).double(), random(50, 6).requires_grad_()
    gate = Gate(*(random(n, 6).requires_grad_() for n in (1500, 50)), 1 / degree(edge_index, h))
    leaves = [h, gate.edge, gate.node, *smoother.parameters()]
    assert_same(smoother(h, gate, edge_index), smoother.reference(h, gate, edge_index), leaves)


def test_attention_by_tokens_equals_that_by_nodes() -> None:
    """The linear maps act on tokens and not on nodes; the second of three graphs is a single node."""
    batch = torch.tensor([0] * 6 + [1] + [2] * 4)
    layer, context, h = SliceMap(5, 6, heads=2, slices=3).double(), random(11, 5), random(11, 6)
    context.requires_grad_(), h.requires_grad_()
    mass = random(11).abs() + 0.1
    ours = layer(h, layer.weights(context, mass, batch, 3), batch, 3)
    theirs = layer.reference(h, layer.reference_weights(context, mass, batch, 3), batch, 3)
    assert_same(ours, theirs, [h, context, *layer.parameters()])
