"""Hostile files: none runs a command, none makes another file be read, none takes the machine's memory.

What is tested elsewhere, beside the format that it is about:
- commands: .msh without or after a header, its options file (test_formats), .geo (test_geo), CAD (test_cad), containers
  (test_solver_formats), .su2 (test_solver_files);
- other files: *INCLUDE (test_inp), parts of .vtm (test_vtk), arrays and links of XDMF and HDF5 (test_xdmf);
- sizes: counts of 10^10 in .msh and .vtu (test_formats), .off and .ply (test_surfaces), .su2 and .mesh
  (test_solver_files), AVS-UCD and *NSET, GENERATE (test_inp), images (test_vtk), HDF5 that unpacks without limit
  (test_xdmf), XML entities (test_vtk);
- NaN, indices out of range, no cells: in each format's file; bytes changed at random: test_fuzz.
"""

import base64
import functools
import gzip
import os
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest

import geometries as geo
from geometries import child as children
from geometries.child import Child
from geometries.errors import ReadError
from geometries.families.grid import Grid
from geometries.formats import _by_gmsh, vtk
from geometries.gmsh_model import session
from tests.geometries.damage import ATTEMPT, READERS
from tests.geometries.samples import ASCII_VTU


@pytest.fixture(scope="module")
def child():
    with Child("tests") as child:
        yield child


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


def test_counts_of_legacy_vtk_that_the_file_does_not_hold_are_errors(tmp_path):
    head = "# vtk DataFile Version 3.0\nx\n{}\nDATASET UNSTRUCTURED_GRID\nPOINTS {} double\n"
    for kind in ("ASCII", "BINARY"):
        for count in (10**10, 2**31 - 1, -1):
            (tmp_path / "c.vtk").write_text(head.format(kind, count) + "0 0 0\nCELLS 1 4\n3 0 1 2\nCELL_TYPES 1\n5\n")
            with pytest.raises(ReadError):
                geo.read(tmp_path / "c.vtk")


def test_a_file_as_long_as_minus_one_triangles(tmp_path):
    (tmp_path / "short.stl").write_bytes(b"x" * 34)
    with pytest.raises(ReadError, match="damaged"):
        geo.read(tmp_path / "short.stl")
