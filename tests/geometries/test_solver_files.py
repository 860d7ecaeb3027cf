"""Files as solvers and preprocessors write them, and what is wrong with damaged ones."""

import numpy as np
import pytest

import geometries as geo
from geometries.build import mesh_from_blocks
from geometries.errors import ReadError
from geometries.families.grid import Grid
from geometries.formats import inspect, medit, nastran, su2, unv
from tests.geometries.exodus_file import add_results, write_exodus
from tests.geometries.meshes import assert_same


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("solvers")


def facets_of(mesh, name):
    return len(np.unique(mesh.facet_ids(mesh.sides(name))))


SU2 = """% a comment
NDIME= 2
NELEM= 3
9  0 1 4 3  0
5 1 2 5 1
5 1 5 4 2
NPOIN= 6 6
0 0 0
1.0 0 1
2 0 2
0 1 3
1 1 4
2 1.0e0 5
NMARK= 3
MARKER_TAG= lower wall
MARKER_ELEMS= 2
3 0 1
3 1 2
MARKER_TAG= inlet
MARKER_ELEMS= 1
3 3 0
MARKER_TAG= SEND_RECEIVE
MARKER_ELEMS= 1
SEND_TO= 1
1 2 0
"""


def damaged(file, model, text):
    """Read as `inspect` does, without its child process, for speed."""
    file.write_text(text)
    found = model(str(file))
    found.pop("problems")
    mesh_from_blocks(**found)


def read_text(folder, name, text):
    (folder / name).write_text(text)
    return inspect(folder / name)


def test_su2_markers_and_hybrid_cells(folder):
    reading = read_text(folder, "a.su2", SU2)
    assert {k: len(v) for k, v in reading.mesh.cells.items()} == {"quad": 1, "triangle": 2}
    assert {name: facets_of(reading.mesh, name) for name in reading.mesh.boundaries} == {"lower wall": 2, "inlet": 1}
    assert "1 SEND_RECEIVE markers left out" in reading.problems[0] and len(reading.problems) == 1


def test_a_zone_of_several_is_chosen_by_its_number(folder):
    second = SU2.replace("2 1.0e0 5", "4 1.0e0 5")
    assert second != SU2
    for text in (SU2 + second, f"NZONE= 2\nIZONE= 1\n{SU2}IZONE= 2\n{second}"):
        with pytest.raises(ReadError, match=r"more than one zone: 1, 2; .*--zone 1"):
            read_text(folder, "zones.su2", text)
        for zone, one in (("1", SU2), ("2", second)):
            found = inspect(folder / "zones.su2", zone=zone).mesh
            assert_same(read_text(folder, "one.su2", one).mesh, found)
        with pytest.raises(ReadError, match="no zone '3'"):
            inspect(folder / "zones.su2", zone="3")
    (folder / "x.unv").write_text("    -1\n")
    with pytest.raises(ReadError, match="zone does not apply"):
        inspect(folder / "x.unv", zone="1")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("NDIME= 2", "NZONE= 2\nNDIME= 2", "says NZONE= 2 and holds 1"),
        (SU2, SU2 + SU2, "more than one zone"),
        ("NELEM= 3", "NELEM= 10000000000", "says NELEM= 10000000000 and holds 3"),
        ("NPOIN= 6 6", "NPOIN= 5", "says NPOIN= 5 and holds 6"),
        ("MARKER_ELEMS= 2", "MARKER_ELEMS= 4", "says MARKER_ELEMS= 4"),
        ("NDIME= 2", "NDIME= 4", "expected 2 or 3"),
        ("NDIME= 2", "NDIME= two", "whole number"),
        ("9  0 1 4 3  0", "22  0 1 4 3  0", "type 22"),
        ("9  0 1 4 3  0", "9  0 1 4", "4 numbers; expected 5"),
        ("9  0 1 4 3  0", "9  0 1 4 33  0", "refer to points"),
        ("9  0 1 4 3  0", "9  0 1 4 2.5  0", "whole numbers"),
        ("2 1.0e0 5", "2 nan 5", "not finite"),
        ("2 1.0e0 5", "2 x 5", "no number"),
        (SU2, "SystemCall 'touch canary';", "0 sections"),
    ],
)
def test_damaged_su2_is_an_error(folder, old, new, words):
    assert old in SU2
    with pytest.raises(ReadError, match=words):
        damaged(folder / "bad.su2", su2.model, SU2.replace(old, new))


def _unv_dataset(number, *lines):
    return "\n".join(["    -1", f"{number:6d}", *lines, "    -1\n"])


UNV_NODES = [(7, 0, 0), (8, 1, 0), (9, 1, 1), (12, 0, 1)]
UNV = (
    _unv_dataset(164, "         1  SI: Meter (newton)         2", "    1.0D+00    1.0D+00    1.0D+00", "    2.7D+02")
    + _unv_dataset(
        2411, *(f"{n} 1 1 11\n {x:.6f}D+00 {y} 0.0" for n, x, y in [(7, 0, 0), (8, 1, 0), (9, 1, 1), (12, 0, 1)])
    )
    + _unv_dataset(2412, "1 11 2 1 7 2", "0 1 1", "7 8", "2 41 1 1 7 3", "7 8 9", "3 21 2 1 7 2", "0 1 1", "8 9")
    + _unv_dataset(2412, "9 41 1 1 7 3", "7 9 12", "10 136 1 1 7 2", "7 9", "11 11 2 1 7 2", "9 12")
    + _unv_dataset(2467, "1 0 0 0 0 0 0 2", "inflow side", "8 1 0 0 8 3 0 0", "2 0 0 0 0 0 0 1", "half", "8 2 0 0")
    + _unv_dataset(2417, "3 0 0 0 0 0 0 2", "fixed", "7 7 7 12")
)


def test_unv_groups_of_elements_and_nodes(folder):
    reading = read_text(folder, "a.unv", UNV)
    assert reading.mesh.measure.tolist() == [0.5, 0.5]
    assert {k: v.tolist() for k, v in reading.mesh.regions.items()} == {"half": [0]}
    assert {name: facets_of(reading.mesh, name) for name in reading.mesh.boundaries} == {"inflow side": 2, "fixed": 1}
    assert reading.problems == ("1 elements of type 136 left out: they are no cells",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (UNV, UNV[:-10], "breaks off"),
        (UNV, "SystemCall 'touch canary';", "0 lines of -1"),
        ("7 8 9\n", "7 8\n", "not hold"),
        ("7 8 9\n", "7 8 99\n", "nodes that the file does not hold"),
        ("2 41 1 1 7 3", "2 41 1 1 7 3000000000", "do not fit"),
        ("2 41 1 1 7 3", "2 77 1 1 7 3", "type 77"),
        ("0 0 0 0 0 0 2\ninflow", "0 0 0 0 0 0 20000000000\ninflow", "group 'inflow side'"),
        ("1.000000D+00 1", "nan 1", "not finite"),
        ("9 1 1 11", "8 1 1 11", "a label twice"),
        ("0.0\n8", "8", "expected 7 for each node"),
    ],
)
def test_damaged_unv_is_an_error(folder, old, new, words):
    assert old in UNV
    with pytest.raises(ReadError, match=words):
        damaged(folder / "bad.unv", unv.model, UNV.replace(old, new))


NASTRAN = """SOL 101
CEND
SPC = 7
BEGIN BULK
$HMNAME COMP                   1"steel block"
$ANSA_NAME_COMMENT;4;PSHELL;skin;;;
CORD2C  9       0       0.0     0.0     0.0     0.0     0.0     1.0     +
+       1.0     0.0     0.0
GRID           1        0.0     0.0     0.0
GRID,2,,1.,0.,0.
GRID*                  3                 1.0             1.0
*                    0.0
GRID           4        0.0     1.0     0.0
GRID           5        0.0     0.0     1.0
GRID           6       91.0     0.0     1.0
GRID*,7,,1.,1.,*
*,1.
GRID           8       91.      90.     1.0
GRID           9        .5      .5      2.+0
CHEXA          1       1       1       2       3       4       5       6
               7       8
CPYRAM,2,2,5,6,7,8,9
CQUAD4         3       4       1       4       3       2
CONM2          4       1             1.0
SPC1    7       123456  5       6       9
SPC1    8       1       1       THRU    4
SPC     9       5       123     0.0
PLOAD4,5,2,1.0,,,,5,6
PLOAD4,6,1,1.0,,,,2,7
PLOAD4,6,3,1.0
ENDDATA
CHEXA  after the end
"""


def test_nastran_fields_systems_names_and_sets(folder):
    reading = read_text(folder, "a.bdf", NASTRAN)
    mesh = reading.mesh
    np.testing.assert_allclose(mesh.measure, [1 / 3, 1], rtol=1e-12)
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {"pid 2": [0], "steel block": [1]}
    names = {name: facets_of(mesh, name) for name in mesh.boundaries}
    assert names == {"skin": 1, "pload 6": 2, "pload 5": 1, "spc 7": 1, "spc 8": 1}
    centers, _, _ = mesh.side_geometry(mesh.sides("pload 6"))
    assert sorted(map(tuple, centers.round(6))) == [(0.5, 0.5, 0), (1, 0.5, 0.5)]
    words = " / ".join(reading.problems)
    assert "1 CONM2" in words and "'spc 9'" in words and len(reading.problems) == 2


@pytest.mark.parametrize(
    ("card", "pair", "center"),
    [
        ("CTETRA,1,1,1,2,3,5", "1,5", (1 / 3, 1 / 3, 0)),
        ("CTETRA,1,1,1,2,3,5", "2,1", (1 / 3, 1 / 3, 1 / 3)),
        ("CPENTA,1,1,1,2,3,5,6,7", "6,", (1 / 3, 1 / 3, 1)),
        ("CPENTA,1,1,1,2,3,5,6,7", "2,7", (0.5, 0.5, 0.5)),
    ],
)
def test_pload4_means_one_face(folder, card, pair, center):
    points = {1: (0, 0, 0), 2: (1, 0, 0), 3: (0, 1, 0), 5: (0, 0, 1), 6: (1, 0, 1), 7: (0, 1, 1)}
    grids = "\n".join(f"GRID,{n},,{x:.1f},{y:.1f},{z:.1f}" for n, (x, y, z) in points.items())
    mesh = read_text(folder, "p.bdf", f"BEGIN BULK\n{grids}\n{card}\nPLOAD4,4,1,1.0,,,,{pair}\nENDDATA\n").mesh
    found, _, _ = mesh.side_geometry(mesh.sides("pload 4"))
    np.testing.assert_allclose(found, [center])


def test_pload_and_pload2_name_faces_and_shells(folder):
    loads = "PLOAD,11,2.5,5,6,7,8\nPLOAD,12,1.0,1,2,3,4\nPLOAD,12,1.0,1,2,4\nPLOAD2,13,1.0,3\nPLOAD2,13,1.0,7,THRU,9\n"
    reading = read_text(folder, "p.bdf", NASTRAN.replace("ENDDATA", f"{loads}ENDDATA"))
    names = {name: facets_of(reading.mesh, name) for name in reading.mesh.boundaries if name.startswith("pload 1")}
    assert names == {"pload 11": 1, "pload 12": 1, "pload 13": 1}
    told = " / ".join(reading.problems)
    assert "1 of 3 facets of 'pload 12' are on no cell" in told and "entries of PLOAD2 and PLOAD4 are on no" in told
    shells = "\n".join(line for line in NASTRAN.splitlines() if not line.startswith(("CHEXA", "CPYRAM", "   ")))
    flat = read_text(folder, "s.bdf", shells.replace("ENDDATA", f"{loads}ENDDATA")).mesh
    assert set(flat.regions) == {"skin", "pload 6", "pload 12", "pload 13"}
    assert all(cells.tolist() == [0] for cells in flat.regions.values())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("GRID,2,,1.,0.,0.", "INCLUDE '/etc/passwd'", "includes other files"),
        ("GRID,2,,1.,0.,0.", "GRID,2,,1.,0.,0.\n=,*1,=,*1.,==\n=3", "replicates cards"),
        ("GRID,2,,1.,0.,0.", "GRID,2,5,1.,0.,0.", "coordinate system 5"),
        ("GRID,2,,1.,0.,0.", "GRID,2,,nan,0.,0.", "not finite"),
        ("GRID,2,,1.,0.,0.", "GRID,2,,1x,0.,0.", "no number"),
        ("GRID,2,,1.,0.,0.", "GRID,2,,1.\v1.,0.,0.", "two numbers in one field"),
        ("GRID,2,,1.,0.,0.", "GRID,20,,1.,0.,0.", "nodes that the file does not hold"),
        ("CPYRAM,2,2,5,6,7,8,9", "CPYRAM,2,2,5,6,7,8,9,3", "some of their nodes"),
        ("CPYRAM,2,2,5,6,7,8,9", "CPYRAM,2,2,5,6,7,8,9.5", "no whole number"),
        (NASTRAN, NASTRAN[: NASTRAN.index("CHEXA")], "no cells"),
        (NASTRAN, "SystemCall 'touch canary';", "no GRID"),
    ],
)
def test_damaged_nastran_is_an_error(folder, old, new, words):
    assert old in NASTRAN
    with pytest.raises(ReadError, match=words):
        damaged(folder / "bad.bdf", nastran.model, NASTRAN.replace(old, new))


MEDIT = """MeshVersionFormatted 2
Dimension
3
# a comment with Vertices
Vertices 4
0 0 0 1
1 0 0 1
0 1 0 1
0 0 1 1
Tetrahedra
1
1 2 3 4 6
Triangles
2
1 2 3 5
1 2 4 0
RequiredVertices 1
1
End
"""


def test_medit_references_become_names(folder):
    mesh = read_text(folder, "a.mesh", MEDIT).mesh
    assert {k: v.tolist() for k, v in mesh.regions.items()} == {"6": [0]}
    assert {name: facets_of(mesh, name) for name in mesh.boundaries} == {"5": 1}


def _meshb(order="<", version=2, count=1, vertices=4, last=4):
    """The same mesh in binary, without the second triangle."""
    place = "i8" if version > 2 else "i4"
    size = "i8" if version > 3 else "i4"
    row = [("x", f"{order}f{4 if version == 1 else 8}", 3), ("r", order + size)]
    points = np.array([([0, 0, 0], 1), ([1, 0, 0], 1), ([0, 1, 0], 1), ([0, 0, 1], 1)], row).tobytes()

    def integers(kind, *values):
        return np.array(values, order + kind).tobytes()

    bodies = [(3, integers("i4", 3)), (4, integers(size, vertices) + points)]
    bodies += [(8, integers(size, count, 1, 2, 3, last, 6)), (6, integers(size, 1, 1, 2, 3, 5)), (54, b"")]
    out = integers("i4", 1, version)
    for number, body in bodies:
        end = len(out) + 4 + np.dtype(place).itemsize + len(body)
        out += integers("i4", number) + integers(place, 0 if number == 54 else end) + body
    return out


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_binary_medit_is_read(folder, order, version):
    (folder / "b.meshb").write_bytes(_meshb(order, version))
    mesh = geo.read(folder / "b.meshb")
    assert list(mesh.regions) == ["6"] and list(mesh.boundaries) == ["5"]
    np.testing.assert_allclose(mesh.measure, [1 / 6])


@pytest.mark.parametrize(
    "content",
    [
        _meshb(count=10**9),
        _meshb(vertices=-1),
        _meshb(last=9),
        _meshb(version=4, count=2**62),
        _meshb()[:60],
        _meshb().replace(b"\6\0\0\0", b"\x21\0\0\0"),
        b"\2\0\0\0" + _meshb()[4:],
        MEDIT.encode(),
        *(
            MEDIT.replace(a, b).encode()
            for a, b in [
                ("Vertices 4", "Vertices 10000000000"),
                ("1 2 3 4 6", "1 2 3 44 6"),
                ("1 2 3 4 6", "1 2 3 4"),
                ("1 0 0 1", "nan 0 0 1"),
                ("Dimension\n3", "Dimension\n7"),
                ("Tetrahedra", "HexahedraQ2"),
                (MEDIT, "SystemCall 'touch canary';"),
            ]
        ),
    ],
)
def test_damaged_medit_is_an_error(folder, content):
    file = folder / ("bad.meshb" if content[:3] != b"Mes" or content == MEDIT.encode() else "bad.mesh")
    file.write_bytes(content)
    with pytest.raises(ReadError):
        mesh_from_blocks(**medit.model(str(file)))


def _exodus(folder, **more):
    mesh = Grid(shape=(2, 1, 1), cell="hexahedron").mesh()
    nodes = mesh.cells["hexahedron"] + 1
    top = np.flatnonzero(mesh.points[:, 1] == 1) + 1
    blocks = {"left half": ("HEX8", nodes[:1]), "": ("HEX8", nodes[1:])}
    sides = {"inlet": ([1, 1], [4, 5]), "": ([2], [2])}
    sets = {"top": top, "a line": [1, 2, 3]}
    given = {"points": mesh.points, "blocks": blocks, "side_sets": sides, "node_sets": sets} | more
    write_exodus(folder / "a.e", *given.values())
    return folder / "a.e"


def test_exodus_blocks_side_sets_and_node_sets(folder):
    reading = inspect(_exodus(folder))
    assert {k: v.tolist() for k, v in reading.mesh.regions.items()} == {"left half": [0], "block 20": [1]}
    names = {name: facets_of(reading.mesh, name) for name in reading.mesh.boundaries}
    assert names == {"inlet": 2, "side set 20": 1, "top": 2}
    (problem,) = reading.problems
    assert "'a line'" in problem


def test_results_in_exodus_are_told(folder):
    path = _exodus(folder)
    add_results(path, {"nod": "temperature", "elem": "heat"})
    assert inspect(path).problems[0] == "fields are not read: temperature, heat"


def test_damaged_exodus_is_an_error(folder):
    content = _exodus(folder).read_bytes()
    for part in (0, 4, len(content) // 2):
        (folder / "cut.e").write_bytes(content[:part] + (b"" if part else b"no"))
        with pytest.raises(ReadError):
            geo.read(folder / "cut.e")
    points = np.full((12, 3), np.nan)
    with pytest.raises(ReadError, match="not finite"):
        geo.read(_exodus(folder, points=points))
