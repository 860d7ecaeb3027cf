"""The speed benchmark: what it measures is there, and what it leaves out is said."""

from __future__ import annotations

import math
from unittest.mock import Mock

from meshops.evaluation import speed
from meshops.evaluation.speed import Cost, exponent, measure, plane_graph
from meshops.nn import tuned


def test_a_cost_has_times_and_memory() -> None:
    cost = measure("point_mlp", 100, repeats=1)
    assert cost.nodes == 100
    assert min(cost.infer_seconds, cost.step_seconds, cost.plain_seconds) > 0
    assert cost.step_bytes >= cost.infer_bytes >= 0
    assert cost.speedup == cost.plain_seconds / cost.step_seconds
    assert measure("point_mlp", 100, repeats=1, step=False).step_seconds is None


def test_the_exponent_of_a_power_is_its_exponent() -> None:
    found = [Cost("any", n, 3e-6 * n**1.5, 0) for n in (10, 100, 1000)]
    assert math.isclose(exponent(found), 1.5)
    assert found[0].speedup is None


def test_a_step_that_would_take_too_much_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(speed, "MEMORY", 1)
    first, second = speed.costs("point_mlp", (50, 100), repeats=1)
    assert first.step_seconds is not None
    assert second.step_seconds is None


def test_the_mesh_has_about_the_nodes_asked_for() -> None:
    assert [plane_graph(n).num_nodes for n in (100, 1000)] == [100, 1024]


def test_the_step_to_compare_with_is_of_plain_forms(monkeypatch) -> None:
    step = tuned(lambda: 1.0)(lambda: 2.0)
    monkeypatch.setattr(speed, "_tried", lambda *_: Mock(step=step))
    assert (speed._plain_step("any", 100), step()) == (1.0, 2.0)
