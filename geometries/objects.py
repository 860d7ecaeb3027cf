"""Meshes from and to the objects of other libraries: meshio, PyVista, trimesh, scikit-fem.

Each `from_` makes a valid mesh as a reader does: inverted cells are turned, points that no cell uses dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, mesh_from_blocks
from geometries.cells import CELLS, FACETS, CellType
from geometries.errors import MeshError, ReadError
from geometries.formats import _grids, _sets, _surfaces, vtk
from geometries.formats._grids import Grid
from geometries.mesh import Mesh
from geometries.parts import merged

if TYPE_CHECKING:
    import meshio
    import pyvista
    import trimesh

Array = NDArray[np.generic]
Ints = NDArray[np.int64]
_GMSH = "gmsh:physical"
_NONE = np.empty(0, np.int64)
# scikit-fem's classes of meshes: our cell type, and our local nodes in its order of vertices, then of `doflocs`
_SKFEM: dict[str, tuple[str, tuple[int, ...]]] = {
    "MeshLine1": ("line", (0, 1)),
    "MeshTri1": ("triangle", (0, 1, 2)),
    "MeshQuad1": ("quad", (0, 1, 2, 3)),
    "MeshTet1": ("tetra", (0, 1, 2, 3)),
    "MeshHex1": ("hexahedron", (6, 2, 5, 7, 1, 3, 4, 0)),
    "MeshTri2": ("triangle6", (0, 1, 2, 3, 4, 5)),
    "MeshQuad2": ("quad9", (0, 1, 2, 3, 4, 5, 6, 7, 8)),
    "MeshTet2": ("tetra10", (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
}

SKFEM_ORDERS = dict(_SKFEM.values())


# -- meshio ------------------------------------------------------------------------------------------------------------
def from_meshio(given: meshio.Mesh, dim: int | None = None) -> Mesh:
    """Return the mesh of cells of dimension `dim` (default: the highest) with its data.

    `cell_sets`, or the groups of `gmsh:physical`, become regions and boundaries, `point_sets` boundaries. Raises
    `ReadError` for cells beyond the second order.
    """
    blocks = []
    for i, block in enumerate(given.cells):
        names = {name: parts[i] for name, parts in given.cell_sets.items() if not name.startswith("gmsh:")}
        names = {name: np.asarray(rows, np.int64) for name, rows in names.items() if rows is not None and len(rows)}
        names = _groups(given, i) | names
        data = {name: np.asarray(parts[i]) for name, parts in given.cell_data.items()}
        blocks.append(Block(kind=block.type, nodes=np.asarray(block.data), names=names, data=data))
    nodes = {name: np.asarray(points, np.int64) for name, points in given.point_sets.items()}
    fields = {name: np.asarray(values) for name, values in given.point_data.items()}
    return mesh_from_blocks(given.points, blocks, dim=dim, point_data=fields, node_sets=nodes).mesh


def _groups(given: meshio.Mesh, block: int) -> dict[str, Ints]:
    """Return the physical groups of one block: `field_data` holds the number and the dimension of each name."""
    if _GMSH not in given.cell_data:
        return {}
    tags, dim = np.asarray(given.cell_data[_GMSH][block]), given.cells[block].dim
    groups = {name: np.ravel(value).tolist() for name, value in given.field_data.items()}
    found = {name: np.flatnonzero(tags == value[0]) for name, value in groups.items() if value[1:] == [dim]}
    return {name: rows for name, rows in found.items() if len(rows)}


def to_meshio(mesh: Mesh) -> meshio.Mesh:
    """Return the mesh with its data; regions and boundaries are `cell_sets`, of cells and of facets added as cells.

    Sides of an interface are facets: which of its two cells they belong to is lost. On facets data are 0.
    Raises `MeshError` for cells that meshio lacks.
    """
    import meshio

    facets, boundaries, _ = _sets.facets(mesh)
    blocks = [(kind.name, cells) for kind, cells, _ in mesh.blocks()] + [(kind, nodes) for kind, nodes, _ in facets]
    own = [np.arange(start, start + len(cells)) for _, cells, start in mesh.blocks()]
    on = [at for _, _, at in facets]
    sets = {}
    for name in {**mesh.regions, **boundaries}:
        cells, sides = mesh.regions.get(name, _NONE), boundaries.get(name, _NONE)
        parts = [np.isin(rows, cells) for rows in own] + [np.isin(rows, sides) for rows in on]
        sets[name] = [np.flatnonzero(part) for part in parts]
    data = {
        name: [values[rows] for rows in own] + [np.zeros((len(rows), *values.shape[1:]), values.dtype) for rows in on]
        for name, values in mesh.cell_data.items()
    }
    try:
        held = [meshio.CellBlock(kind, nodes) for kind, nodes in blocks]
    except KeyError as error:
        raise MeshError(f"meshio has no {error.args[0]!r} cells.") from None
    return meshio.Mesh(mesh.points, held, point_data=dict(mesh.point_data), cell_data=data, cell_sets=sets)


# -- PyVista -----------------------------------------------------------------------------------------------------------
def from_pyvista(given: pyvista.DataSet | pyvista.MultiBlock, dim: int | None = None) -> Mesh:
    """Return the mesh of any data set with its data; one of `to_pyvista` gives the same mesh again.

    The blocks of a `MultiBlock` are merged: each is a region by its name.
    """
    if given.IsA("vtkMultiBlockDataSet"):
        named = [(str(name), block) for name, block in zip(given.keys(), given, strict=True) if block is not None]
        return merged([(name, from_pyvista(block)) for name, block in named if block.n_cells], dim).mesh
    return _grids.reading(Grid(**vtk.grid_arrays(given)), dim, type(given).__name__).mesh


def to_pyvista(mesh: Mesh) -> pyvista.UnstructuredGrid:
    """Return the mesh with its data; the names of sets are field data, and `region number` shows the regions.

    Empty sets are left out.
    """
    import pyvista as pv

    grid = _grids.from_mesh(mesh, {})
    cells = np.insert(grid.connectivity, grid.offsets[:-1], np.diff(grid.offsets))
    out = pv.UnstructuredGrid(cells, grid.types, grid.points)
    held = (out.point_data, grid.point_data), (out.cell_data, grid.cell_data), (out.field_data, grid.field_data)
    for target, data in held:
        for name, values in data.items():
            if np.size(values):  # PyVista refuses empty arrays
                target[name] = np.asarray(values)
    return out


# -- trimesh -----------------------------------------------------------------------------------------------------------
def from_trimesh(given: trimesh.Trimesh | trimesh.Scene) -> Mesh:
    """Return the surface; regions and boundaries are those of `to_trimesh`, and the names of a scene's bodies."""
    if hasattr(given, "graph") and hasattr(given, "geometry"):
        parts = []
        for node in given.graph.nodes_geometry:
            place, name = given.graph[node]
            body = given.geometry[name].copy()
            body.apply_transform(place)
            parts.append((str(node), from_trimesh(body)))
        return merged(parts).mesh
    regions = {k: np.asarray(v, np.int64) for k, v in dict(given.metadata.get("regions", {})).items()}
    edges = {k: np.asarray(v, np.int64) for k, v in dict(given.metadata.get("boundaries", {})).items()}
    blocks = [Block(kind="triangle", nodes=np.asarray(given.faces), names=regions)]
    blocks += [Block(kind="line", nodes=pairs, names={name: np.arange(len(pairs))}) for name, pairs in edges.items()]
    return mesh_from_blocks(np.asarray(given.vertices), blocks, dim=2).mesh


def to_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    """Return a surface of triangles, or the outer one of a volume, whose boundaries become regions.

    Names are in `metadata`: `regions` {name: faces}, `boundaries` {name: (n, 2) points}. Raises `WriteError` for lines
    and cells of the second order, `MeshError` for quads.
    """
    import trimesh

    surface = _surfaces.written(mesh, "trimesh")
    if set(surface.cells) != {"triangle"}:
        raise MeshError(f"trimesh holds triangles only; the mesh has {', '.join(surface.cells)} cells.")
    facets, sets, _ = _sets.facets(surface)
    pairs = {name: [nodes[np.isin(at, rows)] for _, nodes, at in facets] for name, rows in sets.items()}
    names = {
        "regions": {name: cells.copy() for name, cells in surface.regions.items()},
        "boundaries": {name: np.concatenate(parts) for name, parts in pairs.items()},
    }
    return trimesh.Trimesh(surface.points.copy(), surface.cells["triangle"].copy(), process=False, metadata=names)


# -- scikit-fem --------------------------------------------------------------------------------------------------------
def from_skfem(given: Any) -> Mesh:  # noqa: ANN401  scikit-fem is untyped
    """Return the mesh; `subdomains` become regions and `boundaries` boundaries, interfaces as facets.

    Raises `ReadError` for classes of meshes other than `MeshLine1`, `MeshTri1`, `MeshTri2`, `MeshQuad1`, `MeshQuad2`,
    `MeshTet1`, `MeshTet2` and `MeshHex1`.
    """
    name = type(given).__name__
    if name not in _SKFEM:
        raise ReadError(f"a scikit-fem mesh of the class {name}; expected one of {', '.join(_SKFEM)}.")
    kind, order = _SKFEM[name]
    table = np.asarray(given.dofs.element_dofs if CELLS[kind].order == 2 else given.t)
    nodes = np.empty((table.shape[1], len(order)), np.int64)
    nodes[:, list(order)] = table.T
    regions = {k: np.asarray(v, np.int64) for k, v in (given.subdomains or {}).items()}
    blocks = [Block(kind=kind, nodes=nodes, names=regions)]
    for title, numbers in (given.boundaries or {}).items():
        corners = np.asarray(given.facets)[:, np.asarray(numbers, np.int64)].T
        facet = FACETS[corners.shape[1]]
        blocks.append(Block(kind=facet, nodes=corners, names={title: np.arange(len(corners))}))
    return mesh_from_blocks(np.asarray(given.doflocs).T, blocks, dim=CELLS[kind].dim).mesh


def to_skfem(mesh: Mesh) -> Any:  # noqa: ANN401
    """Return the mesh; regions are `subdomains`, boundaries `boundaries`, where an interface is its facets.

    Raises `MeshError` for cells of several types or of one that scikit-fem lacks, and for manifolds.
    """
    import skfem

    found = [(name, order) for name, (kind, order) in _SKFEM.items() if list(mesh.cells) == [kind]]
    if not found or mesh.dim != mesh.space_dim:
        raise MeshError(
            f"scikit-fem takes no mesh of {', '.join(mesh.cells)} cells in {mesh.space_dim}-D space; expected one of "
            f"{', '.join(kind for kind, _ in _SKFEM.values())} cells that fill the space."
        )
    name, order = found[0]
    kind, cells, _ = next(mesh.blocks())
    table = np.ascontiguousarray(cells[:, list(order)].T)
    out = getattr(skfem, name)(np.ascontiguousarray(mesh.points.T), table, sort_t=False)
    local = skfem_facets(kind, order, out.refdom)
    sides = {k: np.unique(out.t2f[local[v[:, 1]], v[:, 0]]) for k, v in mesh.boundaries.items()}
    return out.with_boundaries(sides).with_subdomains(dict(mesh.regions))


def skfem_facets(kind: CellType, order: tuple[int, ...], refdom: Any) -> Ints:  # noqa: ANN401
    """Return (F,) scikit-fem's number for each of our local facets; `order` are our local nodes in its order."""
    theirs = [frozenset(order[i] for i in facet) for facet in refdom.facets]
    return np.array([theirs.index(frozenset(nodes[: CELLS[f].corners])) for f, nodes in kind.facets])
