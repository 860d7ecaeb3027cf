"""Other readers of meshes, asked in a child process: how many cells of the highest dimension they find in a file."""

import shutil
from pathlib import Path

import numpy as np

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
    if suffix not in _GMSH or (suffix == ".msh" and not Path(path).read_bytes().startswith(b"$MeshFormat")):
        raise ValueError(path)
    alone = Path(shutil.copyfile(path, "mesh" + suffix)).absolute()
    with session() as gmsh:
        gmsh.merge(str(alone))
        found = extract()
    return found["points"], [(CELLS[b["kind"]].dim, b["nodes"]) for b in found["blocks"] if b["kind"] in CELLS]


def _pyvista(path: str) -> tuple:
    import pyvista

    grid = pyvista.read(path).cast_to_unstructured_grid()
    kinds = {3: 1, 4: 1, 21: 1, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2, 22: 2, 23: 2, 28: 2}
    rows = [(kinds.get(int(t), 3 if t >= 10 else 0), nodes) for t, nodes in grid.cells_dict.items()]
    return grid.points, rows
