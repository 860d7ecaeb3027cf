"""For each pair of a writer and its reader: points, cells and names come back, for every cell type that it can hold.

The conditions of decks and of case files come back in tests/equations/test_deck.py, test_deck_solids.py and
test_case_file.py; objects of other libraries in test_objects.py and tests/graph.
"""

from dataclasses import replace

import numpy as np
import pytest

import geometries as geo
from geometries.cells import CELLS
from geometries.child import Child
from geometries.formats import FORMATS, _sets, _surfaces, not_written
from tests.geometries.meshes import assert_same, reference_nodes
from tests.geometries.round_trip import BACK, parts
from tests.geometries.test_solver_formats import sorted_up

KINDS = [kind for kind in CELLS if CELLS[kind].dim]
CURVED = [kind for kind in KINDS if CELLS[kind].order == 2]
INSIDE_FACETS = {"quad9", "hexahedron27", "wedge18", "pyramid14"}  # nodes in the middle of facets
LINES = {"line", "line3"}
SURFACES = ("obj", "off", "ply", "stl")
LACKS = {  # the cells that a format has not; all others come back
    **{name: {*CURVED, "line"} for name in SURFACES},
    "su2": {*CURVED, "line"},
    "inp": {*INSIDE_FACETS, "pyramid13"},
    "unv": {*INSIDE_FACETS, "pyramid", "pyramid13"},
    "med": {"wedge18", "pyramid14"},
    "nastran": {*INSIDE_FACETS, *LINES},
    "medit": {"quad8", "hexahedron20", "hexahedron27", "wedge15", "wedge18", "pyramid13", "pyramid14", *LINES},
    "xdmf": {"pyramid14"},
}
NAMELESS = {"off": ("regions", "boundaries"), "su2": ("regions",), "stl": ("boundaries",)}
FILES = {f.name: f"a{f.extensions[0]}" for f in FORMATS.values() if f.write} | {"msh 2.2": "a2.2.msh"}


@pytest.fixture(scope="module")
def child():
    with Child("tests") as child:
        yield child


def named(kinds):
    """One cell of each kind, apart, with overlapping sets of cells and of sides."""
    nodes = [reference_nodes(kind) * [1.0, 0.5, 0.25][: CELLS[kind].dim] + 3 * i for i, kind in enumerate(kinds)]
    start = np.cumsum([0, *map(len, nodes)])
    cells = {kind: np.arange(start[i], start[i + 1])[None] for i, kind in enumerate(kinds)}
    sides = [[i, j] for i, kind in enumerate(kinds) for j in range(len(CELLS[kind].facets))]
    return geo.Mesh(
        points=np.concatenate(nodes),
        cells=cells,
        regions={"all_of_it": np.arange(len(kinds)), "first": [0]},
        boundaries={"skin": sides, "Wand_2": sides[::2]},
    )


@pytest.mark.parametrize("name", [f.name for f in FORMATS.values() if f.write])
def test_what_is_not_written_is_told(name):
    file = FILES[name]
    told = " / ".join(not_written(replace(named(["triangle"]), point_data={"T": np.zeros(3)}), file))
    lost = {what for what in ("regions", "boundaries") if f"{what} are not written" in told}
    assert lost == set(NAMELESS.get(name, ()))
    assert ("fields are not written: T" in told) == (not FORMATS[name].fields)
    told = " / ".join(not_written(named(["tetra"]), file))
    assert ("the outer one is written" in told) == (name in SURFACES)
    assert ("regions are not written: all_of_it, first" in told) == (name in (*SURFACES, "su2"))


def there_and_back(child, name, mesh):
    """Compare what comes back with what the format holds of `mesh`; return the refusal, if it is that."""
    found = child.call(BACK, {"path": FILES[name], "given": parts(mesh)}, timeout=60)
    if "refused" in found:
        assert not found["left"]
        return found["refused"]
    if name in SURFACES and mesh.dim == 3:
        mesh = _surfaces.skin(mesh)
    mesh = replace(mesh, **{part: {} for part in NAMELESS.get(name, ())})
    back = replace(geo.Mesh(**found["mesh"]), regions=dict(sorted(found["mesh"]["regions"].items())))
    if name == "stl":
        mesh = _solids(mesh)
        same = {tuple(p): i for i, p in enumerate(back.points.tolist())}
        number = np.array([same[tuple(p)] for p in mesh.points.tolist()])
        mesh = replace(mesh, points=back.points, cells={k: number[c] for k, c in mesh.cells.items()})
    if name == "nastran":  # which holds 10 digits
        np.testing.assert_allclose(back.points, mesh.points, rtol=1e-9)
        back = replace(back, points=mesh.points)
    assert_same(sorted_up(mesh), sorted_up(back))
    return ""


def _solids(mesh):
    """The triangles of a surface, without overlap: those in several regions have their names joined."""
    tag, members = _sets.combinations(mesh.num_cells, mesh.regions)
    pieces = [c[:, np.array(k.simplices)].reshape(-1, 3) for k, c, _ in mesh.blocks()]
    owner = np.concatenate([np.repeat(start + np.arange(len(c)), len(k.simplices)) for k, c, start in mesh.blocks()])
    names = list(mesh.regions)
    regions = {
        "+".join(names[i - 1] for i in own): np.flatnonzero(tag[owner] == t) for t, own in members.items() if own
    }
    return replace(mesh, cells={"triangle": np.concatenate(pieces)}, regions=regions)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_again(child, name, kind):
    mesh = named([kind])
    refusal = there_and_back(child, name, mesh)
    assert bool(refusal) == (kind in LACKS.get(name, ())), refusal
    assert not refusal or kind in refusal or CELLS[kind].dim == 1


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("name", FILES)
def test_mixed_cells_are_read_again(child, name, dim, order):
    """Of order 1, of order 2, of both."""
    kinds = [k for k in KINDS if CELLS[k].dim == dim and order in (3, CELLS[k].order) and k not in LACKS.get(name, ())]
    if kinds:
        refusal = there_and_back(child, name, named(kinds))
        assert bool(refusal) == (name == "med" and order > 1 and len(kinds) > 1), refusal
        assert not refusal or "mixes" in refusal


@pytest.mark.parametrize("name", FILES)
def test_surfaces_in_space_are_read_again(child, name):
    for kind in ("triangle", "quad", "triangle6", "quad8", "quad9"):
        if kind not in LACKS.get(name, ()):
            flat = named([kind])
            bent = replace(flat, points=np.column_stack([flat.points, flat.points.sum(1)]))
            refusal = there_and_back(child, name, bent)
            assert bool(refusal) == (name == "su2"), refusal
