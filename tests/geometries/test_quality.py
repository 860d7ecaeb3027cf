"""Laws of quality: 1 for ideal cells, unchanged by motions and scale, worse the more a cell is stretched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometries.cells import CELLS
from geometries.families.grid import Grid
from geometries.mesh import Mesh
from geometries.quality import _IDEAL, quality

IDEAL = {kind: _IDEAL[c.dim, c.corners] for kind, c in CELLS.items() if c.dim > 1 and c.order == 1}
ANGLES = {"triangle": 60, "quad": 90, "tetra": np.degrees(np.arccos(1 / 3)), "hexahedron": 90, "wedge": 60}


def one(kind: str, points: np.ndarray) -> Mesh:
    return Mesh(points=points, cells={kind: np.arange(len(points))[None]})


def ideal(kind: str) -> Mesh:
    return one(kind, np.array(IDEAL[kind])[:, : CELLS[kind].dim])


@pytest.mark.parametrize("kind", IDEAL)
def test_an_ideal_cell_is_perfect(kind: str) -> None:
    found = quality(ideal(kind))
    assert found.ratio == pytest.approx(1)
    assert found.aspect == pytest.approx(1)
    assert found.angle == pytest.approx(ANGLES.get(kind, found.angle[0]))


@pytest.mark.parametrize("kind", IDEAL)
@given(seed=st.integers(0, 999), scale=st.floats(1e-6, 1e6))
def test_motions_and_scale_change_nothing(kind: str, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    points = ideal(kind).points + 0.1 * rng.random(ideal(kind).points.shape)
    turn = np.linalg.qr(rng.normal(size=(points.shape[1],) * 2))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    moved = quality(one(kind, scale * (points @ turn.T + rng.random(points.shape[1]))))
    for a, b in zip(vars(quality(one(kind, points))).values(), vars(moved).values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("cell", ["quad", "hexahedron"])
@pytest.mark.parametrize("stretch", [1.5, 20.0])
def test_the_aspect_of_a_box_is_its_own(cell: str, stretch: float) -> None:
    mesh = Grid(shape=(1,) * CELLS[cell].dim, cell=cell).mesh()
    found = quality(Mesh(points=mesh.points * ([stretch] + [1] * (mesh.dim - 1)), cells=mesh.cells))
    assert found.aspect == pytest.approx(stretch)
    assert found.angle == pytest.approx(90)


def test_the_formulas_of_simplices() -> None:
    """4 √3 A / Σ l² of triangles, 12 (3 V)^(2/3) / Σ l² of tetrahedra."""
    points = np.random.default_rng(1).random((4, 3))
    squares = sum(((points[i] - points[j]) ** 2).sum() for i in range(4) for j in range(i))
    volume = abs(np.linalg.det(points[1:] - points[0])) / 6
    order = [0, 1, 2, 3] if np.linalg.det(points[1:] - points[0]) > 0 else [0, 2, 1, 3]
    assert quality(one("tetra", points[order])).ratio == pytest.approx(12 * (3 * volume) ** (2 / 3) / squares)
    right = quality(one("triangle", np.array([[0.0, 0], [1, 0], [0, 1]])))
    assert right.ratio == pytest.approx(4 * np.sqrt(3) * 0.5 / 4)
    assert right.angle == pytest.approx(45)


def test_an_inverted_corner_counts_nothing() -> None:
    dart = one("quad", np.array([[0.0, 0], [1, 0], [0.2, 0.2], [0, 1]]))
    assert quality(dart).ratio == pytest.approx(0)


@pytest.mark.parametrize("order", [1, 2])
def test_the_histogram_counts_every_cell(order: int) -> None:
    mesh = Grid(shape=(3, 2, 2), order=order).mesh()
    report = quality(mesh).to_json()
    assert sum(report["histogram"]) == mesh.num_cells
    assert report["mean ratio"]["worst"] <= report["mean ratio"]["median"] <= 1
