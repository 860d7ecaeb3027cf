"""Operators side by side: the same data, the same minutes, the same settings; each run in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from math import inf
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import cast

import numpy as np

from geometries.errors import MeshopsError
from geometries.files import atomic_write
from meshops.data import MeshDataset, Recipe, generate
from meshops.data.generation import Progress
from meshops.data.manifest import Manifest
from meshops.evaluation.baselines import fit_baselines
from meshops.evaluation.coarser import coarser
from meshops.evaluation.errors import Errors, errors_of
from meshops.graph import lift
from meshops.graph.schema import LIFTING
from meshops.operators import OPERATORS, options_of
from meshops.training import FolderBusy, Settings, Surrogate, TrainingError, train
from meshops.training.files import METRICS, course

COUNT = 1125  # samples: 900 to train, 112 to validate, 113 to test, about, where no shape is in two
BATCH = 4  # graphs a step, for all
LIFTED = f"+{LIFTING}"  # ends the name of an operator that is given a classical solution
Note = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is compared: a recipe's data set of `count` samples, `minutes` of training each, seeds 0 to `seeds` - 1.

    An operator named `NAME+lifting` has the harmonic extension of the essential values among its inputs: a hybrid. That
    of the samples to train and to validate is computed before the minutes begin. Each is trained with each of `rates`,
    and the validation split chooses: the same tuning for all. Everything lies in `folder`: the data, a folder for each
    run, and a row for each run that is done, so that the same plan goes on where it was stopped. Runs and rows are told
    apart by the data as well, so that none is of others. Raises `MeshopsError` for unknown operators and numbers below
    their least.
    """

    recipe: str
    folder: Path
    operators: tuple[str, ...] = tuple(OPERATORS)
    minutes: float = 3.0
    seeds: int = 1
    count: int = COUNT
    rates: tuple[float, ...] = (Settings.learning_rate,)

    def __post_init__(self) -> None:
        """Check the names and the ranges."""
        for name in self.operators:
            options_of(name.removesuffix(LIFTED))
        if not (self.minutes > 0 and self.seeds >= 1 and self.count >= 30):
            found = f"{self.minutes} minutes, {self.seeds} seeds and {self.count} samples"
            raise MeshopsError(f"found {found}; expected more than 0, at least 1 and at least 30.")
        if not (self.rates and all(0 < rate < inf for rate in self.rates)):
            raise MeshopsError(f"found the learning rates {self.rates}; expected at least one, all above 0.")
        for what, given in (("operators", self.operators), ("learning rates", self.rates)):
            if len(set(given)) < len(given):
                raise MeshopsError(f"found the {what} {', '.join(map(str, given))}; expected each of them once.")

    @property
    def data(self) -> Path:
        """Where the data set lies."""
        return self.folder / "data"

    def row(self, operator: str, rate: float, seed: int) -> Path:
        """Where the row of a run lies. Another budget is another row, and so are other data."""
        return self.folder / "rows" / f"{self._name(operator, rate, seed)}.json"

    def run(self, operator: str, rate: float, seed: int) -> Path:
        """Where a run lies."""
        return self.folder / "runs" / self._name(operator, rate, seed)

    def _name(self, operator: str, rate: float, seed: int) -> str:
        return f"{operator}-{self.minutes:g}min-{rate:g}-{seed}-{self._identity(operator)}"

    def _identity(self, operator: str) -> str:
        """Return what tells the data that lie there, and the operator's options, from all others."""
        given = [dict(Manifest.read(self.data).shards), options_of(operator.removesuffix(LIFTED))]
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Row:
    """What a run gave. Errors by split: those of the test split are never used to choose anything.

    `kind` is operator, hybrid, baseline or reference: a hybrid is an operator that a classical solve gave a part of the
    answer, and is to be compared with its like. A run that could not be trained has no errors; `failure` says why.
    """

    operator: str
    kind: str
    seed: int
    learning_rate: float
    parameters: int
    steps: int
    train_seconds: float
    samples_per_second: float
    infer_seconds: float
    peak_memory: int
    validation: float
    splits: dict[str, Errors]
    failure: str = ""

    @property
    def relative_l2(self) -> float | None:
        """The mean on the test split; None of a run that failed."""
        return None if self.failure else self.splits["test"].mean

    def to_json(self) -> dict[str, object]:
        """Return the plain form, with the test split's mean as `relative_l2`."""
        return {**asdict(self), "relative_l2": self.relative_l2}

    @classmethod
    def from_json(cls, given: dict) -> Row:
        """Read the plain form."""
        splits = {name: Errors(**errors) for name, errors in given["splits"].items()}
        return cls(**{k: v for k, v in given.items() if k not in ("splits", "relative_l2")}, splits=splits)


def bench(plan: Plan, *, note: Note = lambda _: None, progress: Progress | None = None) -> list[Row]:
    """Return a row for each operator and seed, made now or before; then those of the baselines.

    A run that cannot be trained gets a row that says so, which is not kept: the same plan tries it again. `note` is
    told of each run that begins, `progress` of samples as in `generate`.
    """
    samples = generate(Recipe.load(plan.recipe), plan.data, count=plan.count, progress=progress)
    rows = [_best(plan, operator, seed, note) for operator in plan.operators for seed in range(plan.seeds)]
    note("baselines and the reference ...")
    return [*rows, *_baselines(samples), *_references(samples)]


def _best(plan: Plan, operator: str, seed: int, note: Note) -> Row:
    """Return the row of the rate with the least validation error; that of a failure if all of them failed."""
    rows = [_row(plan, operator, rate, seed, note) for rate in plan.rates]
    return min(rows, key=lambda row: (bool(row.failure), row.validation))


def _row(plan: Plan, operator: str, rate: float, seed: int, note: Note) -> Row:
    path = plan.row(operator, rate, seed)
    try:
        if not path.exists():
            note(f"{_told(operator, rate, seed)}: {plan.minutes:g} minutes ...")
            _make(plan, operator, rate, seed)
        return Row.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FolderBusy:
        raise
    except TrainingError as error:
        note(str(error))
        return replace(
            _untrained(operator, _kind(operator), {}, 0.0), seed=seed, learning_rate=rate, failure=str(error)
        )


def _make(plan: Plan, operator: str, rate: float, seed: int) -> None:
    path = plan.row(operator, rate, seed)
    own = ProcessPoolExecutor(1, get_context("spawn"), _end_with_parent)  # its memory, and no other's
    with own as pool:
        try:
            row = pool.submit(measure, plan, operator, rate, seed).result()
        except BrokenProcessPool as error:
            raise TrainingError(
                f"{_told(operator, rate, seed)}: its process was ended, as for want of memory; expected it to finish: "
                "free some memory and run the bench again."
            ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as beside:
        beside.write_text(json.dumps(row.to_json(), indent=2) + "\n", encoding="utf-8")


def _end_with_parent() -> None:
    """See that this process ends when the one that started it does, by whatever signal."""

    def wait() -> None:
        cast(BaseProcess, parent_process()).join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def measure(plan: Plan, operator: str, rate: float, seed: int) -> Row:
    """Train one operator in this process, unless its run is done, and return its row.

    Raises `TrainingError` where it cannot be built, trained or asked, `FolderBusy` where another process does so.
    """
    try:
        return _measured(plan, operator, rate, seed)
    except FolderBusy:
        raise
    except (MeshopsError, MemoryError, RuntimeError) as error:  # torch has no class of its own for want of memory
        raise TrainingError(f"{_told(operator, rate, seed)}: {' '.join(str(error).split())}") from error


def _told(operator: str, rate: float, seed: int) -> str:
    return f"{operator}, seed {seed}, learning rate {rate:g}"


def _measured(plan: Plan, operator: str, rate: float, seed: int) -> Row:
    name, samples = operator.removesuffix(LIFTED), MeshDataset.open(plan.data)
    samples = samples.lifted() if operator.endswith(LIFTED) else samples
    sets = [list(samples.split(split)) for split in ("train", "validation")]
    settings = Settings(minutes=plan.minutes, batch_size=BATCH, learning_rate=rate, seed=seed)
    folder = plan.run(operator, rate, seed)
    resume = (folder / "last.ckpt").exists()
    surrogate = train(*sets, folder=folder, schema=samples.schema, settings=settings, operator=name, resume=resume)
    splits, seconds = {}, []
    for part in shifted(samples):
        splits[part], taken = _errors(surrogate, samples.split(part))
        seconds += taken if part == "test" else []
    rows = list(course(folder / METRICS))
    done = rows[-1]
    return Row(
        operator=operator,
        kind=_kind(operator),
        seed=seed,
        learning_rate=rate,
        parameters=surrogate.training["parameters"],
        steps=done["step"],
        train_seconds=done["seconds"],
        samples_per_second=seen(done["step"], len(sets[0])) / done["seconds"],
        infer_seconds=float(np.median(seconds)),
        peak_memory=max(row["peak_memory"] for row in rows),
        validation=surrogate.training["val_relative_l2"],
        splits=splits,
    )


def seen(steps: int, count: int) -> int:
    """Return how many of a set of `count` samples so many steps have seen; an epoch's last batch has what is left."""
    epochs, more = divmod(steps, -(-count // BATCH))
    return epochs * count + more * BATCH


def shifted(samples: MeshDataset) -> list[str]:
    """Return the names of the splits that are tested on: `test`, then those of the recipe that have samples."""
    names = [name for name in samples.store.manifest.splits if name not in ("train", "validation")]
    return [name for name in names if len(samples.split(name))]


def _errors(surrogate: Surrogate, split: MeshDataset) -> tuple[Errors, list[float]]:
    """Return the errors, and the seconds of each answer, the classical solve of a hybrid included."""
    found, seconds, plain = [], [], MeshDataset(split.store, split.ids)
    for i in range(len(split)):
        graph, mesh = plain[i], split.case(i).mesh
        begun = time.perf_counter()
        given = lift(graph, mesh) if split.lifting else graph
        prediction = surrogate.predict(given).double().numpy()
        seconds.append(time.perf_counter() - begun)
        found.append(prediction)
    return errors_of(found, split), seconds


def _baselines(samples: MeshDataset) -> list[Row]:
    """Rows of predictions without training, timed on the test split as they are: from a case, graph and all."""
    baselines = fit_baselines(samples.split("train"))
    rows = []
    for baseline in baselines:
        splits, seconds = {}, []
        for name in shifted(samples):
            split, found = samples.split(name), []
            for i in range(len(split)):
                case, graph = split.case(i), split[i]
                begun = time.perf_counter()
                found.append(baseline.predict(case, graph))
                seconds += [time.perf_counter() - begun] if name == "test" else []
            splits[name] = errors_of(found, split)
        rows.append(_untrained(baseline.name, "baseline", splits, float(np.median(seconds))))
    return rows


def _references(samples: MeshDataset) -> list[Row]:
    """Rows of the reference solver, on the data's meshes and on those coarser ones that the test split has."""
    by_factor: dict[float, dict[str, tuple[Errors, float]]] = {}
    for name in shifted(samples):
        for factor, errors, seconds in coarser(samples.split(name), name):
            by_factor.setdefault(factor, {})[name] = errors, seconds
    return [
        _untrained(
            f"reference, edges x {factor:g}", "reference", {n: e for n, (e, _) in found.items()}, found["test"][1]
        )
        for factor, found in by_factor.items()
        if "test" in found
    ]


def _untrained(name: str, kind: str, splits: dict[str, Errors], seconds: float) -> Row:
    return Row(name, kind, 0, 0.0, 0, 0, 0.0, 0.0, seconds, 0, 0.0, splits)


def _kind(operator: str) -> str:
    return "hybrid" if operator.endswith(LIFTED) else "operator"
