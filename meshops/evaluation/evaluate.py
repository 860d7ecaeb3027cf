"""How far a surrogate is from the reference on a data set, beside its baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from meshops.data import MeshDataset, StoreError
from meshops.equations import Case
from meshops.evaluation.baselines import Baseline, fit_baselines
from meshops.evaluation.errors import by_field, over_time
from meshops.evaluation.metrics import relative_l2
from meshops.graph import MeshGraph
from meshops.training import Surrogate

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """Relative L2 errors, mass-weighted, of the dimensionless field: the operator's and each baseline's, by sample.

    Of problems in time `over_time` has the operator's mean error at each time after the start, of those with several
    fields `by_field` has that of each; else nothing.
    """

    operator: str
    samples: tuple[int, ...]
    per_sample: tuple[float, ...]
    baselines: dict[str, tuple[float, ...]]
    seconds_per_sample: float
    over_time: tuple[float, ...] = ()
    by_field: dict[str, float] = field(default_factory=dict)

    @property
    def relative_l2(self) -> float:
        """The operator's mean over samples."""
        return float(np.mean(self.per_sample))

    def to_json(self) -> dict[str, object]:
        """Return the plain form with means."""
        return {
            "operator": self.operator,
            "relative_l2": self.relative_l2,
            "median": float(np.median(self.per_sample)),
            "samples": list(self.samples),
            "per_sample": list(self.per_sample),
            "baselines": {name: float(np.mean(errors)) for name, errors in self.baselines.items()},
            "seconds_per_sample": self.seconds_per_sample,
            "over_time": list(self.over_time),
            "by_field": self.by_field,
        }


def evaluate(
    surrogate: Surrogate, samples: MeshDataset, train: MeshDataset, *, progress: Progress | None = None
) -> Evaluation:
    """Return the errors of `surrogate` on `samples`; the baselines are fitted on `train`, of the same data set.

    Imported samples have no cases: baselines that solve theirs are left out. Raises `StoreError` where one of the two
    is empty, `SurrogateError` for data of another equation or other columns, or on shapes that it was trained on.
    """
    _require_samples(samples, train)
    surrogate.require_data(samples.schema)
    surrogate.require_unseen(samples, train)
    fitted = fit_baselines(train)
    baselines = [b for b in fitted if not (samples.imported and b.of_case)]
    rows, moments, fields, seconds = [], [], [], 0.0
    for i in range(len(samples)):
        graph = samples[i]
        start = time.perf_counter()
        prediction = surrogate.predict(graph).double().numpy()
        seconds += time.perf_counter() - start
        reference, mass = graph.y.double().numpy(), graph.mass.double().numpy()
        moments.append(over_time(prediction, reference, mass, samples.schema.times))
        fields.append(by_field(prediction, reference, mass, samples.schema.y))
        case = None if samples.imported else samples.case(i)
        rows.append((relative_l2(prediction, reference, mass), *baseline_errors(baselines, case, graph)))
        if progress:
            progress(i + 1, len(samples))
    own, *others = zip(*rows, strict=True)
    named = {b.name: tuple(errors) for b, errors in zip(baselines, others, strict=True)}
    growth = tuple(np.mean(moments, axis=0).tolist())
    means = {name: float(np.mean([errors[name] for errors in fields])) for name in fields[0]}
    several = means if len(means) > 1 else {}
    return Evaluation(surrogate.label, tuple(samples.ids), tuple(own), named, seconds / len(samples), growth, several)


def _require_samples(samples: MeshDataset, train: MeshDataset) -> None:
    for what, found in (("test on", samples), ("fit the baselines to", train)):
        if not len(found):
            raise StoreError(f"found no samples to {what}; expected at least one: name another split, or make more.")


def baseline_errors(baselines: Sequence[Baseline], case: Case | None, graph: MeshGraph) -> list[float]:
    """Return the relative L2 error of each baseline on one case, or on a graph without one."""
    return [error_of(b.predict(case, graph), graph) for b in baselines]


def error_of(prediction: np.ndarray, graph: MeshGraph) -> float:
    """Return the relative L2 error of (N, C) dimensionless fields against the graph's `y`."""
    return relative_l2(prediction, graph.y.double().numpy(), graph.mass.double().numpy())
