"""Meshes from and to torch_geometric's `Data`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from geometries.build import Block, mesh_from_blocks
from geometries.cells import CELLS
from geometries.errors import ReadError
from geometries.mesh import Mesh
from meshops.graph.levels import directed

_CELLS, _TRIANGLES = "cell_index_", "face"
_OURS = ("regions", "boundaries", "cell_data")


def to_pyg(mesh: Mesh) -> Data:
    """Return the mesh as a graph: `pos` (N, d) float64, `edge_index` (2, 2E) both directions of each mesh edge.

    Triangles are `face` (3, T), as torch_geometric has them, cells of another type `cell_index_TYPE` (k, C), which
    batch as indices do. Point data are fields of their own names; `regions` {name: cells}, `boundaries` {name: (n, 2)
    sides} and `cell_data` are dicts of tensors. Raises `ReadError` for point data named as one of these.
    """
    fields = {_field(kind): _tensor(cells.T) for kind, cells in mesh.cells.items()}
    clash = sorted(set(mesh.point_data) & {"pos", "edge_index", *_OURS, *map(_field, CELLS)})
    if clash:
        raise ReadError(f"the point data {clash[0]!r} have the name of a part of a mesh; rename them first.")
    fields |= {name: _tensor(values) for name, values in mesh.point_data.items()}
    sets = {name: {k: _tensor(v) for k, v in getattr(mesh, name).items()} for name in _OURS}
    return Data(pos=_tensor(mesh.points), edge_index=_tensor(directed(mesh.edges)), **fields, **sets)


def from_pyg(data: Data) -> Mesh:
    """Return the mesh of a `Data` with cells: `pos`, and `face` or `cell_index_TYPE`; names and data of `to_pyg`.

    Tensors with a row for each node become point data. Raises `ReadError` where there are no cells, as in a graph
    of edges only, and for cells that form no valid mesh.
    """
    given = data.to_dict()
    kinds = {kind: _field(kind) for kind in CELLS if _field(kind) in given}
    if "pos" not in given or not kinds:
        raise ReadError("the Data has no cells; expected pos, and face (3, T) or cell_index_TYPE (k, C).")
    points = _array(given["pos"])
    sets = {name: {k: _array(v) for k, v in (given.get(name) or {}).items()} for name in _OURS}
    cells = {kind: _array(given[name]).T for kind, name in kinds.items()}
    order = [kind for name in given for kind in kinds if kinds[kind] == name]
    own = {"pos", "edge_index", *_OURS, *kinds.values()}
    nodes = {k: _array(v) for k, v in given.items() if k not in own and isinstance(v, Tensor) and v.dim()}
    nodes = {k: v for k, v in nodes.items() if len(v) == len(points) and v.dtype.kind in "biuf"}
    parts = {kind: cells[kind] for kind in order}
    if any(sets.values()):  # numbered by our own cells: nothing may be dropped or reordered
        return Mesh(points=points, cells=parts, point_data=nodes, **sets)
    return mesh_from_blocks(points, [Block(kind=k, nodes=c) for k, c in parts.items()], point_data=nodes).mesh


def _field(kind: str) -> str:
    return _TRIANGLES if kind == "triangle" else _CELLS + kind


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))


def _array(tensor: Any) -> np.ndarray:  # noqa: ANN401  what a Data holds
    return torch.as_tensor(tensor).detach().cpu().numpy()
