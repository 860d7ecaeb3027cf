"""Laws of decks (.inp): meshes and conditions survive the way through them; what is not carried is told; no escapes."""

from dataclasses import replace

import meshio
import numpy as np
import pytest
from hypothesis import given, settings

import geometries as geo
from geometries import Dirichlet, Neumann, Robin
from geometries.cells import CELLS
from geometries.deck import Loads
from geometries.errors import MeshopsError, ReadError, WriteError
from geometries.families.grid import Grid
from geometries.formats import _inp_tables as tables
from geometries.formats import inp, inspect
from geometries.formats._inp_lines import number
from geometries.mesh import Mesh
from tests.geometries.meshes import GRIDS, assert_same, meshes, one_of_each

WRITABLE = {**tables.WRITTEN, **tables.PLANE_WRITTEN}
CUBE = """\
** a comment
*Heading
 anything, at all
*NODE, NSET=Nall
1, 0., 0., 0.
2, 1.D0, 0., 0.
3, 1., 1,
4, , 1., 0.
5, 0., 0., 1.
6, 1., 0., 1.
7, 1., 1., 1.
8, 0., 1., 1.
*Element, type=C3D8, elset=Part-A
 10, 1, 2, 3, 4,
     5, 6, 7, 8
*NSET, NSET=Bottom, GENERATE
1, 4
*NSET, NSET="two of them"
1,2
*SURFACE, NAME=Top, TYPE=ELEMENT
part-a, S2
"""
HEAT = """\
*MATERIAL, NAME=steel
*CONDUCTIVITY
45.,
*SOLID SECTION, ELSET=PART-A, MATERIAL=STEEL
*STEP
*HEAT TRANSFER, STEADY STATE
*BOUNDARY
BOTTOM, 11, 11, 20.
*DFLUX
10, S2, 5.
PART-A, BF, 7.
*FILM
Part-A, F3, 30., 12.
*END STEP
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("inp")


def _read(folder, text):
    (folder / "d.inp").write_text(text)
    return inspect(folder / "d.inp")


# -- round trips -------------------------------------------------------------------------------------------------------
@given(mesh=meshes([g for g in GRIDS if next(iter(g.mesh().cells)) in WRITABLE]))
@settings(max_examples=25)
def test_points_cells_and_names_are_kept(folder, mesh):
    geo.write(mesh, folder / "a.inp")
    reading = inspect(folder / "a.inp")
    assert_same(mesh, reading.mesh)
    assert reading.problems == () and reading.loads is None


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_cell_type_that_has_an_element_passes_with_all_its_sides(folder, dim):
    mesh = one_of_each(dim)
    for kind, cells, _ in mesh.blocks():
        alone = Mesh(points=mesh.points[cells[0]], cells={kind.name: np.arange(kind.nodes)[None]})
        named = replace(alone, boundaries={f"side {i}": [[0, i]] for i in range(len(kind.facets))})
        if kind.name in WRITABLE:
            geo.write(named, folder / "k.inp")
            assert_same(named, geo.read(folder / "k.inp"))
        else:
            with pytest.raises(WriteError, match=f"no element for {kind.name}"):
                geo.write(named, folder / "l.inp")
    assert not (folder / "l.inp").exists()


def test_a_surface_in_space_and_names_in_all_scripts(folder):
    flat = Grid(shape=(2, 2)).mesh()
    names = ["Fläche 1", "a", "A", "12", "x,y=3", "*", 'say "hi"', "b" * 200, "B" * 200, "ALL_OF_IT"]
    sets = {name.replace("*", "a*b"): [i % 8] for i, name in enumerate(names)}
    mesh = replace(flat, points=np.column_stack([flat.points, flat.points[:, 0] ** 2]), regions=sets)
    geo.write(mesh, folder / "s.inp")
    assert_same(mesh, geo.read(folder / "s.inp"))
    with pytest.raises(WriteError, match="blanks"):
        geo.write(replace(mesh, regions={" a": [0]}), folder / "s.inp")


def test_numbers_take_twenty_characters_and_keep_their_digits():
    rng = np.random.default_rng(0)
    values = rng.normal(size=3000) * 10.0 ** rng.integers(-300, 300, 3000)
    assert max(len(number(v)) for v in values.tolist()) <= 20
    np.testing.assert_allclose([float(number(v)) for v in values.tolist()], values, rtol=1e-12)
    plain = rng.uniform(0.01, 1000, 1000)
    assert [float(number(v)) for v in plain.tolist()] == plain.tolist()


def test_conditions_are_kept(folder):
    mesh = Grid(shape=(4, 3, 2), cell="tetra").mesh()
    west = np.flatnonzero(mesh.cell_centers[:, 0] < 0.5)
    mesh = replace(mesh, regions={"west": west, "the rest": np.setdiff1d(np.arange(mesh.num_cells), west)})
    rng = np.random.default_rng(0)
    loads = Loads(
        equation="heat",
        conditions={
            "left": Dirichlet(20.0),
            "right": Dirichlet(rng.normal(size=len(mesh.nodes(mesh.boundaries["right"])))),
            "top": Neumann(rng.normal(size=len(mesh.boundaries["top"]))),
            "bottom": Robin(12.5, ambient=rng.random(len(mesh.boundaries["bottom"]))),
        },
        coefficients={"conductivity": {"west": 2.0, "the rest": 3.0}},
        source=7.5,
    )
    inp.write(mesh, folder / "c.inp", loads=loads)
    reading = inspect(folder / "c.inp")
    assert_same(mesh, reading.mesh)
    assert reading.problems == () and reading.loads.missing == ()
    assert (reading.loads.coefficients, reading.loads.source) == (loads.coefficients, 7.5)
    assert list(reading.loads.conditions) == list(loads.conditions)
    for name, condition in loads.conditions.items():
        assert type(reading.loads.conditions[name]) is type(condition)
        for key, value in vars(condition).items():
            np.testing.assert_allclose(getattr(reading.loads.conditions[name], key), value, rtol=1e-12)


# -- files of other programs -------------------------------------------------------------------------------------------
def test_syntax_sets_and_surfaces(folder):
    reading = _read(folder, CUBE)
    mesh = reading.mesh
    assert mesh.measure == pytest.approx(1.0)
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {"Part-A": [0]}
    assert {k: len(v) for k, v in mesh.boundaries.items()} == {"Top": 1, "Nall": 6, "Bottom": 1}
    assert mesh.side_geometry(mesh.boundaries["Top"])[1].tolist() == [[0, 0, 1]]
    assert reading.problems == ("the 2 nodes of 'two of them' are the corners of no outer facet: dropped",)


def test_a_surface_of_elements_without_faces_is_their_free_sides(folder):
    mesh = Grid(shape=(3, 2, 2), cell="hexahedron").mesh()
    geo.write(mesh, folder / "f.inp")
    again = _read(folder, (folder / "f.inp").read_text() + "*SURFACE, NAME=skin\n1\nALL_OF_IT,\n").mesh
    np.testing.assert_array_equal(again.boundaries["skin"], mesh.outer)


def test_thermal_keywords_become_conditions(folder):
    reading = _read(folder, CUBE + HEAT)
    loads, mesh = reading.loads, reading.mesh
    assert loads.missing == () and loads.source == 7.0 and loads.coefficients == {"conductivity": 45.0}
    assert {k: vars(v) for k, v in loads.conditions.items()} == {
        "Bottom": {"value": 20.0},
        "Top": {"value": 5.0},
        "film1": {"coefficient": 12.0, "ambient": 30.0},
    }
    assert mesh.side_geometry(mesh.boundaries["film1"])[1].tolist() == [[0, -1, 0]]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("*DFLUX", "*RADIATE\nPart-A, R3, 300., 0.8\n*DFLUX", "RADIATE"),
        (", STEADY STATE", "", "STEADY STATE"),
        ("*CONDUCTIVITY", "*CONDUCTIVITY, TYPE=ORTHO", "isotropic"),
        ("45.,\n", "45., 0.\n50., 100.\n", "temperature"),
        ("BOTTOM, 11, 11, 20.", "nowhere, 11, 11, 20.", "nowhere"),
        ("BOTTOM, 11, 11, 20.", "two of them, 11, 11, 20.", "2 points"),
        ("*FILM\n", "*FILM, AMPLITUDE=A\n", "AMPLITUDE"),
        ("Part-A, F3", "Part-A, F3FC", "F3FC"),
        ("10, S2, 5.", "10, S2, 5.\n10, S2, 6.", "two loads"),
        ("*DFLUX", "*TIE\na, b\n*DFLUX", "TIE"),
    ],
)
def test_what_makes_it_another_problem_is_told(folder, old, new, words):
    text = CUBE + HEAT
    assert old in text
    reading = _read(folder, text.replace(old, new))
    assert any(words in what for what in reading.loads.missing)
    assert any(words in what for what in reading.problems)


def test_a_later_temperature_wins_and_holds_its_side_alone(folder):
    more = "*BOUNDARY\nTop_nodes, 11, , 3.\n1, 11, 11, 7.\n2, 11, 11, 7.\n3, 11, 11, 7.\n4, 11, 11, 7.\n*DFLUX"
    text = (CUBE + "*NSET, NSET=Top_nodes\n5, 6, 7, 8\n" + HEAT).replace("*DFLUX", more)
    loads = _read(folder, text).loads
    assert {k: vars(v) for k, v in loads.conditions.items() if k != "film1"} == {
        "Bottom": {"value": 7.0},
        "Top_nodes": {"value": 3.0},
    }


def test_loads_of_a_problem_that_is_not_read_are_sets_and_told(folder):
    text = "*STEP\n*DYNAMIC\n*BOUNDARY\nBottom, 1, 3\n*CLOAD\n7, 3, -5\n*DLOAD\n10, P3, 2.\nPart-A, GRAV, 9, 0, 0, -1\n"
    reading = _read(folder, CUBE + "*MATERIAL, NAME=M\n*ELASTIC\n2e5, 0.3\n" + text + "*END STEP\n")
    assert reading.loads is None
    assert {"Bottom", "dload1"} <= set(reading.mesh.boundaries)
    told = "\n".join(reading.problems)
    assert "*BOUNDARY on 'Bottom' is kept as a set only: displacements belong to no problem read here" in told
    assert "point loads" in told and "*ELASTIC (1)" in told and "'Part-A'" in told


def test_instances_are_placed_and_their_sets_carry_their_names(folder):
    part = (
        CUBE.replace("*Heading\n anything, at all\n", "*PART, NAME=Block\n") + "*END PART\n*ASSEMBLY, NAME=Assembly\n"
    )
    text = (
        f"{part}*INSTANCE, NAME=one, PART=block\n*END INSTANCE\n*INSTANCE, NAME=two, PART=Block\n5., 0., 0.\n"
        "5., 0., 0., 5., 0., 1., 90.\n*END INSTANCE\n*NSET, NSET=feet, INSTANCE=one, GENERATE\n1, 4\n"
        "*NSET, NSET=feet, INSTANCE=two\n1, 2, 3, 4\n*ELSET, ELSET=both\none.10, two.Part-A\n*END ASSEMBLY\n"
    )
    mesh = _read(folder, text).mesh
    assert mesh.num_cells == 2
    np.testing.assert_allclose([mesh.points.min(0), mesh.points.max(0)], [[0, 0, 0], [5, 1, 1]], atol=1e-15)
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {"one.Part-A": [0], "two.Part-A": [1], "both": [0, 1]}
    assert {"one.Top", "two.Bottom", "feet"} <= set(mesh.boundaries) and len(mesh.boundaries["feet"]) == 2


def test_shells_beams_and_what_is_no_cell(folder):
    sheet = "*NODE\n1,0,0,0\n2,1,0,0\n3,1,1,1\n4,0,1,0\n*ELEMENT,TYPE=S4R,ELSET=skin\n1,1,2,3,4\n"
    more = (
        "*ELEMENT,TYPE=B31\n2,1,2\n*ELEMENT,TYPE=SPRINGA\n3,1,3\n*SURFACE,NAME=up\nskin,SPOS\n*SURFACE,NAME=rim\n1,E1\n"
    )
    reading = _read(folder, sheet + more)
    assert {k: v.tolist() for k, v in reading.mesh.regions.items()} == {"skin": [0], "up": [0]}
    assert reading.mesh.points[reading.mesh.nodes(reading.mesh.boundaries["rim"])].tolist() == [[0, 0, 0], [1, 0, 0]]
    assert "1 elements of type SPRINGA are no cells: left out" in reading.problems
    assert "1 elements of dimension 1: kept as named sides" in reading.problems


@pytest.mark.parametrize("kind", ["hexahedron20", "tetra10", "wedge", "hexahedron", "triangle6", "quad8"])
def test_meshio_agrees_on_the_order_of_nodes(folder, kind):
    mesh = one_of_each(CELLS[kind].dim)
    points = mesh.points[mesh.cells[kind][0]]
    points = np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
    meshio.Mesh(points, [(kind, np.arange(len(points))[None])]).write(folder / "o.inp")
    again = geo.read(folder / "o.inp")
    np.testing.assert_allclose(again.points[again.cells[kind][0]], points[:, : again.space_dim], atol=1e-12)


def test_faces_are_those_of_the_manuals():
    hexahedron, tetra = tables.ElementType("hexahedron20"), tables.ElementType("tetra")
    assert [tables.face(hexahedron, f"S{i}") for i in (1, 2, 6)] == [(0, 1, 2, 3), (4, 7, 6, 5), (3, 7, 4, 0)]
    assert tables.face(tetra, "F3") == (1, 3, 2) and tables.face(tetra, "S5") is None


def test_elements_may_break_their_lines_anywhere(folder):
    head = "*NODE\n1,0,0\n2,1,0\n3,1,1\n4,0,1\n*ELEMENT, TYPE=CPS3\n"
    mesh = _read(folder, head + "1, 1,\n2, 3\n2, 1, 3, 4\n").mesh
    assert mesh.measure.tolist() == [0.5, 0.5]
    with pytest.raises(ReadError, match="alike"):
        _read(folder, head + "1, 1, 2\n2, 1, 3, 4\n3, 1, 2, 3\n")


def test_avs_ucd_is_read_as_that(folder):
    grid = Grid(shape=(1, 1, 1), cell="hexahedron").mesh()
    cells = [("hexahedron", grid.cells["hexahedron"]), ("quad", np.array([[0, 1, 3, 2]]))]
    data = {"avsucd:material": [np.array([3]), np.array([7])]}
    meshio.Mesh(grid.points, cells, cell_data=data).write(folder / "u.inp", file_format="avsucd")
    mesh = geo.read(folder / "u.inp")
    assert mesh.measure == pytest.approx(1.0) and list(mesh.regions) == ["3"]
    assert list(mesh.boundaries) == ["7"] or not mesh.boundaries
    for bad in ("9999999999 1 0 0 0\n", "1 1 0 0 0\n1 0 0 0\n1 1 tet 1 1 1 9\n", "1 1 0 0 0\n1 0 0 0\n1 1 blob 1\n"):
        (folder / "u.inp").write_text(bad)
        with pytest.raises(ReadError):
            geo.read(folder / "u.inp")


# -- hostile files -----------------------------------------------------------------------------------------------------
def test_nodes_and_elements_may_be_the_lines_of_a_file(folder):
    (folder / "nodes.csv").write_text("** x, y, z\n1, 0, 0, 0\n2, 1, 0, 0\n** more\n3, 1, 1, 0\n4, 0, 1, 0\n")
    (folder / "elements.csv").write_text("7, 1, 2, 3, 4\n")
    deck = "*Node, input=nodes.csv\n*Element, type=CPS4, elset=all of it, input=elements.csv\n"
    mesh = _read(folder, deck).mesh
    assert mesh.measure.tolist() == [1] and list(mesh.regions) == ["all of it"]


def test_includes_stay_in_the_folder(folder):
    (folder / "sub").mkdir(exist_ok=True)
    head, mesh = CUBE.split("*Element", 1)
    (folder / "sub" / "nodes.inc").write_text(head)
    assert _read(folder, f"*INCLUDE, INPUT=sub/nodes.inc\n*Element{mesh}").mesh.num_cells == 1
    (folder / "twice.inc").write_text("*NODE\n20, 5., 5., 5.\n")
    assert _read(folder, f"*INCLUDE, INPUT=twice.inc\n*INCLUDE, INPUT=twice.inc\n{CUBE}").mesh.measure == pytest.approx(
        1
    )
    (folder.parent / "out.inc").write_text(head)
    (folder / "link.inc").symlink_to(folder.parent / "out.inc")
    for path in ("../out.inc", str(folder.parent / "out.inc"), "link.inc", "c:\\out.inc", "..\\out.inc", "", "missing"):
        with pytest.raises(ReadError):
            _read(folder, f"*INCLUDE, INPUT={path}\n*Element{mesh}")
    for path in ("../out.inc", "missing"):
        with pytest.raises(ReadError):
            _read(folder, f"*NODE, INPUT={path}\n*Element{mesh}")
    (folder / "loop.inc").write_text("*INCLUDE, INPUT=loop.inc\n")
    for path in ("d.inp", "loop.inc"):
        with pytest.raises(ReadError, match="includes itself"):
            _read(folder, f"*INCLUDE, INPUT={path}\n*Element{mesh}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("5, 6, 7, 8\n", "5, 6, 7, 99\n"),
        ("5, 6, 7, 8\n", "5, 6, 7\n"),
        ("5, 6, 7, 8\n", "5, 6, 7, 8.5\n"),
        ("5, 6, 7, 8\n", "5, 6, 7, 1e300\n"),
        ("5, 6, 7, 8\n", "5, 6, 7, x\n"),
        ("8, 0., 1., 1.", "8, 0., nan, 1."),
        ("8, 0., 1., 1.", "8, 0., 1e999, 1."),
        ("8, 0., 1., 1.", "*NGEN\n1, 8\n8, 0., 1., 1."),
        ("1, 4\n", "1, 4, x\n"),
        ("type=C3D8", "type=D"),
        ("two of them", "two\0of them"),
    ],
)
def test_lies_are_errors(folder, old, new):
    assert old in CUBE
    with pytest.raises(ReadError):
        _read(folder, CUBE.replace(old, new))


def test_a_huge_range_costs_nothing(folder):
    reading = _read(folder, CUBE.replace("1, 4\n", "1, 4\n5, 99999999999999, 100000\n0, 1e18, 0\n"))
    assert len(reading.mesh.boundaries["Bottom"]) == 6


def test_truncated_and_changed_files_never_escape(folder):
    geo.write(Grid(shape=(2, 2, 2)).mesh(), folder / "t.inp")
    text = (folder / "t.inp").read_text()
    (folder / "t.inp").write_text(text[: text.index("*ELEMENT") + 600].rsplit(",", 1)[0])
    with pytest.raises(ReadError):
        geo.read(folder / "t.inp")
    rng = np.random.default_rng(2)
    raw = np.frombuffer((CUBE + HEAT).encode(), np.uint8)
    for _ in range(200):
        bad = raw.copy()
        bad[rng.integers(0, len(bad), 3)] = rng.integers(9, 126, 3)
        (folder / "r.inp").write_bytes(bad.tobytes()[: int(rng.integers(100, 2 * len(bad)))])
        try:
            assert geo.read(folder / "r.inp").num_cells
        except MeshopsError as error:
            assert "\n" not in str(error)
