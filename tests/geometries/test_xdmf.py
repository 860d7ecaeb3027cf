"""Laws of XDMF: round trips, what VTK reads of it, and nothing read from elsewhere."""

import re
from dataclasses import replace

import h5py
import meshio
import numpy as np
import pytest
from hypothesis import given, settings
from vtkmodules.vtkIOXdmf2 import vtkXdmfReader

import geometries as geo
from geometries.cells import CELLS
from geometries.errors import MeshopsError, ReadError
from geometries.families.grid import Grid
from geometries.formats import inspect
from geometries.mesh import Mesh
from tests.geometries.meshes import arrays_equal, assert_same, meshes, one_of_each


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("xdmf")


def _without(mesh, kind):
    keep = np.concatenate([np.full(len(c), k.name != kind) for k, c, _ in mesh.blocks()])
    used = np.unique(np.concatenate([c.ravel() for k, c in mesh.cells.items() if k != kind]))
    cells = {k: np.searchsorted(used, c) for k, c in mesh.cells.items() if k != kind}
    return Mesh(points=mesh.points[used], cells=cells, regions={"first": [0]}) if not keep.all() else mesh


def _vtk(path):
    reader = vtkXdmfReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutputDataObject(0)


# -- round trips -------------------------------------------------------------------------------------------------------
@given(mesh=meshes())
@settings(max_examples=6)
def test_everything_is_kept(folder, mesh):
    geo.write(mesh, folder / "a.xdmf")
    reading = inspect(folder / "a.xdmf")
    np.testing.assert_array_equal(mesh.points, reading.mesh.points)
    filled = {k: v for k, v in mesh.regions.items() if len(v)}
    sides = {k: v for k, v in mesh.boundaries.items() if len(v)}
    for part, wanted in [("cells", mesh.cells), ("regions", filled), ("boundaries", sides)]:
        arrays_equal(wanted, getattr(reading.mesh, part))
    arrays_equal(mesh.point_data, reading.mesh.point_data)
    arrays_equal(mesh.cell_data, reading.mesh.cell_data)
    assert reading.problems == () and not reading.field_data


@pytest.mark.parametrize(
    "kind", ["triangle6", "quad8", "quad9", "tetra10", "hexahedron", "hexahedron20", "wedge15", "mixed"]
)
def test_vtk_reads_the_same_cells_and_names(folder, kind):
    from geometries.formats._grids import TYPES

    dim = 3 if kind == "mixed" else CELLS[kind].dim
    mesh = _without(one_of_each(dim), "pyramid14")
    if kind != "mixed":
        at = list(mesh.cells).index(kind)
        nodes = mesh.cells[kind]
        mesh = Mesh(points=mesh.points[nodes[0]], cells={kind: [np.arange(nodes.shape[1])]}, regions={str(at): [0]})
    geo.write(mesh, folder / "v.xdmf")
    grid = _vtk(folder / "v.xdmf")
    assert grid.GetNumberOfCells() == mesh.num_cells
    ours = [(k.name, row) for k, cells, _ in mesh.blocks() for row in cells.tolist()]
    for i, (name, row) in enumerate(ours):
        ids = grid.GetCell(i).GetPointIds()
        assert TYPES[grid.GetCellType(i)][0] == name
        assert [ids.GetId(j) for j in range(ids.GetNumberOfIds())] == row
    assert grid.GetCellData().HasArray("region number")


# -- files of other programs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("data_format", ["XML", "HDF"])
@pytest.mark.parametrize("kind", ["tetra10", "hexahedron20", "mixed"])
def test_files_of_meshio(folder, data_format, kind):
    if kind == "mixed":
        mesh = replace(_without(one_of_each(2), "quad9"), regions={})
    else:
        cell = {"tetra10": "tetra"}.get(kind, "hexahedron")
        mesh = Grid(shape=(2, 1, 1), cell=cell, order=2).mesh()
    if kind == "hexahedron20":
        corners = mesh.cells["hexahedron27"][:, :20]
        used = np.unique(corners)
        mesh = Mesh(points=mesh.points[used], cells={kind: np.searchsorted(used, corners)})
    points = np.pad(mesh.points, ((0, 0), (0, 3 - mesh.space_dim)))
    data = {"c": [np.arange(len(c)) for c in mesh.cells.values()]}
    other = meshio.Mesh(points, list(mesh.cells.items()), point_data={"u": points[:, 0]}, cell_data=data)
    other.write(folder / "m.xdmf", data_format=data_format)
    read = geo.read(folder / "m.xdmf")
    assert_same(replace(mesh, regions={}, boundaries={}), read)
    np.testing.assert_array_equal(read.point_data["u"], points[:, 0])
    assert len(read.cell_data["c"]) == mesh.num_cells


def _xdmf(points="0 0 0 1 0 0 0 1 0", cells="0 1 2", kind="Triangle", more="", shape="1 3", grid='Name="g"'):
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE Xdmf SYSTEM "Xdmf.dtd" []>\n<Xdmf Version="3.0"><Domain>'
        f'<Grid {grid}><Topology TopologyType="{kind}" NumberOfElements="1"><DataItem Dimensions="{shape}" '
        f'NumberType="Int" Format="XML">{cells}</DataItem></Topology><Geometry GeometryType="XYZ">'
        f'<DataItem Dimensions="3 3" Format="XML">{points}</DataItem></Geometry>{more}</Grid></Domain></Xdmf>'
    )


def test_sets_of_cells_and_time_steps(folder):
    cells = '<Set SetType="Cell" Name="inlet"><DataItem Dimensions="1" NumberType="Int" Format="XML">1</DataItem></Set>'
    square = _xdmf(points="0 0 0 1 0 0 0 1 0 1 1 0", cells="0 1 2 2 1 3", shape="2 3", more=cells)
    (folder / "s.xdmf").write_text(square.replace("3 3", "4 3"))
    assert {k: v.tolist() for k, v in geo.read(folder / "s.xdmf").regions.items()} == {"inlet": [1]}
    (folder / "s.xdmf").write_text(square.replace("3 3", "4 3").replace(">1<", ">2<"))
    with pytest.raises(ReadError, match="inlet"):
        geo.read(folder / "s.xdmf")
    one = re.search(r"<Grid.*</Grid>", _xdmf())[0]
    steps = f'<Grid GridType="Collection" CollectionType="Temporal">{one}{one}</Grid>'
    (folder / "t.xdmf").write_text(_xdmf().replace(one, steps))
    assert inspect(folder / "t.xdmf").problems[0].startswith("1 further grids or time steps")
    (folder / "t.xdmf").write_text(_xdmf().replace(one, steps.replace("Temporal", "Spatial")))
    with pytest.raises(ReadError, match="several grids"):
        geo.read(folder / "t.xdmf")


# -- hostile files -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "lie",
    [
        {"points": "0 0 0 1 0 0 0 nan 0"},
        {"points": "0 0 0"},
        {"cells": "0 1 3"},
        {"cells": "0 1 -1"},
        {"cells": "0 1 0.5"},
        {"cells": "0 1 two"},
        {"shape": "1000000 1000000"},
        {"shape": "-1 3"},
        {"kind": "Hexahedron_64"},
        {"kind": "3DCoRectMesh"},
        {"kind": "Mixed", "cells": "4 0 1"},
        {"kind": "Mixed", "cells": "99 0 1"},
        {"kind": "Mixed", "cells": "2 3 1"},
        {"more": '<Attribute Name="a" Center="Cell"><DataItem Dimensions="2" Format="XML">1 2</DataItem></Attribute>'},
        {"more": '<Attribute Name="a" Center="Cell"><DataItem ItemType="Function"/></Attribute>'},
    ],
)
def test_lies_are_errors(folder, lie):
    (folder / "lie.xdmf").write_text(_xdmf(**lie))
    with pytest.raises(ReadError):
        geo.read(folder / "lie.xdmf")


@pytest.mark.parametrize("name", ["../x.h5", "/etc/x.h5", "http://h/x.h5", "sub/x.h5", "link.h5", "none.h5", ""])
def test_arrays_elsewhere_are_refused(tmp_path, name):
    (tmp_path / "in").mkdir()
    for place in ("x.h5", "sub.h5"):
        with h5py.File(tmp_path / place, "w") as stream:
            stream["0"] = np.array([[0, 1, 2]])
    (tmp_path / "in/link.h5").symlink_to(tmp_path / "x.h5")
    (tmp_path / "in/a.xdmf").write_text(
        _xdmf(cells=f"{name}:/0").replace('Format="XML">' + name, 'Format="HDF">' + name)
    )
    with pytest.raises(ReadError, match=r"folder|no file"):
        geo.read(tmp_path / "in/a.xdmf")


def test_links_and_storage_outside_an_hdf5_file_are_not_followed(tmp_path):
    secret = np.array([[0, 1, 2]])
    (tmp_path / "raw").write_bytes(secret.tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as stream:
        stream["0"] = secret
    layout = h5py.VirtualLayout((1, 3), "i8")
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "0", (1, 3))
    with h5py.File(tmp_path / "a.h5", "w") as stream:
        stream["own"] = secret
        stream["external"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/0")
        stream["soft"] = h5py.SoftLink("/own")
        stream.create_virtual_dataset("virtual", layout)
        stream.create_dataset("raw", (1, 3), "i8", external=[(str(tmp_path / "raw"), 0, 24)])
        stream["text"] = "abc"
    for place, fine in [
        ("own", True),
        *((p, False) for p in ("external", "soft", "virtual", "raw", "text", "no", "own/x")),
    ]:
        text = _xdmf(cells=f"a.h5:/{place}").replace('"XML">a.h5', '"HDF">a.h5')
        (tmp_path / "a.xdmf").write_text(text)
        if fine:
            assert geo.read(tmp_path / "a.xdmf").num_cells == 1
            continue
        with pytest.raises(ReadError, match="of its own"):
            geo.read(tmp_path / "a.xdmf")


def test_an_array_that_unpacks_without_limit_ends_the_child_only(tmp_path):
    with h5py.File(tmp_path / "b.h5", "w") as stream:
        stream.create_dataset("0", (2**36,), "i8", chunks=(2**20,), fillvalue=0, compression="gzip")
    (tmp_path / "b.xdmf").write_text(_xdmf(cells="b.h5:/0").replace('"XML">b.h5', '"HDF">b.h5'))
    with pytest.raises(ReadError):
        geo.read(tmp_path / "b.xdmf")


def test_changed_bytes_never_escape(folder):
    geo.write(Grid(shape=(2, 2)).mesh(), folder / "c.xdmf")
    rng = np.random.default_rng(0)
    for name in ("c.xdmf", "c.xdmf.h5"):
        content = np.frombuffer((folder / name).read_bytes(), np.uint8)
        for cut in (len(content) // 2, *[len(content)] * 6):
            bad = content[:cut].copy()
            bad[rng.integers(0, cut, 4)] = rng.integers(0, 256, 4)
            (folder / name).write_bytes(bad.tobytes())
            try:
                assert geo.read(folder / "c.xdmf").num_cells
            except MeshopsError as error:
                assert "\n" not in str(error)
        (folder / name).write_bytes(content.tobytes())
