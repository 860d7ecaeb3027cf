"""Split-conformal intervals, for what has no bound: calibrated on held-out geometries, true for new ones on average."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meshops.trust.errors import TrustError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Conformal:
    """With probability `coverage` at least, the score of a new sample is at most `quantile`.

    Vovk, Gammerman and Shafer 2005; Lei et al. 2018, doi:10.1080/01621459.2017.1307116. A score is any error of which
    a larger one is worse: |y - ŷ|, or |y - ŷ|/s with s known beforehand. Samples of one geometry are not independent,
    so each of the `groups` geometries counts once, by its worst score: the promise is for all samples of a new
    geometry together, over the draw of calibration and new geometries.
    """

    quantile: float
    coverage: float
    groups: int

    @classmethod
    def calibrate(cls, scores: ArrayLike, groups: Sequence[Hashable], *, coverage: float = 0.9) -> Conformal:
        """Return the quantile of scores (n,) by geometry, `groups` (n,), none of which the operator was trained on.

        Raises `TrustError` where there are too few geometries for the coverage, and for scores that are not numbers.
        """
        worst = _worst(np.asarray(scores, float), groups)
        if not 0 < coverage < 1:
            raise TrustError(f"the coverage is {coverage!r}; expected a share between 0 and 1, such as 0.9.")
        rank = ceil((len(worst) + 1) * coverage - 1e-9)
        if rank > len(worst):
            needed = ceil(coverage / (1 - coverage) - 1e-9)
            raise TrustError(f"found {len(worst)} geometries; a coverage of {coverage} needs {needed} or more.")
        return cls(float(np.sort(worst)[rank - 1]), coverage, len(worst))

    def interval(self, prediction: ArrayLike, scale: ArrayLike = 1.0) -> tuple[Floats, Floats]:
        """Return the lower and upper ends around `prediction`, for scores |y - ŷ|/scale."""
        middle, half = np.asarray(prediction, float), self.quantile * np.asarray(scale, float)
        return middle - half, middle + half


def _worst(scores: Floats, groups: Sequence[Hashable]) -> Floats:
    if scores.ndim != 1 or len(scores) != len(groups) or not len(scores):
        raise TrustError(f"found scores of shape {scores.shape} for {len(groups)} groups; expected one group a score.")
    if np.isnan(scores).any():
        raise TrustError("a score is not a number; leave the sample out and say so.")
    number: dict[Hashable, int] = {}
    index = np.array([number.setdefault(group, len(number)) for group in groups])
    worst = np.full(len(number), -np.inf)
    np.maximum.at(worst, index, scores)
    return worst
