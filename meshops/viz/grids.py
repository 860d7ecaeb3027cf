"""Meshes as PyVista data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometries.mesh import Mesh
from meshops.viz.probe import VizError
from meshops.viz.surface import lines, padded, surface

if TYPE_CHECKING:
    import pyvista

Ints = NDArray[np.int64]
# meshio's cell types as VTK's numbers; the node orders are the same.
_VTK = {
    "line": 3,
    "triangle": 5,
    "quad": 9,
    "tetra": 10,
    "hexahedron": 12,
    "wedge": 13,
    "pyramid": 14,
    "line3": 21,
    "triangle6": 22,
    "quad8": 23,
    "tetra10": 24,
    "hexahedron20": 25,
    "wedge15": 26,
    "pyramid13": 27,
    "quad9": 28,
    "hexahedron27": 29,
    "wedge18": 32,
    "pyramid14": 27,  # VTK has none: drawn without the middle of its base, a point that stays among the points
}
_VTK_NODES = {"pyramid14": 13}


def to_pyvista(mesh: Mesh, fields: Mapping[str, ArrayLike] | None = None) -> pyvista.UnstructuredGrid:
    """Return the mesh with its data and `fields`; points are padded to 3-D, cells keep their order and number.

    A field has N entries (on points) or C_total (on cells); raises `VizError` otherwise. Regions become 0/1 cell
    arrays `region:NAME`.
    """
    import pyvista as pv

    kept = [cells[:, : _VTK_NODES.get(kind, cells.shape[1])] for kind, cells in mesh.cells.items()]
    blocks = [np.insert(cells, 0, cells.shape[1], axis=1) for cells in kept]
    kinds = np.concatenate([np.full(len(cells), _VTK[kind], np.uint8) for kind, cells in mesh.cells.items()])
    grid = pv.UnstructuredGrid(np.concatenate([b.ravel() for b in blocks]), kinds, padded(mesh.points))
    for name, values in {**mesh.point_data, **mesh.cell_data, **(fields or {})}.items():
        _attach(grid, name, np.asarray(values))
    for name, cells in mesh.regions.items():
        grid.cell_data[f"region:{name}"] = np.isin(np.arange(mesh.num_cells), cells).astype(np.uint8)
    return grid


def sides_to_polydata(mesh: Mesh, sides: Ints) -> pyvista.PolyData:
    """Return the facets of `sides` (n, 2) as triangles or, of a plane mesh, lines; cell array `side` is the row.

    Second-order facets are split through their own points. Raises `VizError` on a 1-D mesh, whose facets are points.
    """
    import pyvista as pv

    if mesh.dim == 3:
        drawn = surface(mesh, sides)[0]
        poly = pv.PolyData(drawn.points, faces=np.insert(drawn.triangles, 0, 3, 1).ravel())
        poly.cell_data["side"] = drawn.facet
    elif mesh.dim == 2:
        pairs, owner = lines(mesh, sides)
        poly = pv.PolyData(padded(mesh.points), lines=np.insert(pairs, 0, 2, 1).ravel())
        poly.cell_data["side"] = owner
    else:
        raise VizError("facets of a 1-D mesh are points; expected a mesh of dimension 2 or 3.")
    return poly


def _attach(grid: pyvista.UnstructuredGrid, name: str, values: NDArray[np.generic]) -> None:
    if len(values) not in (grid.n_points, grid.n_cells):
        raise VizError(
            f"field {name!r} has {len(values)} values; expected {grid.n_points} (points) or {grid.n_cells} (cells)."
        )
    data = grid.point_data if len(values) == grid.n_points else grid.cell_data
    data[name] = values
