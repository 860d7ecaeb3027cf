"""Laws of .geo: nothing runs without trust; with it, physical groups are kept, in a folder of its own."""

from __future__ import annotations

import numpy as np
import pytest

import geometries as geo
from geometries.errors import CadError, ReadError
from geometries.formats import inspect

SQUARE = """
SetFactory("OpenCASCADE");
Rectangle(1) = {0, 0, 0, 1, 1};
Rectangle(2) = {5, 0, 0, 1, 1};
Physical Surface("plate") = {1};
Physical Curve("low") = {1};
Physical Curve(7) = {2, 3};
"""
BOX = 'SetFactory("OpenCASCADE"); Box(1) = {0, 0, 0, 1, 1, 1};\n'


def test_without_trust_nothing_runs(tmp_path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "a.geo").write_text(f'{BOX}SystemCall "touch {canary}";\n')
    with pytest.raises(ReadError, match=r"is a program.*--trust"):
        geo.read(tmp_path / "a.geo")
    assert not canary.exists()
    with pytest.raises(ReadError, match="trust does not apply"):
        (tmp_path / "a.msh").write_text("$MeshFormat\n")
        geo.read(tmp_path / "a.msh", trust=True)


def test_physical_groups_are_kept_and_the_rest_left_out(tmp_path) -> None:
    (tmp_path / "s.geo").write_text(SQUARE)
    reading = inspect(tmp_path / "s.geo", trust=True, size=0.25)
    mesh = reading.mesh
    assert mesh.dim == 2 and mesh.measure.sum() == pytest.approx(1)
    assert len(mesh.regions["plate"]) == mesh.num_cells
    assert mesh.side_geometry(mesh.sides("low"))[2].sum() == pytest.approx(1)
    assert mesh.side_geometry(mesh.sides("7"))[2].sum() == pytest.approx(2)
    assert reading.problems[0] == "1 parts of dimension 2 in no physical group: left out"
    lengths = np.linalg.norm(np.diff(mesh.points[mesh.edges], axis=1)[:, 0], axis=1)
    assert lengths.max() < 0.4


def test_without_groups_everything_is_read(tmp_path) -> None:
    (tmp_path / "b.geo").write_text(BOX)
    mesh = geo.read(tmp_path / "b.geo", trust=True, size=0.5, order=2)
    assert list(mesh.cells) == ["tetra10"] and mesh.measure.sum() == pytest.approx(1)
    assert geo.read(tmp_path / "b.geo", trust=True, dim=2).measure.sum() == pytest.approx(6)


def test_a_mesh_that_the_script_makes_is_taken_as_it_is(tmp_path) -> None:
    (tmp_path / "m.geo").write_text(f"{BOX}Mesh.MeshSizeMax = 0.5; Mesh 3;\n")
    (tmp_path / "n.geo").write_text(f"{BOX}Mesh.MeshSizeMax = 0.5;\n")
    counts = [geo.read(tmp_path / name, trust=True).num_cells for name in ("m.geo", "n.geo")]
    assert counts[0] == counts[1] > 20


def test_files_beside_a_script_are_found_and_nothing_is_written_there(tmp_path) -> None:
    (tmp_path / "part.geo").write_text(BOX)
    (tmp_path / "main.geo").write_text('Include "part.geo";\nSave "out.msh"; Printf("x") > "log.txt";\n')
    assert geo.read(tmp_path / "main.geo", trust=True).measure.sum() == pytest.approx(1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["main.geo", "part.geo"]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("Point(1) = {0, 0, 0;\n", ReadError, "does not run"),
        ("Line(1) = {1, 2};\n", ReadError, "does not run"),
        ('Include "../secret.geo";\n', ReadError, "does not run|no cells"),
        ("// nothing\n", ReadError, "no cells|holds"),
    ],
)
def test_errors_in_a_script_are_told(tmp_path, text, error, said) -> None:
    (tmp_path / "e.geo").write_text(text)
    with pytest.raises(error, match=said) as caught:
        geo.read(tmp_path / "e.geo", trust=True)
    assert "\n" not in str(caught.value)
    assert issubclass(CadError, ReadError)
