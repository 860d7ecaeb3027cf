"""Laws of the solvers' formats: what is written is read again, gmsh reads it alike, damage is an error."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geometries as geo
from geometries.cells import CELLS
from geometries.errors import MeshopsError, ReadError, WriteError
from geometries.families.grid import Grid
from geometries.formats import _by_gmsh, _text, inspect, medit, nastran, su2, unv
from geometries.mesh import Mesh
from tests.geometries.meshes import GRIDS, LETTERS, assert_same, meshes, one_of_each, reference_nodes

LINEAR = [g for g in GRIDS if g.order == 1 and g.dim > 1]
SIMPLICES = [g for g in GRIDS if g.dim > 1 and (g.order == 1 or g.cell in ("triangle", "tetra"))]
ALL = [g for g in GRIDS if g.dim > 1]
UNKNOWN_TO_GMSH = [(".mesh", "pyramid"), (".mesh", "wedge"), (".mesh", "quad9"), (".bdf", "pyramid13")]
MODELS = {".unv": unv.model, ".bdf": nastran.model, ".mesh": medit.model}
SHORT = st.text(LETTERS.filter(lambda c: c != "%"), min_size=1, max_size=7)
NO_REGIONS = (".su2",)
WRITTEN = {".su2": LINEAR, ".unv": SIMPLICES, ".med": ALL, ".bdf": SIMPLICES, ".mesh": SIMPLICES}


def sorted_up(mesh):
    """The mesh with its cells in one order, whatever the file's: by their sorted nodes."""
    blocks = {kind.name: (c, start + np.lexsort(np.sort(c, axis=1).T), start) for kind, c, start in mesh.blocks()}
    cells = {k: c[rows - start] for k, (c, rows, start) in sorted(blocks.items())}
    order = np.concatenate([blocks[k][1] for k in cells])
    place = np.argsort(order)
    regions = {k: np.sort(place[v]) for k, v in sorted(mesh.regions.items())}
    sides = {k: np.column_stack([place[v[:, 0]], v[:, 1]]) for k, v in sorted(mesh.boundaries.items())}
    return replace(mesh, cells=cells, regions=regions, boundaries=sides, point_data={}, cell_data={})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("solvers")


# -- round trips -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("extension", WRITTEN)
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_points_cells_and_names_come_back(folder, extension, data):
    mesh = data.draw(meshes(WRITTEN[extension], SHORT))
    if extension in NO_REGIONS:
        mesh = replace(mesh, regions={})
    geo.write(mesh, folder / f"a{extension}")
    reading = inspect(folder / f"a{extension}")
    back = reading.mesh
    if extension == ".bdf":
        np.testing.assert_allclose(back.points, mesh.points, rtol=1e-9)
        back = replace(back, points=mesh.points)
    assert_same(sorted_up(mesh), sorted_up(back))
    assert reading.problems == ()


@pytest.mark.parametrize("extension", [".unv", ".bdf", ".mesh", ".med"])
@pytest.mark.parametrize("kind", [k for k in CELLS if CELLS[k].dim in (2, 3)])
def test_gmsh_reads_what_we_write(folder, monkeypatch, extension, kind):
    """gmsh is the independent witness of node orders."""
    points = reference_nodes(kind)
    mesh = Mesh(points=points, cells={kind: np.arange(len(points))[None]})
    file = folder / f"{kind}{extension}"
    try:
        geo.write(mesh, file)
    except WriteError as error:
        assert kind in str(error)
        return
    if extension != ".med":  # that one gmsh writes
        (ours,) = MODELS[extension](str(file))["blocks"]
        np.testing.assert_array_equal(ours["nodes"], mesh.cells[kind])
    monkeypatch.chdir(folder)  # it works where it is, as in its child process
    witness = _by_gmsh.model(str(file), extension)["blocks"]
    if (extension, kind) not in UNKNOWN_TO_GMSH:
        assert witness[0]["kind"] == kind
        np.testing.assert_array_equal(witness[0]["nodes"], mesh.cells[kind])


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=60), rest=st.randoms())
def test_records_are_found_by_their_lengths(lengths, rest):
    starts = np.cumsum([0, *lengths])
    given_lengths = np.array([rest.randint(-9, 90) for _ in range(starts[-1])])
    given_lengths[starts[:-1]] = lengths
    np.testing.assert_array_equal(_text.chain(given_lengths), starts[:-1])


def test_numbers_keep_their_lines():
    found = _text.rows(b"\n 1 2.5D+1\t3\n\n\n-4 \n5 6", "it")
    assert found.values.tolist() == [1, 25, 3, -4, 5, 6] and found.widths.tolist() == [3, 1, 2]
    assert len(_text.rows(b"", "it")) == len(_text.rows(b" \n ", "it")) == 0


def test_cgns_keeps_boundaries_and_regions(folder, monkeypatch):
    mesh = replace(Grid(shape=(2, 2, 1)).mesh(), regions={"left half": [0, 1, 2], "rest": np.arange(3, 24)})
    geo.formats.msh.write(mesh, folder / "c.msh")
    monkeypatch.chdir(folder)
    _by_gmsh.convert(str(folder / "c.msh"), str(folder / "c.cgns"))
    back = geo.read(folder / "c.cgns")
    np.testing.assert_allclose(back.measure.sum(), 1)
    assert {k: len(v) for k, v in back.regions.items()} == {"left half": 3, "rest": 21}
    assert {k: len(np.unique(back.facet_ids(back.sides(k)))) for k in back.boundaries} == {
        k: len(v) for k, v in mesh.boundaries.items()
    }


# -- writing and damage at random --------------------------------------------------------------------------------------
def test_what_a_format_cannot_hold_is_refused(folder):
    square, second = Grid(shape=(2, 2)).mesh(), Grid(shape=(2, 2), order=2).mesh()
    bent = replace(square, points=np.column_stack([square.points, square.points[:, 0] ** 2]))
    cases = [
        ("su2", second, "order 1"),
        ("su2", bent, "2-D cells in 3-D"),
        ("su2", replace(square, boundaries={"a%b": square.outer}), "cannot go into"),
        ("unv", one_of_each(3), "pyramid"),
        ("unv", replace(square, regions={"x" * 41: [0]}), "cannot go into"),
        ("unv", replace(square, regions={"-1": [0]}), "-1"),
        ("bdf", replace(square, regions={'a"b': [0]}), "cannot go into"),
        ("bdf", Grid(shape=(3,)).mesh(), "line"),
        ("bdf", square.scaled(1e95), "columns"),
        ("mesh", one_of_each(3), "pyramid13"),
        ("mesh", Grid(shape=(3,)).mesh(), "points on a line"),
        ("meshb", square, "text form"),
        ("med", replace(square, regions={"é" * 41: [0]}), "cannot go into"),
    ]
    for extension, mesh, words in cases:
        with pytest.raises(WriteError, match=words):
            geo.write(mesh, folder / f"refused.{extension}")
        assert not (folder / f"refused.{extension}").exists()


@pytest.mark.parametrize("module", [su2, unv, nastran, medit])
def test_bytes_changed_at_random_are_errors_of_ours_or_harmless(folder, module):
    rng = np.random.default_rng(3)
    file = folder / f"r{module.FORMAT.extensions[0]}"
    geo.write(Grid(shape=(2, 1, 1)).mesh(), file)
    content = np.frombuffer(file.read_bytes(), np.uint8)
    for _ in range(40):
        bad = content[: rng.integers(1, len(content) + 1)].copy() if rng.random() < 0.3 else content.copy()
        bad[rng.integers(0, len(bad), 4)] = rng.integers(0, 256, 4)
        file.write_bytes(bad.tobytes())
        try:
            assert module.model(str(file))["blocks"] is not None
        except MeshopsError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("extension", ["med", "cgns", "e"])
def test_what_is_no_container_is_not_given_to_a_native_reader(folder, extension):
    canary = folder / "canary"
    (folder / f"x.{extension}").write_text(f'SystemCall "touch {canary}";\n')
    with pytest.raises(ReadError, match="begin"):
        geo.read(folder / f"x.{extension}")
    assert not canary.exists()
