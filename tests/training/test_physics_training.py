"""Training without labels, a second operator on what the first leaves, and a last layer by least squares."""

from __future__ import annotations

import json
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from meshops.cli import main
from meshops.data import MeshDataset, Recipe, generate
from meshops.graph import MeshGraph
from meshops.objectives import best, objective, refine
from meshops.operators import Boosted, OperatorError, Refined, build
from meshops.training import LABELS, Settings, Surrogate, Total, TrainingError, TrainingStopped, train
from meshops.training.losses import relative_l2
from meshops.trust import Guard, PhysicsLoss, Problem, TrustError
from tests.data.tiny import COUNT, TINY
from tests.training.small import OPTIONS, SCHEMA, TRAIN, Watched, case, graphs, same_bits, train_small


def numbered(poison: bool = False) -> list[MeshGraph]:
    """The training graphs with their numbers; poisoned, with labels that nothing may read."""
    found = []
    for i, graph in enumerate(graphs()[:TRAIN]):
        own = copy(graph)
        own.sample = torch.tensor([i])
        own.y = graph.y * (torch.nan if poison else 1.0)
        found.append(own)
    return found


def dual(name: str = "dual-norm") -> PhysicsLoss:
    return PhysicsLoss(name, case)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Surrogate]:
    folder = tmp_path_factory.mktemp("physics")
    return folder, train_small(folder, train_set=numbered(), loss=dual())


def test_labels_are_not_read(without, tmp_path):
    train_small(tmp_path, train_set=numbered(poison=True), loss=dual())
    assert same_bits(without[0], tmp_path)
    assert without[1].training["settings"]["loss"] == "dual-norm"


@pytest.mark.parametrize("name", ["dual-norm", "ritz"])
def test_the_error_falls_without_labels(tmp_path, name):
    last = train_small(tmp_path, train_set=numbered(poison=True), loss=dual(name), epochs=12)
    errors = [relative_l2(last.predict(g), g.y, g).item() for g in graphs()[:TRAIN]]
    assert np.mean(errors) < 0.4


def test_a_stopped_run_without_labels_resumes_to_the_same_bits(without, tmp_path):
    with pytest.raises(TrainingStopped):
        train_small(tmp_path, train_set=Watched(numbered(), 9), loss=dual())
    train_small(tmp_path, train_set=numbered(), loss=dual(), resume=True)
    assert same_bits(without[0], tmp_path)
    with pytest.raises(TrainingError, match="loss 'dual-norm'"):
        train_small(tmp_path, train_set=numbered(), resume=True)


def test_validation_needs_labels(tmp_path):
    bare = [copy(graph) for graph in graphs()[TRAIN:]]
    for graph in bare:
        del graph.y
    with pytest.raises(TrainingError, match="validation set has no labels"):
        train(numbered(), bare, folder=tmp_path, settings=Settings(epochs=1, loss=dual()), schema=SCHEMA)


def test_losses_add_up(samples, tmp_path):
    both = Total((LABELS, dual()))
    graph = numbered()[0]
    fields = graph.y + 0.1
    parts = [loss(fields, graph, lambda v: v) for loss in both.parts]
    assert torch.equal(both(fields, graph, lambda v: v), parts[0] + parts[1])
    assert (both.name, both.labels) == ("labels,dual-norm", True)
    assert train_small(tmp_path, train_set=numbered(), loss=both, epochs=1).training["step"] > 0


# -- boosting ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("loss", [LABELS, dual()], ids=lambda loss: loss.name)
def test_a_boosted_surrogate_is_the_sum_of_its_parts(trained, tmp_path, loss):
    first = trained[1]
    train_small(tmp_path, train_set=numbered(), loss=loss, options={**OPTIONS, "boost": first})
    loaded = Surrogate.load(tmp_path)
    operator = loaded.operator
    assert isinstance(operator, Boosted)
    for name, values in first.operator.state_dict().items():
        assert torch.equal(operator.first.state_dict()[name], values)
    graph = loaded.normalization.apply(graphs()[7])
    with torch.no_grad():
        second = operator.scale * operator.gain * operator.second.predict(graph)
        expected = torch.where(graph.fixed, graph.fixed_value, first.operator(graph) + second)
    assert torch.equal(operator(graph), expected)
    assert 0 < float(second.abs().mean()) < float(expected.abs().mean())
    assert operator.scale == first.training["val_relative_l2"]
    assert torch.equal(loaded.predict(graphs()[7])[graphs()[7].fixed], graphs()[7].fixed_value[graphs()[7].fixed])


def test_a_boosted_operator_begins_as_the_first_one(trained):
    first = trained[1].operator
    whole = Boosted(first.schema, first, build(trained[1].name, first.schema, OPTIONS), scale=0.1)
    graph = trained[1].normalization.apply(graphs()[7])
    assert torch.equal(whole(graph), first(graph))
    whole(graph).square().mean().backward()
    assert whole.gain.grad.abs().min() > 0


def test_a_stopped_boost_resumes_to_the_same_bits(trained, tmp_path):
    options = {**OPTIONS, "boost": trained[1]}
    train_small(tmp_path / "whole", options=options, epochs=2)
    with pytest.raises(TrainingStopped):
        train_small(tmp_path / "broken", train_set=Watched(graphs()[:TRAIN], 4), options=options, epochs=2)
    train_small(tmp_path / "broken", options=options, epochs=2, resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "broken")
    with pytest.raises(TrainingError, match="training data"):
        train_small(tmp_path / "broken", train_set=graphs()[1 : TRAIN + 1], options=options, epochs=3, resume=True)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"refined": True}, "option refined; expected a run without it"),
        ({"refined": False}, "option refined"),
        ({"boost": "runs/first"}, "boost is of type str; expected a Surrogate.*--boost"),
        ({"boost": {"operator": "multigrid", "options": {}, "scale": 0.5}}, "boost is of type dict"),
        ({"boost": None}, "boost is of type NoneType"),
    ],
)
def test_what_only_a_finished_surrogate_has_is_no_option_to_train_with(tmp_path, option, told):
    with pytest.raises(TrainingError, match=told):
        train_small(tmp_path / "run", options={**OPTIONS, **option})
    assert not (tmp_path / "run").exists()


# -- refinement --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> MeshDataset:
    folder, module = tmp_path_factory.mktemp("data") / "tiny", "meshops.data.generation"
    with pytest.MonkeyPatch.context() as here:  # no other process
        here.setattr(f"{module}.client", lambda workers, scheduler: nullcontext())
        here.setattr(f"{module}.run", lambda _, make, jobs, apart: ((job, make(job)) for job in jobs))
        return generate(Recipe.from_spec(TINY), folder, count=COUNT, seed=3)


@pytest.fixture(scope="module")
def run(data: MeshDataset, tmp_path_factory: pytest.TempPathFactory) -> Surrogate:
    sets = data.split("train"), data.split("validation")
    settings = Settings(epochs=2, accelerator="cpu", progress=False, loss=objective("dual-norm", sets[0]))
    return train(*sets, folder=tmp_path_factory.mktemp("run"), settings=settings, options=OPTIONS)


def energy_error(surrogate: Surrogate, data: MeshDataset) -> float:
    """The mean squared energy error, as the shares of the refinement; by the labels."""
    found = []
    for i in range(len(data)):
        problem, graph = Problem.of(data.case(i)), data[i]
        matrix = problem.system.matrix
        exact = problem.unknowns(torch.from_numpy(np.asarray(graph.y.double())))
        error = (problem.unknowns(surrogate.predict(graph)) - exact).numpy()
        error[problem.system.fixed] = 0.0
        found.append(error @ (matrix @ error) / problem.energy)
    return float(np.mean(found))


def test_refining_lowers_the_energy_error_and_keeps_what_is_held(run, data, tmp_path):
    refined = refine(run, data)
    record = refined.training["refined"]
    assert record["ridge"] is not None
    for split in ("train", "validation"):
        assert energy_error(refined, data.split(split)) < energy_error(run, data.split(split))
    assert record["val_dual_norm"][1] < record["val_dual_norm"][0]
    refined.save(tmp_path)
    graph = data.split("test")[0]
    assert torch.equal(Surrogate.load(tmp_path).predict(graph), refined.predict(graph))
    assert torch.equal(refined.predict(graph)[graph.fixed], graph.fixed_value[graph.fixed])
    assert isinstance(refined.operator, Refined)
    with pytest.raises(TrainingError, match="refined already"):
        refine(refined, data)


@pytest.mark.parametrize(("kept", "told"), [("train", "validation"), ("validation", "training")])
def test_an_empty_split_is_refused(run, data, kept, told):
    with pytest.raises(TrainingError, match=f"the {told} split is empty; expected at least one sample"):
        refine(run, MeshDataset(data.store, data.split(kept).ids))


def test_the_ridge_is_the_one_that_validation_prefers():
    rng = np.random.default_rng(0)
    rows, checks = rng.standard_normal((4, 6)), rng.standard_normal((50, 6))
    truth = rng.standard_normal(6)
    gram, slope = rows.T @ rows, rows.T @ (rows @ truth + rng.standard_normal(4))
    preferred = checks.T @ checks, checks.T @ (checks @ truth)
    ridge, weights = best((gram, slope), preferred)
    assert ridge is not None
    assert ridge > 0
    assert np.linalg.norm(checks @ (weights - truth)) < np.linalg.norm(checks @ truth)
    exact, found = best(preferred, preferred)
    assert exact <= 1e-9  # 0 or the least, by rounding
    assert np.allclose(found, truth)
    nothing, zeros = best((gram, slope), (np.eye(6), -slope))
    assert nothing is None
    assert not zeros.any()


@pytest.mark.parametrize("name", ["multigrid", "transolver", "fno", "beno", "meshgraphnet"])
def test_a_refined_operator_is_linear_in_its_map(samples, name):
    operator = build(name, SCHEMA, {"refined": True})
    graph, generator = samples[0], torch.Generator().manual_seed(0)
    fields, basis = operator.parts(graph)
    assert torch.allclose(operator.predict(graph), fields, atol=1e-6)
    weights = torch.randn(basis.shape[2], generator=generator)
    operator.set_correction(weights)
    assert torch.allclose(operator.predict(graph), fields + basis @ weights, atol=1e-4)
    assert torch.equal(operator(graph)[graph.fixed], graph.fixed_value[graph.fixed])


def test_an_operator_without_a_last_layer_is_not_refined():
    with pytest.raises(OperatorError, match="no last linear layer"):
        build("deeponet", SCHEMA, {"refined": True})


def test_losses_are_refused_before_anything_is_made(data):
    with pytest.raises(TrainingError, match="dual-norm"):
        objective("labels,dual", data)
    assert objective("labels", data) == LABELS

    class Nonlinear:
        store = None

        def __len__(self) -> int:
            return 1

        def case(self, i: int):
            return replace(case(i), coefficients={"conductivity": "1 + u**2"})

    with pytest.raises(TrustError, match="--loss labels"):
        objective("ritz", Nonlinear())


def test_the_command_line_trains_boosts_and_refines(data, tmp_path, capsys):
    config, runs = tmp_path / "small.yaml", [str(tmp_path / name) for name in ("first", "second", "refined")]
    config.write_text("{width: 16, context: 8, cycles: 1}")
    how = ["--config", str(config), "--epochs", "1"]
    assert main(["train", str(data.folder), "-o", runs[0], "--loss", "dual-norm", *how]) == 0
    assert main(["train", str(data.folder), "-o", runs[1], "--loss", "labels,ritz", "--boost", runs[0], *how]) == 0
    capsys.readouterr()
    assert main(["refine", runs[1], str(data.folder), "-o", runs[2], "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"ridge", "val_dual_norm", "val_relative_l2"}
    last = Surrogate.load(runs[2])
    assert isinstance(last.operator, Refined)
    assert isinstance(last.operator.inner, Boosted)
    assert last.training["settings"]["loss"] == "labels,ritz"
    assert Guard.load(runs[2]) is not None
    assert np.isfinite(last.solve(data.case(0)).values).all()
    assert main(["train", str(data.folder), "-o", str(tmp_path / "none"), "--loss", "dual"]) == 2
    assert not (tmp_path / "none").exists()


def test_only_the_last_use_of_a_layer_is_refined(samples):
    """Without its offset the cycles' last output is the decoder's of what it was last given."""
    operator = build("multigrid", SCHEMA, {"width": 16, "context": 8, "cycles": 3, "refined": True})
    for values in operator.inner.offset.layers[-1].parameters():
        torch.nn.init.zeros_(values)
    fields, basis = operator.parts(samples[0])
    assert torch.allclose(basis @ operator.inner.decode.weight.detach().flatten(), fields, atol=1e-6)
