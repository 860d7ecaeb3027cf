"""Errors of predictions over a split: of the field, by mass, and of its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometries.mesh import Mesh
from meshops.data import MeshDataset
from meshops.equations import Case, Heat, assemble
from meshops.evaluation.metrics import ratio, relative_l2

Floats = NDArray[np.float64]
_TINY = 1e-9  # makes the Laplacian's case one with a solution, and changes nothing elsewhere


@dataclass(frozen=True)
class Errors:
    """Of `count` samples: mean and median of the relative L2 error by mass, mean of the gradient's relative error.

    Of problems in time `over_time` has the mean relative L2 error at each time after the start, else nothing.
    """

    mean: float
    median: float
    gradient: float
    count: int
    over_time: Sequence[float] = ()


def errors_of(predictions: Sequence[Floats], split: MeshDataset) -> Errors:
    """Return the errors of (N, C) dimensionless predictions, one for each sample of `split` in its order."""
    fields, gradients, moments = [], [], []
    for i, prediction in enumerate(predictions):
        graph = split[i]
        reference, mass = graph.y.double().numpy(), graph.mass.double().numpy()
        fields.append(relative_l2(prediction, reference, mass))
        gradients.append(relative_gradient(prediction, reference, laplacian(split.case(i).mesh)))
        moments.append(over_time(prediction, reference, mass, split.schema.times))
    means = [float(np.mean(values)) for values in (fields, gradients)]
    return Errors(means[0], float(np.median(fields)), means[1], len(fields), np.mean(moments, axis=0).tolist())


def over_time(prediction: Floats, reference: Floats, mass: Floats, times: int) -> list[float]:
    """Return the relative L2 error of (N, C) fields at each of the `times` but the start; of steady ones nothing."""
    if not times:
        return []
    moments = zip(*(np.split(fields, times - 1, axis=1) for fields in (prediction, reference)), strict=True)
    return [relative_l2(found, expected, mass) for found, expected in moments]


def by_field(prediction: Floats, reference: Floats, mass: Floats, columns: Sequence[str]) -> dict[str, float]:
    """Return the relative L2 error of each field, at all times, of (N, C) with the `columns` of a schema's `y`."""
    places: dict[str, list[int]] = {}
    for i, column in enumerate(columns):
        places.setdefault(column.split("@")[0].split(".")[0], []).append(i)
    return {field: relative_l2(prediction[:, at], reference[:, at], mass) for field, at in places.items()}


def laplacian(mesh: Mesh) -> csr_array:
    """Return K of ∫∇u·∇v = vᵀ K u on the mesh's own elements."""
    return assemble(Case(mesh, Heat(), coefficients={"loss": _TINY / mesh.length**2})).matrix


def relative_gradient(prediction: Floats, reference: Floats, stiffness: csr_array) -> float:
    """Return |prediction - reference|₁ / |reference|₁ of (N, C) fields, with |v|₁² = ∫|∇v|²."""
    return ratio(seminorm(prediction - reference, stiffness), seminorm(reference, stiffness))


def seminorm(values: Floats, stiffness: csr_array) -> float:
    """Return (Σ_c v_cᵀ K v_c)^½ of (N, C) fields."""
    return float(np.sqrt(np.maximum(0.0, np.sum(values * (stiffness @ values)))))
