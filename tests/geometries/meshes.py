"""Meshes that formats are tried on, and what it means that one comes back."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from geometries.cells import CELLS
from geometries.families.grid import Grid
from geometries.gmsh_model import ELEMENTS, session
from geometries.mesh import Mesh

GRIDS = [
    Grid(shape=shape, cell=cell, order=order)
    for shape, cell in [
        ((5,), "line"), ((3, 2), "triangle"), ((2, 2), "quad"), ((2, 1, 1), "tetra"), ((1, 2, 1), "hexahedron")
    ]
    for order in (1, 2)
]  # fmt: skip
LETTERS = st.characters(exclude_categories=("C", "Z"), exclude_characters='"*')
NAMES = st.text(LETTERS, min_size=1, max_size=20)


@st.composite
def meshes(draw, grids=GRIDS, texts=NAMES):
    """Grids with overlapping sets, names in any script and with spaces, sides of interfaces."""
    mesh = draw(st.sampled_from(grids)).mesh()
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    names = draw(st.lists(texts, min_size=4, max_size=4, unique=True))
    any_sides = mesh._table.sides[rng.choice(len(mesh._table.sides), 3)]
    outer = mesh.outer[rng.random(len(mesh.outer)) < 0.6]
    return replace(
        mesh,
        points=mesh.points * (1 + rng.random(mesh.space_dim)) + rng.random(mesh.space_dim),
        regions={n: np.flatnonzero(rng.random(mesh.num_cells) < 0.6) for n in (names[0], f"{names[1]} and more")},
        boundaries={**mesh.boundaries, names[2]: any_sides, f"1 {names[3]}": outer},
        point_data={"u": rng.random(mesh.num_points), "Δ v": rng.random((mesh.num_points, 3)).astype(np.float32)},
        cell_data={"k": rng.integers(0, 9, mesh.num_cells)},
    )


def arrays_equal(a, b):
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], strict=True)


def assert_same(a: Mesh, b: Mesh):
    """Points and cells to the last bit, and the same named sets, empty ones aside; sides as facets."""
    np.testing.assert_array_equal(a.points, b.points)
    arrays_equal(a.cells, b.cells)
    arrays_equal({k: v for k, v in a.regions.items() if len(v)}, b.regions)
    facets = {k: np.unique(a.facet_ids(v)) for k, v in a.boundaries.items() if len(v)}
    arrays_equal(facets, {k: np.unique(b.facet_ids(v)) for k, v in b.boundaries.items()})


def reference_nodes(kind):
    number = next(n for n, (name, _) in ELEMENTS.items() if name == kind)
    with session() as gmsh:
        _, dim, _, nodes, local, _ = gmsh.model.mesh.getElementProperties(number)
    order = ELEMENTS[number][1]
    points = np.reshape(local, (nodes, dim))
    return points[list(order)] if order else points


def one_of_each(dim):
    kinds = [c for c in CELLS if CELLS[c].dim == dim]
    parts = [reference_nodes(kind) + 5 * i for i, kind in enumerate(kinds)]
    start = np.cumsum([0, *map(len, parts)])
    cells = {kind: np.arange(start[i], start[i + 1])[None] for i, kind in enumerate(kinds)}
    return Mesh(points=np.concatenate(parts), cells=cells, regions={kind: [i] for i, kind in enumerate(kinds)})
