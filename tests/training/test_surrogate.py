"""A surrogate is its folder, and knows no units."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from geometries.conditions import Dirichlet
from geometries.families.grid import Grid
from meshops.data import Normalization
from meshops.equations import EQUATIONS, Case, Heat
from meshops.graph import build_graph, schema_of
from meshops.operators import Multigrid, build, options_of
from meshops.training import Surrogate, SurrogateError, shipped
from tests.training.small import OPTIONS, case


def test_saved_and_loaded_gives_the_same(trained, samples, tmp_path):
    _, surrogate = trained
    surrogate.save(tmp_path / "new")
    again = Surrogate.load(tmp_path / "new")
    assert torch.equal(surrogate.predict(samples[0]), again.predict(samples[0]))
    assert (again.name, again.options, again.training, again.schema) == (
        surrogate.name,
        surrogate.options,
        surrogate.training,
        surrogate.schema,
    )
    assert again.training["val_relative_l2"] < 1


def test_a_run_and_its_surrogate_hold_all_options(trained, samples, monkeypatch):
    folder, surrogate = trained
    assert surrogate.options == options_of("multigrid") | OPTIONS
    monkeypatch.setitem(Multigrid.__init__.__kwdefaults__, "context", 8)
    assert torch.equal(Surrogate.load(folder).predict(samples[0]), surrogate.predict(samples[0]))


@pytest.mark.parametrize("name", ["bracket", "corners"])
def test_shipped_surrogates_hold_all_options(name):
    with shipped(name) as folder:
        surrogate = Surrogate.load(folder)
    assert surrogate.options.keys() == options_of(surrogate.name).keys()


def test_a_surrogate_saved_with_fewer_options_loads(trained, samples, tmp_path):
    replace(trained[1], options=OPTIONS).save(tmp_path)
    assert torch.equal(Surrogate.load(tmp_path).predict(samples[0]), trained[1].predict(samples[0]))


@pytest.mark.parametrize("number", range(8))
def test_millimetres_and_metres_give_the_same(trained, number):
    in_m, in_mm = (trained[1].solve(case(number, unit=u)).values for u in (1.0, 1000.0))
    assert np.abs(in_m - in_mm).max() <= 1e-5 * np.ptp(in_m)


@pytest.mark.parametrize("unit", [1000.0, 39.37])
def test_units_make_no_difference_on_a_regular_mesh(trained, unit):
    in_m, in_unit = (trained[1].solve(case(0, unit=u, noise=0.0)).values for u in (1.0, unit))
    assert np.abs(in_m - in_unit).max() <= 1e-5 * np.ptp(in_m)


def test_essential_values_are_exact(trained):
    problem = case(3)
    solution = trained[1].solve(problem)
    held = ~np.isnan(problem.fixed[:, 0])
    assert held.any() and not held.all()
    assert np.array_equal(solution.values[held], problem.fixed[held, 0])
    assert solution.made_by["surrogate"] == "multigrid"


def test_a_prediction_is_in_the_graphs_units(trained, samples):
    surrogate, graph = trained[1], samples[0]
    problem = case(0)
    values = problem.equation.scaling(problem).apply("temperature", surrogate.solve(problem).values)
    assert np.allclose(surrogate.predict(graph)[:, 0], values, atol=1e-5)
    batch = Batch.from_data_list(samples[:2])
    assert torch.allclose(surrogate.predict(batch)[: graph.num_nodes], surrogate.predict(graph), atol=1e-5)


def test_other_cases_are_refused(trained):
    solid = Case(Grid(shape=(2, 2, 2)).mesh(), Heat(), conditions={"left": Dirichlet(1.0)})
    with pytest.raises(SurrogateError, match=r"3-D.*2-D"):
        trained[1].solve(solid)
    with pytest.raises(SurrogateError, match="columns"):
        trained[1].predict(build_graph(solid))


def over(times):
    """A case in time, with so many times."""
    moments = tuple(np.linspace(0.0, 1.0, times))
    return Case(Grid(shape=(4, 3)).mesh(), Heat(), conditions={"left": Dirichlet(1.0)}, times=moments)


def test_graphs_of_other_times_or_numbers_are_refused(trained, samples):
    two = schema_of(Heat(), 2, times=2)
    graphs = [build_graph(over(times)) for times in (2, 5)]
    surrogate = Surrogate(build("point_mlp", two, {}), Normalization.fit(graphs[:1], two, labels=False), "point_mlp")
    assert surrogate.predict(graphs[0]).shape[1] == 1
    for other in (graphs[1], samples[0]):
        with pytest.raises(SurrogateError, match=r"fixed, theta; expected .*'heat' in 2-D at 2 times"):
            surrogate.predict(other)
    wide = copy(graphs[0])
    wide.fixed, wide.fixed_value = (value.repeat(1, 4) for value in (wide.fixed, wide.fixed_value))
    with pytest.raises(SurrogateError, match="fixed"):
        surrogate.predict(wide)
    with pytest.raises(SurrogateError, match=r"torch.float64; expected torch.float32"):
        trained[1].predict(samples[0].double())


def test_a_case_is_checked_also_with_a_graph_at_hand(trained, samples):
    solid = Case(Grid(shape=(5, 5)).mesh(), EQUATIONS["elasticity"], conditions={"left": Dirichlet([0, 0])})
    with pytest.raises(SurrogateError, match="the case is 'elasticity'"):
        trained[1].solve(solid, graph=samples[0])


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda f: (f / "surrogate.json").unlink(), "surrogate.json: No such"),
        (lambda f: (f / "operator.safetensors").unlink(), "operator.safetensors"),
        (lambda f: (f / "surrogate.json").write_text("{"), "damaged"),
        (lambda f: (f / "surrogate.json").write_text("[]"), "damaged"),
        (lambda f: (f / "surrogate.json").write_text("[" * 100_000), "damaged"),
        (lambda f: edit(f / "surrogate.json", format="else"), "else"),
        (lambda f: edit(f / "surrogate.json", version=[2, 0]), "upgrade"),
        (lambda f: edit(f / "surrogate.json", version=["a"]), "damaged"),
        (lambda f: edit(f / "surrogate.json", version=[]), "damaged"),
        (lambda f: edit(f / "surrogate.json", options={"width": 16, "cycles": 1}), "two surrogates"),
        (lambda f: (f / "operator.safetensors").write_bytes(b"none"), "damaged"),
    ],
)
def test_what_is_no_surrogate_is_said_to_be_none(trained, tmp_path, harm, told):
    trained[1].save(tmp_path)
    harm(tmp_path)
    with pytest.raises(SurrogateError, match=told):
        Surrogate.load(tmp_path)


def test_a_changed_weight_is_noticed(trained, tmp_path):
    trained[1].save(tmp_path)
    content = bytearray((tmp_path / "operator.safetensors").read_bytes())
    content[-5] ^= 1
    (tmp_path / "operator.safetensors").write_bytes(content)
    with pytest.raises(SurrogateError, match="checksum"):
        Surrogate.load(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [{"options": None}, {"options": "x"}, {"schema": 1}, {"schema": {"equation": "heat", "x": [1]}}],
)
def test_a_description_of_other_kinds_does_not_fit(tmp_path, monkeypatch, changed):
    problem = Case(Grid(shape=(4, 3)).mesh(), Heat(), conditions={"left": Dirichlet(1.0)})
    schema = schema_of(Heat(), 2)
    normalization = Normalization.fit([build_graph(problem)], schema, labels=False)
    monkeypatch.setattr("meshops.training.surrogate._digest", lambda text: "the same")
    Surrogate(build("point_mlp", schema, {}), normalization, "point_mlp").save(tmp_path)
    edit(tmp_path / "surrogate.json", **changed)
    with pytest.raises(SurrogateError, match="does not fit") as caught:
        Surrogate.load(tmp_path)
    assert "\n" not in str(caught.value)
