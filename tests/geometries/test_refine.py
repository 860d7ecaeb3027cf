"""Finer meshes: measures, names and linear data stay; neighbours stay joined."""

from dataclasses import replace

import numpy as np
import pytest

from geometries import Mesh
from geometries.errors import MeshError
from geometries.families import Grid
from geometries.refine import refined, second_order

CELLS = [((5,), "line"), ((3, 4), "triangle"), ((3, 4), "quad"), ((2, 3, 4), "tetra"), ((2, 3, 2), "hexahedron")]


def size_of(mesh: Mesh, name: str) -> float:
    return float(mesh.side_geometry(mesh.sides(name))[2].sum())


def quality(mesh: Mesh) -> np.ndarray:
    """1 for regular tetrahedra, 0 for flat ones."""
    corners = mesh.points[mesh.cells["tetra"]]
    i, j = np.triu_indices(4, 1)
    return 12 * (3 * mesh.measure) ** (2 / 3) / ((corners[:, i] - corners[:, j]) ** 2).sum((1, 2))


def warped(shape, cell) -> Mesh:
    """A grid moved by a random affine map and, but for hexahedra (whose facets would bend), random shifts."""
    mesh, noise = Grid(shape=shape, cell=cell).mesh(), np.random.default_rng(1)
    linear = np.eye(mesh.dim) + 0.2 * noise.uniform(-1, 1, (mesh.dim, mesh.dim))
    shifts = 0 if cell == "hexahedron" else noise.uniform(-0.05, 0.05, mesh.points.shape)
    points = mesh.points @ linear + shifts
    return replace(
        mesh,
        points=points,
        point_data={"linear": points @ np.arange(1.0, mesh.dim + 1)},
        cell_data={"number": np.arange(mesh.num_cells)},
        regions={"some": [0, 2]},
        boundaries={**mesh.boundaries, "some": [[0, 1], [1, 1]]},
    )


@pytest.mark.parametrize(("shape", "cell"), CELLS)
def test_refinement_keeps_measures_names_and_linear_data(shape, cell):
    coarse = warped(shape, cell)
    fine = refined(coarse)
    times = 2**coarse.dim
    assert (fine.num_cells, len(fine.outer)) == (times * coarse.num_cells, times // 2 * len(coarse.outer))
    parent = fine.cell_data["number"]
    assert np.allclose(np.bincount(parent, fine.measure), coarse.measure)
    for name, sides in coarse.boundaries.items():
        assert size_of(fine, name) == pytest.approx(size_of(coarse, name))
        assert len(fine.sides(name)) == times // 2 * len(sides)
        assert set(parent[fine.sides(name)[:, 0]]) == set(sides[:, 0])
        flow = [(n * a[:, None]).sum(0) for _, n, a in (m.side_geometry(m.sides(name)) for m in (coarse, fine))]
        assert np.allclose(*flow)
    assert np.array_equal(fine.regions["some"], np.flatnonzero(np.isin(parent, [0, 2])))
    assert np.allclose(fine.point_data["linear"], fine.points @ np.arange(1.0, fine.dim + 1))


@pytest.mark.parametrize(("shape", "cell"), CELLS)
def test_second_order_adds_the_middles_of_neighbours_once(shape, cell):
    coarse = warped(shape, cell)
    mesh = second_order(coarse)
    assert len(np.unique(mesh.points.round(12), axis=0)) == mesh.num_points == np.prod([2 * n + 1 for n in shape])
    assert np.array_equal(mesh.measure, coarse.measure)
    assert np.allclose(mesh.point_data["linear"], mesh.points @ np.arange(1.0, mesh.dim + 1))
    halves = mesh.points[mesh.edges]
    assert np.linalg.norm(halves[:, 0] - halves[:, 1], axis=1).max() < coarse.length * 2
    with pytest.raises(MeshError, match="expected first order"):
        refined(mesh)


@pytest.mark.parametrize(("kind", "nodes"), [("pyramid", 14), ("wedge", 18)])
def test_second_order_of_other_cells(kind, nodes):
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=float)
    if kind == "pyramid":
        corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=float)
    mesh = Mesh(points=corners, cells={kind: [list(range(len(corners)))]})
    assert second_order(mesh).num_points == nodes
    with pytest.raises(MeshError, match=f"cannot refine {kind}"):
        refined(mesh)


def test_repeated_refinement_of_tetrahedra_keeps_their_shape():
    mesh = warped((1, 1, 1), "tetra")
    worst = quality(mesh).min()
    for _ in range(3):
        mesh = refined(mesh)
    assert quality(mesh).min() > 0.4 * worst
