"""Laws of the formats: a mesh that is written is read again; a hostile file is an error and nothing else."""

import struct
from dataclasses import replace

import meshio
import numpy as np
import pytest
from hypothesis import given, settings

import geometries as geo
from geometries.cells import CELLS
from geometries.errors import MeshopsError, ReadError, WriteError
from geometries.families.grid import Grid
from geometries.formats import FORMATS, inspect, msh, vtu
from geometries.formats._grids import TYPES
from geometries.gmsh_model import session
from tests.geometries.meshes import arrays_equal, assert_same, meshes, reference_nodes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("formats")


# -- round trips -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["4.1", "2.2"])
@given(mesh=meshes())
@settings(max_examples=8)
def test_msh_keeps_points_cells_and_names(folder, version, mesh):
    msh.write(mesh, folder / "a.msh", version=version)
    reading = inspect(folder / "a.msh")
    assert_same(mesh, reading.mesh)
    assert reading.problems == ()


@given(mesh=meshes())
@settings(max_examples=12)
def test_vtu_keeps_everything(folder, mesh):
    extra = {"unit": "°C & <mm>", "seconds": np.array([1.5, 2.0]), "steps": np.arange(6).reshape(2, 3)}
    vtu.write(mesh, folder / "a.vtu", field_data=extra)
    reading = inspect(folder / "a.vtu")
    np.testing.assert_array_equal(mesh.points, reading.mesh.points)
    for part in ("cells", "regions", "boundaries", "point_data", "cell_data"):
        arrays_equal(getattr(mesh, part), getattr(reading.mesh, part))
    assert reading.field_data["unit"] == extra["unit"]
    np.testing.assert_array_equal(reading.field_data["steps"], extra["steps"])


def _middles(kind):
    """Our mid-nodes: {node: corners that it lies between}, on edges and in quad facets."""
    out = {}
    for corner, middle in [e for e in CELLS[kind].edges if e[0] < CELLS[kind].corners]:
        out.setdefault(middle, set()).add(corner)
    inner = {nodes[8]: set(nodes[:4]) for facet, nodes in CELLS[kind].facets if facet == "quad9"}
    return {middle: corners for middle, corners in (out | inner).items() if len(corners) in (2, 4)}


@pytest.mark.parametrize("kind", [c for c in CELLS if CELLS[c].order == 2])
def test_gmsh_node_orders_are_translated(kind):
    points = reference_nodes(kind)
    for middle, corners in _middles(kind).items():
        np.testing.assert_allclose(points[middle], points[list(corners)].mean(0), atol=1e-12)


@pytest.mark.parametrize("number", [n for n, (kind, _) in TYPES.items() if CELLS[kind].order == 2 and n < 68])
def test_vtk_node_orders_are_ours(number):
    from vtkmodules.vtkCommonDataModel import vtkGenericCell

    cell = vtkGenericCell()
    cell.SetCellType(number)
    cell.GetPointIds().SetNumberOfIds(cell.GetNumberOfPoints())
    for i in range(cell.GetNumberOfPoints()):
        cell.GetPointIds().SetId(i, i)
    parts = [cell.GetEdge(i) for i in range(cell.GetNumberOfEdges())] if cell.GetCellDimension() > 1 else [cell]
    ids = [[part.GetPointId(i) for i in range(part.GetNumberOfPoints())] for part in parts]
    ours = _middles(TYPES[number][0])
    assert ids
    assert all(ours[middle] == {a, b} for a, b, middle in ids)


def test_both_sides_of_an_interface_survive_in_vtu(folder):
    mesh = Grid(shape=(2, 2)).mesh()
    table = mesh._table
    inner = table.sides[table.count[table.facet] == 2]
    geo.write(replace(mesh, boundaries={"inner": inner}), folder / "i.vtu")
    np.testing.assert_array_equal(geo.read(folder / "i.vtu").boundaries["inner"], inner)


def test_a_surface_in_space_keeps_its_three_coordinates(folder):
    flat = Grid(shape=(3, 3)).mesh()
    points = np.column_stack([flat.points, flat.points[:, 0] ** 2])
    for name in ("s.msh", "s.vtu"):
        geo.write(replace(flat, points=points), folder / name)
        assert_same(replace(flat, points=points), geo.read(folder / name))


def test_names_that_msh_cannot_hold_are_refused(folder):
    mesh = Grid(shape=(2, 2)).mesh()
    for name in ('a"b', "a\nb", "x" * 121, " a"):
        with pytest.raises(WriteError, match="cannot go into"):
            geo.write(replace(mesh, regions={name: [0]}), folder / "n.msh")
    assert not (folder / "n.msh").exists()


def test_a_name_of_the_greatest_length_passes(folder):
    mesh = replace(Grid(shape=(2, 2)).mesh(), regions={"é" * 60: [0]})
    geo.write(mesh, folder / "l.msh")
    assert_same(mesh, geo.read(folder / "l.msh"))


# -- files of other programs -------------------------------------------------------------------------------------------
def test_meshio_agrees(folder):
    mesh = replace(Grid(shape=(2, 2, 2), order=2).mesh(), regions={"all of it": np.arange(48)})
    msh.write(mesh, folder / "m.msh")
    other = meshio.read(folder / "m.msh")
    np.testing.assert_array_equal(other.points, mesh.points)
    np.testing.assert_array_equal(other.cells_dict["tetra10"], mesh.cells["tetra10"])
    geo.write(mesh, folder / "m.vtu")
    np.testing.assert_array_equal(meshio.read(folder / "m.vtu").cells_dict["tetra10"], mesh.cells["tetra10"])


@pytest.mark.parametrize("extension", ["vtu", "vtk"])
@pytest.mark.parametrize("binary", [True, False])
def test_integer_tags_of_other_programs_become_names(folder, extension, binary):
    grid = Grid(shape=(2, 2)).mesh()
    points = np.column_stack([grid.points, np.zeros(9)])
    cells = [("triangle", grid.cells["triangle"]), ("line", np.array([[0, 1], [1, 2]]))]
    data = {"medit:ref": [np.array([1, 1, 2, 2, 0, 0, 7, 7]), np.array([5, 6])], "p": [np.arange(8.0), np.zeros(2)]}
    other = meshio.Mesh(points, cells, cell_data=data)
    other.write(folder / f"o.{extension}", binary=binary)
    mesh = geo.read(folder / f"o.{extension}")
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {"1": [0, 1], "2": [2, 3], "7": [6, 7]}
    assert {k: len(v) for k, v in mesh.boundaries.items()} == {"5": 1, "6": 1}
    assert mesh.space_dim == 2
    np.testing.assert_array_equal(mesh.cell_data["p"], np.arange(8.0))


def test_names_are_dropped_where_another_program_changed_the_cells(folder):
    import pyvista

    mesh = replace(Grid(shape=(4, 4)).mesh(), regions={"corner": [0, 1]})
    geo.write(mesh, folder / "p.vtu")
    grid = pyvista.read(folder / "p.vtu")
    grid.save(folder / "q.vtu")
    assert_same(mesh, geo.read(folder / "q.vtu"))
    grid.extract_cells(np.arange(5, 20)).save(folder / "q.vtu")
    reading = inspect(folder / "q.vtu")
    assert not reading.mesh.regions and not reading.mesh.boundaries


def test_ascii_msh_with_sparse_tags_and_overlapping_groups(folder):
    (folder / "g.msh").write_text(
        '$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n2\n2 1 "left half"\n2 2 "all"\n$EndPhysicalNames\n'
        "$Nodes\n5\n10 0 0 0\n20 1 0 0\n99 7 7 7\n30 1 1 0\n40 0 1 0\n$EndNodes\n"
        "$Elements\n4\n1 2 2 1 1 10 20 30\n2 2 2 2 1 10 20 30\n7 2 2 2 2 10 40 30\n8 1 2 4 3 10 20\n$EndElements\n"
    )
    reading = inspect(folder / "g.msh")
    assert {k: v.tolist() for k, v in reading.mesh.regions.items()} == {"left half": [0], "all": [0, 1]}
    assert list(reading.mesh.boundaries) == ["4"]
    assert reading.mesh.measure.tolist() == [0.5, 0.5]
    assert reading.problems == ("1 inverted cells reoriented",)


def test_msh_of_version_1(folder):
    (folder / "one.msh").write_text(
        "$NOD\n5\n1 0 0 0\n2 1 0 0\n3 0 1 0\n4 0 0 1\n9 1 1 1\n$ENDNOD\n"
        "$ELM\n3\n1 2 5 1 3 1 2 3\n2 4 7 1 4 1 2 3 4\n3 4 8 2 4 2 3 4 9\n$ENDELM\n"
    )
    mesh = geo.read(folder / "one.msh")
    assert {k: len(v) for k, v in mesh.regions.items()} == {"7": 1, "8": 1}
    assert {k: len(v) for k, v in mesh.boundaries.items()} == {"5": 1}
    assert mesh.measure.sum() == pytest.approx(1 / 6 + 1 / 3)


def test_comments_may_come_before_the_header_of_a_msh(folder):
    file, canary = folder / "c.msh", folder / "canary"
    body = _msh("3\n1 0 0 0\n2 1 0 0\n3 0 1 0", "1\n1 2 2 5 1 1 2 3")
    file.write_text(f'$Comments\nSystemCall "touch {canary}";\n$EndComments\n{body}')
    assert list(geo.read(file).regions) == ["5"] and not canary.exists()


def test_a_msh_of_ansys_is_told_from_one_of_gmsh(folder):
    mesh = Grid(shape=(2, 2)).mesh()
    meshio.write(folder / "ansys.msh", meshio.Mesh(mesh.points, dict(mesh.cells)), file_format="ansys")
    with pytest.raises(ReadError, match="of Ansys Fluent"):
        geo.read(folder / "ansys.msh")


def test_fields_in_a_msh_are_told(folder):
    field = '$NodeData\n1\n"T of air"\n1\n0.0\n3\n0\n1\n3\n1 1.0\n2 2.0\n3 3.0\n$EndNodeData\n'
    (folder / "f.msh").write_text(_msh() + field)
    assert inspect(folder / "f.msh").problems == ("fields are not read: T of air",)


def test_types_of_one_shape_that_share_an_entity_are_not_lost_in_silence(folder):
    nodes = "8\n1 0 0 0\n2 1 0 0\n3 1 1 0\n4 0 1 0\n5 .5 0 0\n6 1 .5 0\n7 .5 1 0\n8 0 .5 0"
    elements = "3\n1 2 2 0 1 1 2 3\n2 3 2 0 1 1 2 3 4\n3 16 2 0 1 1 2 3 4 5 6 7 8"
    (folder / "share.msh").write_text(_msh(nodes, elements))
    with pytest.raises(ReadError, match="gives 1 of 2"):
        geo.read(folder / "share.msh")


@pytest.mark.parametrize("version", [2.2, 4.1])
@pytest.mark.parametrize("binary", [0, 1])
def test_partitioned_msh_with_entities_that_have_no_group(folder, version, binary):
    with session() as gmsh:
        boxes = [gmsh.model.occ.addBox(x, 0, 0, 1, 1, 1) for x in (0, 1)]
        gmsh.model.occ.fragment([(3, boxes[0])], [(3, boxes[1])])
        gmsh.model.occ.synchronize()
        gmsh.model.addPhysicalGroup(3, [boxes[0]], name="half")
        gmsh.model.addPhysicalGroup(2, [1], name="wall")
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.5)
        gmsh.option.setNumber("Mesh.MshFileVersion", version)
        gmsh.option.setNumber("Mesh.SaveAll", version > 4)  # in version 2 that leaves groups out
        gmsh.option.setNumber("Mesh.Binary", binary)
        gmsh.model.mesh.generate(3)
        gmsh.model.mesh.partition(3)
        gmsh.write(str(folder / "parts.msh"))
    mesh = geo.read(folder / "parts.msh")
    assert mesh.measure.sum() == pytest.approx(2 if version > 4 else 1)
    assert mesh.measure[mesh.regions["half"]].sum() == pytest.approx(1)
    assert mesh.side_geometry(mesh.sides("wall"))[2].sum() == pytest.approx(1)


# -- hostile files -----------------------------------------------------------------------------------------------------
def _valid(folder, name):
    geo.write(Grid(shape=(2, 2, 2)).mesh(), folder / name)
    return (folder / name).read_bytes()


def test_a_msh_without_header_is_never_run(folder):
    canary = folder / "canary"
    for start in ("", "\n", "// $MeshFormat\n", "$Comments\n$EndComments\n"):
        (folder / "h.msh").write_text(f'{start}SystemCall "touch {canary}";\n')
        with pytest.raises(ReadError, match="begins neither"):
            geo.read(folder / "h.msh")
    assert not canary.exists()


def test_options_beside_a_mesh_are_not_run(folder):
    canary = folder / "canary"
    _valid(folder, "o.msh")
    (folder / "o.msh.opt").write_text(f'SystemCall "touch {canary}";\n')
    assert geo.read(folder / "o.msh").num_cells == 48
    assert not canary.exists()


def test_commands_after_a_header_are_not_run(folder):
    canary = folder / "canary"
    for middle in ("", "2.2 0 8\n$EndMeshFormat\n", "4.1 0 8\n$EndMeshFormat\n"):
        (folder / "h.msh").write_text(f'$MeshFormat\n{middle}SystemCall "touch {canary}";\n$EndNodes\n')
        with pytest.raises(ReadError):
            geo.read(folder / "h.msh")
    assert not canary.exists()


@pytest.mark.parametrize("name", ["t.msh", "t.vtu"])
def test_truncated_files_are_errors(folder, name):
    content = _valid(folder, name)
    for part in (0.1, 0.4, 0.7, 0.9, 0.98):
        (folder / name).write_bytes(content[: int(part * len(content))])
        with pytest.raises(ReadError):
            geo.read(folder / name)


@pytest.mark.parametrize("name", ["t.msh", "t.vtu"])
def test_points_that_are_not_finite_are_errors(folder, name):
    content = _valid(folder, name)
    value = struct.pack("<d", 0.5)
    assert value in content
    (folder / name).write_bytes(content.replace(value, struct.pack("<d", np.nan), 1))
    with pytest.raises(MeshopsError, match="not finite"):
        geo.read(folder / name)


def _msh(nodes="3\n1 0 0 0\n2 1 0 0\n3 0 1 0", elements="1\n1 2 2 0 1 1 2 3"):
    return f"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Nodes\n{nodes}\n$EndNodes\n$Elements\n{elements}\n$EndElements\n"


@pytest.mark.parametrize(
    "text",
    [
        _msh(elements="1\n1 2 2 0 1 1 2 9"),
        _msh(elements="0"),
        _msh(elements="10000000000\n1 2 2 0 1 1 2 3"),
        _msh(nodes="10000000000\n1 0 0 0\n2 1 0 0\n3 0 1 0"),
        _msh(nodes="3\n1 0 0 0\n2 nan 0 0\n3 0 1 0"),
        _msh(elements="1\n1 99 2 0 1 1 2 3"),
        _msh(elements="1\n1 21 2 0 1 " + " ".join(["1"] * 10)),
        "$MeshFormat\n9.9 0 8\n$EndMeshFormat\n",
    ],
)
def test_lies_in_msh_are_errors(folder, text):
    (folder / "lie.msh").write_text(text)
    with pytest.raises(ReadError):
        geo.read(folder / "lie.msh")


def _vtu(count=1, connectivity="0 1 2", offsets="3", types="5", points="0 0 0 1 0 0 0 1 0"):
    def array(kind, name, text, more=""):
        return f'<DataArray type="{kind}" Name="{name}" format="ascii" {more}>{text}</DataArray>'

    return (
        f'<VTKFile type="UnstructuredGrid" version="0.1" byte_order="LittleEndian"><UnstructuredGrid>'
        f'<Piece NumberOfPoints="3" NumberOfCells="{count}"><Points>'
        f"{array('Float64', 'P', points, 'NumberOfComponents=' + chr(34) + '3' + chr(34))}</Points><Cells>"
        f"{array('Int64', 'connectivity', connectivity)}{array('Int64', 'offsets', offsets)}"
        f"{array('UInt8', 'types', types)}</Cells></Piece></UnstructuredGrid></VTKFile>"
    )


@pytest.mark.parametrize(
    "lie",
    [
        {"connectivity": "0 1 7"},
        {"connectivity": "0 1 -2"},
        {"offsets": "9"},
        {"offsets": "-3"},
        {"types": "10"},
        {"types": "42"},
        {"types": "200"},
        {"count": 10**10},
        {"count": 0},
        {"points": "0 0 0 1 0 0 0 nan 0"},
    ],
)
def test_lies_in_vtu_are_errors(folder, lie):
    (folder / "ok.vtu").write_text(_vtu())
    assert geo.read(folder / "ok.vtu").measure.tolist() == [0.5]
    (folder / "lie.vtu").write_text(_vtu(**lie))
    with pytest.raises(ReadError):
        geo.read(folder / "lie.vtu")


def test_bytes_changed_at_random_never_escape(folder):
    rng = np.random.default_rng(1)
    for name in ("r.msh", "r.vtu"):
        content = np.frombuffer(_valid(folder, name), np.uint8)
        for _ in range(6):
            bad = content.copy()
            bad[rng.integers(0, len(bad), 5)] = rng.integers(0, 256, 5)
            (folder / name).write_bytes(bad.tobytes())
            try:
                assert geo.read(folder / name).num_cells
            except MeshopsError as error:
                assert "\n" not in str(error)


# -- paths and writing -------------------------------------------------------------------------------------------------
def test_paths_that_cannot_be_read(folder, tmp_path):
    (tmp_path / "empty.msh").touch()
    (tmp_path / "a.xyz").write_text("x")
    for path, words in [
        ("no.msh", "no file"),
        ("empty.msh", "0 bytes"),
        (".", "not a file"),
        ("a.xyz", "can be read; known"),
    ]:
        with pytest.raises(ReadError, match=words):
            geo.read(tmp_path / path)


def test_size_and_order_are_for_cad(folder):
    _valid(folder, "s.msh")
    for more, words in [({"size": 1.0}, "size applies to CAD"), ({"size": 1.0, "order": 2}, "size and order")]:
        with pytest.raises(ReadError, match=words):
            geo.read(folder / "s.msh", **more)


def test_a_lower_dimension_may_be_asked_for(folder):
    _valid(folder, "d.msh")
    mesh = geo.read(folder / "d.msh", dim=2)
    assert mesh.dim == 2 and mesh.num_cells == 48 and set(mesh.regions) == set(geo.read(folder / "d.msh").boundaries)


def test_writing_elsewhere_is_an_error(tmp_path):
    mesh = Grid(shape=(2, 2)).mesh()
    for name in ("none/a.vtu", "a.step", "a"):
        with pytest.raises(WriteError):
            geo.write(mesh, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_every_format_says_what_it_keeps():
    extensions = [e for f in FORMATS.values() for e in f.extensions]
    assert len(extensions) == len(set(extensions)) and all(e == e.lower() and e[0] == "." for e in extensions)
    assert all(f.keeps and (f.read or f.write) for f in FORMATS.values())
