"""The whole path on the shipped bracket: read, generate siblings, train, solve the unseen part, compare, draw."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from geometries.errors import MeshopsError
from geometries.files import locked
from meshops import console
from meshops.answer import Answer, Demand, in_words, predicted, scene_of
from meshops.data import MeshDataset, Recipe, generate
from meshops.data.threads import one_thread
from meshops.equations import Case
from meshops.evaluation import Baseline, Evaluation, baseline_errors, error_of, evaluate, fit_baselines
from meshops.graph import build_graph
from meshops.training import Settings, Surrogate, shipped, train
from meshops.trust import Guard
from meshops.trust.guard import remember
from meshops.viz import boundaries_scene, html, screenshot

COUNT = 480  # siblings: 384 to train, 48 to validate, 48 unseen
MINUTES = 3.0


@dataclass(frozen=True)
class Demo:
    """Relative L2 errors of the operator and of each baseline, seconds of stages, files written, and the verdict.

    `unseen` is empty where nothing was generated.
    """

    unseen: dict[str, float]
    part: dict[str, float]
    seconds: dict[str, float]
    files: tuple[Path, ...]
    verdict: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the plain form."""
        return {
            "unseen": self.unseen,
            "part": self.part,
            "seconds": self.seconds,
            "files": [str(path) for path in self.files],
            "verdict": list(self.verdict),
        }

    def rows(self) -> list[tuple[str, float | str, float]]:
        """Return the table: name, on unseen shapes, on the part."""
        return [(name, self.unseen.get(name, "–"), error) for name, error in self.part.items()]


@one_thread()
def run(folder: Path) -> Demo:
    """Run the demo into `folder`."""
    seconds: dict[str, float] = {}
    case, pictures = _read(folder, seconds)
    with _stage("generate siblings", seconds), console.progress("samples") as update:
        samples = generate(Recipe.load("bracket"), folder / "data", count=COUNT, progress=update)
    with _stage("train", seconds):
        surrogate = _train(samples, folder / "run")
    with _stage("evaluate on unseen shapes", seconds), console.progress("evaluating") as update:
        unseen = evaluate(surrogate, samples.split("test"), samples.split("train"), progress=update)
    with _stage("solve the part", seconds):
        found = predicted(surrogate, Guard.load(folder / "run"), case, Demand(compare=True), {})
        part = _part_errors(surrogate, found, fit_baselines(samples.split("train")))
    with _stage("write and draw", seconds):
        answers = _write(found, folder)
    seconds["reference solve of the part"] = found.seconds["reference"]
    return Demo(_means(unseen), part, seconds, (*pictures, *answers), tuple(in_words(found)))


@one_thread()
def run_pretrained(folder: Path) -> Demo:
    """Answer for the part by the operator that is shipped, trained beforehand on its siblings; nothing is generated."""
    seconds: dict[str, float] = {}
    case, pictures = _read(folder, seconds)
    with _stage("solve the part", seconds):
        with shipped("bracket") as run:
            surrogate, guard = Surrogate.load(run), Guard.load(run)
        found = predicted(surrogate, guard, case, Demand(compare=True), {})
        part = _part_errors(surrogate, found, [])
    with _stage("write and draw", seconds):
        answers = _write(found, folder)
    seconds["reference solve of the part"] = found.seconds["reference"]
    return Demo({}, part, seconds, (*pictures, *answers), tuple(in_words(found)))


def _read(folder: Path, seconds: dict[str, float]) -> tuple[Case, list[Path]]:
    """Read the part and draw its boundaries."""
    folder.mkdir(parents=True, exist_ok=True)
    with _stage("read the STEP part", seconds):
        with as_file(files("meshops") / "resources") as resources:
            case = Case.read(resources / "bracket.yaml")
        pictures = [folder / "boundaries.png", folder / "boundaries.html"]
        scene = boundaries_scene(case.mesh, title="bracket.step")
        screenshot(scene, pictures[0])
        html(scene, pictures[1])
    return case, pictures


def _train(samples: MeshDataset, folder: Path) -> Surrogate:
    """Train beside, then replace: a demo that is stopped leaves the last one's run."""
    beside = folder.with_name(f"{folder.name}.new")
    train_set, validation_set = (list(samples.split(name)) for name in ("train", "validation"))
    settings = Settings(minutes=MINUTES, batch_size=4)
    busy = MeshopsError(
        f"another demo is training in {str(folder.parent)!r}; wait for it, or give another folder (-o)."
    )
    with locked(folder.parent, busy):
        shutil.rmtree(beside, ignore_errors=True)
        train(train_set, validation_set, folder=beside, schema=samples.schema, settings=settings)
        remember(train_set, samples.schema, beside)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    return Surrogate.load(folder)


def _means(result: Evaluation) -> dict[str, float]:
    return {result.operator: result.relative_l2} | {n: float(np.mean(e)) for n, e in result.baselines.items()}


def _part_errors(surrogate: Surrogate, found: Answer, baselines: Sequence[Baseline]) -> dict[str, float]:
    case = found.solution.case
    name = case.equation.field
    reference = case.solution(found.solution.fields[f"{name}_reference"])
    graph = build_graph(case, reference, schema=surrogate.schema)
    own = error_of(surrogate.predict(graph).double().numpy(), graph)
    errors = baseline_errors(baselines, case, graph)
    return {surrogate.name: own} | {b.name: e for b, e in zip(baselines, errors, strict=True)}


def _write(found: Answer, folder: Path) -> list[Path]:
    paths = [folder / f"bracket.{kind}" for kind in ("vtu", "png", "html")]
    found.save(paths[0])
    fields = {name: values[:, 0] for name, values in found.solution.fields.items()}
    scene = scene_of(replace(found.solution.case.mesh, point_data=fields), None, title="bracket.step, an unseen part")
    screenshot(scene, paths[1])
    html(scene, paths[2])
    return paths


@contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    console.say(f"{name} ...")
    yield
    seconds[name] = time.perf_counter() - start
