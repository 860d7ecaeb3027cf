"""MED and CGNS by their HDF5: groups of nodes, cells and facets are kept; nothing outside the file is read."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

import geometries as geo
from geometries.cells import CELLS
from geometries.errors import ReadError, WriteError
from geometries.families.grid import Grid
from geometries.formats import _by_gmsh, cgns, inspect, med, msh
from geometries.mesh import Mesh
from tests.geometries.hdf5_files import CODES, write_cgns, write_med, zone
from tests.geometries.meshes import assert_same, meshes, reference_nodes
from tests.geometries.test_solver_formats import SHORT, sorted_up

CUBE = Grid(shape=(1, 1, 1), cell="hexahedron").mesh()
HEX = CUBE.cells["hexahedron"]
MIRROR = list(CELLS["hexahedron"].mirror)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hdf5")


@pytest.fixture
def here(folder, monkeypatch):
    """The folder, where a child's function may be called as it is."""
    monkeypatch.chdir(folder)
    return folder


def sizes(mesh):
    return {name: len(np.unique(mesh.facet_ids(sides))) for name, sides in mesh.boundaries.items()}


def by_gmsh(mesh, path):
    msh.write(mesh, path.with_suffix(".msh"))
    _by_gmsh.convert(str(path.with_suffix(".msh")), str(path))
    return path


# -- MED ---------------------------------------------------------------------------------------------------------------
@given(mesh=meshes(texts=SHORT))
@settings(max_examples=4, deadline=None)
def test_med_has_what_gmsh_finds(folder, mesh):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        geo.write(mesh, folder / "g.med")
        theirs = geo.build.mesh_from_blocks(**_by_gmsh.model(str(folder / "g.med"), ".med")).mesh
    assert_same(sorted_up(theirs), sorted_up(geo.read(folder / "g.med")))


def test_med_groups_of_nodes_are_the_outer_sides_whose_corners_are_in_them(folder):
    bottom, rim = np.flatnonzero(CUBE.points[:, 2] == 0), np.flatnonzero(CUBE.points[:, 0] == 0)
    groups = {
        "bottom": {"node": bottom}, "both": {"node": np.union1d(bottom, rim)}, "Süd": {"node": rim},
        "corner": {"node": [0]}, "all": {"hexahedron": [0]}, "face": {"quad": [0], "node": bottom},
    }  # fmt: skip
    quads = np.array([[0, 1, 5, 4]])
    write_med(folder / "n.med", CUBE.points, {"hexahedron": HEX[:, MIRROR], "quad": quads}, groups, unit="mm")
    reading = inspect(folder / "n.med")
    assert sizes(reading.mesh) == {"bottom": 1, "both": 2, "Süd": 1, "face": 1}
    assert list(reading.mesh.regions) == ["all"] and reading.unit == "mm"
    assert reading.problems == ("the 1 nodes of 'corner' are the corners of no outer facet: dropped",)
    assert reading.mesh.side_geometry(reading.mesh.sides("face"))[1].tolist() == [[0, -1, 0]]  # facets come first


def test_of_several_meshes_one_is_chosen(folder):
    for name, mode in (("one", "w"), ("two", "a")):
        points = CUBE.points * (1 + (name == "two"))
        write_med(folder / "m.med", points, {"hexahedron": HEX[:, MIRROR]}, {}, name=name, mode=mode)
    with pytest.raises(ReadError, match="more than one mesh: one, two"):
        geo.read(folder / "m.med")
    assert [round(geo.read(folder / "m.med", zone=z).measure.sum(), 9) for z in ("one", "two", "2")] == [1, 8, 8]
    with pytest.raises(ReadError, match="did you mean 'two'"):
        geo.read(folder / "m.med", zone="tow")


def _med(folder, change):
    write_med(folder / "w.med", CUBE.points, {"hexahedron": HEX[:, MIRROR]}, {"a": {"node": [0]}})
    with h5py.File(folder / "w.med", "a") as file:
        step = next(iter(file["ENS_MAA/part"].values()))
        change(file, step)
    return folder / "w.med"


def _declared(step, name, shape):
    del step[name]
    step.create_dataset(name, shape=shape, dtype="i8", chunks=(min(shape[0], 2**16),), compression="gzip")


def _relink(step, name, link):
    del step[name]
    step[name] = link


MED_LIES = {
    "structured": (lambda file, step: step.parent.attrs.update(TYP=1), "structured grid"),
    "polar": (lambda file, step: step.parent.attrs.update(REP=1), "polar"),
    "old": (lambda file, step: file.move(step.name + "/NOE", "NOE"), "no nodes"),
    "polygons": (lambda file, step: step.create_group("MAI/POG"), "POG"),
    "too few nodes": (lambda file, step: _declared(step["MAI/HE8"], "NOD", (7,)), "8 nodes"),
    "families": (lambda file, step: _declared(step["NOE"], "FAM", (9,)), "9 families"),
    "a bomb": (lambda file, step: _declared(step["MAI/HE8"], "NOD", (8 * 10**10,)), "declares"),
    "axes": (lambda file, step: step.parent.attrs.update(ESP=10**9), "axes"),
    "another file": (
        lambda file, step: _relink(step["NOE"], "COO", h5py.ExternalLink("n.med", step.name + "/NOE/COO")), "of its own"
    ),
    "a soft link": (lambda file, step: _relink(step["NOE"], "COO", h5py.SoftLink("/nowhere")), "of its own"),
    "no nodes that far": (lambda file, step: step["MAI/HE8/NOD"].write_direct(np.full(8, 99)), "refer to points"),
}  # fmt: skip


@pytest.mark.parametrize("lie", MED_LIES)
def test_lies_in_med_are_errors(folder, lie):
    change, words = MED_LIES[lie]
    with pytest.raises(ReadError, match=words):
        geo.read(_med(folder, change))


# -- CGNS --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [k for k in CELLS if CELLS[k].dim > 0])
def test_cgns_node_orders_are_those_of_gmsh(here, kind):
    points = reference_nodes(kind)
    mesh = Mesh(points=points, cells={kind: np.arange(len(points))[None]})
    try:
        (found,) = cgns.model(str(by_gmsh(mesh, here / "k.cgns")))["zones"]
    except Exception as error:  # noqa: BLE001  gmsh raises plain exceptions
        assert "reordering" in str(error)
        pytest.skip(f"gmsh does not write {kind}")
    blocks = [b for b in found[1]["blocks"] if CELLS[b["kind"]].dim == CELLS[kind].dim]
    assert [b["kind"] for b in blocks] == [kind]
    padded = np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
    given_points = np.pad(found[1]["points"], ((0, 0), (0, 3 - found[1]["points"].shape[1])))
    np.testing.assert_allclose(given_points[blocks[0]["nodes"][0]], padded, atol=1e-12)


@given(mesh=meshes(texts=SHORT))
@settings(max_examples=4, deadline=None)
def test_cgns_has_what_gmsh_finds(folder, mesh):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        file = by_gmsh(mesh, folder / "g.cgns")
        theirs = geo.build.mesh_from_blocks(**_by_gmsh.model(str(file), ".cgns")).mesh
    ours = geo.read(file)
    assert {k: len(v) for k, v in theirs.regions.items()}.items() <= {
        k: len(v) for k, v in ours.regions.items()
    }.items()
    assert sizes(theirs).items() <= sizes(ours).items()  # what has no name is called by its entity here: L_1
    assert ours.measure.sum() == pytest.approx(theirs.measure.sum())


def mixed_zone(**change):
    """A hexahedron with a pyramid on it, in one section of mixed elements, and its quads; conditions of each kind."""
    points = np.vstack([CUBE.points, [[0.5, 0.5, 2.0]]])
    body = [CODES["hexahedron"], *(HEX[0] + 1), CODES["pyramid"], *(HEX[0][4:] + 1), 9]
    bottom, left = CUBE.points[:, 2] == 0, CUBE.points[:, 0] == 0
    quads = [HEX[0][[0, 1, 2, 3]], HEX[0][[0, 4, 7, 3]]]
    conditions = {
        "base": ("own", "PointRange", [3, 3], "FaceCenter"),
        "Left": ("own", "PointList", [[4]], "FaceCenter", "walls"),
        "spec": ("only", "ElementList", [3, 4], None, "walls"),
        "by nodes": ("own", "PointList", (np.flatnonzero(bottom | left) + 1)[:, None], "Vertex"),
        "hexes": ("own", "ElementRange", [1, 1]),
    }  # fmt: skip
    sections = {"body": (20, body, 2), "quads": (7, np.concatenate(quads) + 1, 2)} | change
    return zone(points, sections, conditions)


def test_cgns_mixed_sections_and_conditions_of_each_kind(folder):
    write_cgns(folder / "x.cgns", {"z": mixed_zone()}, families={"walls": []}, unit="Millimeter")
    reading = inspect(folder / "x.cgns")
    mesh = reading.mesh
    assert {k: len(c) for k, c in mesh.cells.items()} == {"pyramid": 1, "hexahedron": 1}
    assert sizes(mesh) == {"base": 1, "Left": 1, "walls": 2, "by nodes": 2}
    assert {k: len(c) for k, c in mesh.regions.items()} == {"hexes": 1} and reading.unit == "mm"
    assert mesh.measure.sum() == pytest.approx(1 + 1 / 3)


def test_fields_are_told(folder):
    label, sizes_of, children = mixed_zone()
    solution = {"Pressure": ("DataArray_t", np.zeros(9), {}), "GridLocation": ("GridLocation_t", "Vertex", {})}
    fields = children | {"Flow": ("FlowSolution_t", None, solution)}
    write_cgns(folder / "f.cgns", {"z": (label, sizes_of, fields)})
    assert inspect(folder / "f.cgns").problems == ("fields are not read: Pressure",)
    med = _med(folder, lambda file, step: file.create_group("CHA/Temperature  "))
    assert inspect(med).problems[0] == "fields are not read: Temperature"


def block(start, sizes, conditions=None):
    """A structured zone of unit spacing."""
    axes = [np.arange(n) + s for n, s in zip(sizes, start, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).transpose(*range(len(sizes))[::-1], -1)
    return zone(points.reshape(-1, len(sizes)).astype(float), {}, conditions, sizes=sizes)


def test_structured_zones_become_one_mesh_of_hexahedra(folder):
    near = {
        "inlet": ("own", "PointRange", [[1, 1, 1], [1, 3, 2]]),
        "floor": ("own", "PointRange", [[1, 1, 1], [2, 2, 1]], "KFaceCenter"),
    }
    far = {"outlet": ("own", "PointRange", [[2, 1, 1], [2, 3, 2]], "Vertex", "out")}
    zones = {"near": block((0, 0, 0), (3, 3, 2), near), "far": block((2, 0, 0), (2, 3, 2), far)}
    write_cgns(folder / "s.cgns", zones, families={"out": ["exit"]})
    reading = inspect(folder / "s.cgns")
    mesh = reading.mesh
    np.testing.assert_allclose(mesh.measure, np.ones(6))
    assert {k: len(v) for k, v in mesh.regions.items()} == {"near": 4, "far": 2}
    assert sizes(mesh) == {"inlet": 2, "floor": 4, "outlet": 2, "exit": 2}
    assert reading.problems == ("6 points at the place of others merged",)
    for name, normal in {"inlet": [-1, 0, 0], "floor": [0, 0, -1], "exit": [1, 0, 0]}.items():
        np.testing.assert_allclose(mesh.side_geometry(mesh.sides(name))[1], [normal] * sizes(mesh)[name], atol=1e-12)


def test_structured_planes_become_quads(folder):
    wall = {"wall": ("own", "PointRange", [[1, 1], [4, 1]]), "corner": ("own", "PointList", [[4, 2], [4, 3]])}
    write_cgns(folder / "p.cgns", {"z": block((0, 0), (4, 3), wall)}, dims=(2, 2))
    mesh = geo.read(folder / "p.cgns")
    assert mesh.cells["quad"].shape == (6, 4) and sizes(mesh) == {"wall": 3, "corner": 1}


def test_sections_of_facets_name_themselves_where_no_condition_does(folder):
    whole = mixed_zone()
    children = {k: v for k, v in whole[2].items() if k != "ZoneBC"}
    write_cgns(folder / "b.cgns", {"z": (*whole[:2], children)})
    assert sizes(geo.read(folder / "b.cgns")) == {"quads": 2}


def _lie(part, change):
    """The file with a change to its zone."""

    def write(folder):
        write_cgns(folder / "l.cgns", {"z": mixed_zone()})
        with h5py.File(folder / "l.cgns", "a") as file:
            change(file["base/z" + part])
        return folder / "l.cgns"

    return write


def _data(values):
    def change(node):
        del node[" data"]
        node[" data"] = np.asarray(values)

    return change


def _link(node):
    node.attrs["type"] = np.bytes_("LK")


def _external(node):
    del node[" data"]
    node[" data"] = h5py.ExternalLink("x.cgns", "/base/z/GridCoordinates/CoordinateX/ data")


def _bomb(node):
    del node[" data"]
    node.create_dataset(" data", shape=(10**11,), dtype="f8", chunks=(2**16,), compression="gzip")


CGNS_LIES = {
    "polyhedra": (_lie("/body", _data([22, 0])), "polyhedra"),
    "third order": (_lie("/quads", _data([24, 0])), "type 24"),
    "count": (_lie("/quads/ElementRange", _data([3, 10**10])), "declares"),
    "backwards": (_lie("/quads/ElementRange", _data([5, 4])), "declares"),
    "mixed count": (_lie("/body/ElementRange", _data([1, 3])), "declares"),
    "mixed type": (_lie("/body/ElementConnectivity", _data([99, 1, 2])), "declares|type"),
    "mixed end": (_lie("/body/ElementConnectivity", _data([17, 1, 2, 3, 4, 5, 6, 7, 8, 12, 1])), "breaks off"),
    "polar": (_lie("/GridCoordinates", lambda node: node.move("CoordinateX", "CoordinateR")), "CoordinateR"),
    "points": (_lie("", _data([[12], [2], [0]])), "declares 12 points"),
    "many points": (_lie("", _data([[10**12], [2], [0]])), "declares"),
    "sizes": (_lie("", _data([[-1], [2], [0]])), "sizes"),
    "range": (_lie("/ZoneBC/by nodes/PointList", _data([[1], [99]])), "not there"),
    "a link": (_lie("/GridCoordinates/CoordinateX", _link), "without links"),
    "another file": (_lie("/GridCoordinates/CoordinateX", _external), "of its own"),
    "a bomb": (_lie("/GridCoordinates/CoordinateX", _bomb), "declares"),
    "text for numbers": (_lie("/GridCoordinates/CoordinateX", _data(np.bytes_("x"))), "no numbers"),
}


@pytest.mark.parametrize("lie", CGNS_LIES)
def test_lies_in_cgns_are_errors(folder, lie):
    write_cgns(folder / "x.cgns", {"z": mixed_zone()})
    write, words = CGNS_LIES[lie]
    with pytest.raises(ReadError, match=words):
        geo.read(write(folder))


def test_structured_conditions_that_are_no_side_are_errors(folder):
    for rows, words in (([[1, 1, 1], [3, 3, 2]], "one side"), ([[1, 1, 1], [1, 9, 2]], "beyond")):
        write_cgns(folder / "e.cgns", {"z": block((0, 0, 0), (3, 3, 2), {"a": ("own", "PointRange", rows)})})
        with pytest.raises(ReadError, match=words):
            geo.read(folder / "e.cgns")


def test_adf_goes_to_gmsh(folder):
    Path(folder / "old.cgns").write_bytes(b"@(#)ADF Database Version A02012>" + b"\0" * 500)
    with pytest.raises(ReadError, match="gmsh"):
        geo.read(folder / "old.cgns")


def test_med_is_not_written_where_it_would_be_wrong(folder):
    with pytest.raises(WriteError, match="wedge18"):
        med.write(Mesh(points=reference_nodes("wedge18"), cells={"wedge18": np.arange(18)[None]}), folder / "a.med")
