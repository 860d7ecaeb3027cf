"""Laws of proposals: each line, put into a case file, finds the face that it is said to find."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from geometries import yaml_file
from geometries.build import mesh_from_blocks
from geometries.families import FAMILIES
from geometries.families.grid import Grid
from geometries.gmsh_model import extract, session
from geometries.mesh import Mesh
from geometries.proposals import propose
from geometries.tags import read_selector


def shape(build, size: float, dim: int = 3) -> Mesh:
    with session() as gmsh:
        build(gmsh.model.occ)
        gmsh.model.occ.synchronize()
        gmsh.option.setNumber("Mesh.MeshSizeMax", size)
        gmsh.model.mesh.generate(dim)
        return mesh_from_blocks(**extract(lambda d, tag: ()), dim=dim).mesh


def plate(occ) -> None:
    holes = [(3, occ.addCylinder(x, 3, 0, 0, 0, 1, r)) for x, r in ((2, 0.8), (5, 0.8), (8, 1.2))]
    occ.cut([(3, occ.addBox(0, 0, 0, 10, 6, 1))], holes)


def tilted(occ) -> None:
    plate(occ)
    occ.rotate(occ.getEntities(3), 0, 0, 0, 1, 2, 3, 0.7)


def disk(occ) -> None:
    occ.cut([(2, occ.addDisk(0, 0, 0, 3, 3))], [(2, occ.addRectangle(-1, -1, 0, 1.5, 1.5))])


MESHES = {
    "plate": shape(plate, 0.5),
    "tilted": shape(tilted, 0.5),
    "disk": shape(disk, 0.3, dim=2),
    "cube": replace(Grid(shape=(3, 2, 2)).mesh(), boundaries={}),
    "polygon": replace(FAMILIES["polygon"]().sample(np.random.default_rng(0)), boundaries={}),
    "bracket": replace(FAMILIES["bracket"]().sample(np.random.default_rng(0)), boundaries={}),
}


@pytest.mark.parametrize("name", MESHES)
def test_each_line_finds_what_it_says(name: str, tmp_path) -> None:
    mesh = MESHES[name]
    found = propose(mesh)
    assert found
    assert len({p.name for p in found}) == len(found)
    (tmp_path / "names.yaml").write_text("\n".join(p.line for p in found))
    lines = yaml_file.load(tmp_path / "names.yaml")
    for proposal in found:
        sides = read_selector(lines[proposal.name])(mesh)
        assert mesh.side_geometry(sides)[2].sum() == pytest.approx(proposal.measure)


@pytest.mark.parametrize("name", ["plate", "disk", "cube"])
def test_the_whole_outer_boundary_is_proposed_once(name: str) -> None:
    mesh = MESHES[name]
    assert sum(p.measure for p in propose(mesh)) == pytest.approx(mesh.side_geometry(mesh.outer)[2].sum())


@pytest.mark.parametrize("name", ["plate", "tilted"])
def test_holes_are_found_by_radius_and_alike_ones_together(name: str) -> None:
    holes = [p for p in propose(MESHES[name]) if p.what.startswith("hole")]
    assert sorted(p.selector["cylinder"]["radius"] for p in holes) == pytest.approx([0.8, 1.2], rel=1e-5)
    assert sorted(p.measure for p in holes) == pytest.approx([2 * np.pi * 1.2, 4 * np.pi * 0.8], rel=0.03)


def test_faces_along_the_axes_have_plain_names() -> None:
    found = {p.name: p.selector for p in propose(MESHES["cube"])}
    assert set(found) == {"left", "right", "front", "back", "bottom", "top"}
    assert found["bottom"] == {"normal": [0, 0, -1]}
    circle = next(p for p in propose(MESHES["disk"]) if "sphere" in p.selector)
    assert circle.selector["sphere"] == {
        "center": pytest.approx([0, 0], abs=1e-5),
        "radius": pytest.approx(3, rel=1e-5),
    }


def test_what_is_not_round_has_no_radius() -> None:
    oval = propose(shape(lambda occ: occ.addDisk(0, 0, 0, 3, 2), 0.3, dim=2))
    assert [p.what for p in oval] == ["curved"]
    cone = propose(shape(lambda occ: occ.addCone(0, 0, 0, 0, 0, 4, 1.0, 1.3), 0.4))
    assert sorted(p.what for p in cone) == ["curved", "flat", "flat"]


def test_faces_that_have_a_name_are_left_out_and_no_name_is_given_twice() -> None:
    cube = Grid(shape=(3, 2, 2)).mesh()
    assert propose(cube) == ()
    numbered = replace(cube, boundaries={f"face{i}": s for i, s in enumerate(cube.boundaries.values())})
    assert len(propose(numbered)) == 6
    some = replace(cube, boundaries={"top": cube.boundaries["left"]})
    assert len(propose(some)) == 5 and "top" not in {p.name for p in propose(some)}


@pytest.mark.parametrize("factor", [1e-3, 1000.0])
def test_a_change_of_unit_proposes_the_same_faces(factor: float) -> None:
    scaled = propose(MESHES["plate"].scaled(factor))
    areas = [p.measure / factor**2 for p in scaled]
    assert areas == pytest.approx([p.measure for p in propose(MESHES["plate"])])
    assert [re.sub(r"[\d.]+", "", p.what) for p in scaled] == [
        re.sub(r"[\d.]+", "", p.what) for p in propose(MESHES["plate"])
    ]


def test_surfaces_and_lines_have_none() -> None:
    flat = Grid(shape=(2, 2)).mesh()
    assert propose(replace(flat, points=np.pad(flat.points, ((0, 0), (0, 1))))) == ()
    assert propose(Grid(shape=(4,), cell="line").mesh()) == ()
