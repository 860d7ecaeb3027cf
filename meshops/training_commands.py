"""The commands that train; see `meshops.commands`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from geometries.errors import MeshopsError, nearest
from meshops import console

if TYPE_CHECKING:
    from meshops.data import MeshDataset

_AUGMENTATIONS = ("symmetries", "manufactured")
GAP = 1.5  # validation error over training error; runs with 2.2 and more gained by manufactured solutions, with 1.1 not


class How(TypedDict, total=False):
    """What training minimises, what it is given, and how it computes.

    Args:
        loss: labels (the default), gradient, dual-norm or ritz, or several with commas between. The latter two read no
            labels of the training set: the residual of the equation in its dual norm, and the Ritz energy.
        boost: Folder of a run on the same data set: train a second operator on what that one leaves; their sum is kept.
        lifting: Give the operator the harmonic extension of the boundary's values, a classical solve: a hybrid.
        augment: symmetries (turn the samples of each step by a symmetry of the axes), manufactured (give their shapes
            other data, whose solutions are made up; for linear problems, where a run has time for more than some ten
            epochs), or both with a comma between.
        precision: 32-true (the default), or bf16-mixed, for graphics cards and processors that multiply bfloat16.
        recompute: Compute layers again in the backward pass and keep less: for large meshes, up to half more time.
    """

    loss: str | None
    boost: Path | None
    lifting: bool
    augment: str | None
    precision: str | None
    recompute: bool


def train(
    data: Path,
    *,
    output: Path,
    operator: str = "multigrid",
    config: Path | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    resume: bool = False,
    seed: int = 0,
    **how: Unpack[How],
) -> None:
    """Train an operator on the training split of a data set; validation, by labels, picks the best epoch.

    Example: meshops train data/brackets -o runs/brackets --minutes 10

    Args:
        data: Folder of the data set.
        output: Folder of the run: the surrogate and what resuming needs.
        operator: See `meshops operators`.
        config: YAML file with the operator's options, such as `width: 96`.
        epochs: Number of passes over the training set; give this or minutes.
        minutes: Training time; 10 by default.
        resume: Continue the run in the output folder.
        seed: Of the weights and of the order of samples.
    """
    from geometries import yaml_file
    from meshops.data import MeshDataset
    from meshops.objectives import objective
    from meshops.training import Settings, Surrogate
    from meshops.training import train as run
    from meshops.trust.guard import remember

    if epochs is not None and minutes is not None:
        raise MeshopsError("found both --epochs and --minutes; give one of them.")
    samples = MeshDataset.open(data)
    samples = samples.lifted() if how.get("lifting") else samples
    loss = objective(how.get("loss") or "labels", samples.split("train"))
    options: dict[str, Any] = yaml_file.load(config) if config else {}
    before = how.get("boost")
    if before is not None:
        options["boost"] = Surrogate.load(before)
    minutes = 10.0 if epochs is None and minutes is None else minutes
    run(
        samples.split("train"),
        samples.split("validation"),
        folder=output,
        settings=Settings(epochs=epochs, minutes=minutes, seed=seed, loss=loss, **_further(how, samples)),
        operator=operator,
        options=options,
        resume=resume,
    )
    for note in (remember(samples.split("train"), samples.schema, output), _gap(output, samples, how)):
        if note:
            console.say(f"note: {note}")
    console.say(f"wrote {output}; next: meshops evaluate {output} {data}")


def _further(how: How, samples: MeshDataset) -> dict[str, Any]:
    """Return what else `Settings` is to be given."""
    from meshops.data import Manufactured
    from meshops.training import Settings

    names = how.get("augment")
    chosen = names.split(",") if names else []
    for name in chosen:
        if name not in _AUGMENTATIONS:
            raise MeshopsError(f"no augmentation is called {name!r}; {nearest(name, _AUGMENTATIONS)}")
    made = Manufactured(samples.schema, samples.store.read_case) if "manufactured" in chosen else None
    return {
        "symmetries": "symmetries" in chosen,
        "augmentation": made,
        "precision": how.get("precision") or Settings.precision,
        "recompute": bool(how.get("recompute")),
    }


def _gap(run: Path, samples: MeshDataset, how: How) -> str:
    """Return what would help where a run by labels learned its samples by heart, and other data can be made up."""
    from meshops.data import Manufactured
    from meshops.training.files import METRICS, course

    if how.get("augment") or how.get("boost") or how.get("loss") not in (None, "labels"):
        return ""
    rows = list(course(run / METRICS))
    ratio = rows[-1]["val_loss_labels"] / max(rows[-1]["loss"], 1e-12) if rows else 0.0
    if ratio < GAP:
        return ""
    try:
        Manufactured(samples.schema, samples.store.read_case)
    except MeshopsError:
        return ""
    return f"unseen samples err {ratio:.1f} times as much as those trained on; try --augment manufactured."


def refine(run: Path, data: Path, *, output: Path, json: bool = False) -> None:
    """Refine a run's last layer by least squares of the residual in the dual norm; labels are not needed.

    Example: meshops refine runs/brackets data/brackets -o runs/refined

    Args:
        run: Folder of the run.
        data: Folder of the data set, whose training split is solved for and whose validation split picks the ridge.
        output: Folder of the refined run, which holds none yet.
        json: Print one JSON object.
    """
    from meshops.data import MeshDataset
    from meshops.objectives import refine as solve
    from meshops.training import Surrogate, holds_run
    from meshops.trust import Guard

    if holds_run(output):
        raise MeshopsError(f"{str(output)!r} holds a run; refine into another folder.")
    surrogate, samples = Surrogate.load(run), MeshDataset.open(data)
    new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)  # before the work, which would be lost where that fails
    try:
        samples = samples.lifted() if surrogate.schema.lifting else samples
        with console.progress("refining") as update:
            refined = solve(surrogate, samples, progress=update)
        refined.save(output)
    finally:
        if new and not any(output.iterdir()):
            output.rmdir()
    guard = Guard.load(run)
    if guard is not None:
        guard.save(output)
    record: Any = refined.training["refined"]
    if json:
        console.print_json(record)
        return
    rows = [(name, *pair) for name, pair in record.items() if name != "ridge"]
    console.table(f"on the validation split, ridge {record['ridge']}", ("", "before", "after"), rows)
    console.line(f"wrote {output}; next: meshops evaluate {output} {data}")
