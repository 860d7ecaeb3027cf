"""Training under symmetries: samples turn, answers turn back, the loss is of the sample as it was; runs go on."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from geometries.conditions import Dirichlet
from geometries.families.grid import Grid
from meshops.equations import Case, Elasticity, solve
from meshops.graph import MeshGraph, build_graph, schema_of
from meshops.operators import Operator
from meshops.training import Settings, TrainingError, TrainingStopped
from meshops.training.module import Training
from meshops.training.run import make_run
from tests.training.small import SCHEMA as small
from tests.training.small import Watched, graphs, same_bits, train_small

DIM = 2
SCHEMA = schema_of(Elasticity(), DIM)


class Weight(Operator):
    """The field that the load is: it turns with the problem. Notes the positions that it sees."""

    name, reference, cost = "weight", "", ""

    def __init__(self) -> None:
        super().__init__(SCHEMA)
        self.columns = [SCHEMA.x.index(f"source.{axis}") for axis in "xy"]
        self.seen: list[Tensor] = []

    def predict(self, graph: MeshGraph) -> Tensor:
        self.seen.append(graph.pos)
        return graph.x[:, self.columns]


def training(*, symmetries: bool) -> Training:
    case = Case(
        Grid(shape=(4, 3)).mesh(),
        Elasticity(),
        conditions={"left": Dirichlet([0.0, 0.0])},
        coefficients={"young": 2.0, "poisson": 0.3},
        source=["x + y", "1 - x*y"],
    )
    graph = build_graph(case, solve(case))
    settings = Settings(epochs=1, symmetries=symmetries)
    run = make_run([graph], [graph], schema=SCHEMA, name="multigrid", options={}, settings=settings)
    for part in ("x", "y"):  # the load's own columns are normalized as the field's
        getattr(run.normalization, f"{part}_mean").zero_()
        getattr(run.normalization, f"{part}_scale").fill_(1.0)
    module = Training(run)
    module.operator = Weight()
    return module


def test_the_operator_sees_turned_samples_and_its_answers_are_turned_back() -> None:
    module = training(symmetries=True)
    batch = module._sets[0][0]
    plain = training(symmetries=False)._predict(batch)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = [module._predict(batch) for _ in range(60)]
    for field in found:
        torch.testing.assert_close(field, plain)
    assert len({tuple(pos.flatten().tolist()) for pos in module.operator.seen}) == 8


@pytest.mark.parametrize("equation", ["combined", "imported"])
def test_problems_that_do_not_turn_are_refused(equation: str) -> None:
    schema, settings = replace(small, equation=equation), Settings(epochs=1, symmetries=True)
    with pytest.raises(TrainingError, match=f"found symmetries with '{equation}'"):
        make_run(graphs(), graphs(), schema=schema, name="multigrid", options={}, settings=settings)


def test_runs_are_told_apart_and_go_on_to_the_same_bits(tmp_path: Path, trained: tuple[Path, object]) -> None:
    train_small(tmp_path / "whole", symmetries=True)
    assert not same_bits(tmp_path / "whole", trained[0])
    with pytest.raises(TrainingStopped):
        train_small(tmp_path / "parts", train_set=Watched(graphs()[:6], 9, signal.SIGTERM), symmetries=True)
    train_small(tmp_path / "parts", symmetries=True, resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "parts")
