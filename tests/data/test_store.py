"""The store: what goes in comes out, and what is damaged, missing or newer is named."""

import json
import pickle
import shutil
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.loader import DataLoader

from geometries import read
from geometries.conditions import Dirichlet, Neumann, Robin, write_condition
from geometries.families import Grid
from geometries.mesh import Mesh
from meshops.data import SPLITS, MeshDataset, Recipe, StoreError
from meshops.data.make import Maker
from meshops.data.manifest import Manifest, Record, splits
from meshops.data.samples import geometry_id, pack
from meshops.data.store import SHARDS, Store, open_shard, shard_bytes
from meshops.equations import EQUATIONS, Case, Heat, solve
from meshops.evaluation.benchmarks.opening import write_index
from meshops.graph import build_graph, schema_of


@pytest.fixture
def copy(dataset, tmp_path):
    """A copy of the data set to damage."""
    return shutil.copytree(dataset.folder, tmp_path / "copy")


def every_kind_of_value():
    mesh = Grid(shape=(4, 3)).mesh()
    half = np.arange(mesh.num_cells // 2)
    regions = {"one": half, "two/three": half + len(half)}
    mesh = Mesh(points=mesh.points, cells=mesh.cells, boundaries=mesh.boundaries, regions=regions)
    left = mesh.nodes(mesh.sides("left"))
    conditions = {
        "left": Dirichlet(mesh.points[left, 1] ** 2),
        "right": Robin(np.linspace(1, 2, len(mesh.sides("right"))), ambient="y"),
        "*": Neumann(0.5),
    }
    return Case(
        mesh,
        Heat(),
        conditions=conditions,
        coefficients={"conductivity": {"one": 1.0, "two/three": 4.0}},
        source=mesh.points[:, 0],
    )


def stored(folder, solution):
    (folder / SHARDS).mkdir()
    graph, schema = build_graph(solution.case, solution), schema_of(solution.case.equation, 2)
    arrays = {0: pack(solution, graph)}
    (folder / SHARDS / "00000.safetensors").write_bytes(shard_bytes({"first": 0, "samples": []}, arrays))
    manifest = {"recipe": {}, "seed": 0, "count": 1, "shard_size": 1, "schema": schema, "shards": {}}
    return Store(folder, Manifest(**manifest, samples=(Record(0, 0),))), graph


def assert_same_mesh(a, b):
    np.testing.assert_array_equal(a.points, b.points)
    for kind in ("cells", "boundaries", "regions", "point_data", "cell_data"):
        one, other = getattr(a, kind), getattr(b, kind)
        assert list(one) == list(other)
        assert all(np.array_equal(one[k], other[k]) for k in one)


def assert_same_graph(a, b):
    a, b = a.to_dict(), b.to_dict()
    assert set(a) == set(b)
    assert all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


def test_case_solution_and_graph_come_back(tmp_path):
    case = every_kind_of_value()
    solution = solve(case)
    store, graph = stored(tmp_path, solution)
    again = store.read_solution(0)
    assert_same_mesh(case.mesh, again.case.mesh)
    assert_same_mesh(case.mesh, store.read_case(0).mesh)
    for name, condition in case.conditions.items():
        assert write_condition(condition) == write_condition(again.case.conditions[name])
    assert again.case.coefficients == case.coefficients
    np.testing.assert_array_equal(again.values, solution.values)
    np.testing.assert_array_equal(solve(again.case).values, solution.values)
    assert_same_graph(store.read_graph(0), graph)
    assert "seconds" not in again.made_by


def test_blocks_of_cells_keep_their_order(tmp_path):
    points = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1]], dtype=float)
    mesh = Mesh(points=points, cells={"triangle": [[1, 2, 4]], "quad": [[0, 1, 4, 3]]}, regions={"a": [1]})
    swapped = Mesh(points=points, cells={"quad": [[0, 1, 4, 3]], "triangle": [[1, 2, 4]]}, regions={"a": [0]})
    for i, one in enumerate((mesh, swapped)):
        (tmp_path / str(i)).mkdir()
        store, _ = stored(tmp_path / str(i), solve(Case(one, Heat(), conditions={"*": Dirichlet("x")})))
        assert_same_mesh(store.read_case(0).mesh, one)


def test_the_dataset_gives_what_the_sample_was_made_of(dataset, tiny):
    for i in (0, 7, len(dataset) - 1):
        solution = solve(tiny.draw(np.random.default_rng([3, dataset.ids[i]])))
        np.testing.assert_array_equal(dataset.solution(i).values, solution.values)
        assert_same_mesh(dataset.case(i).mesh, solution.case.mesh)
        graph = dataset[i]
        assert graph.pop("sample").tolist() == [dataset.ids[i]]
        assert_same_graph(graph, build_graph(solution.case, solution, schema=tiny.schema))


def test_items_are_independent_of_each_other(dataset):
    dataset[0].x.fill_(7.0)
    assert not (dataset[0].x == 7.0).any()
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    assert len(list(dataset)) == len(dataset)


def test_loaders_batch_it_with_and_without_workers(dataset):
    batches = [next(iter(DataLoader(dataset, batch_size=5, num_workers=n))) for n in (0, 2)]
    assert batches[0].sample.tolist() == list(dataset.ids[:5])
    assert_same_graph(*batches)
    assert_same_graph(pickle.loads(pickle.dumps(dataset))[0], dataset[0])  # as for workers that are not forked


def test_splits_are_disjoint_and_complete_and_share_no_shape(dataset):
    parts = {name: dataset.split(name) for name in SPLITS}
    assert sorted(i for part in parts.values() for i in part.ids) == list(dataset.ids)
    shapes = {name: {geometry_id(part.case(i).mesh) for i in range(len(part))} for name, part in parts.items()}
    assert all(shapes.values())
    assert not any(shapes[a] & shapes[b] for a in shapes for b in shapes if a < b)
    with pytest.raises(StoreError, match="train, validation, test"):
        dataset.split("dev")


@given(st.integers(0, 60), st.integers(0, 99))
def test_splits_have_their_fractions(count, seed):
    names = [str(i) for i in range(count)]
    found = list(splits([*names, *names], seed).values())
    assert len(found) == count
    for held in (found.count("validation"), found.count("test")):
        assert max(round(count / 10), int(count >= 3)) <= held <= -(-count // 10)
    assert found[:1] in ([], ["train"])


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 99))
def test_a_shape_keeps_its_split_when_others_follow(count, more, seed):
    names = [str(i) for i in range(count + more)]
    assert splits(names[:count], seed).items() <= splits(names, seed).items()


def flow(times=()):
    mesh = Grid(shape=(4, 3)).mesh()
    conditions = {"left": Dirichlet(("y*(1-y)", 0)), "bottom": Dirichlet(0), "top": Dirichlet(0)}
    return Case(mesh, EQUATIONS["stokes"], conditions=conditions, coefficients={"viscosity": 2.0}, times=times)


@pytest.mark.parametrize("times", [(), (0.0, 0.5, 1.0)], ids=["steady", "transient"])
def test_a_sample_is_exported_with_its_fields_at_each_time(tmp_path, times):
    solution = solve(flow(times))
    store, _ = stored(tmp_path, solution)
    store.export(0, tmp_path / "one.vtu")
    mesh = read(tmp_path / "one.vtu")
    np.testing.assert_array_equal(mesh.points, solution.case.mesh.points)
    assert set(mesh.boundaries) == set(solution.case.mesh.boundaries)
    for name, values in solution.fields.items():
        series = {f"{name}@{t:g}": v for t, v in zip(times, values, strict=True)} if times else {name: values}
        for label, moment in series.items():
            found = mesh.point_data[label].reshape(mesh.num_points, -1)
            np.testing.assert_array_equal(found[:, : moment.shape[1]], moment)


def test_a_hundred_thousand_samples_are_an_index_only(tmp_path, monkeypatch):
    write_index(tmp_path, 100_000)
    monkeypatch.setattr("meshops.data.store.open_shard", None)  # no shard is touched
    dataset = MeshDataset.open(tmp_path)
    assert len(dataset) == 100_000 - 100
    assert sum(len(dataset.split(name)) for name in SPLITS) == len(dataset)
    assert dataset.store.manifest.locate(99_999) == ("03124.safetensors", 99_999)
    assert dataset.failed[999] == "a reason"


def test_check_finds_any_damaged_byte(copy):
    MeshDataset.open(copy).check()
    shard = sorted((copy / SHARDS).iterdir())[2]
    whole = bytearray(shard.read_bytes())
    for at in (20, len(whole) // 2, len(whole) - 1):
        whole[at] ^= 1
        shard.write_bytes(whole)
        with pytest.raises(StoreError, match=f"1 of .* damaged or missing: {shard.name}"):
            MeshDataset.open(copy).check()
        whole[at] ^= 1
    shard.write_bytes(whole)
    MeshDataset.open(copy).check()


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "other"])
def test_a_bad_shard_is_named(copy, how):
    shard = copy / SHARDS / "00000.safetensors"
    content = {"cut": shard.read_bytes()[:-9], "empty": b"", "other": b"\x08\0\0\0\0\0\0\0{}      ", "missing": b""}[
        how
    ]
    shard.unlink() if how == "missing" else shard.write_bytes(content)
    with pytest.raises(StoreError, match=r"00000\.safetensors .*(missing|damaged).* run the generation again"):
        MeshDataset.open(copy)[0]


READS = {
    "case": Store.read_case,
    "solution": Store.read_solution,
    "mesh": Store.read_mesh,
    "export": lambda store, sample: store.export(sample, store.folder / "a.vtu"),
}


@pytest.mark.parametrize("read_one", READS.values(), ids=list(READS))
@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: {k: v for k, v in arrays.items() if k != "mesh/points"},
        lambda arrays: {k: v for k, v in arrays.items() if k != "spec"},
        lambda arrays: arrays | {"spec": np.frombuffer(b'{"mesh": 1', dtype=np.uint8)},
        lambda arrays: arrays | {"spec": np.frombuffer(b"[" * 100_000, dtype=np.uint8)},
        lambda arrays: arrays | {"spec": np.frombuffer(b'{"equation": "heat"}', dtype=np.uint8)},
    ],
    ids=["no points", "no spec", "cut", "deep", "no mesh"],
)
def test_a_sample_whose_arrays_do_not_fit_is_damaged(tmp_path, damage, read_one):
    solution = solve(Case(Grid(shape=(2, 2)).mesh(), Heat(), conditions={"*": Dirichlet("x")}))
    store, graph = stored(tmp_path, solution)
    shard = shard_bytes({"first": 0, "samples": []}, {0: damage(pack(solution, graph))})
    (tmp_path / SHARDS / "00000.safetensors").write_bytes(shard)
    with pytest.raises(StoreError, match=r"sample 0 of .* is damaged") as caught:
        read_one(store, 0)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.vtu").exists()


def test_a_shard_that_does_not_say_where_it_begins_holds_no_sample(tmp_path):
    solution = solve(Case(Grid(shape=(2, 2)).mesh(), Heat(), conditions={"*": Dirichlet("x")}))
    store, graph = stored(tmp_path, solution)
    shard = shard_bytes({"first": None, "samples": []}, {0: pack(solution, graph)})
    (tmp_path / SHARDS / "00000.safetensors").write_bytes(shard)
    with pytest.raises(StoreError, match=r"00000\.safetensors holds no sample 0"):
        store.read_graph(0)


def test_other_major_versions_are_refused_and_a_newer_minor_one_is_read(copy):
    path = copy / "manifest.json"
    given = json.loads(path.read_text())
    path.write_text(json.dumps(given | {"version": [2, 9], "more": 1}))
    assert len(MeshDataset.open(copy)) == len(given["samples"])
    for version, said in (([3, 0], r"3\.0; this meshops reads 2\.x: update"), ([1, 1], r"1\.1; .* make it again")):
        path.write_text(json.dumps(given | {"version": version}))
        with pytest.raises(StoreError, match=f"has version {said}"):
            MeshDataset.open(copy)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": "meshops-data", "version": 3}', '{"format": "other"}', "[" * 100_000]
)
def test_a_bad_manifest_is_named(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=r"manifest\.json"):
        MeshDataset.open(copy)


@pytest.mark.parametrize(
    "changed",
    [
        {"shards": []},
        {"shards": {"../../x.safetensors": ""}},
        {"shards": {"00000.safetensors": 1}},
        {"schema": 1},
        {"parts": None},
        {"parts": {"../../x": 0}},
        {"parts": {"far": "0"}},
        {"samples": [{"id": 0, "shard": "../../x"}]},
        {"samples": [{"id": "0", "shard": 0}]},
        {"samples": [{"id": 7, "shard": 0}]},
        {"samples": [{"id": 0, "shard": 0, "geometry": []}]},
    ],
)
def test_a_manifest_of_other_kinds_or_files_elsewhere_is_damaged(tmp_path, changed):
    whole = {"recipe": {}, "seed": 0, "count": 1, "shard_size": 1, "schema": schema_of(Heat(), 2), "shards": {}}
    Manifest(samples=(Record(0, 0),), **whole).write(tmp_path)
    assert len(MeshDataset.open(tmp_path)) == 1
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(StoreError, match=r"manifest\.json is damaged") as caught:
        MeshDataset.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_manifest_is_no_data_set(tmp_path):
    with pytest.raises(StoreError, match="expected a data set"):
        MeshDataset.open(tmp_path)


def test_shards_depend_on_their_content_only(tiny):
    entry, arrays = Maker(tiny, 3).sample(0)
    header = {"first": 0, "recipe": tiny.to_spec(), "samples": [entry]}
    backwards = dict(reversed(list(arrays.items())))
    assert len({shard_bytes(header, {0: a}) for a in (arrays, backwards, arrays)}) == 1


def test_large_sets_open_quickly(tmp_path):
    schema = schema_of(Heat(), 2)
    samples = tuple(Record(i, i // 16, f"{i:016x}", "train") for i in range(100_000))
    whole = {"recipe": {}, "seed": 0, "count": len(samples), "shard_size": 16, "schema": schema, "shards": {}}
    Manifest(samples=samples, **whole).write(tmp_path)
    start = time.process_time()
    assert len(MeshDataset.open(tmp_path)) == 100_000
    assert time.process_time() - start < 1.0


def test_samples_of_several_shards_are_read_through_few_open_files(dataset):
    assert [int(dataset[i].sample) for i in range(len(dataset))] == list(dataset.ids)
    shard = open_shard(dataset.folder / SHARDS / "00001.safetensors")
    assert shard is open_shard(shard.path)
    assert Recipe.from_spec(shard.header["recipe"])
