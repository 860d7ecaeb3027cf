"""XDMF: a small XML file, which ParaView reads, and its arrays in an HDF5 file beside it.

Names are arrays of the grid as a whole: see `_grids`. Layout: https://www.xdmf.org/index.php/XDMF_Model_and_Format.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from geometries.build import Reading
from geometries.cells import CELLS
from geometries.errors import ReadError, WriteError
from geometries.files import atomic_write, existing
from geometries.formats import _grids, _text, _xml
from geometries.formats._grids import Grid
from geometries.formats._xdmf_data import Items
from geometries.formats.base import Format, mesh_file
from geometries.mesh import Mesh, spatial

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
Element = ElementTree.Element
# XDMF's number of a topology in mixed ones: its names in lower case, ours
_TOPOLOGIES: dict[int, tuple[tuple[str, ...], str]] = {
    1: (("polyvertex",), "vertex"), 2: (("polyline",), "line"), 4: (("triangle",), "triangle"),
    5: (("quadrilateral",), "quad"), 6: (("tetrahedron",), "tetra"), 7: (("pyramid",), "pyramid"),
    8: (("wedge",), "wedge"), 9: (("hexahedron",), "hexahedron"), 34: (("edge_3",), "line3"),
    35: (("quadrilateral_9", "quad_9"), "quad9"), 36: (("triangle_6", "tri_6"), "triangle6"),
    37: (("quadrilateral_8", "quad_8"), "quad8"), 38: (("tetrahedron_10", "tet_10"), "tetra10"),
    39: (("pyramid_13",), "pyramid13"), 40: (("wedge_15",), "wedge15"), 41: (("wedge_18",), "wedge18"),
    48: (("hexahedron_20", "hex_20"), "hexahedron20"), 50: (("hexahedron_27", "hex_27"), "hexahedron27"),
}  # fmt: skip
_NAMES = {name: kind for names, kind in _TOPOLOGIES.values() for name in names}
_CODES = {kind: code for code, (_, kind) in _TOPOLOGIES.items()}
_COUNTED = (1, 2)  # followed by how many nodes they have
_MIXED = "mixed"
_CENTERS = {"node": "point_data", "cell": "cell_data", "grid": "field_data"}
_LARGEST = 2**28


# -- reading -----------------------------------------------------------------------------------------------------------
def read(path: Path, *, dim: int | None = None) -> Reading:
    """Return the mesh in an XDMF file with its data; sets of cells become regions. Of time steps the first is read.

    A file that `write` wrote gives the same mesh again. Raises `ReadError` for arrays that lie outside the file's own
    folder, entities, and for what is no unstructured grid.
    """
    root = _xml.parsed(existing(path, largest=_LARGEST))
    grids = [g for g in root.iter("Grid") if g.find("Topology") is not None and g.find("Geometry") is not None]
    spatial = [g for g in root.iter("Grid") if g.get("CollectionType", "").lower() == "spatial" and len(g) > 1]
    if not grids or spatial:
        what = "several grids that form one" if spatial else "no grid with a Topology and a Geometry"
        raise ReadError(f"{path.name} holds {what}; expected one unstructured grid.")
    chosen = grids[0]
    items = Items(path, chosen)
    try:
        grid = _grid(chosen, items, path.name)
    except ReadError as error:
        raise ReadError(f"{path.name}: {error}" if path.name not in str(error) else str(error)) from None
    found = _grids.reading(grid, dim, path.name)
    more = len([g for g in root.iter("Grid") if g is not chosen and g.get("GridType", "Uniform") == "Uniform"])
    told = (f"{more} further grids or time steps are not read",) if more else ()
    return replace(found, problems=(*told, *found.problems))


def _grid(element: Element, items: Items, name: str) -> Grid:
    points = _points(element.find("Geometry"), items, name)
    codes, connectivity, offsets = _cells(element.find("Topology"), items, name)
    types = np.array([_grids.NUMBERS[_TOPOLOGIES[c][1]] for c in range(51) if c in _TOPOLOGIES], np.uint8)
    place = np.searchsorted(sorted(_TOPOLOGIES), codes)
    data: dict[str, dict[str, Array | str]] = {"point_data": {}, "cell_data": {}, "field_data": {}}
    for attribute in element.findall("Attribute"):
        center = _CENTERS.get(attribute.get("Center", "Node").lower())
        if center:
            data[center][attribute.get("Name", "")] = items.array(attribute.find("DataItem"))
    sets = [s for s in element.findall("Set") if s.get("SetType", "").lower() == "cell"]
    groups = {s.get("Name", ""): items.array(s.find("DataItem")).astype(np.int64).ravel() for s in sets}
    grid = Grid(points=points, connectivity=connectivity, offsets=offsets, types=types[place], groups=groups, **data)
    return replace(grid, cell_data={k: _whole(k, v, len(codes)) for k, v in grid.cell_data.items()})


def _whole(name: str, values: Array, size: int) -> Array:
    if len(values) != size:
        raise ReadError(f"the cell data {name!r} have {len(values)} rows; expected {size}.")
    return values


def _points(element: Element | None, items: Items, name: str) -> NDArray[np.float64]:
    kind = "XYZ" if element is None else element.get("GeometryType", element.get("Type", "XYZ")).upper()
    if kind not in ("XYZ", "XY") or element is None:
        raise ReadError(f"{name} has points of type {kind}; expected XYZ or XY.")
    points = items.array(element.find("DataItem")).astype(np.float64).reshape(-1, len(kind))
    return spatial(points)


def _cells(element: Element | None, items: Items, name: str) -> tuple[Ints, Ints, Ints]:
    """Return the code of each cell, the connectivity and its offsets."""
    if element is None:
        raise ReadError(f"{name} has no cells.")
    title = element.get("TopologyType", element.get("Type", "")).lower()
    values = items.array(element.find("DataItem"))
    if values.dtype.kind not in "iu":
        raise ReadError(f"{name} has cells of {values.dtype}; expected whole numbers.")
    flat = values.astype(np.int64).ravel()
    if title == _MIXED:
        return _mixed(flat, name)
    if title not in _NAMES:
        raise ReadError(f"{name} holds {title!r}; expected an unstructured grid of cells of order 1 or 2.")
    width = CELLS[_NAMES[title]].nodes
    given = element.get("NodesPerElement", str(width))
    if flat.size % width or given != str(width):
        raise ReadError(f"{name} has cells {title!r} of {given} nodes in {flat.size} numbers; expected {width} each.")
    count = flat.size // width
    return np.full(count, _CODES[_NAMES[title]]), flat, np.arange(count + 1) * width


def _mixed(flat: Ints, name: str) -> tuple[Ints, Ints, Ints]:
    """Take apart records of a code, for some the number of nodes, and the nodes."""
    head, nodes = np.zeros(64, np.int64), np.zeros(64, np.int64)
    for code, (_, kind) in _TOPOLOGIES.items():
        head[code], nodes[code] = 1 + (code in _COUNTED), CELLS[kind].nodes
    known = np.where((flat > 0) & (flat < 64), flat, 0)
    starts = _text.chain(head[known] + nodes[known])
    codes = flat[starts]
    bad = ~np.isin(codes, list(_TOPOLOGIES))
    ends = starts + np.where(bad, 1, head[known[starts]] + nodes[known[starts]])
    counted = np.isin(codes, _COUNTED)
    if bad.any() or (len(ends) and ends[-1] > len(flat)):
        raise ReadError(f"{name} has mixed cells that break off or are unknown ({codes[bad][:1].tolist()}).")
    if (flat[starts[counted] + 1] != nodes[codes[counted]]).any():
        raise ReadError(f"{name} has polylines of more than two nodes; expected lines.")
    widths = nodes[codes]
    offsets = np.concatenate([[0], np.cumsum(widths)])
    at = np.repeat(starts + head[codes] - offsets[:-1], widths) + np.arange(offsets[-1])
    return codes, flat[at], offsets


# -- writing -----------------------------------------------------------------------------------------------------------
def write(mesh: Mesh, path: str | Path) -> None:
    """Write an .xdmf file and its arrays beside it, in a file of the same name with .h5 added.

    Raises `WriteError` for cells that the format lacks and names that XML cannot hold.
    """
    import h5py

    lacking = [kind for kind in mesh.cells if kind not in _CODES]
    if lacking:
        raise WriteError(f".xdmf has no {lacking[0]!r} cells.")
    target = Path(path)
    beside = target.with_name(target.name + ".h5")
    grid = _grids.from_mesh(mesh, {})
    arrays: list[Array] = []
    tree = _tree(mesh, grid, arrays, beside.name)
    content = io.BytesIO()  # HDF5 crashes where a disk is full: it writes to memory
    with h5py.File(content, "w") as stream:
        for number, array in enumerate(arrays):
            stream.create_dataset(str(number), data=array, track_times=False)
    with atomic_write(beside) as temporary:
        temporary.write_bytes(content.getbuffer())
    with atomic_write(target) as temporary:
        temporary.write_bytes(ElementTree.tostring(tree, encoding="utf-8", xml_declaration=True))


def _tree(mesh: Mesh, grid: Grid, arrays: list[Array], file: str) -> Element:
    """Return the XML; the arrays that it names are added to `arrays`."""
    root = ElementTree.Element("Xdmf", Version="3.0")
    own = ElementTree.SubElement(ElementTree.SubElement(root, "Domain"), "Grid", Name="mesh", GridType="Uniform")
    geometry = ElementTree.SubElement(own, "Geometry", GeometryType="XYZ")
    _item(geometry, grid.points, arrays, file)
    mixed = len(mesh.cells) > 1 or any(_CODES[kind] in _COUNTED for kind in mesh.cells)
    kind = next(iter(mesh.cells))
    title = _MIXED if mixed else _TOPOLOGIES[_CODES[kind]][0][0]
    topology = ElementTree.SubElement(own, "Topology", TopologyType=title.title(), NumberOfElements=str(mesh.num_cells))
    _item(topology, _records(mesh) if mixed else mesh.cells[kind], arrays, file)
    for center, data in (("Node", grid.point_data), ("Cell", grid.cell_data), ("Grid", grid.field_data)):
        _attributes(own, center, data, arrays, file)
    return root


def _attributes(grid: Element, center: str, data: Mapping[str, Array | str], arrays: list[Array], file: str) -> None:
    for name, given in data.items():
        if re.search(r"[\x00-\x1f\x7f]", name):
            raise WriteError(f"the name {name!r} holds a control character; .xdmf cannot hold it.")
        values = np.asarray(given)
        if not values.size:
            continue
        kind = {1: "Scalar", 2: "Vector"}.get(values.ndim, "Matrix")
        kind = kind if kind != "Vector" or values.shape[1] == 3 else "Matrix"
        attribute = ElementTree.SubElement(grid, "Attribute", Name=name, AttributeType=kind, Center=center)
        _item(attribute, values.astype("u1") if values.dtype == bool else values, arrays, file)


def _item(parent: Element, values: Array, arrays: list[Array], file: str) -> None:
    kind = {"f": "Float", "i": "Int", "u": "UInt"}[values.dtype.kind]
    if values.dtype.itemsize == 1:
        kind = {"i": "Char", "u": "UChar"}[values.dtype.kind]
    item = ElementTree.SubElement(parent, "DataItem", NumberType=kind, Precision=str(values.dtype.itemsize))
    item.set("Dimensions", " ".join(map(str, values.shape)))
    item.set("Format", "HDF")
    item.text = f"{file}:/{len(arrays)}"
    arrays.append(values)


def _records(mesh: Mesh) -> Ints:
    parts = []
    for kind, cells, _ in mesh.blocks():
        code = _CODES[kind.name]
        head = [code, kind.nodes] if code in _COUNTED else [code]
        parts.append(np.hstack([np.tile(head, (len(cells), 1)), cells]).ravel())
    return np.concatenate(parts)


FORMAT = Format("xdmf", (".xdmf", ".xmf"), "regions, boundaries, data", read=mesh_file(read), write=write, fields=True)
