"""`Guard`: which inputs are unlike the training data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from scipy.spatial import cKDTree
from torch import Tensor

from geometries.errors import MeshopsError
from geometries.files import atomic_write
from meshops.graph import MeshGraph, Schema
from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]
FILE = "guard.safetensors"
QUANTILES = (0.005, 0.995)
MARGIN = 0.5  # of the range between the quantiles, by which a feature may lie outside
NEIGHBOUR = 1.5  # times the largest distance that a training sample has from the rest
FEWEST = 8
_COMBINATION = "the combination of shape and conditions"


@dataclass(frozen=True, eq=False)
class Guard:
    """Calibrated on the training graphs: each feature's range, and how far apart the training samples lie.

    `low`, `high`, `scale` (F,) are quantiles and spread of the features named in `names`; `seen` (n, F) the training
    samples' features over `scale`; `reach` the distance to the nearest other sample that hardly any exceeds.
    """

    schema: Schema
    names: tuple[str, ...]
    low: Floats
    high: Floats
    scale: Floats
    seen: Floats
    reach: float

    @classmethod
    def calibrate(cls, graphs: Iterable[MeshGraph], schema: Schema) -> Guard:
        """Return the guard of a training set. Raises `TrustError` for fewer than 8 graphs."""
        rows = [features(graph, schema) for graph in graphs]
        if len(rows) < FEWEST:
            raise TrustError(f"found {len(rows)} training graphs; expected {FEWEST} or more to know what is usual.")
        names, table = tuple(rows[0]), np.array([list(row.values()) for row in rows])
        low, high = np.quantile(table, QUANTILES, axis=0)
        size = np.maximum(np.abs(low), np.abs(high))
        scale = np.maximum(high - low, 1e-3 * size + 1e-6)
        seen = table / scale
        reach = float(np.quantile(_to_nearest(seen, seen, 1), QUANTILES[1]))
        return cls(schema, names, low, high, scale, seen, reach)

    def unusual(self, graph: MeshGraph) -> tuple[str, ...]:
        """Return what is unlike the training data about a graph, worst first, in words; nothing if it is like them.

        Raises `TrustError` for a graph of other columns than those of the training set.
        """
        values = np.array(list(features(graph, self.schema).values()))
        over = np.maximum(self.low - values, values - self.high) / self.scale
        worst = [i for i in np.argsort(-over) if not over[i] <= MARGIN]
        if worst:
            return tuple(self._say(i, values[i]) for i in worst)
        far = _to_nearest(values[None] / self.scale, self.seen, 0)[0] > NEIGHBOUR * self.reach
        return (_COMBINATION,) if far else ()

    def _say(self, at: int, value: float) -> str:
        return f"{self.names[at]} is {value:.3g}, {self.low[at]:.3g} to {self.high[at]:.3g} in training"

    def to_tensors(self) -> dict[str, Tensor]:
        """Return what it knows as tensors, to be saved by safetensors; with the schema, `from_tensors` reads it."""
        arrays = {n: getattr(self, n) for n in ("low", "high", "scale", "seen")} | {"reach": np.array([self.reach])}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    @classmethod
    def from_tensors(cls, schema: Schema, tensors: Mapping[str, Tensor]) -> Guard:
        """Read what `to_tensors` gave."""
        low, high, scale, seen, reach = (tensors[n].numpy() for n in ("low", "high", "scale", "seen", "reach"))
        names = tuple(_names(schema))
        if not low.shape == high.shape == scale.shape == seen.shape[1:] == (len(names),):
            raise TrustError(f"found the ranges of {low.shape} features; expected {len(names)}.")
        return cls(schema, names, low, high, scale, seen, float(reach[0]))

    def save(self, folder: str | Path) -> None:
        """Write `guard.safetensors` into `folder`, replacing one that is there."""
        with atomic_write(Path(folder) / FILE) as beside:
            save_file(self.to_tensors(), beside, metadata={"schema": json.dumps(self.schema.to_json())})

    @classmethod
    def load(cls, folder: str | Path) -> Guard | None:
        """Read what `save` wrote; None where there is none. Raises `TrustError` for a damaged file."""
        path = Path(folder) / FILE
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                schema = Schema.from_json(json.loads((file.metadata() or {})["schema"]))
            return cls.from_tensors(schema, tensors)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError, MeshopsError) as error:
            raise TrustError(f"{str(path)!r} is damaged ({error}); train again, or remove it to do without.") from None


def remember(graphs: Sequence[MeshGraph], schema: Schema, folder: str | Path) -> str | None:
    """Calibrate on the training graphs and save into the run's `folder`; return why not, where there are too few."""
    try:
        Guard.calibrate((graphs[i] for i in range(len(graphs))), schema).save(folder)
    except TrustError as error:
        return f"the run cannot warn of unusual inputs: {error}"
    return None


def features(graph: MeshGraph, schema: Schema) -> dict[str, float]:
    """Return the features by which inputs are compared: of the shape, of the conditions, of coefficients and source.

    All are means over the domain or its boundary, so that they hardly depend on the mesh. Raises `TrustError` for a
    graph of other columns than the schema's.
    """
    if graph.x.shape[1] != len(schema.x) or graph.boundary_x.shape[1] != len(schema.boundary_x):
        raise TrustError(
            f"the graph has {graph.x.shape[1]} and {graph.boundary_x.shape[1]} feature columns; expected "
            f"{len(schema.x)} and {len(schema.boundary_x)}, as in training."
        )
    values = np.concatenate([_shape(graph, schema), _conditions(graph, schema), _coefficients(graph)])
    return dict(zip(_names(schema), values.tolist(), strict=True))


def _names(schema: Schema) -> list[str]:
    axes = "xyz"[: schema.dim]
    shape = ["volume", "surface area", *(f"principal extent {i + 1}" for i in range(schema.dim))]
    shape += [*(f"share of surface facing {a}" for a in axes), "mesh size", "nodes"]
    columns = [f"{what} of {name}" for what in ("mean", "spread") for name in schema.boundary_x[:-1]]
    return shape + columns + [f"{what} of {name}" for what in ("mean", "spread") for name in schema.x]


def _shape(graph: MeshGraph, schema: Schema) -> Floats:
    pos, mass = _array(graph.pos), _array(graph.mass)
    surface = _array(graph.boundary_x)
    area, normal = surface[:, -1], surface[:, -1 - schema.dim : -1]
    centred = pos - mass @ pos / mass.sum()
    extents = np.linalg.eigvalsh((mass[:, None] * centred).T @ centred / mass.sum())[::-1]
    facing = area @ normal**2 / area.sum()
    start, end = graph.edge_index.numpy()
    size = np.linalg.norm(pos[start] - pos[end], axis=1).mean() if len(start) else 0.0
    return np.array(
        [mass.sum(), area.sum(), *np.sqrt(np.maximum(extents, 0)), *facing, np.log(max(size, 1e-12)), np.log(len(pos))]
    )


def _conditions(graph: MeshGraph, schema: Schema) -> Floats:
    surface = _array(graph.boundary_x)
    return _moments(surface[:, :-1], surface[:, -1])


def _coefficients(graph: MeshGraph) -> Floats:
    return _moments(_array(graph.x), _array(graph.mass))


def _moments(columns: Floats, weight: Floats) -> Floats:
    share = weight / weight.sum()
    mean = share @ columns
    return np.concatenate([mean, np.sqrt(share @ (columns - mean) ** 2)])


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().double().cpu().numpy()


def _to_nearest(points: Floats, others: Floats, skip: int) -> Floats:
    """(n,) distances to the nearest of `others`, leaving out the `skip` nearest."""
    distance, _ = cKDTree(others).query(points, k=skip + 1)
    return np.reshape(distance, (len(points), -1))[:, skip]
