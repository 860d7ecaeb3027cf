"""Laws of torch_geometric's `Data`: there and back is the same mesh; its own transforms take what we make."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import FaceToEdge

from geometries.errors import MeshopsError, ReadError
from geometries.families.grid import Grid
from meshops.graph import from_pyg, to_pyg
from tests.geometries.meshes import arrays_equal, meshes, one_of_each


def _assert_equal(mesh, back):
    np.testing.assert_array_equal(mesh.points, back.points)
    for part in ("cells", "regions", "boundaries", "point_data", "cell_data"):
        arrays_equal(getattr(mesh, part), getattr(back, part))


@given(mesh=meshes())
@settings(max_examples=20)
def test_there_and_back_is_the_same_mesh(mesh):
    _assert_equal(mesh, from_pyg(to_pyg(mesh)))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_cell_type_passes(dim):
    _assert_equal(one_of_each(dim), from_pyg(to_pyg(one_of_each(dim))))


def test_edges_are_those_of_torch_geometric():
    mesh = Grid(shape=(3, 4)).mesh()
    data = to_pyg(mesh)
    other = FaceToEdge(remove_faces=False)(Data(pos=data.pos, face=data.face)).edge_index
    assert set(map(tuple, data.edge_index.T.tolist())) == set(map(tuple, other.T.tolist()))
    assert data.edge_index.shape[1] == 2 * len(mesh.edges) and data.is_undirected()
    assert data.validate() and data.num_nodes == mesh.num_points


def test_batches_move_the_indices_of_cells():
    tetra, quad = (
        replace(Grid(shape=s, cell=c).mesh(), boundaries={}) for s, c in [((1, 1, 1), "tetra"), ((2, 2), "quad")]
    )
    for mesh, field in ((tetra, "cell_index_tetra"), (quad, "cell_index_quad")):
        batch = Batch.from_data_list([to_pyg(mesh)] * 3)
        assert batch[field].shape[1] == 3 * mesh.num_cells and batch[field].max() == 3 * mesh.num_points - 1
        assert from_pyg(batch[1]).num_cells == mesh.num_cells


def test_a_foreign_data_becomes_a_valid_mesh():
    pos = torch.tensor([[0.0, 0], [1, 0], [0, 1], [9, 9]])
    mesh = from_pyg(Data(pos=pos, face=torch.tensor([[0], [2], [1]]), x=torch.rand(4, 2)))
    assert mesh.measure.tolist() == [0.5] and mesh.point_data["x"].shape == (3, 2)


def test_what_holds_no_mesh_is_refused():
    pos, face = torch.rand(3, 2), torch.tensor([[0], [1], [2]])
    for data in [
        Data(pos=pos, edge_index=torch.tensor([[0], [1]])),
        Data(face=face),
        Data(pos=pos, face=face + 1),
        Data(pos=pos * torch.nan, face=face),
        Data(pos=pos[:, :1], face=face),
        Data(pos=pos, face=face[:2]),
    ]:
        with pytest.raises(MeshopsError):
            from_pyg(data)
    for name in ("pos", "face", "cell_index_tetra"):
        mesh = replace(Grid(shape=(2, 2), cell="quad").mesh(), point_data={name: np.zeros(9)})
        with pytest.raises(ReadError, match=name):
            to_pyg(mesh)
