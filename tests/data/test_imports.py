"""Imports: what was in the files is in the data set; BENO's own solver reproduces its arrays; pickles are refused."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import spsolve
from torch_geometric.loader import DataLoader

from geometries import write
from geometries.conditions import Dirichlet
from geometries.families import Grid
from geometries.mesh import Mesh
from meshops.data import MeshDataset, StoreError
from meshops.data.card import card
from meshops.data.imports import IMPORTERS, ImportFailure, _write, import_data, importer_of
from meshops.data.imports.beno import Cells, mesh_of, read_cells, to_solution
from meshops.data.imports.npy import triangulated
from meshops.data.manifest import with_splits
from meshops.equations import Case, equation, solve

BENO = Path(os.environ.get("MESHOPS_BENO", Path(__file__).resolve().parents[3] / "shared/data/beno"))
STEPS = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)])  # to the neighbours below, right, above, left
published = pytest.mark.skipif(not BENO.is_dir(), reason=f"no folder {BENO} with BENO's arrays")


def with_fields(mesh, seed):
    u = np.sin(mesh.points @ np.arange(1, mesh.space_dim + 1) + seed)
    data = {"u": u, "v": np.stack([u, u**2], axis=1)}
    return Mesh(points=mesh.points, cells=mesh.cells, boundaries=mesh.boundaries, point_data=data)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "source/deeper").mkdir(parents=True)
    for i in range(6):
        mesh = Grid(shape=(3 + i, 4)).mesh()
        write(with_fields(mesh, i), tmp_path / "source" / ("deeper/x.vtu" if i == 5 else f"{i}.vtu"))
    return tmp_path / "source"


def test_a_folder_of_vtu_files_becomes_a_data_set(folder, tmp_path):
    dataset = import_data(folder, tmp_path / "d")
    assert (len(dataset), dataset.schema.y, dataset.schema.dim) == (6, ("u", "v.0", "v.1"), 2)
    for i in range(5):
        mesh = Grid(shape=(3 + i, 4)).mesh()
        own = with_fields(mesh, i).point_data
        np.testing.assert_array_equal(dataset.store.read_mesh(i).point_data["u"], own["u"])
        np.testing.assert_allclose(dataset[i].y[:, 1:], own["v"], rtol=1e-6)
        assert float(dataset[i].boundary_x[:, -1].sum()) * mesh.length == pytest.approx(4, rel=1e-6)
        assert float(dataset[i].boundary_mass.sum()) * mesh.length == pytest.approx(4, rel=1e-6)
        assert len(dataset[i].levels) > 0
    assert next(iter(DataLoader(dataset, batch_size=3))).y.shape[1] == 3
    dataset.check()
    with pytest.raises(StoreError, match="no case"):
        dataset.case(0)
    dataset.export(2, tmp_path / "one.vtu")
    with pytest.raises(StoreError, match="not empty"):
        import_data(folder, tmp_path / "d")


def test_the_card_of_imported_data_says_where_they_come_from(folder, tmp_path):
    text = (import_data(folder, tmp_path / "d").folder / "README.md").read_text()
    assert "6 samples of fields in 2-D, on 6 shapes, imported from `source`." in text
    assert "fields are as they were imported." in text
    for false in ("seed", "same bytes", "solved cases", "dimensionless", ".case(0)"):
        assert false not in text


def test_the_card_of_imported_cases_says_their_equation(tmp_path):
    solution = solve(Case(Grid(shape=(3, 3)).mesh(), equation("heat"), conditions={"left": Dirichlet(0.0)}, source=1.0))
    (tmp_path / "d/shards").mkdir(parents=True)
    _write([("one", lambda: solution)], tmp_path / "d", "RHS", lambda *_: None)
    text = card(MeshDataset.open(tmp_path / "d"))
    assert "1 solved cases of the equation `heat` in 2-D, on 1 shapes, imported from `RHS`." in text
    assert "dimensionless" in text and ".case(0)" in text
    assert "seed" not in text and "same bytes" not in text


def test_files_are_dealt_to_splits_whatever_their_order(tmp_path):
    (tmp_path / "s").mkdir()
    for i in range(12):
        write(with_fields(Grid(shape=(2, 2)).mesh(), i), tmp_path / "s" / f"{i:02}.vtu")
    records = import_data(tmp_path / "s", tmp_path / "d").store.manifest.samples
    in_order = [r.split for r in with_splits(list(records), 0)]
    assert [r.split for r in records] != in_order


def test_samples_that_cannot_be_read_or_differ_are_left_out_with_the_reason(folder, tmp_path):
    (folder / "1.vtu").write_bytes(b"nonsense")
    write(Grid(shape=(2, 2)).mesh(), folder / "2.vtu")
    write(Grid(shape=(2, 2, 2), cell="tetra").mesh().with_boundary("all", lambda m: m.outer), folder / "3.vtu")
    write(with_fields(Grid(shape=(2, 2, 2), cell="tetra").mesh(), 0), folder / "4.vtu")
    holed = with_fields(Grid(shape=(3, 3)).mesh(), 0)
    u = np.where(np.arange(holed.num_points) == 2, np.nan, holed.point_data["u"])
    write(replace(holed, point_data={**holed.point_data, "u": u}), folder / "6.vtu")
    write(replace(holed, point_data={**holed.point_data, "u": 1e300 * holed.point_data["u"]}), folder / "7.vtu")
    dataset = import_data(folder, tmp_path / "d")
    assert list(dataset.failed) == [1, 2, 3, 4, 5, 6]
    assert "'u' is not finite at 15 places in float32" in dataset.failed[6]
    assert "'u' is not finite at 1 places" in dataset.failed[5]
    assert "no fields of numbers" in dataset.failed[2]
    assert "in 3-D; expected" in dataset.failed[4]


def test_a_failed_import_leaves_its_folder_empty(folder, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/1.vtu").write_bytes(b"nonsense")
    with pytest.raises(ImportFailure, match="none of 1 samples"):
        import_data(tmp_path / "bad", tmp_path / "d")
    assert list((tmp_path / "d").iterdir()) == []
    assert len(import_data(folder, tmp_path / "d")) == 6


@pytest.mark.parametrize("last", [True, False])
def test_clouds_named_as_those_of_geo_fno(tmp_path, last):
    points = np.stack([Grid(shape=(6, 5)).mesh().points * (1 + i) for i in range(4)])
    sigma = points.sum(2)
    (tmp_path / "s").mkdir()
    np.save(tmp_path / "s/Cell_XY_10.npy", np.moveaxis(points, 0, -1) if last else points)
    np.save(tmp_path / "s/Cell_sigma_10.npy", sigma.T if last else sigma)
    np.save(tmp_path / "s/Cell_rr_10.npy", np.zeros((41, 4)))
    dataset = import_data(tmp_path / "s", tmp_path / "d")
    assert dataset.schema.y == ("sigma",)
    np.testing.assert_allclose(dataset.store.read_mesh(2).point_data["sigma"], sigma[2])
    np.testing.assert_allclose(dataset.store.read_mesh(2).measure.sum(), 9)


POINTS = np.random.default_rng(0).random((20, 2, 5))


def damaged(at, value):
    """The clouds with the second one's points `at` set to `value`."""
    points = POINTS.copy()
    points[at, ..., 1] = value
    return points


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (damaged(3, np.nan), "1 of 20 points are not finite"),
        (damaged(slice(None), [[0.5, 0.5]]), "20 points make no triangles"),
        (damaged(slice(None), np.stack([np.arange(20.0)] * 2, axis=1)), "20 points make no triangles"),
    ],
    ids=["nan", "one place", "a line"],
)
def test_clouds_without_triangles_are_left_out_with_the_reason(tmp_path, points, said):
    np.save(tmp_path / "A[1]_XY.npy", points)
    np.save(tmp_path / "A[1]_u.npy", POINTS[:, 0])
    dataset = import_data(tmp_path, tmp_path / "d", kind="npy")
    assert list(dataset.failed) == [1]
    assert said in dataset.failed[1]


NUMBERS = np.random.default_rng(0).random((3, 4, 5))
BENOS = {"RHS_1": np.zeros((2, 9, 4)), "SOL_1": np.zeros((2, 9, 1)), "BC_1": np.zeros((2, 12, 4))}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"A_XY": POINTS[:2], "A_u": POINTS[:2, 0]}, "2 points make no triangles"),
        ({"A_XY": POINTS[..., :0], "A_u": POINTS[:, 0, :0]}, "holds no sample"),
        ({"A_XY": POINTS, "A_u": POINTS[:, 0] + 1j}, "type complex128; expected real numbers"),
        ({"A_XY": POINTS, "A_u": np.full((20, 5), "1")}, "expected real numbers"),
        ({"A_X": NUMBERS, "A_Y": NUMBERS, "A_Q": np.zeros(())}, "expected .S, a, b. of each"),
        ({"A_X": NUMBERS, "A_Y": NUMBERS, "A_Q": np.zeros((3, 2, 2, 4, 5))}, "expected .S, a, b. of each"),
        (BENOS | {"RHS_1": np.zeros((2, 8, 4)), "SOL_1": np.zeros((2, 8, 1))}, "not as in BENO"),
        (BENOS | {"SOL_1": np.zeros((2, 9, 2))}, "not as in BENO"),
        (BENOS | {"BC_1": np.zeros((2, 12))}, "not as in BENO"),
        (BENOS | {"RHS_1": np.full((2, 9, 4), np.nan)}, "the middle of a cell is outside the unit square"),
        (BENOS | {"RHS_1": np.full((2, 9, 4), 7.0)}, "the middle of a cell is outside the unit square"),
    ],
)
def test_arrays_of_other_shapes_or_values_are_one_line(tmp_path, arrays, said):
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
    with pytest.raises(ImportFailure, match=said) as caught:
        import_data(tmp_path, tmp_path / "d")
    assert "\n" not in str(caught.value)


def test_grids_named_as_those_of_geo_fno(tmp_path):
    x, y = np.meshgrid(np.linspace(0, 2, 7), np.linspace(0, 1, 5), indexing="ij")
    (tmp_path / "s").mkdir()
    for letter, values in (("X", x), ("Y", y), ("Q", np.stack([x + y, x * y]))):
        np.save(tmp_path / f"s/NACA_{letter}.npy", np.stack([values] * 3))
    dataset = import_data(tmp_path / "s", tmp_path / "d")
    assert (len(dataset), dataset.schema.y) == (3, ("q0", "q1"))
    mesh = dataset.store.read_mesh(1)
    np.testing.assert_array_equal(mesh.point_data["q1"], (x * y).ravel())
    assert (set(mesh.cells), mesh.measure.sum()) == ({"quad"}, pytest.approx(2))


def test_a_void_in_a_cloud_stays_a_void():
    points = Grid(shape=(20, 20)).mesh().points
    void = np.linalg.norm(points - 0.5, axis=1) > 0.3
    assert triangulated(points[void]).measure.sum() == pytest.approx(1 - np.pi * 0.09, abs=0.06)


@pytest.mark.parametrize("name", ["data.pkl", "model.pt"])
def test_pickles_are_refused_with_the_reason(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(ImportFailure, match="is a pickle: reading them runs whatever code they contain"):
        import_data(tmp_path, tmp_path / "d")


def test_pickled_objects_in_npy_files_are_refused(tmp_path):
    np.save(tmp_path / "a_XY.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ImportFailure, match="holds pickled objects"):
        import_data(tmp_path, tmp_path / "d")


def test_what_is_not_known_is_named(tmp_path):
    for given, said in (({"source": tmp_path}, "nothing that can be imported"), ({"source": "absent"}, "no file"),
                        ({"source": tmp_path, "kind": "ben"}, "'beno'")):  # fmt: skip
        with pytest.raises(ImportFailure, match=said):
            import_data(**given, folder=tmp_path / "d")


def test_plaid_without_its_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "s/sample_000000000/meshes").mkdir(parents=True)
    assert importer_of(tmp_path / "s") is IMPORTERS["plaid"]
    monkeypatch.setattr("meshops.data.imports.plaid.find_spec", lambda name: None)
    with pytest.raises(ImportFailure, match="pip install pyplaid"):
        import_data(tmp_path / "s", tmp_path / "d")


def test_plaid_samples_come_back(tmp_path):
    sample_module = pytest.importorskip("plaid.containers.sample", reason="the package pyplaid is not installed")
    from CGNS.PAT import cgnslib

    for i in range(2):
        mesh = Grid(shape=(4 + i, 3)).mesh()
        sample = sample_module.Sample()
        sample.init_base(2, 2)
        zone = sample.init_zone(np.array([[mesh.num_points, mesh.num_cells, 0]]))
        sample.set_nodes(mesh.points)
        triangles = 1 + mesh.cells["triangle"].ravel()
        cgnslib.newElements(zone, "cells", "TRI_3", np.array([1, mesh.num_cells]), triangles)
        sample.add_field("u", 2 * mesh.points[:, 0])
        sample.add_global("speed", 3.0 + i)
        (tmp_path / "s").mkdir(exist_ok=True)
        sample.save_to_dir(tmp_path / f"s/sample_{i:09d}")
    dataset = import_data(tmp_path / "s", tmp_path / "d")
    assert (dataset.failed, dataset.schema.x, dataset.schema.y) == ({}, ("speed",), ("u",))
    mesh = dataset.store.read_mesh(1)
    np.testing.assert_allclose(mesh.point_data["u"], 2 * mesh.points[:, 0])
    assert set(mesh.point_data["speed"]) == {4.0}


@pytest.mark.parametrize("cut", [[], [(0, 0)], [(0, 0), (1, 0), (0, 1), (1, 1)]])
def test_the_mesh_of_half_cells_fills_the_domain(cut):
    inside = np.ones((10, 10), bool)
    for i, j in cut:
        inside[slice(0, 3) if i == 0 else slice(6, 10), slice(0, 4) if j == 0 else slice(8, 10)] = False
    mesh, _ = mesh_of(inside)
    assert mesh.measure.sum() == pytest.approx(inside.mean())
    assert (mesh.measure > 0).all()


@published
def test_benos_solver_reproduces_its_arrays():
    rhs, sol, bc = (np.load(BENO / f"{kind}_N32_10.npy") for kind in ("RHS", "SOL", "BC"))
    for i in range(10):
        cells = read_cells(rhs[i], sol[i], bc[i])
        again = solve_cells(cells)
        assert np.linalg.norm(again - cells.values) < 2e-6 * np.linalg.norm(cells.values)  # they have six digits
        assert not np.isnan(cells.faces[cells.open]).any()
        assert cells.open.sum() == 128
        assert np.abs(cells.faces[cells.open]).max() < 2.001  # the recovered side is scaled as the others


@published
def test_benos_samples_are_cases_that_finite_elements_solve_alike(tmp_path):
    dataset = import_data(BENO, tmp_path / "d")
    assert (len(dataset), dataset.failed) == (10, {})
    for i in range(3):
        solution = dataset.solution(i)
        error = solve(solution.case).values - solution.values
        mass = solution.case.mesh.mass
        assert mass @ error**2 < 0.1**2 * (mass @ solution.values**2)


def test_the_boundary_values_that_are_missing_are_recovered():
    rng, n = np.random.default_rng(0), 12
    inside = np.ones((n, n), bool)
    inside[:4, :5] = False
    centers = (np.argwhere(np.ones((n, n), bool)) + 0.5) / n
    rhs = np.column_stack([centers, rng.normal(size=n * n), ~inside.ravel()])
    bare = read_cells_of(inside, rng)
    values = solve_cells(bare)
    where = np.argwhere(bare.open)
    middles = (where[:, :2] + 0.5 + 0.5 * STEPS[where[:, 2]]) / n
    g = bare.faces[tuple(where.T)]
    order = np.argsort(where[:, 2] == 3, kind="stable")  # the left side last: its values are not read
    table = np.column_stack([middles[:, ::-1], g, g])[order]
    rhs[:, 2] = bare.source.ravel()
    found = read_cells(rhs, values.reshape(-1, 1), np.concatenate([table[: 3 * n], table[2 * n : 3 * n]]))
    np.testing.assert_allclose(found.faces[found.open], bare.faces[bare.open], atol=1e-9)
    assert to_solution(found).case.mesh.measure.sum() == pytest.approx(inside.mean())


def read_cells_of(inside, rng):
    n = len(inside)
    cells = Cells(inside, rng.normal(size=(n, n)), np.zeros((n, n)), np.full((n, n, 4), np.nan))
    return Cells(inside, cells.source, cells.values, np.where(cells.open, rng.normal(size=(n, n, 4)), np.nan))


def solve_cells(cells):
    """Return (n, n) the solution by 5-point finite volumes with the value 2g - u beyond boundary faces; 0 outside."""
    n = len(cells.inside)
    number = np.full((n + 2, n + 2), -1)
    number[1:-1, 1:-1][cells.inside] = np.arange(cells.inside.sum())
    i, j = (index + 1 for index in np.nonzero(cells.inside))
    own, size = number[i, j], int(cells.inside.sum())
    beside = np.stack([number[i + a, j + b] for a, b in STEPS], axis=1)
    there = beside >= 0
    rows, cols = np.broadcast_to(own[:, None], beside.shape)[there], beside[there]
    diagonal = -4.0 - (~there).sum(1)
    matrix = csr_array(
        (np.append(np.ones(len(rows)), diagonal), (np.append(rows, own), np.append(cols, own))), shape=(size, size)
    )
    rhs = cells.source[cells.inside] / n**2 - (2 * np.nan_to_num(cells.faces[cells.inside]) * ~there).sum(1)
    out = np.zeros((n, n))
    out[cells.inside] = spsolve(matrix.tocsc(), rhs)
    return out
