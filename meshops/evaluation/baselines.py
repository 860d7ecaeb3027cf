"""What an operator must beat: predictions that need no learning. A new one is one class and one line in `BASELINES`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from meshops.equations import Case
from meshops.graph import MeshGraph, harmonic_extension

Floats = NDArray[np.float64]


class Baseline(ABC):
    """Predicts (N, C) dimensionless fields, with essential values imposed. Fitted on training graphs only."""

    name: ClassVar[str]
    of_case: ClassVar[bool] = False  # whether it needs the case, which imported samples lack

    @abstractmethod
    def __init__(self, train: Sequence[MeshGraph]) -> None:
        """Fit on training graphs with `y`."""

    @abstractmethod
    def field(self, case: Case | None, graph: MeshGraph) -> Floats:
        """Return (N, C) fields before essential values are imposed."""

    def predict(self, case: Case | None, graph: MeshGraph) -> Floats:
        """Return (N, C) fields."""
        return np.where(graph.fixed.numpy(), graph.fixed_value.numpy(), self.field(case, graph))


class MeanField(Baseline):
    """The mean of the training fields over their domains: one number a channel."""

    name = "mean field"

    def __init__(self, train: Sequence[MeshGraph]) -> None:
        """Fit the mean."""
        total = sum((g.mass[:, None] * g.y).sum(0).double().numpy() for g in train)
        self.mean = total / sum(float(g.mass.sum()) for g in train)

    def field(self, case: Case | None, graph: MeshGraph) -> Floats:
        """Return the mean everywhere."""
        return np.broadcast_to(self.mean, (graph.pos.shape[0], len(self.mean)))


class NearestSample(Baseline):
    """The field of the training sample with the most similar boundary, carried over by position.

    Similar: nearest in the area-weighted means of the boundary features and of their products with the position, each
    scaled by its spread over the training set. Carried over: the mean of the 4 nearest nodes, weighted by 1/distance.
    """

    name = "nearest sample"

    def __init__(self, train: Sequence[MeshGraph]) -> None:
        """Keep the training graphs and a search tree of their features."""
        self.train = train
        features = np.stack([boundary_moments(g) for g in train])
        spread = features.std(0)
        self.scale = np.where(spread > 1e-9, spread, 1.0)
        self.tree = cKDTree(features / self.scale)

    def field(self, case: Case | None, graph: MeshGraph) -> Floats:
        """Return the field of the nearest training sample."""
        _, number = self.tree.query(boundary_moments(graph) / self.scale)
        sample = self.train[int(number)]
        distance, nearest = cKDTree(sample.pos.numpy()).query(graph.pos.numpy(), k=min(4, len(sample.pos)))
        distance, nearest = np.reshape(distance, (len(graph.pos), -1)), np.reshape(nearest, (len(graph.pos), -1))
        weight = 1.0 / np.maximum(distance, 1e-9)
        values = sample.y.double().numpy()[nearest]
        return (weight[..., None] * values).sum(1) / weight.sum(1)[:, None]


class HarmonicExtension(Baseline):
    """The solution of Δu = 0 with the case's essential values, no flux elsewhere: a classical solve, not a network.

    Component by component of every field. A piece where nothing is held gets the scaling's offset, which is 0.
    """

    name = "harmonic extension"
    of_case = True

    def __init__(self, train: Sequence[MeshGraph]) -> None:
        """Nothing is fitted."""

    def field(self, case: Case | None, graph: MeshGraph) -> Floats:
        """Return the extension."""
        assert case is not None
        return harmonic_extension(case.mesh, graph.fixed.numpy(), graph.fixed_value.double().numpy())


BASELINES: dict[str, type[Baseline]] = {b.name: b for b in (MeanField, NearestSample, HarmonicExtension)}


def fit_baselines(train: Iterable[MeshGraph]) -> list[Baseline]:
    """Return every registered baseline, fitted on the training graphs."""
    graphs = list(train)
    return [kind(graphs) for kind in BASELINES.values()]


def boundary_moments(graph: MeshGraph) -> Floats:
    """Return (F,) area-weighted means of the boundary features and of their products with the position."""
    features = graph.boundary_x.double().numpy()
    weight = features[:, -1] / features[:, -1].sum()
    pos = graph.pos.double().numpy()[graph.boundary_index.numpy()]
    first = np.einsum("m,mf,md->fd", weight, features, pos)
    return np.concatenate([weight @ features, first.ravel()])
