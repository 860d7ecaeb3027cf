"""The guard knows its training set, and names what is unlike it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load, save

from geometries.conditions import Dirichlet, Robin
from geometries.families.corners import Corners
from meshops.equations import EQUATIONS, Case
from meshops.graph import MeshGraph, build_graph, schema_of
from meshops.trust import Guard, TrustError
from meshops.trust.guard import FILE, features

SCHEMA = schema_of(EQUATIONS["heat"], 2)
FAMILY = Corners(cells=16, sides=(2, 6))


def sample(seed: int, *, spread: float = 1.0, conductivity: object = 1.0) -> Case:
    rng = np.random.default_rng(seed)
    mesh = FAMILY.mesh(FAMILY.draw(rng))
    conditions = {"left": Dirichlet(float(rng.normal())), "*": Robin(float(10 ** rng.uniform(-1, 1)), spread)}
    source = float(rng.uniform(0, 5))
    return Case(
        mesh, EQUATIONS["heat"], conditions=conditions, source=source, coefficients={"conductivity": conductivity}
    )


@pytest.fixture(scope="module")
def graphs() -> list[MeshGraph]:
    return [build_graph(sample(i)) for i in range(60)]


@pytest.fixture(scope="module")
def guard(graphs: list[MeshGraph]) -> Guard:
    return Guard.calibrate(graphs, SCHEMA)


def test_training_samples_are_usual(guard: Guard, graphs: list[MeshGraph]) -> None:
    assert sum(bool(guard.unusual(g)) for g in graphs) == 0


def test_new_samples_of_the_family_are_usual(guard: Guard) -> None:
    assert sum(bool(guard.unusual(build_graph(sample(1000 + i)))) for i in range(40)) <= 2


def test_units_do_not_matter(guard: Guard) -> None:
    case = sample(2000)
    small = replace(
        case,
        mesh=case.mesh.scaled(1e-3),
        source=case.source * 1e6,
        conditions={
            name: replace(c, coefficient=c.coefficient * 1e3) if isinstance(c, Robin) else c
            for name, c in case.conditions.items()
        },
    )
    usual, scaled = (features(build_graph(c), SCHEMA) for c in (case, small))
    assert np.allclose(list(usual.values()), list(scaled.values()), rtol=1e-3, atol=1e-4)


def test_another_shape_is_named(guard: Guard) -> None:
    case = sample(0)
    stretched = replace(case, mesh=replace(case.mesh, points=case.mesh.points * [8.0, 1.0]))
    found = guard.unusual(build_graph(stretched))
    assert any("extent" in text for text in found)


def test_another_coefficient_is_named(guard: Guard) -> None:
    found = guard.unusual(build_graph(sample(0, conductivity="1 + 20*x")))
    assert any("conductivity" in text for text in found)


def test_another_condition_is_named(guard: Guard) -> None:
    case = sample(0)
    held = replace(case, conditions={"*": Dirichlet(1.0)})
    assert any("dirichlet" in text or "robin" in text for text in guard.unusual(build_graph(held)))


def test_a_guard_survives_being_saved(guard: Guard, graphs: list[MeshGraph]) -> None:
    back = Guard.from_tensors(SCHEMA, load(save(guard.to_tensors())))
    odd = build_graph(sample(0, conductivity="1 + 20*x"))
    assert back.unusual(odd) == guard.unusual(odd) != ()
    assert back.unusual(graphs[0]) == ()


@pytest.mark.parametrize("schema", ["3", "[]", "[" * 100_000, '{"dim": 2}'], ids=["number", "list", "deep", "short"])
def test_a_guard_of_no_schema_is_damaged(guard: Guard, tmp_path: Path, schema: str) -> None:
    (tmp_path / FILE).write_bytes(save(guard.to_tensors(), metadata={"schema": schema}))
    with pytest.raises(TrustError, match="is damaged") as caught:
        Guard.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_too_few_and_foreign_graphs_are_refused(guard: Guard, graphs: list[MeshGraph]) -> None:
    with pytest.raises(TrustError, match="8 or more"):
        Guard.calibrate(graphs[:7], SCHEMA)
    foreign = graphs[0].clone()
    foreign.x = foreign.x[:, :1]
    with pytest.raises(TrustError, match="feature columns"):
        guard.unusual(foreign)
