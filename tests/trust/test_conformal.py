"""Intervals cover what they promise, for new geometries, however their samples hang together."""

from __future__ import annotations

import numpy as np
import pytest

from meshops.trust import Conformal, TrustError


def draw(rng: np.random.Generator, geometries: int, each: int) -> tuple[np.ndarray, list[int]]:
    """Errors whose size depends on the geometry far more than on the load."""
    size = np.exp(rng.normal(size=geometries))
    return np.abs(rng.normal(size=(geometries, each)) * size[:, None]).ravel(), np.repeat(
        range(geometries), each
    ).tolist()


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("geometries", [19, 60])
def test_the_coverage_is_kept(coverage: float, geometries: int) -> None:
    """Over 4000 draws of calibration set and new geometry; at most 1/(n + 1) above, as the theory says."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(4000):
        scores, groups = draw(rng, geometries, 5)
        new, _ = draw(rng, 1, 5)
        held.append(new.max() <= Conformal.calibrate(scores, groups, coverage=coverage).quantile)
    noise = 3 * np.sqrt(0.25 / 4000)
    assert coverage - noise <= np.mean(held) <= coverage + 1 / (geometries + 1) + noise


def test_samples_taken_as_independent_would_promise_too_much() -> None:
    """Why geometries are grouped: without, fewer new geometries are covered than promised."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        scores, _ = draw(rng, 20, 5)
        new, _ = draw(rng, 1, 5)
        held.append(new.max() <= Conformal.calibrate(scores, range(len(scores)), coverage=0.9).quantile)
    assert np.mean(held) < 0.85


def test_intervals_are_centred_and_scaled() -> None:
    found = Conformal(2.0, 0.9, 30)
    low, high = found.interval([1.0, 5.0], [1.0, 0.5])
    assert low.tolist() == [-1.0, 4.0]
    assert high.tolist() == [3.0, 6.0]


def test_too_few_geometries_are_refused() -> None:
    with pytest.raises(TrustError, match="needs 9"):
        Conformal.calibrate(np.ones(40), np.repeat(range(8), 5).tolist(), coverage=0.9)
    assert Conformal.calibrate(np.arange(9.0), range(9), coverage=0.9).quantile == 8.0
    for scores, groups, coverage in (([np.nan], [0], 0.5), ([1.0, 2.0], [0], 0.5), ([1.0], [0], 1.0)):
        with pytest.raises(TrustError):
            Conformal.calibrate(scores, groups, coverage=coverage)
