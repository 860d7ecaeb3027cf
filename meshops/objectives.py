"""Training with physics: losses by name for a data set, and the refinement of a last layer.

Here training, data and trust meet: `trust` knows problems and no data sets, `training` losses and no problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geometries.errors import nearest
from meshops.data import MeshDataset, Normalization
from meshops.graph import MeshGraph
from meshops.operators import Refined, build
from meshops.training import DATA_LOSSES, Loss, Surrogate, Total, TrainingError
from meshops.training.losses import relative_l2
from meshops.training.seeds import seeded
from meshops.trust import LOSSES, PhysicsLoss, Problem
from meshops.trust.loss import require_definite

Floats = NDArray[np.float64]
Equations = tuple[Floats, Floats]
ROUNDING = 1e-12  # of the largest eigenvalue, below which a direction is none
RIDGES = (0.0, *(10.0**k for k in range(-10, 1)))  # over the diagonal of the normal equations
Progress = Callable[[int, int], None]


def objective(names: str, samples: MeshDataset) -> Loss:
    """Return the loss called `names`: one of `DATA_LOSSES` or of `trust.LOSSES`, or the sum of several, by commas.

    Raises `TrainingError` for unknown names, `TrustError` where the equation of `samples` has no such loss.
    """
    parts: list[Loss] = []
    for name in names.split(","):
        if name not in (*DATA_LOSSES, *LOSSES):
            raise TrainingError(f"no loss is called {name!r}; {nearest(name, [*DATA_LOSSES, *LOSSES])}")
        if name in LOSSES and len(samples):
            require_definite(samples.case(0))  # before the run's folder is made
        parts.append(DATA_LOSSES[name] if name in DATA_LOSSES else PhysicsLoss(name, samples.store.read_case))
    return parts[0] if len(parts) == 1 else Total(tuple(parts))


def refine(surrogate: Surrogate, samples: MeshDataset, *, progress: Progress | None = None) -> Surrogate:
    """Return the surrogate with `Refined`'s map of its last features: the least mean of squared energy errors.

    That is the residual's dual norm, over the training split, as shares of each solution's energy; it is quadratic in
    the map, so its normal equations are summed sample by sample and solved, with the ridge that the validation split
    prefers in the same norm. Neither reads labels. `training["refined"]` tells the ridge (None where the map is best
    left zero), and before and after the mean dual norm of the validation split and its relative L2 error.

    Raises `OperatorError` where the operator has no last linear layer, `TrustError` as `Problem.of`, `SurrogateError`
    for data that are not the surrogate's, or that validate on what it was trained on, `TrainingError` for empty splits.
    """
    train_set, validation_set = samples.split("train"), samples.split("validation")
    for name, part in (("training", train_set), ("validation", validation_set)):
        if not len(part):
            raise TrainingError(f"the {name} split is empty; expected at least one sample: generate more.")
    surrogate.require_data(samples.schema)
    surrogate.require_unseen(validation_set, train_set)
    operator, options = _refined(surrogate)
    total = len(train_set) + len(validation_set)

    def count(done: int) -> None:
        if progress:
            progress(done, total)

    equations = _normal_equations(operator, surrogate.normalization, train_set, count)
    checks = _normal_equations(operator, surrogate.normalization, validation_set, lambda n: count(len(train_set) + n))
    before = _errors(surrogate, validation_set)
    ridge, weights = best(equations, checks)
    operator.set_correction(torch.from_numpy(weights))
    refined = replace(surrogate, operator=operator, options=options)
    after = _errors(refined, validation_set)
    record = {"ridge": ridge} | {name: [before[name], after[name]] for name in before}
    shapes = sorted({*surrogate.training.get("shapes", ()), *train_set.shapes})
    training = {**surrogate.training, "val_relative_l2": after["val_relative_l2"], "refined": record, "shapes": shapes}
    return replace(refined, training=training)


def best(equations: Equations, checks: Equations) -> tuple[float | None, Floats]:
    """Return the ridge, and the weights w of `equations` (G, g) with it, that make wᵀG w - 2 gᵀw least for `checks`.

    None and zeros where no ridge makes it negative.
    """
    gram, slope = equations
    scale = 1.0 / np.sqrt(np.where(gram.diagonal() > 0, gram.diagonal(), 1.0))
    size, axes = np.linalg.eigh(scale[:, None] * gram * scale)
    kept = size > ROUNDING * size.max()
    size, axes = size[kept], axes[:, kept]
    along = axes.T @ (scale * slope)
    found: tuple[float | None, Floats] = None, np.zeros_like(slope)
    least = 0.0
    for ridge in RIDGES:
        weights = scale * (axes @ (along / (size + ridge)))
        value = float(weights @ checks[0] @ weights - 2 * checks[1] @ weights)
        if value < least:
            found, least = (ridge, weights), value
    return found


def _refined(surrogate: Surrogate) -> tuple[Refined, dict[str, Any]]:
    """Return the operator with its map, zero as yet, and the options that build it."""
    if surrogate.options.get("refined"):
        raise TrainingError("the run is refined already; refine the one that it was made of.")
    with seeded(0):
        inner = build(surrogate.name, surrogate.schema, surrogate.options)
        inner.load_state_dict(surrogate.operator.state_dict())
        operator = Refined(inner)
    return operator.eval(), {**surrogate.options, "refined": True}


def _normal_equations(
    operator: Refined, normalization: Normalization, samples: MeshDataset, count: Callable[[int], None]
) -> Equations:
    """Return the means of G and g over the samples."""
    gram, slope = np.zeros(()), np.zeros(())
    for done, (graph, problem) in enumerate(_problems(samples), start=1):
        fields, basis = (found.double() for found in operator.parts(normalization.apply(graph)))
        basis = basis * normalization.y_scale[:, None]
        one, own = problem.normal_equations(normalization.undo(fields), basis)
        gram, slope = gram + one / len(samples), slope + own / len(samples)
        count(done)
    return gram, slope


def _problems(samples: MeshDataset) -> Iterator[tuple[MeshGraph, Problem]]:
    return ((samples[i], Problem.of(samples.case(i))) for i in range(len(samples)))


def _errors(surrogate: Surrogate, samples: MeshDataset) -> dict[str, float]:
    dual, labels = [], []
    for graph, problem in _problems(samples):
        fields = surrogate.predict(graph)
        dual.append(float(problem.dual_norm(fields)))
        labels.append(float(relative_l2(fields, graph.y, graph)))
    return {"val_dual_norm": float(np.mean(dual)), "val_relative_l2": float(np.mean(labels))}
