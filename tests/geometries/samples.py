"""One small valid file of every readable format, and of its variants, made when the tests run."""

from pathlib import Path

import meshio
import numpy as np

import geometries as geo
from geometries.families.grid import Grid
from geometries.formats import _by_gmsh, msh
from geometries.gmsh_model import session
from tests.geometries.exodus_file import write_exodus
from tests.geometries.hdf5_files import write_cgns, write_med, zone

DECK = """\
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
*SURFACE, NAME=Top, TYPE=ELEMENT
part-a, S2
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
VTM = """<?xml version="1.0"?>
<VTKFile type="vtkMultiBlockDataSet" version="1.0"><vtkMultiBlockDataSet>
<Block index="0" name="a"><DataSet index="0" name="b" file="part.vtu"/></Block>
</vtkMultiBlockDataSet></VTKFile>
"""
V1 = """$NOD
4
1 0 0 0
2 1 0 0
3 0 1 0
4 0 0 1
$ENDNOD
$ELM
2
1 2 5 1 3 1 2 3
2 4 7 1 4 1 2 3 4
$ENDELM
"""
ASCII_VTU = """<VTKFile type="UnstructuredGrid" version="0.1" byte_order="LittleEndian"><UnstructuredGrid>
<Piece NumberOfPoints="3" NumberOfCells="1"><Points>
<DataArray type="Float64" Name="P" NumberOfComponents="3" format="ascii">0 0 0 1 0 0 0 1 0</DataArray>
</Points><Cells><DataArray type="Int64" Name="connectivity" format="ascii">0 1 2</DataArray>
<DataArray type="Int64" Name="offsets" format="ascii">3</DataArray>
<DataArray type="UInt8" Name="types" format="ascii">5</DataArray></Cells></Piece></UnstructuredGrid></VTKFile>
"""


OURS = ("vtu", "vtk", "obj", "off", "ply", "stl", "su2", "unv", "med", "bdf", "mesh", "xdmf", "inp")
NAMES = [f"ours.{extension}" for extension in OURS] + [
    "v4.1.msh", "v2.2.msh", "v1.msh", "text.msh", "gmsh.cgns", "mixed.cgns", "blocks.cgns",
    "nodes.med", "box.step", "box.iges", "box.brep", "binary.stl", "binary.meshb",
    "ucd.inp", "zlib.vtu", "image.vti", "poly.vtp", "block.e", "deck.inp", "part.vtu", "parts.vtm", "script.geo",
]  # fmt: skip
MORE = {"ours.xdmf": ["ours.xdmf.h5"], "parts.vtm": ["part.vtu"]}  # the files that one names
OPTIONS = {"box.iges": {"heal": True}}


def write_all(folder: Path) -> dict[str, list[Path]]:
    """Write the samples; return {name: its files}: the one to read, then those that it names."""
    mesh = Grid(shape=(2, 1, 1)).mesh()
    for extension in OURS:
        geo.write(mesh, folder / f"ours.{extension}")
    for version in ("4.1", "2.2"):
        msh.write(mesh, folder / f"v{version}.msh", version=version)
    _by_gmsh.convert(str(folder / "v4.1.msh"), str(folder / "gmsh.cgns"))
    _write_by_gmsh(folder)
    _write_by_others(folder)
    texts = {
        "deck.inp": DECK,
        "parts.vtm": VTM,
        "part.vtu": ASCII_VTU,
        "script.geo": "Point(1) = {0, 0, 0};\n",
        "v1.msh": V1,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {name: [folder / n for n in (name, *MORE.get(name, ()))] for name in NAMES}


def _write_by_gmsh(folder: Path) -> None:
    with session() as gmsh:
        gmsh.model.occ.addBox(0, 0, 0, 1, 1, 1)
        gmsh.model.occ.synchronize()
        for extension in ("step", "iges", "brep"):
            gmsh.write(str(folder / f"box.{extension}"))
        gmsh.option.setNumber("Mesh.MeshSizeMin", 1)
        gmsh.model.addPhysicalGroup(2, [1], name="left")
        gmsh.model.addPhysicalGroup(3, [1], name="all of it")
        gmsh.model.mesh.generate(3)
        gmsh.write(str(folder / "text.msh"))


def _write_by_others(folder: Path) -> None:
    import pyvista

    mesh = Grid(shape=(2, 2)).mesh()
    solid = Grid(shape=(1, 1, 1), cell="hexahedron").mesh()
    points = np.column_stack([mesh.points, np.zeros(len(mesh.points))])
    triangles = [("triangle", mesh.cells["triangle"])]
    meshio.Mesh(points, triangles).write(folder / "binary.stl", binary=True)
    meshio.Mesh(points, triangles).write(folder / "binary.meshb")
    meshio.Mesh(points, triangles).write(folder / "zlib.vtu", compression="zlib")
    cells = [("hexahedron", solid.cells["hexahedron"])]
    data = {"avsucd:material": [np.array([3])]}
    meshio.Mesh(solid.points, cells, cell_data=data).write(folder / "ucd.inp", file_format="avsucd")
    pyvista.ImageData(dimensions=(3, 2, 2)).save(folder / "image.vti")
    pyvista.Plane(i_resolution=2, j_resolution=2).strip().save(folder / "poly.vtp")
    hexes = solid.cells["hexahedron"]
    mixed = {"body": (20, [17, *(hexes[0] + 1)], 1), "side": (7, hexes[0][:4] + 1, 1)}
    side = ("own", "PointList", [[2]], "FaceCenter")
    low = {"low": ("own", "PointRange", [[1, 1, 1], [2, 2, 1]])}
    write_cgns(folder / "mixed.cgns", {"z": zone(solid.points, mixed, {"side": side})})
    write_cgns(folder / "blocks.cgns", {"a": zone(solid.points, {}, low, sizes=(2, 2, 2))}, unit="Meter")
    write_med(folder / "nodes.med", solid.points, {"hexahedron": hexes}, {"low": {"node": [0, 1, 2, 3]}})
    block = {"solid": ("HEX8", solid.cells["hexahedron"] + 1)}
    write_exodus(folder / "block.e", solid.points, block, {"side": ([1], [1])}, {"nodes": [1, 2, 3, 4]})
