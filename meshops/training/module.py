"""The LightningModule: what one step and one validation do, and the state that a resumed run needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset
from torch_geometric.data import Batch

from meshops.data import Normalization, Symmetry, Turning
from meshops.graph import MeshGraph
from meshops.training.batches import Order, Round
from meshops.training.errors import NonFiniteLoss, TrainingError
from meshops.training.losses import relative_l2
from meshops.training.optimizers import adjust, configure
from meshops.training.run import Run
from meshops.training.seeds import seeded

CLIP = 1.0  # of the norm of the gradient
ROUND = 10.0  # seconds between validations in a run of minutes
SHARE = 0.1  # of such a run, at most, that validation takes
_STATE = ("step", "seconds", "best", "total", "count")


class Training(L.LightningModule):
    """Trains the operator of a run.

    It minimises the mean over graphs of the settings' loss; validation compares with labels.

    Progress is `step`, counted from the start of training, and `seconds`; both are in the checkpoint, and Lightning's
    own counts of batches are not: a resumed run is a fresh one that begins at `step`. What Lightning calls an epoch is
    a round here: the steps from one validation to the next.
    """

    def __init__(self, run: Run) -> None:
        """Build the operator and normalize the graphs of `run`."""
        super().__init__()
        self.run, self.settings = run, run.settings
        self.operator = run.operator()
        if self.settings.recompute:
            self.operator.recompute()
        self._turning = Turning(run.schema, run.normalization)
        self._sets = Prepared(run.train_set, run.normalization), Prepared(run.validation_set, run.normalization)
        self.step, self.seconds, self.best = 0, 0.0, float("inf")
        self.total, self.count = 0.0, 0  # of the losses of this round
        self.error = self.normalized_error = float("nan")  # of the last validation
        self._clock = time.monotonic()
        self._validation = 0.0  # seconds of the last one

    @property
    def order(self) -> Order:
        """The order of the training samples on this device."""
        settings, trainer = self.settings, self.trainer
        return Order(len(self._sets[0]), settings.batch_size, settings.seed, trainer.global_rank, trainer.world_size)

    @property
    def progress(self) -> float:
        """How much of the run is done, in [0, 1]."""
        return self.settings.done(**self._done())

    def _done(self) -> dict[str, Any]:
        return {"step": self.step, "seconds": self.seconds, "epoch_steps": self.order.steps}

    def train_dataloader(self) -> DataLoader:
        """Return the batches up to the next validation."""
        batches = Round(self.order, self.step, self._more())
        return _loader(self._sets[0], batch_sampler=batches, num_workers=self.settings.workers)

    def _more(self) -> Callable[[int], bool]:
        """Return whether the round goes on with a step: to the end of the epoch, or until it is time to validate."""
        steps, begun = self.order.steps, (self.step, self.seconds)
        if self.settings.epochs is not None:
            return lambda step: step // steps == begun[0] // steps
        span = max(ROUND, self._validation / SHARE)
        return lambda _: self.progress < 1 and self.seconds - begun[1] < span

    def val_dataloader(self) -> DataLoader:
        """Return this device's share of the validation set."""
        order = self.order
        own = range(order.rank, len(self._sets[1]), order.world)
        return _loader(self._sets[1], sampler=own, batch_size=self.settings.batch_size)

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer."""
        settings = self.settings
        return configure(self.operator, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)

    def on_train_start(self) -> None:
        """Start the clock."""
        self._clock = time.monotonic()

    def training_step(self, batch: MeshGraph, index: int) -> Tensor:
        """Return the loss; raises `NonFiniteLoss`."""
        with seeded(self.settings.seed, self.step, self.global_rank, device=self.device):
            augmentation, normalization = self.settings.augmentation, self.run.normalization
            batch = augmentation(batch, normalization) if augmentation else batch
            losses = self.settings.loss(self._predict(batch), batch, normalization.undo)
        self._samples = batch.sample
        found = losses.detach()
        self._require_finite(found, "the loss")
        self.total, self.count = self.total + float(found.sum()), self.count + len(found)
        return losses.mean()

    def _predict(self, batch: MeshGraph) -> Tensor:
        """Return the fields, where the settings say so those of the turned batch, turned back."""
        if not self.settings.symmetries:
            return self.operator(batch)
        drawn = Symmetry.draw(self._turning.dim)
        return self._turning.field(self.operator(self._turning.graph(batch, drawn)), drawn.inverse)

    def configure_gradient_clipping(self, optimizer: Optimizer, *_: object, **__: object) -> None:
        """Clip the norm of the gradient; raises `NonFiniteLoss` where it is not finite."""
        norm = torch.nn.utils.clip_grad_norm_(self.operator.parameters(), CLIP)
        self._require_finite(norm.expand(len(self._samples)), "the gradient")

    def _require_finite(self, values: Tensor, what: str) -> None:
        finite = values.isfinite()
        if not finite.all():
            raise NonFiniteLoss(what, self._samples[~finite].tolist(), self.step)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Set the learning rate, take the step, count."""
        adjust(optimizer, self.progress)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.step += 1
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if self.trainer.world_size > 1:  # one clock for all devices: it decides learning rates and ends of rounds
            self.seconds = self.trainer.strategy.broadcast(self.seconds)

    def on_validation_epoch_start(self) -> None:
        """Start the sum of errors."""
        self._errors = torch.zeros(3, dtype=torch.float64)  # on the CPU: not every device has float64
        self._begun = time.monotonic()

    def validation_step(self, batch: MeshGraph, index: int) -> None:
        """Add the relative L2 errors of the fields as the equation scales them, and of the normalized ones."""
        self._samples = batch.sample
        prediction = self.operator(batch).to(batch.y.dtype)
        errors = relative_l2(self._scaled(prediction), self._scaled(batch.y), batch)
        self._require_finite(errors, "the validation error")
        normalized = relative_l2(prediction, batch.y, batch)
        self._errors += torch.stack([errors.sum(), normalized.sum(), errors.new_tensor(len(errors))]).cpu()

    def _scaled(self, values: Tensor) -> Tensor:
        """Return fields as the equation scales them, over the most that they vary: imported ones come in any unit."""
        normalization = self.run.normalization
        return normalization.undo(values) / float(normalization.y_scale.max())

    def on_validation_epoch_end(self) -> None:
        """Leave the means over all devices in `error` and `normalized_error`."""
        several = self.trainer.world_size > 1
        own = self._errors.to(self.device) if several else self._errors
        total, normalized, count = self.trainer.strategy.reduce(own, reduce_op="sum").tolist()
        self.error, self.normalized_error = total / count, normalized / count
        self._validation = self.trainer.strategy.broadcast(time.monotonic() - self._begun)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the run and how far it is; leave out Lightning's loops."""
        checkpoint.pop("loops")
        checkpoint["run"] = self.run.origin()
        checkpoint["done"] = self._done()
        checkpoint["state"] = {name: getattr(self, name) for name in _STATE}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the state."""
        for name, value in checkpoint["state"].items():
            setattr(self, name, value)

    def load_state_dict(self, *given: Any, **how: Any) -> Any:  # noqa: ANN401  (as in torch)
        """Take weights; raises `TrainingError` for those of the operator as it was before its code changed."""
        try:
            return super().load_state_dict(*given, **how)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise TrainingError(
                f"the run to resume has other weights than {self.run.name} now ({reason}); train in another folder."
            ) from error


class Prepared(Dataset):
    """Normalized graphs that know their `sample`: the data set's number, or else their position.

    Graphs given as a list are normalized once, others when they are asked for; none is changed.
    """

    def __init__(self, graphs: Sequence[MeshGraph], normalization: Normalization) -> None:
        """Take `graphs`; those of a list are normalized now."""
        self._graphs, self._normalization = graphs, normalization
        self._ready = [self._prepared(i) for i in range(len(graphs))] if isinstance(graphs, list) else None

    def __len__(self) -> int:
        """Number of graphs."""
        return len(self._graphs)

    def __getitem__(self, index: int) -> MeshGraph:
        """Return a normalized graph."""
        return self._prepared(index) if self._ready is None else self._ready[index]

    def _prepared(self, index: int) -> MeshGraph:
        graph = self._normalization.apply(self._graphs[index])
        if "sample" not in graph:
            graph.sample = torch.tensor([index])
        return graph


def _loader(graphs: Dataset, **how: Any) -> DataLoader:  # noqa: ANN401
    """Return a loader of batches that draws nothing from torch's global random numbers."""
    return DataLoader(graphs, collate_fn=Batch.from_data_list, generator=torch.Generator(), **how)
