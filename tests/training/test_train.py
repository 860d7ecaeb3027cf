"""What training does and does not."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch

from meshops.equations import Heat
from meshops.evaluation import error_of
from meshops.graph import MeshGraph, schema_of
from meshops.operators import Multigrid, Operator
from meshops.training import NonFiniteLoss, Settings, Surrogate, TrainingError, train
from meshops.training.batches import Order
from meshops.training.files import LAST, locked
from meshops.training.losses import relative_h1, relative_l2
from meshops.training.module import Training
from meshops.training.optimizers import course
from meshops.training.run import make_run
from tests.training.small import OPTIONS, SCHEMA, TRAIN, graphs, same_bits, train_small

ORDERS = st.builds(Order, st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))


@given(ORDERS, st.integers(0, 3))
def test_an_epoch_sees_every_sample_once(order, epoch):
    steps = range(epoch * order.steps, (epoch + 1) * order.steps)
    seen = [i for step in steps for i in order.batch(step)]
    assert sorted(seen) == list(range(order.count))
    assert all(len(order.batch(step)) == order.size for step in steps[:-1])


@given(ORDERS, st.integers(0, 60), st.integers(1, 30))
def test_the_order_does_not_depend_on_where_it_begins(order, start, length):
    found = list(order.batches(start, lambda step: step < start + length))
    assert found == [order.batch(start + i) for i in range(length)]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(2, 4), st.integers(0, 20))
def test_devices_share_an_epoch(count, size, world, epoch):
    orders = [Order(count, size, 0, rank, world) for rank in range(world)]
    steps = range(epoch * orders[0].steps, (epoch + 1) * orders[0].steps)
    assert {i for o in orders for step in steps for i in o.batch(step)} == set(range(count))
    assert all(o.batch(step) for o in orders for step in steps)


def test_epochs_differ():
    order = Order(50, 5, 0)
    assert not (order.epoch(0) == order.epoch(1)).all()


def test_the_loss_is_relative_and_free_of_units(samples):
    graph = samples[0]
    error = relative_l2(graph.y + 0.1 * graph.y, graph.y, graph)
    assert torch.allclose(error, torch.tensor([0.1]))
    assert torch.allclose(relative_l2(7.7 * graph.y, 7 * graph.y, graph), error)
    heavy = copy(graph)
    heavy.mass = 5 * graph.mass
    assert torch.allclose(relative_l2(1.1 * graph.y, graph.y, heavy), error)


def test_the_loss_counts_nodes_by_mass_and_each_graph_for_itself(samples):
    first, second = samples[0], copy(samples[1])
    second.mass = torch.rand_like(second.mass)
    batch = Batch.from_data_list([first, second])
    prediction = batch.y + torch.randn_like(batch.y)
    size = [(g.mass @ g.y.square()).item() for g in (first, second)]
    wrong = (prediction - batch.y).square().split([first.num_nodes, second.num_nodes])
    expected = [(g.mass @ w).item() for g, w in zip((first, second), wrong, strict=True)]
    found = relative_l2(prediction, batch.y, batch)
    assert torch.allclose(found, (torch.tensor(expected) / torch.tensor(size)).sqrt())


def test_the_loss_of_gradients_is_relative_and_blind_to_a_constant(samples):
    graph = samples[0]
    assert torch.allclose(relative_h1(1.1 * graph.y + 3, graph.y, graph), torch.tensor([0.1]), rtol=1e-4)
    assert relative_h1(graph.y + 3, graph.y, graph) < 1e-5
    batch = Batch.from_data_list(samples[:2])
    rough = batch.y + torch.randn_like(batch.y)
    parts = rough.split([g.num_nodes for g in samples[:2]])
    alone = [relative_h1(part, g.y, g) for part, g in zip(parts, samples[:2], strict=True)]
    assert torch.allclose(relative_h1(rough, batch.y, batch), torch.cat(alone))


def test_the_loss_of_gradients_tells_linear_fields_by_their_slope(samples):
    """Along an edge in direction d a field s·x has the slope s·d, however long the edge."""
    graph = samples[0]
    slope = torch.randn(graph.pos.shape[1], 1)
    twice = relative_h1(graph.pos @ (2 * slope), graph.pos @ slope, graph)
    assert torch.allclose(twice, torch.ones(1), rtol=1e-4)
    stretched = copy(graph)
    stretched.pos, stretched.mass = 3 * graph.pos, graph.mass
    error = graph.y + 0.3 * graph.pos[:, :1]
    assert torch.allclose(relative_h1(error, graph.y, graph), relative_h1(error, graph.y, stretched), rtol=1e-4)


@pytest.mark.parametrize("loss", [relative_l2, relative_h1])
def test_a_perfect_prediction_has_a_finite_gradient(samples, loss):
    prediction = samples[0].y.clone().requires_grad_()
    loss(prediction, samples[0].y, samples[0]).sum().backward()
    assert prediction.grad.isfinite().all()


def test_the_learning_rate_rises_and_falls():
    assert course(0.0) == course(1.0) == pytest.approx(0.01)
    assert course(0.05) == pytest.approx(1.0)
    assert all(course(0.05 + 0.01 * i) > course(0.06 + 0.01 * i) for i in range(94))


def test_one_sample_is_overfitted(tmp_path):
    only = graphs()[:1] * 20
    train_small(tmp_path, train_set=only, epochs=6, batch_size=1, options={"width": 16, "cycles": 1})
    assert torch.load(tmp_path / LAST, weights_only=True)["state"]["count"] == 0
    last = (tmp_path / "metrics.jsonl").read_text().splitlines()[-1]
    assert float(last.split('"loss": ')[1].split(",")[0]) < 0.05


def test_the_seed_decides_the_weights(trained, tmp_path):
    train_small(tmp_path / "same", save_every=0.0)
    train_small(tmp_path / "other", seed=1)
    assert same_bits(trained[0], tmp_path / "same")
    assert not same_bits(trained[0], tmp_path / "other")


def test_the_global_random_state_is_left_alone(tmp_path):
    before = torch.get_rng_state()
    train_small(tmp_path, epochs=1)
    assert torch.equal(before, torch.get_rng_state())


def poisoned(field):
    """Training samples of which one becomes infinite the second time that it is read."""
    good = graphs()[:TRAIN]

    class Poisoned:
        reads = 0

        def __len__(self):
            return len(good)

        def __getitem__(self, index):
            graph = copy(good[index])
            graph.sample = torch.tensor([100 + index])
            if index == 2:
                self.reads += 1
                if self.reads > 2:
                    graph[field] = graph[field] * torch.inf
            return graph

        def __iter__(self):
            return (self[i] for i in range(len(good)))

    return Poisoned()


@pytest.mark.parametrize("field", ["y", "x"])
def test_a_non_finite_loss_stops_and_names_the_sample(tmp_path, field):
    with pytest.raises(NonFiniteLoss, match="102") as caught:
        train_small(tmp_path, train_set=poisoned(field), save_every=0.0)
    assert caught.value.samples == (102,)
    kept = torch.load(tmp_path / LAST, weights_only=True)
    assert kept["done"]["step"] >= 1
    assert all(v.isfinite().all() for v in kept["state_dict"].values())


def test_recomputing_trains_to_the_same_weights(trained, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(Multigrid, "recompute", lambda self: calls.append(Operator.recompute(self)))
    train_small(tmp_path, recompute=True)
    assert len(calls) == 1
    assert same_bits(trained[0], tmp_path)


def test_minutes_are_a_budget(tmp_path):
    surrogate = train_small(tmp_path, minutes=0.02)
    done = torch.load(tmp_path / LAST, weights_only=True)["done"]
    assert 1.2 <= done["seconds"] < 5
    assert surrogate.training["step"] == done["step"] > 3


def test_lightning_is_quiet(tmp_path, capfd, caplog, recwarn):
    level = logging.getLogger("lightning.pytorch").level
    train_small(tmp_path, epochs=1)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert logging.getLogger("lightning.pytorch").level == level


def test_empty_sets_and_lists_without_schema_are_refused(tmp_path, samples):
    from meshops.training import train

    for sets in ([[], samples], [samples, []], [samples, samples]):
        with pytest.raises(TrainingError, match=r"empty|schema"):
            train(*sets, folder=tmp_path, settings=Settings(epochs=1))


def bare(graphs):
    """The graphs without labels."""
    found = [copy(graph) for graph in graphs]
    for graph in found:
        del graph.y
    return found


def test_training_graphs_without_labels_are_refused(tmp_path, samples):
    with pytest.raises(TrainingError, match="the training set has no columns of labels; expected 1"):
        train_small(tmp_path / "run", train_set=bare(samples))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda g: MeshGraph(**{**g.to_dict(), "x": g.x[:, :1]}), "does not fit the schema: the graph has"),
        (lambda g: MeshGraph(**{k: v for k, v in g.to_dict().items() if k != "theta"}), "does not fit the schema"),
        (lambda g: bare([g])[0], "has no columns of labels; expected 1"),
        (MeshGraph.double, "is of torch.float64; expected torch.float32"),
    ],
    ids=["columns", "parameters", "labels", "numbers"],
)
def test_a_graph_unlike_the_first_is_named(tmp_path, samples, change, told):
    with pytest.raises(TrainingError, match=f"graph 2 of the training set {told}"):
        train_small(tmp_path / "run", train_set=[*samples[:2], change(samples[2])])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("schema", [schema_of(Heat(), 3), schema_of(Heat(), 2, times=3), schema_of(Heat(), 2).lifted()])
def test_a_schema_of_other_graphs_is_refused(tmp_path, samples, schema):
    with pytest.raises(TrainingError, match=r"the training set does not fit the schema: .*; expected") as caught:
        train(samples, samples, folder=tmp_path / "run", schema=schema, settings=Settings(epochs=1))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"epochs": 1, "minutes": 1.0},
        {"epochs": 0},
        {"epochs": True},
        {"minutes": -1.0},
        {"minutes": "3"},
        *({"epochs": 1, "learning_rate": rate} for rate in (float("nan"), "2e-3", None)),
        *({"epochs": 1, name: number} for name in ("seed", "workers") for number in (1.5, -1, "1", None, True)),
        *({"epochs": 1, name: number} for name in ("weight_decay", "save_every") for number in (-1.0, "1", None, True)),
    ],
    ids=str,
)
def test_settings_are_checked(given):
    with pytest.raises(TrainingError, match=r"found|expected"):
        Settings(**given)


SCRIPT = """
import sys
from pathlib import Path
from tests.training.small import train_small

train_small(Path(sys.argv[1]), devices=2, strategy="ddp", epochs=2)
"""


@pytest.mark.slow
def test_two_devices_share_the_work(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run = [sys.executable, "script.py", str(tmp_path / "run")]
    subprocess.run(run, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path.cwd())}, check=True, timeout=300)
    assert torch.load(tmp_path / "run" / LAST, weights_only=True)["done"]["step"] == 4
    assert Surrogate.load(tmp_path / "run").training["step"] in (2, 4)


def test_a_device_without_a_validation_graph_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="found 3 devices and 2 validation graphs; expected a graph for each"):
        train_small(tmp_path, devices=3, strategy="ddp")
    train_small(tmp_path)


def test_errors_are_summed_where_float64_is(samples, monkeypatch):
    settings = Settings(epochs=1)
    run = make_run(samples, samples, schema=SCHEMA, name="point_mlp", options={}, settings=settings)
    module = Training(run)
    monkeypatch.setattr(Training, "device", torch.device("meta"))
    module.on_validation_epoch_start()
    assert (module._errors.device.type, module._errors.dtype) == ("cpu", torch.float64)


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path):
    with pytest.raises(TrainingError, match="empty"):
        train_small(tmp_path / "run", train_set=[])
    assert not (tmp_path / "run").exists()


def test_two_runs_do_not_share_a_folder(tmp_path):
    with locked(tmp_path, TrainingError("never raised")), pytest.raises(TrainingError, match="another run is training"):
        train_small(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_errors_in_training_and_validation_are_told_in_one_norm(tmp_path, samples):
    shifted = [graph.clone() for graph in samples]
    for graph in shifted:
        graph.y = 0.01 * graph.y + 100
        graph.fixed_value = torch.where(graph.fixed, graph.y, 0.0)
    settings = Settings(epochs=1, batch_size=2, learning_rate=1e-9, accelerator="cpu", progress=False)
    train(shifted, shifted, folder=tmp_path, schema=SCHEMA, options=OPTIONS, settings=settings)
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["val_loss_labels"] == pytest.approx(last["loss"], rel=1e-3)
    assert last["val_relative_l2"] < 0.01 * last["loss"]


@pytest.mark.parametrize("unit", [1.0, 1e-5])
def test_the_validation_error_of_imported_fields_is_free_of_units(tmp_path, samples, unit):
    small = [graph.clone() for graph in samples]
    for graph in small:
        graph.y, graph.fixed = unit * graph.y, torch.zeros_like(graph.fixed)
    settings = Settings(epochs=1, learning_rate=1e-9, accelerator="cpu", progress=False)
    schema = replace(SCHEMA, equation="imported")
    surrogate = train(small, small, folder=tmp_path, schema=schema, options=OPTIONS, settings=settings)
    errors = [error_of(surrogate.predict(graph).double().numpy(), graph) for graph in small]
    assert surrogate.training["val_relative_l2"] == pytest.approx(sum(errors) / len(errors), rel=1e-4)
