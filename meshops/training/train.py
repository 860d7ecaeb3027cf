"""Training, by Lightning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from meshops.graph import Schema
from meshops.training.errors import FolderBusy, TrainingError
from meshops.training.files import LAST, METRICS, locked
from meshops.training.memory import keep_memory
from meshops.training.run import Graphs, Run, make_run
from meshops.training.seeds import seeded
from meshops.training.settings import Settings
from meshops.training.signals import Signals
from meshops.training.surrogate import DESCRIPTION, TENSORS, Surrogate


def train(
    train_set: Graphs,
    validation_set: Graphs,
    *,
    folder: str | Path,
    settings: Settings,
    operator: str = "multigrid",
    options: Mapping[str, Any] | None = None,
    schema: Schema | None = None,
    resume: bool = False,
) -> Surrogate:
    """Train an operator and return the surrogate with the lowest validation error, which stays in `folder`.

    The sets are data sets or lists (kept in memory) of graphs with `y`; `schema` is needed where the first set has
    none. Where the settings' loss reads no labels, those of the training set are never read, and fields are normalized
    by the equation's own scaling; validation needs its labels all the same. With a `Surrogate` as the option `boost`,
    the operator is trained on what that one leaves, and the surrogate is their sum.

    `folder` also gets `last.ckpt`, from which `resume` goes on (on a CPU, to the same bits as an unbroken run of as
    many epochs), and `metrics.jsonl`, a line for each validation.

    Raises `TrainingError` where `folder` has a run and `resume` is not given, where another run is at work in it, or
    where `resume` finds none or one of another operator, other settings or data; `NonFiniteLoss`; `TrainingStopped`
    after SIGTERM or Ctrl-C.
    """
    folder = Path(folder)
    _begin(folder, resume=resume)
    run = make_run(train_set, validation_set, schema=schema, name=operator, options=options or {}, settings=settings)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        checkpoint = _begin(folder, resume=resume)
        run = run.following(checkpoint["run"]) if checkpoint else run
        if not checkpoint or settings.done(**checkpoint["done"]) < 1:
            _fit(run, folder, resume=resume)
        return Surrogate.load(folder)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs out of the folder; of the processes of one run on several devices the first has the lock."""
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    if rank_zero_only.rank:  # type: ignore[attr-defined]
        return nullcontext()
    return locked(
        folder, FolderBusy(f"another run is training in {str(folder)!r}; wait for it, or train in another folder.")
    )


def holds_run(folder: str | Path) -> bool:
    """Return whether `folder` has a file of a run, which is not to be written over."""
    return any((Path(folder) / name).exists() for name in (LAST, METRICS, DESCRIPTION, TENSORS))


def _begin(folder: Path, *, resume: bool) -> dict[str, Any] | None:
    """Return the checkpoint to go on from, if that is asked for; else see that the folder holds no run."""
    if resume:
        from meshops.training.checkpoints import read_checkpoint

        return read_checkpoint(folder / LAST)
    if holds_run(folder):
        raise TrainingError(f"{str(folder)!r} holds a run; resume it (--resume), or train in another folder.")
    return None


def _fit(run: Run, folder: Path, *, resume: bool) -> None:
    import lightning as L

    from meshops.training.bar import Bar
    from meshops.training.checkpoints import AtomicCheckpointIO
    from meshops.training.keeper import Keeper
    from meshops.training.module import Training

    settings = run.settings
    keep_memory()
    with _quiet(), seeded(settings.seed), Signals() as signals:
        trainer = L.Trainer(
            accelerator=settings.accelerator,
            devices=settings.devices,
            strategy=settings.strategy,
            precision=settings.precision,  # type: ignore[arg-type]
            callbacks=[Keeper(folder, signals), *([Bar()] if settings.progress else [])],
            plugins=[AtomicCheckpointIO()],
            max_epochs=-1,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        devices, count = trainer.world_size, len(run.validation_set)
        if devices > count:
            told = f"found {devices} devices and {count} validation graphs; expected a graph for each"
            raise TrainingError(f"{told}: train on fewer devices, or validate on more graphs.")
        trainer.fit(Training(run), ckpt_path=folder / LAST if resume else None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back Lightning's tips and its advice on loaders; its other warnings and errors pass."""
    from lightning.fabric.utilities.warnings import PossibleUserWarning

    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)  # of torch to Lightning
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
