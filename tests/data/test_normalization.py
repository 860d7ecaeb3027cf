"""Normalization: it undoes what it does, and gives the training set mean 0 and standard deviation 1."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.loader import DataLoader

from geometries.families import Grid
from meshops.data.normalization import Normalization, NormalizationError
from meshops.equations import Case, Heat, solve
from meshops.graph import build_graph, schema_of

SCHEMA = schema_of(Heat(), 2)


def graph_of(n, source):
    from geometries.conditions import Dirichlet, Robin

    mesh = Grid(shape=(n, n)).mesh()
    conditions = {"left": Dirichlet(f"{source}*y + x"), "*": Robin(2.0 + source, ambient=source)}
    case = Case(mesh, Heat(), conditions=conditions, source=f"{source}*sin(3*x)")
    return build_graph(case, solve(case))


@pytest.fixture(scope="module")
def graphs():
    return [graph_of(n, source) for n, source in ((3, 1.0), (4, -2.0), (5, 3.0), (8, 0.5))]


def moments(values, weight):
    mean = sum((w / w.sum()) @ v.double() for v, w in zip(values, weight, strict=True)) / len(values)
    square = sum((w / w.sum()) @ (v.double() - mean) ** 2 for v, w in zip(values, weight, strict=True)) / len(values)
    return mean, square


@pytest.mark.parametrize("field", ["x", "boundary_x", "y"])
def test_a_sample_that_is_not_finite_is_named(graphs, field):
    bad = [graph.clone() for graph in graphs]
    bad[2][field][1, 0] = torch.nan
    with pytest.raises(NormalizationError, match=r"sample 2 has a '.*' that is not finite"):
        Normalization.fit(bad, SCHEMA)
    if field == "y":
        Normalization.fit(bad, SCHEMA, labels=False)


def test_the_training_set_has_mean_0_and_deviation_1(graphs):
    normalization = Normalization.fit(graphs, SCHEMA)
    out = [normalization.apply(g) for g in graphs]
    for name in ("x", "y"):
        mean, square = moments([g[name] for g in out], [g.mass.double() for g in graphs])
        varies = torch.tensor([c not in ("conductivity", "loss") for c in getattr(SCHEMA, name)])
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-6, rtol=0)
        torch.testing.assert_close(square, varies.double(), atol=1e-5, rtol=0)


def test_columns_that_never_vary_and_kinds_and_normals_keep_their_scale(graphs):
    n = Normalization.fit(graphs, SCHEMA)
    assert n.x_scale[SCHEMA.x.index("conductivity")] == 1
    kept = [i for i, c in enumerate(SCHEMA.boundary_x) if c in ("dirichlet", "neumann", "robin") or "normal" in c]
    before, after = graphs[0].boundary_x[:, kept], n.apply(graphs[0]).boundary_x[:, kept]
    assert torch.equal(before, after)
    assert torch.isfinite(n.apply(graphs[0]).boundary_x).all()


def test_imported_fields_have_deviation_1_in_any_unit(graphs):
    """They are as they were given: 1e-9 is small for a field that the equation scales, not for one in metres."""
    unit = 1e-9
    small = [graph.clone() for graph in graphs]
    for graph in small:
        graph.x, graph.y = unit * graph.x, unit * graph.y
    plain, found = (Normalization.fit(given, replace(SCHEMA, equation="imported")) for given in (graphs, small))
    for part in ("x", "y"):
        varies = plain.to_tensors()[f"{part}_scale"] != 1
        scale, expected = (n.to_tensors()[f"{part}_scale"][varies] for n in (found, plain))
        torch.testing.assert_close(scale, unit * expected)
    assert (Normalization.fit(small, SCHEMA).y_scale == 1).all()


@given(st.integers(0, 3), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_undo_reverses_apply(graphs, i, mean, scale):
    fitted = Normalization.fit(graphs, SCHEMA).to_tensors()
    column = {"y_mean": torch.tensor([mean]).double(), "y_scale": torch.tensor([scale]).double()}
    n = Normalization.from_tensors(fitted | column)
    graph = graphs[i].double()
    torch.testing.assert_close(n.undo(n.apply(graph).y), graph.y, rtol=1e-9, atol=1e-9)


def test_fixed_values_are_mapped_as_the_field_and_only_where_fixed(graphs):
    n, graph = Normalization.fit(graphs, SCHEMA), graphs[2]
    out = n.apply(graph)
    torch.testing.assert_close(out.fixed_value[graph.fixed], out.y[graph.fixed])
    assert (out.fixed_value[~graph.fixed] == 0).all()


def test_the_graph_given_stays_as_it_is_and_needs_no_field(graphs):
    n, graph = Normalization.fit(graphs, SCHEMA), graph_of(3, 1.0)
    before = {k: v.clone() for k, v in graph.to_dict().items()}
    out = n.apply(graph)
    assert all(torch.equal(v, before[k]) for k, v in graph.to_dict().items())
    del graph.y
    assert "y" not in n.apply(graph)
    torch.testing.assert_close(n.apply(graph).x, out.x)


def test_a_batch_is_mapped_as_its_graphs(graphs):
    n = Normalization.fit(graphs, SCHEMA)
    batch = n.apply(next(iter(DataLoader(graphs, batch_size=3))))
    torch.testing.assert_close(batch.x, torch.cat([n.apply(g).x for g in graphs[:3]]))
    assert batch.num_graphs == 3


def test_tensors_give_it_back_and_what_lacks_is_named(graphs):
    n = Normalization.fit(graphs, SCHEMA)
    tensors = Normalization.from_tensors(n.to_tensors()).to_tensors()
    assert all(torch.equal(v, tensors[k]) for k, v in n.to_tensors().items())
    del tensors["y_mean"]
    with pytest.raises(NormalizationError, match="y_mean"):
        Normalization.from_tensors(tensors)
    with pytest.raises(NormalizationError, match="no graphs"):
        Normalization.fit([], SCHEMA)
