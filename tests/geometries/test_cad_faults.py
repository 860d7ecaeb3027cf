"""CAD that does not mesh: the error names the faces at fault and the solids, and they can be looked at."""

import numpy as np
import pytest

import geometries as geo
from geometries import cad_faults, cad_model
from geometries.build import dropping_empty_cells, mesh_from_blocks
from geometries.cad import faces_at_fault
from geometries.errors import MeshingError
from geometries.families.grid import Grid
from geometries.formats import _surfaces
from geometries.gmsh_model import session


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A box whose cavity sticks out of it, a prism over a plan that crosses itself, a plate with a hole."""
    out = tmp_path_factory.mktemp("faults")

    def cavity(gmsh):
        occ = gmsh.model.occ
        boxes = [(3, occ.addBox(0, 0, 0, 4, 3, 2)), (3, occ.addBox(3, 1, 0.5, 2, 1, 1))]
        occ.synchronize()
        faces = [[tag for _, tag in gmsh.model.getBoundary([box], oriented=False)] for box in boxes]
        occ.remove(boxes)
        occ.addVolume([occ.addSurfaceLoop(tags) for tags in faces])

    def prism(gmsh):
        occ = gmsh.model.occ
        corners = [occ.addPoint(*at, 0) for at in ((0, 0), (2, 2), (2, 0), (0, 2))]
        lines = [occ.addLine(corners[i - 1], corners[i]) for i in range(4)]
        occ.extrude([(2, occ.addPlaneSurface([occ.addCurveLoop(lines)]))], 0, 0, 1)

    def plate(gmsh):
        occ = gmsh.model.occ
        occ.cut([(3, occ.addBox(0, 0, 0, 4, 3, 1))], [(3, occ.addCylinder(2, 1.5, 0, 0, 0, 1, 1))])

    for build in (cavity, prism, plate):
        with session() as gmsh:
            build(gmsh)
            gmsh.model.occ.synchronize()
            gmsh.write(str(out / f"{build.__name__}.step"))
    return out


@pytest.mark.parametrize(("name", "count", "area"), [("cavity", 5, 52 + 10), ("prism", 2, 8 + 4 * np.sqrt(2))])
def test_faces_that_cut_one_another_are_named_and_shown(folder, name, count, area):
    file = folder / f"{name}.step"
    with pytest.raises(MeshingError, match=rf"in solid1 \(.*meshops view {name}.step") as error:
        geo.read(file)
    mesh = faces_at_fault(file)
    assert len(mesh.regions) == count and f"at {', '.join(sorted(mesh.regions))} in" in str(error.value)
    assert mesh.space_dim == 3 and mesh.measure.sum() == pytest.approx(area)


def test_a_face_without_cells_is_drawn_as_a_grid_of_its_parameters(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = cad_model.faces(str(folder / "plate.step"), 0.2, try_mesh=False)
    with dropping_empty_cells(True):
        mesh = mesh_from_blocks(**raw, dim=2).mesh
    assert mesh.measure.sum() == pytest.approx(2 * (12 - np.pi) + 14 + 2 * np.pi, rel=0.02)
    assert not mesh.regions


def test_without_a_face_to_name_all_of_a_solid_are(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cad_faults, "_crossing_faces", lambda _: set())
    raw = cad_model.faces(str(folder / "prism.step"), 0.3)
    assert list(raw["blocks"][0]["names"]) == ["solid1"]


@pytest.mark.parametrize("seed", range(5))
def test_triangles_that_cross_are_those_whose_planes_part_them_twice(seed):
    """Against the definition, pair by pair: an edge of one meets the plane of the other inside it."""
    corners = np.random.default_rng(seed).normal(size=(40, 3, 3)) * 0.5
    corners += np.random.default_rng(seed + 99).normal(size=(40, 1, 3))
    expected = np.zeros(40, bool)
    for i, j in ((i, j) for i in range(40) for j in range(40) if i != j):
        for k in range(3):
            matrix = np.column_stack([corners[i, 1] - corners[i, 0], corners[i, 2] - corners[i, 0],
                                      corners[j, k] - corners[j, k - 1]])  # fmt: skip
            u, v, t = np.linalg.solve(matrix, corners[j, k] - corners[i, 0])
            if min(u, v, 1 - u - v, t, 1 - t) > 1e-6:
                expected[[i, j]] = True
    found = cad_faults.crossing(corners.reshape(-1, 3), np.arange(120).reshape(-1, 3))
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.sum() < 40


def test_triangles_of_a_sound_surface_do_not_cross():
    skin = _surfaces.skin(Grid(shape=(3, 3, 3)).mesh())
    assert not cad_faults.crossing(skin.points, skin.cells["triangle"]).any()
