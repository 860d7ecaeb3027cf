"""Other readers of meshes, asked in a child process: how many cells of the highest dimension they find in a file."""

import shutil
from pathlib import Path
from types import ModuleType

import numpy as np

from geometries.cad import EXTENSIONS
from geometries.cells import CELLS
from geometries.gmsh_model import extract, session

_GMSH = (".msh", ".med", ".unv", ".bdf", ".nas", ".mesh", ".cgns", ".stl")  # it runs what it does not know


def cells(path: str) -> dict:
    """Return {reader: number of cells} for those that find sound ones: some, with finite points that exist."""
    found = {}
    for reader in (_meshio, _gmsh, _pyvista):
        try:
            points, blocks = reader(path)
        except (Exception, SystemExit):  # noqa: BLE001  whatever is wrong with it, it does not read the file
            continue
        top = max((dim for dim, _ in blocks), default=0)
        nodes = [n for dim, n in blocks if dim == top and len(n)]
        if top and nodes and np.isfinite(points).all() and all(0 <= n.min() <= n.max() < len(points) for n in nodes):
            found[reader.__name__[1:]] = sum(map(len, nodes))
    return found


def _meshio(path: str) -> tuple:
    import meshio

    mesh = meshio.read(path)
    return mesh.points, [(CELLS[b.type].dim, np.asarray(b.data)) for b in mesh.cells if b.type in CELLS]


def _gmsh(path: str) -> tuple:
    suffix = Path(path).suffix.lower()
    if suffix in EXTENSIONS:
        return _gmsh_cad(path)
    if suffix not in _GMSH or (suffix == ".msh" and not Path(path).read_bytes().startswith(b"$MeshFormat")):
        raise ValueError(path)
    alone = Path(shutil.copyfile(path, "mesh" + suffix)).absolute()
    with session() as gmsh:
        gmsh.merge(str(alone))
        found = extract()
    return found["points"], [(CELLS[b["kind"]].dim, b["nodes"]) for b in found["blocks"] if b["kind"] in CELLS]


def _gmsh_cad(path: str) -> tuple:
    """Mesh as gmsh does by default; sound where every solid, or every face of a file without solids, has cells."""
    with session() as gmsh:
        gmsh.model.occ.importShapes(path)
        gmsh.model.occ.synchronize()
        top = 3 if gmsh.model.getEntities(3) else 2
        gmsh.model.mesh.generate(top)
        parts = gmsh.model.getEntities(top)
        if not parts or not all(len(gmsh.model.mesh.getElements(*part)[1]) for part in parts):
            raise ValueError(path)
        found = extract()
    return found["points"], [(CELLS[b["kind"]].dim, b["nodes"]) for b in found["blocks"] if b["kind"] in CELLS]


def _pyvista(path: str) -> tuple:
    import pyvista

    grid = pyvista.read(path).cast_to_unstructured_grid()
    kinds = {3: 1, 4: 1, 21: 1, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2, 22: 2, 23: 2, 28: 2}
    rows = [(kinds.get(int(t), 3 if t >= 10 else 0), nodes) for t, nodes in grid.cells_dict.items()]
    return grid.points, rows


def groups(path: str) -> dict:
    """Return {name: number of distinct facets} as gmsh finds them, for groups one dimension below the cells."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".msh", ".med", ".unv", ".cgns") or (
        suffix == ".msh" and not Path(path).read_bytes().startswith(b"$MeshFormat")
    ):
        return {}
    alone = Path(shutil.copyfile(path, "mesh" + suffix)).absolute()
    with session() as gmsh:
        gmsh.merge(str(alone))
        model = gmsh.model
        top = max((dim for dim, tag in model.getEntities() if model.mesh.getElements(dim, tag)[1]), default=0)
        named = [(model.getPhysicalName(*g).strip("\0 "), g) for g in model.getPhysicalGroups(top - 1)]
        return {name: len(_facets(model, *group)) for name, group in named if name}


def _facets(model: ModuleType, dim: int, tag: int) -> set:
    found = set()
    for entity in model.getEntitiesForPhysicalGroup(dim, tag):
        for kind, _, nodes in zip(*model.mesh.getElements(dim, entity), strict=True):
            count = model.mesh.getElementProperties(kind)[3]
            found.update(map(tuple, np.sort(nodes.reshape(-1, count), axis=1).tolist()))
    return found


def element_sets(path: str) -> dict:
    """Return {name in upper case: number of cells} of the element sets of a deck that meshio finds whole."""
    import meshio

    mesh = meshio.read(path)
    top = max(CELLS[b.type].dim for b in mesh.cells if b.type in CELLS)
    found = {}
    for name, parts in mesh.cell_sets.items():
        held = [b.type for b, part in zip(mesh.cells, parts, strict=True) if part is not None and len(part)]
        if held and all(kind in CELLS and CELLS[kind].dim == top for kind in held):
            found[name.upper()] = sum(len(np.unique(p)) for p in parts if p is not None)
    return found
