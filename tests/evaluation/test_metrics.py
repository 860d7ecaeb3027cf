"""Laws of the norms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.families import FAMILIES
from meshops.evaluation import norm, relative_l2
from meshops.evaluation.errors import laplacian, relative_gradient

NUMBERS = st.integers(0, 2**32 - 1)


@given(NUMBERS, st.floats(0.1, 10))
def test_relative_l2_is_scale_free(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    a, b, mass = rng.normal(size=(9, 2)), rng.normal(size=(9, 2)), rng.random(9) + 0.1
    assert relative_l2(factor * a, factor * b, mass) == pytest.approx(relative_l2(a, b, mass))
    assert relative_l2(a, b, factor * mass) == pytest.approx(relative_l2(a, b, mass))
    assert relative_l2(b, b, mass) == 0.0
    assert relative_l2(np.zeros_like(b), b, mass) == pytest.approx(1.0)


def test_norm_is_the_integral_whatever_the_mesh() -> None:
    """∫ x² over the unit square is 1/3; a mesh with more points on one side gives the same."""
    for cells in ((40, 40), (40, 90)):
        mesh = FAMILIES["grid"](shape=cells, cell="triangle").sample(np.random.default_rng(0))
        assert norm(mesh.points[:, 0], mesh.mass) ** 2 == pytest.approx(1 / 3, rel=2e-3)


def test_a_zero_reference_counts_any_error_as_all() -> None:
    mass = np.ones(3)
    assert relative_l2(np.ones(3), np.zeros(3), mass) == 1.0
    assert relative_l2(np.zeros(3), np.zeros(3), mass) == 0.0


@pytest.mark.parametrize("wrong", ["prediction", "reference"])
@pytest.mark.parametrize("other", [0.0, 1.0])
def test_what_is_no_number_has_no_error_either(wrong: str, other: float) -> None:
    mesh = FAMILIES["grid"](shape=(2, 2), cell="triangle").sample(np.random.default_rng(0))
    fields = {name: other * mesh.points[:, :1] for name in ("prediction", "reference")}
    fields[wrong] = np.full_like(fields[wrong], np.nan)
    assert np.isnan(relative_l2(*fields.values(), mesh.mass))
    assert np.isnan(relative_gradient(*fields.values(), laplacian(mesh)))
