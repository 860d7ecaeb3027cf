"""Laws of the baselines: each is exact where its assumption holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from geometries.conditions import Condition, Dirichlet, Neumann, Robin
from geometries.families import FAMILIES
from meshops.equations import Case, Heat, solve
from meshops.evaluation import BASELINES, error_of, fit_baselines
from meshops.evaluation.baselines import HarmonicExtension, MeanField, NearestSample
from meshops.graph import MeshGraph, build_graph


def solved(conditions: Mapping[str, Condition], source: float = 0.0) -> tuple[Case, MeshGraph]:
    mesh = FAMILIES["grid"](shape=(7, 6), cell="triangle").sample(np.random.default_rng(0))
    case = Case(mesh, Heat(), conditions=conditions, source=source)
    return case, build_graph(case, solve(case))


SIDES = ({"left": 1.0, "right": 2.0}, {"left": -1.0, "top": 4.0}, {"bottom": 3.0, "right": "x*y"})
CASES = [solved({name: Dirichlet(value) for name, value in sides.items()}) for sides in SIDES]


def test_harmonic_extension_solves_the_laplace_equation() -> None:
    baseline = HarmonicExtension([])
    for case, graph in CASES:
        assert error_of(baseline.predict(case, graph), graph) < 1e-5


def test_harmonic_extension_ignores_the_source() -> None:
    case, graph = solved({"left": Dirichlet(1.0), "right": Dirichlet(2.0)}, source=20.0)
    assert error_of(HarmonicExtension([]).predict(case, graph), graph) > 0.1


def test_harmonic_extension_without_dirichlet_is_the_offset() -> None:
    case, graph = solved({"left": Robin(2.0, 1.0), "right": Neumann(1.0)})
    assert not HarmonicExtension([]).predict(case, graph).any()


def test_nearest_sample_finds_a_training_sample_again() -> None:
    baseline = NearestSample([graph for _, graph in CASES])
    for case, graph in CASES:
        assert error_of(baseline.predict(case, graph), graph) < 1e-5


def test_mean_field_is_the_mean_over_the_domain() -> None:
    case, graph = CASES[0]
    free = ~graph.fixed.numpy()
    mean = float(graph.mass @ graph.y[:, 0] / graph.mass.sum())
    assert MeanField([graph]).predict(case, graph)[free] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_essential_values_are_exact(name: str) -> None:
    graphs = [graph for _, graph in CASES]
    baseline = next(b for b in fit_baselines(graphs) if b.name == name)
    for case, graph in CASES:
        fixed = graph.fixed.numpy()
        assert (baseline.predict(case, graph)[fixed] == graph.fixed_value.numpy()[fixed]).all()
