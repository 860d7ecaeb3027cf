"""Hostile files: none runs a command, none makes another file be read, none takes the machine's memory.

What is tested elsewhere, beside the format that it is about:
- commands: .msh without or after a header, its options file (test_formats), .geo (test_geo), CAD (test_cad), containers
  (test_solver_formats), .su2 (test_solver_files);
- other files: *INCLUDE (test_inp), parts of .vtm (test_vtk), arrays and links of XDMF and HDF5 (test_xdmf), of MED and
  CGNS (test_hdf5_formats);
- sizes: counts of 10^10 in .msh and .vtu (test_formats), .off and .ply (test_surfaces), .su2 and .mesh
  (test_solver_files), AVS-UCD and *NSET, GENERATE (test_inp), images (test_vtk), HDF5 that unpacks without limit
  (test_xdmf, test_hdf5_formats), XML entities (test_vtk);
- crashes, hangs, sys.exit, memory of native readers: test_child; one failure to mesh after another: test_cad;
- several zones in one file, of which readers take some: test_solver_files, test_hdf5_formats;
- bytes changed at random: test_fuzz.
"""

import base64
import functools
import gzip
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest

import geometries as geo
from geometries import child as children
from geometries.child import Child
from geometries.errors import CadError, ReaderCrashed, ReadError, WriteError
from geometries.families.grid import Grid
from geometries.formats import FORMATS, _by_gmsh, vtk
from geometries.gmsh_model import session
from tests.geometries.damage import ATTEMPT, READERS
from tests.geometries.exodus_file import as_hdf5, write_exodus
from tests.geometries.samples import ASCII_VTU


@pytest.fixture(scope="module")
def child():
    with Child("tests") as child:
        yield child


def attempt(child, path):
    """Read a file as `damage.attempt` does; return what came of it. A crash of a native reader is an error, too."""
    values = {"path": path.name, "contents": {path.name: np.frombuffer(path.read_bytes(), np.uint8)}, "options": {}}
    try:
        return child.call(ATTEMPT, values, timeout=20, memory=3.0)
    except ReaderCrashed as error:
        return {"error": str(error)}


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """The files of a box: part.step, part.iges, part.msh, part.med, part.cgns."""
    folder = tmp_path_factory.mktemp("box")
    with session() as gmsh:
        gmsh.model.occ.addBox(0, 0, 0, 1, 1, 1)
        gmsh.model.occ.synchronize()
        for extension in ("step", "iges"):
            gmsh.write(str(folder / f"part.{extension}"))
    mesh = Grid(shape=(1, 1, 1)).mesh()
    geo.write(mesh, folder / "part.msh")
    geo.write(mesh, folder / "part.med")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _by_gmsh.convert(str(folder / "part.msh"), str(folder / "part.cgns"))
    return folder


@pytest.mark.parametrize("extension", READERS)
def test_what_is_not_of_its_format_is_an_error_and_not_run(child, tmp_path, extension):
    canary, name = tmp_path / "canary", f"x{extension}"
    command = f'SystemCall "touch {canary}";\n'.encode()
    scripts = [command, b"\n \n" + command, command + b"$EndMeshFormat\n", gzip.compress(command)]
    noise = [b"\n", b"\0" * 300, b"\xef\xbb\xbf\xfc\n", np.random.default_rng(0).bytes(3000)]
    for content in scripts + noise:
        values = {"path": name, "contents": {name: np.frombuffer(content, np.uint8)}, "options": {}}
        assert child.call(ATTEMPT, values, timeout=20)["error"]
    (tmp_path / name).touch()
    with pytest.raises(ReadError, match="0 bytes"):
        geo.read(tmp_path / name)
    assert not canary.exists()


@pytest.mark.parametrize("extension", [".pos", ".txt", ".opt", ".bat", ""])
def test_what_gmsh_would_run_has_no_reader(tmp_path, extension):
    (tmp_path / f"x{extension}").write_text(f'SystemCall "touch {tmp_path / "canary"}";\n')
    with pytest.raises(ReadError, match="no extension that can be read"):
        geo.read(tmp_path / f"x{extension}", trust=True)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("extension", ["step", "msh", "med", "cgns"])
def test_options_beside_a_file_are_not_run(box, tmp_path, monkeypatch, extension):
    file = shutil.copy(box / f"part.{extension}", tmp_path)
    for name in (f"part.{extension}.opt", "part.opt", f"mesh.{extension}.opt", "mesh.opt"):
        (tmp_path / name).write_text(f'SystemCall "touch {tmp_path / "canary"}";\n')
    monkeypatch.chdir(tmp_path)
    assert geo.read(file).num_cells
    assert not (tmp_path / "canary").exists()


def test_configuration_at_home_is_not_run(tmp_path):
    for name in (".gmshrc", ".gmsh-options"):
        (tmp_path / name).write_text(f'SystemCall "touch {tmp_path / "canary"}";\n')
    code = "from geometries.gmsh_model import session\nwith session(): pass"  # gmsh looks for its home only once
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "HOME": str(tmp_path)}, check=True)
    assert not (tmp_path / "canary").exists()


def test_a_pipe_that_nobody_reads_stays_an_error(tmp_path):
    code = """
import os, threading
from geometries.gmsh_model import session

def meshed():
    with session(): pass

thread = threading.Thread(target=meshed)
thread.start(); thread.join()
read, write = os.pipe()
os.close(read)
try: os.write(write, b"text")
except BrokenPipeError: os._exit(7)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


def test_iges_and_obj_in_another_encoding_pass(box, tmp_path):
    content = (box / "part.iges").read_bytes()
    head = content[:60].replace(b" ", b"\xfc", 1)
    (tmp_path / "latin.iges").write_bytes(head + content[60:])
    assert geo.read(tmp_path / "latin.iges", heal=True).dim == 3
    (tmp_path / "latin.obj").write_bytes(b"g gr\xfcn\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert list(geo.read(tmp_path / "latin.obj").regions) == ["gr\ufffdn"]


def test_arrays_of_vtk_with_names_in_another_encoding_pass(tmp_path):
    geo.write(Grid(shape=(1, 1)).mesh(), tmp_path / "a.vtk")
    with (tmp_path / "a.vtk").open("ab") as stream:
        stream.write(b"CELL_DATA 2\nFIELD FieldData 1\ngr\xfcn 1 2 double\n" + np.zeros(2).tobytes() + b"\n")
    assert "grün" in geo.read(tmp_path / "a.vtk").cell_data


def test_entities_do_not_grow_in_vtk(tmp_path):
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "0">{levels}<!ENTITY file SYSTEM "file:///etc/passwd">]>'
    for inside in ("&e11;", "&file;"):
        (tmp_path / "e.vtu").write_text(bomb + ASCII_VTU.replace("0 0 0 1", f"{inside} 0 0 1"))
        with pytest.raises(ReadError):
            geo.read(tmp_path / "e.vtu")


def test_a_vtu_that_unpacks_without_limit_ends_the_child_only(tmp_path, monkeypatch):
    block, count = 2**24, 200
    packed = zlib.compress(bytes(block))
    head = np.array([count, block, 0, *[len(packed)] * count], "<u4").tobytes()
    data = (base64.b64encode(head) + base64.b64encode(packed * count)).decode()
    text = ASCII_VTU.replace('version="0.1"', 'version="0.1" compressor="vtkZLibDataCompressor"')
    text = text.replace('format="ascii">0 0 0 1 0 0 0 1 0', f'format="binary">{data}')
    (tmp_path / "z.vtu").write_text(text.replace('NumberOfPoints="3"', f'NumberOfPoints="{block * count // 24}"'))
    assert (tmp_path / "z.vtu").stat().st_size < 2**23
    monkeypatch.setattr(vtk, "call", functools.partial(children.call, memory=1.5))
    with pytest.raises(ReadError, match=r"more than 1\.5 GiB"):
        geo.read(tmp_path / "z.vtu")


def test_counts_of_legacy_vtk_that_the_file_does_not_hold_are_errors(child, tmp_path):
    head = "# vtk DataFile Version 3.0\nx\n{}\nDATASET UNSTRUCTURED_GRID\nPOINTS {} double\n"
    for kind in ("ASCII", "BINARY"):
        for count in (10**10, 2**31 - 1, -1):
            (tmp_path / "c.vtk").write_text(head.format(kind, count) + "0 0 0\nCELLS 1 4\n3 0 1 2\nCELL_TYPES 1\n5\n")
            assert attempt(child, tmp_path / "c.vtk")["error"]


def test_a_file_as_long_as_minus_one_triangles(tmp_path):
    (tmp_path / "short.stl").write_bytes(b"x" * 34)
    with pytest.raises(ReadError, match="damaged"):
        geo.read(tmp_path / "short.stl")


# -- files that name others --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["DOCUMENT_FILE", "DCMFL", "/**/DOCUMENT_FILE"])
def test_documents_of_step_files_are_not_followed(box, tmp_path, name):
    """OpenCASCADE reads the parts of an assembly from wherever the file says."""
    content = (box / "part.step").read_text()
    product = re.search(r"(#\d+) = PRODUCT_DEFINITION\(", content)[1]
    more = f"#900={name}('{box}/part.step','','',#901,'',$);\n#901=DOCUMENT_TYPE('');\n"
    more += f"#902=APPLIED_DOCUMENT_REFERENCE(#900,'',({product}));\n"
    (tmp_path / "a.step").write_text(content.replace("ENDSEC;\nEND-ISO", f"{more}ENDSEC;\nEND-ISO"))
    with pytest.raises(CadError, match="refers to other files"):
        geo.read(tmp_path / "a.step")


def _exodus(path, **more):
    """One hexahedron in HDF5."""
    solid = Grid(shape=(1, 1, 1), cell="hexahedron").mesh()
    block = {"solid": ("HEX8", solid.cells["hexahedron"] + more.get("shift", 1))}
    write_exodus(path.with_suffix(".nc"), more.get("points", solid.points), block, {"side": ([1], [1])}, {"n": [1, 2]})
    as_hdf5(path.with_suffix(".nc"), path)
    path.with_suffix(".nc").unlink()


@pytest.mark.parametrize("link", ["external", "soft", "virtual"])
def test_links_of_exodus_files_are_not_followed(tmp_path, link):
    _exodus(tmp_path / "a.e")
    assert geo.read(tmp_path / "a.e").num_cells == 1
    _exodus(tmp_path / "b.e")
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "b.e", "coordx", (8,))
    with h5py.File(tmp_path / "a.e", "a") as file:
        del file["coordx"]
        if link == "virtual":
            file.create_virtual_dataset("coordx", layout)
        else:
            there = h5py.ExternalLink(str(tmp_path / "b.e"), "coordx") if link == "external" else h5py.SoftLink("/x")
            file["coordx"] = there
    with pytest.raises(ReadError, match="takes 'coordx' from elsewhere"):
        geo.read(tmp_path / "a.e")


def test_links_of_old_cgns_files_are_not_followed(tmp_path):
    (tmp_path / "a.cgns").write_bytes(b"@(#)ADF Database Version A02012>" + b"NoDe" + b"LK".ljust(32) + b" " * 500)
    with pytest.raises(ReadError, match="without links"):
        geo.read(tmp_path / "a.cgns")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.bdf", "GRID,1,,0.,0.,0.\nINCLUDE '{}'\n"),
        ("a.vtu", '<VTKFile type="PUnstructuredGrid"><Piece Source="{}"/></VTKFile>'),
        ("a.obj", "mtllib {}\nusemtl x\n"),
    ],
)  # fmt: skip
def test_files_that_others_would_open_are_not(box, tmp_path, name, text):
    (tmp_path / name).write_text(text.format(box / "part.msh"))
    with pytest.raises(ReadError):
        geo.read(tmp_path / name)


# -- sizes -------------------------------------------------------------------------------------------------------------
def test_decks_that_include_one_another_many_times(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.inc").write_text(f"*INCLUDE, INPUT={i + 1}.inc\n" * 100)
    (tmp_path / "8.inc").write_text("** nothing\n")
    (tmp_path / "a.inp").write_text("*INCLUDE, INPUT=0.inc\n")
    with pytest.raises(ReadError, match="more than 1000 files"):
        geo.read(tmp_path / "a.inp")


HUGE = [10**10, 2**31 - 1, 2**32 - 1, -1]
MSH = (
    "$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Nodes\n1 {} 1 3\n2 1 0 {}\n1\n2\n3\n0 0 0\n1 0 0\n0 1 0\n$EndNodes\n"
    "$Elements\n1 {} 1 1\n2 1 2 {}\n1 1 2 3\n$EndElements\n"
)
MSH_1 = "$NOD\n{}\n1 0 0 0\n2 1 0 0\n3 0 1 0\n$ENDNOD\n$ELM\n{}\n1 2 5 1 3 1 2 3\n$ENDELM\n"
PIECE = '<VTKFile type="{0}" version="0.1"><{0} WholeExtent="{1}"><Piece Extent="{1}">{2}</Piece></{0}></VTKFile>'
AXIS = '<DataArray type="Float64" format="ascii">0 1</DataArray>'
POLY = ASCII_VTU.replace("UnstructuredGrid", "PolyData").replace("Cells>", "Polys>").replace("OfCells", "OfPolys")


def _sizes(name, count):
    """Files that state a number of things which they do not hold."""
    extent = f"0 {count} 0 {count} 0 1"
    whole = struct.pack("<q", count)
    texts = {
        "v4.msh": [MSH.format(*[count if i == j else 3 - 2 * (j > 1) for j in range(4)]) for i in range(4)],
        "v1.msh": [MSH_1.format(count, 1), MSH_1.format(3, count)],
        "a.vti": [PIECE.format("ImageData", extent, "")],
        "a.vtr": [PIECE.format("RectilinearGrid", extent, f"<Coordinates>{3 * AXIS}</Coordinates>")],
        "a.vts": [PIECE.format("StructuredGrid", extent, f"<Points>{AXIS}</Points>")],
        "a.vtp": [re.sub(f'{what}="[0-9]+"', f'{what}="{count}"', POLY) for what in ("OfPoints", "OfPolys")],
        "a.stl": [b"x" * 80 + whole[:4] + bytes(50)],
        "a.meshb": [struct.pack("<6i", 1, 2, 3, 20, 3, 4) + bytes(4) + whole[:4] + bytes(64),
                    struct.pack("<3iqi", 1, 4, 3, 24, 3) + struct.pack("<iq", 4, 0) + whole + bytes(64)],
    }  # fmt: skip
    return [text if isinstance(text, bytes) else text.encode() for text in texts[name]]


@pytest.mark.parametrize("name", ["v4.msh", "v1.msh", "a.vti", "a.vtr", "a.vts", "a.vtp", "a.stl", "a.meshb"])
def test_counts_that_a_file_does_not_hold_are_errors(child, tmp_path, name):
    for count in HUGE:
        for content in _sizes(name, count):
            (tmp_path / name).write_bytes(content)
            assert attempt(child, tmp_path / name)["error"]


def test_ranges_of_nodes_cost_nothing(tmp_path):
    text = "GRID,1,,0.,0.,0.\nGRID,2,,1.,0.,0.\nGRID,3,,0.,1.,0.\nCTRIA3,1,1,1,2,3\n"
    (tmp_path / "r.bdf").write_text(f"{text}SPC1,1,123,1,THRU,10000000000\nPLOAD4,1,1,1.,,,,THRU,10000000000\n")
    assert len(geo.read(tmp_path / "r.bdf").boundaries["spc 1"]) == 3


# -- what others read without an error ---------------------------------------------------------------------------------
SURFACES = [".obj", ".off", ".ply", ".stl"]  # their writers look at each cell: test_surfaces has their lies
LIES = {
    "a point that is no number": {"points": np.array([[0, 0], [1, 0], [np.nan, 1]])},
    "a point at infinity": {"points": np.array([[0, 0], [1, 0], [np.inf, 1]])},
    "a point that is not there": {"cells": {"triangle": np.array([[0, 1, 3]])}},
    "a point below the first": {"cells": {"triangle": np.array([[0, 1, -2]])}},
    "a cell that is empty": {"points": np.array([[0.0, 0], [1, 0], [2, 0]])},
    "no cells": {"cells": {"triangle": np.empty((0, 3), np.int64)}},
    "no points": {"points": np.empty((0, 2))},
}


@pytest.mark.parametrize("extension", [f.extensions[0] for f in FORMATS.values() if f.write])
def test_no_reader_returns_an_invalid_mesh(child, tmp_path, extension):
    """Our own writers, given what does not pass the checks of `Mesh`, either refuse or write what is then an error."""
    tried = 0
    for number, lie in enumerate([{}, *LIES.values()]):
        mesh = geo.Mesh(points=[[0, 0], [1, 0], [0, 1]], cells={"triangle": [[0, 1, 2]]})
        for name, value in lie.items():
            object.__setattr__(mesh, name, value)
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            geo.write(mesh, folder / f"x{extension}")
        except (geo.MeshopsError, ValueError):
            continue
        contents = {p.name: np.frombuffer(p.read_bytes(), np.uint8) for p in folder.iterdir()}
        found = child.call(ATTEMPT, {"path": f"x{extension}", "contents": contents, "options": {}}, timeout=20)
        assert bool(found["error"]) == bool(lie), (lie, found)
        tried += 1
    assert tried > 3 or extension in SURFACES


@pytest.mark.parametrize("more", [{"points": np.full((8, 3), np.nan)}, {"shift": 5}, {"shift": -9}])
def test_lies_in_exodus_are_errors(child, tmp_path, more):
    _exodus(tmp_path / "a.e", **more)
    assert attempt(child, tmp_path / "a.e")["error"]


def test_cells_of_legacy_vtk_that_are_not_there_are_errors(child, tmp_path):
    head = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET UNSTRUCTURED_GRID\nPOINTS 3 double\n0 0 0 1 0 0 0 {} 0\n"
    for up, cells in ((1, "3 0 1 3"), (1, "3 0 1 -1"), (1, "9 0 1 2"), (0, "3 0 1 2"), ("nan", "3 0 1 2")):
        (tmp_path / "c.vtk").write_text(f"{head.format(up)}CELLS 1 4\n{cells}\nCELL_TYPES 1\n5\n")
        assert attempt(child, tmp_path / "c.vtk")["error"]


# -- a disk that is full -----------------------------------------------------------------------------------------------
def test_a_full_disk_leaves_the_old_file(tmp_path):
    """The system refuses to write more than 2000 bytes: no part of a new file takes the place of the old one."""
    names = [f"x{f.extensions[0]}" for f in FORMATS.values() if f.write]
    small, large = Grid(shape=(2, 2)).mesh(), Grid(shape=(30, 30)).mesh()
    for name in names:
        geo.write(small, tmp_path / name)
    old = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    failed = []
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard[1]))
        for name in names:
            try:
                geo.write(large, tmp_path / name)
            except WriteError:
                failed.append(name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, hard)
    assert failed == names
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == old
