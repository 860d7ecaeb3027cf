"""The command line: what goes in, what comes out, and that a wrong input is one line and exit code 2."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import geometries
from geometries.errors import MeshopsError
from geometries.families import FAMILIES
from geometries.gmsh_model import session
from meshops.cli import main
from meshops.commands import COMMANDS
from meshops.equations.case_file import names_of
from meshops.highlight import only
from meshops.viz import VizError

CASE = """\
geometry: square.msh
equation: heat
coefficients: {conductivity: 2.0}
conditions:
  left: {dirichlet: 1}
  right: {dirichlet: "3"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a mesh and a case whose solution is 1 + 2 x."""
    monkeypatch.chdir(tmp_path)
    mesh = FAMILIES["grid"](shape=(5, 4), cell="triangle").sample(np.random.default_rng(0))
    geometries.write(mesh, "square.msh")
    Path("case.yaml").write_text(CASE)
    Path("names.yaml").write_text("boundaries: {base: {name: bot*}}")
    Path("folder.vtu").mkdir()
    geometries.write(mesh, "part.vtu")
    block = '<VTKFile type="vtkMultiBlockDataSet"><vtkMultiBlockDataSet><DataSet name="a" file="part.vtu"/>'
    Path("blocks.vtm").write_text(f"{block}</vtkMultiBlockDataSet></VTKFile>")
    Path("blocks.yaml").write_text(CASE.replace("square.msh", "blocks.vtm"))
    geometries.write(mesh, "link.vtu")
    Path("same.vtu").symlink_to("link.vtu")
    Path("link.yaml").write_text(CASE.replace("square.msh", "link.vtu"))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_inspect_prints_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "inspect", "square.msh", "--json")
    assert {"dim", "points", "cells", "boundaries", "regions", "bounds", "problems"} < set(found)
    assert {"unit", "quality", "proposals"} < set(found)
    assert (found["dim"], found["points"], found["cells"]) == (2, 30, {"triangle": 40})
    assert found["boundaries"] == {"left": 4, "right": 4, "bottom": 5, "top": 5}
    assert np.allclose(found["bounds"], [[0, 0], [1, 1]])


def test_inspect_says_how_curved_cells_are_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for order, said_so in ((1, False), (2, True)):
        mesh = FAMILIES["grid"](shape=(2, 2), order=order).sample(np.random.default_rng(0))
        geometries.write(mesh, "order.msh")
        assert main(["inspect", "order.msh"]) == 0
        assert ("length of the straight cells" in capsys.readouterr().out) == said_so


def test_convert_keeps_names(folder: Path) -> None:
    assert main(["convert", "square.msh", "square.vtu"]) == 0
    assert set(geometries.read("square.vtu").boundaries) == {"left", "right", "bottom", "top"}


def test_convert_tells_what_the_target_does_not_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "square.msh", "square.off"]) == 0
    assert "note: boundaries are not written: " in "".join(capsys.readouterr())


def test_solve_writes_the_field_and_prints_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "solve", "case.yaml", "-o", "answer.vtu", "--json")
    assert found["fields"]["temperature"] == pytest.approx({"min": 1.0, "max": 3.0, "mean": 2.0})
    assert {"assemble", "solve"} <= set(found["seconds"])
    mesh = geometries.read("answer.vtu")
    assert np.allclose(mesh.point_data["temperature"], 1 + 2 * mesh.points[:, 0])


def test_fields_in_time_are_told_with_their_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("case.yaml").write_text(CASE + "times: [0, 2.5]\n")
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 0
    assert "field at t = 2.5" in capsys.readouterr().out


def test_view_writes_pictures(folder: Path) -> None:
    assert main(["view", "square.msh", "--screenshot", "square.png", "--html", "square.html"]) == 0
    assert Path("square.png").read_bytes().startswith(b"\x89PNG")
    assert "<html" in Path("square.html").read_text()


def test_view_shows_the_faces_that_do_not_mesh(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with session() as gmsh:
        occ = gmsh.model.occ
        corners = [occ.addPoint(*at, 0) for at in ((0, 0), (2, 2), (2, 0), (0, 2))]
        lines = [occ.addLine(corners[i - 1], corners[i]) for i in range(4)]
        occ.extrude([(2, occ.addPlaneSurface([occ.addCurveLoop(lines)]))], 0, 0, 1)
        occ.synchronize()
        gmsh.write("crossed.step")
    assert main(["view", "crossed.step", "--html", "crossed.html"]) == 0
    assert "crossed.step does not mesh" in "".join(capsys.readouterr())
    assert all(f'"name": "face{i}"' in Path("crossed.html").read_text() for i in (2, 4))


def test_view_shows_what_is_selected_alone(folder: Path) -> None:
    mesh = geometries.read("square.msh")
    part, field = only(mesh, {}, "l*, top")
    assert (list(part.boundaries), field) == (["left", "top"], None)
    part, field = only(mesh, names_of("names.yaml"), None)
    assert (list(part.boundaries), field) == (["base"], None)
    halved = replace(mesh, regions={"half": [0, 1]})
    part, field = only(halved, {}, "half")
    assert part.cell_data[field].sum() == 2 and not part.boundaries
    with pytest.raises(MeshopsError, match="did you mean 'left'"):
        only(mesh, {}, "lefft")
    with pytest.raises(MeshopsError, match="matches 'xx'"):
        only(mesh, {}, "bo*,xx")
    assert main(["view", "square.msh", "--names", "names.yaml", "--screenshot", "base.png"]) == 0


def test_a_case_file_has_its_unit(folder: Path) -> None:
    Path("case.yaml").write_text(CASE + 'unit: "mm:m"\n')
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 0
    assert np.ptp(geometries.read("answer.vtu").points) == pytest.approx(1e-3)


WRONG = {
    "missing file": (["inspect", "none.msh"], "none.msh"),
    "unknown extension": (["inspect", "case.yaml"], ".yaml"),
    "unit of a mesh": (["inspect", "square.msh", "--unit", "m"], "such as mm:m"),
    "no unit": (["inspect", "square.msh", "--unit", "mmm"], "unknown unit 'mmm'; did you mean 'mm'?"),
    "healing a mesh": (["inspect", "square.msh", "--heal"], "heal does not apply"),
    "unknown command": (["solv"], "solv"),
    "missing argument": (["solve", "case.yaml"], "solve needs -o/--output; see meshops solve --help."),
    "missing arguments": (["mesh"], "mesh needs cad and -o/--output; see meshops mesh --help."),
    "no number": (
        ["inspect", "square.msh", "--size", "abc"],
        "--size: found 'abc'; expected a number; see meshops inspect --help.",
    ),
    "no finite number": (["inspect", "square.msh", "--size", ".nan"], "--size: found nan; expected a finite number"),
    "no whole number": (["export", "data", "1.5", "-o", "a.vtu"], "number: found '1.5'; expected a whole number"),
    "no value": (["solve", "case.yaml", "-o"], "-o/--output: found no value; expected a path"),
    "value of a flag": (["inspect", "square.msh", "--json=3"], "--json: found '3'; expected no value"),
    "empty text": (["train", "data", "-o", "run", "--loss", ""], "--loss: found an empty text"),
    "empty joined text": (["view", "square.msh", "--select="], "--select: found an empty text"),
    "null": (
        ["solve", "case.yaml", "-o", "a.vtu", "--surrogate", "null"],
        "--surrogate: found 'null'; expected",
    ),
    "joined null": (["view", "square.msh", "--select=~", "--html", "a.html"], "--select: found '~'"),
    "value of help": (["formats", "--help=3"], "--help: found '3'; expected no value"),
    "name in another encoding": (["inspect", "bad\udcff.vtu"], "'bad\\xff.vtu', which is not UTF-8 text; rename"),
    "unknown argument": (["inspect", "square.msh", "--fast"], "--fast"),
    "abbreviated argument": (["inspect", "square.msh", "--rep"], "--rep"),
    "size of a mesh": (["inspect", "square.msh", "--size", "1"], "size"),
    "compare alone": (["solve", "case.yaml", "-o", "a.vtu", "--compare"], "--surrogate"),
    "no surrogate there": (["solve", "case.yaml", "-o", "a.vtu", "--surrogate", "none"], "none"),
    "unknown recipe": (["generate", "brackett", "-o", "data"], "bracket"),
    "no workers": (["generate", "corners", "-o", "data", "--workers", "0"], "workers is 0; expected a whole number"),
    "no folder of parts": (
        ["generate", "parts", "-o", "data", "--files", "nodir"],
        "meshops: no file or folder 'nodir'",
    ),
    "case from a mesh": (["convert", "square.msh", "a.yaml"], "square.msh states no problem; a case file is written"),
    "both budgets": (["train", "data", "-o", "run", "--epochs", "1", "--minutes", "1"], "--minutes"),
    "no data set there": (["train", "none", "-o", "run"], "none"),
    "solution in no folder": (["solve", "none.yaml", "-o", "none/a.vtu"], "in an existing folder"),
    "solution as a folder": (["solve", "none.yaml", "-o", "folder.vtu"], "in an existing folder"),
    "solution without fields": (["solve", "case.yaml", "-o", "a.stl"], "ends in .vtu, .vtk"),
    "solution over its mesh": (["solve", "link.yaml", "-o", "same.vtu"], "'same.vtu' is a file that the case is"),
    "solution over a part": (["solve", "blocks.yaml", "-o", "part.vtu"], "'part.vtu' is a file that the case is"),
    "mesh over its source": (["mesh", "same.vtu", "-o", "link.vtu"], "'link.vtu' is a file that the mesh is"),
    "conversion over its source": (["convert", "link.vtu", "same.vtu"], "'same.vtu' is a file that the mesh is"),
    "conversion over a part": (["convert", "blocks.vtm", "part.vtu"], "'part.vtu' is a file that the mesh is"),
    "case over itself": (["convert", "case.yaml", "case.yaml"], "'case.yaml' is a file that the case is read"),
    "mesh as a case": (
        ["solve", "square.msh", "-o", "a.vtu"],
        "square.msh is no case file; write one (.yaml) with the line `geometry: square.msh`.",
    ),
    "sample without fields": (["export", "data", "0", "-o", "a.obj"], "ends in .vtu, .vtk"),
    "mesh in no folder": (["mesh", "none.step", "-o", "none/a.vtu"], "in an existing folder"),
    "mesh of no format": (["mesh", "none.step", "-o", "a.step"], "'a.step'"),
    "conversion in no folder": (["convert", "none.msh", "none/a.vtu"], "in an existing folder"),
    "case in no folder": (["convert", "none.yaml", "none/a.yaml"], "in an existing folder"),
    "picture in no folder": (["view", "none.msh", "--screenshot", "none/a.png"], "in an existing folder"),
    "picture as a page": (["view", "none.msh", "--screenshot", "a.png", "--html", "a.png"], "ends in .html"),
    "page over a case": (["view", "square.msh", "--html", "case.yaml"], "ends in .html"),
    "nothing to show": (["view", "square.msh", "--names", "case.yaml", "--html", "a.html"], "names no `boundaries`"),
    "unknown field": (["view", "square.msh", "--field", "heat", "--html", "a.html"], "heat"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_one_line(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, hint = WRONG[name]
    before = {f: f.read_bytes() for f in folder.iterdir() if f.is_file()}
    assert main(arguments) == 2
    assert {f: f.read_bytes() for f in folder.iterdir() if f.is_file()} == before
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert hint in err
    assert "Traceback" not in err


def test_an_error_in_a_case_file_names_file_line_and_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("case.yaml").write_text(CASE.replace("left", "lefft"))
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 2
    line = capsys.readouterr().err
    assert "case.yaml:5" in line
    assert "conditions.lefft" in line
    assert "did you mean 'left'?" in line


WRONG_CASES = {
    "unit": ("unit: mmm\n", "case.yaml:7: unit: unknown unit 'mmm'"),
    "untold unit": (
        "unit: m\n",
        "case.yaml:7: unit: the file does not tell its unit of length; say both, such as mm:m",
    ),
    "times": ("times: [0, 1, 1]\n", "case.yaml:7: times: found 1 twice; expected increasing times."),
    "falling times": ("times: [0, 2, 1]\n", "times: found 1 after a later time; expected increasing times."),
    "a list": ("  top: {dirichlet: [1, 2, 3]}\n", "has 3 components; expected one: give one number."),
    "twice": ("  top: [{dirichlet: 1}, {dirichlet: 2}]\n", "conditions.top: found dirichlet twice; expected"),
    "none": ("  top: []\n", "conditions.top: found no condition; expected one or more"),
    "another's condition": (
        "  top: {roller: {}}\n",
        "conditions.top: heat does not take roller; it takes dirichlet, periodic, neumann, robin, radiation.",
    ),
    "unknown variable": ("source: 2*r\n", "source: '2*r' uses 'r'; known: e, pi, t, u, x, y, z."),
    "tab": ("\ttop: {dirichlet: 1}\n", "case.yaml:7: not YAML: found a tab before the text; indent by spaces."),
    "indentation": ("    top: {dirichlet: 1}\n", "names of one section begin in the same column."),
    "selector": (
        "boundaries: {bore: {sphere: {center: [9, 9], radius: 1}}}\n",
        "boundaries.bore: {sphere: {center: [9, 9], radius: 1}} finds no outer facet; the mesh spans",
    ),
}


@pytest.mark.parametrize("name", WRONG_CASES)
def test_a_wrong_case_is_told(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line, hint = WRONG_CASES[name]
    Path("case.yaml").write_text(CASE + line)
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 2
    assert hint in " ".join(capsys.readouterr().err.split())


def test_a_closed_surface_says_why_it_has_no_facets_and_can_be_filled(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    geometries.write(FAMILIES["grid"](shape=(2, 2, 2)).sample(np.random.default_rng(0)), "cube.stl")
    case = 'geometry: cube.stl\nequation: heat\nconditions: {"*": {dirichlet: 1}}\n'
    Path("case.yaml").write_text(case)
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 2
    assert "the mesh is a closed surface, without any: `dim: 3` may fill it" in capsys.readouterr().err
    Path("case.yaml").write_text(f"{case}dim: 3\nsize: 0.6\n")
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 0


def test_a_damaged_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corners = ("nan 0 0", "1 0 0", "0 1 0")
    lines = "\n".join(f"vertex {corner}" for corner in corners)
    Path("nan.stl").write_text(f"solid a\nfacet normal 0 0 1\nouter loop\n{lines}\nendloop\nendfacet\nendsolid a\n")
    geometries.write(geometries.read("square.msh"), "whole.vtu")
    Path("half.vtu").write_bytes(Path("whole.vtu").read_bytes()[:1500])
    for name, hint in (
        ("nan.stl", "nan.stl: 1 of 3 points are not finite"),
        ("half.vtu", "half.vtu: the data set holds no cells"),
    ):
        assert main(["inspect", name]) == 2
        told = capsys.readouterr().err
        assert hint in told and "damaged" in told


def test_a_failure_leaves_what_was_there(folder: Path) -> None:
    Path("answer.vtu").write_text("precious")
    Path("case.yaml").write_text(CASE.replace("heat", "haet"))
    assert main(["solve", "case.yaml", "-o", "answer.vtu"]) == 2
    assert Path("answer.vtu").read_text() == "precious"


@pytest.mark.parametrize("command", [c.__name__ for c in COMMANDS])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"Example: meshops {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", ["operators", "equations", "families", "formats", "recipes"])
def test_lists_come_from_the_registries(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    expected = {
        "operators": "multigrid",
        "equations": "heat",
        "families": "bracket",
        "formats": "vtu",
        "recipes": "corners",
    }
    assert expected[command] in capsys.readouterr().out


def test_equations_are_listed_with_what_a_case_may_leave_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["equations"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "= 0.3" in words  # Poisson's ratio
    assert "has the value behind its `=`" in words


def test_a_case_and_a_deck_become_each_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Case file, deck, deck again, case file: the same field each time."""
    assert main(["convert", "case.yaml", "deck.inp"]) == 0
    assert main(["convert", "deck.inp", "again.inp"]) == 0
    assert main(["convert", "again.inp", "back.yaml"]) == 0
    assert "wrote back.yaml and back.vtu:" in capsys.readouterr().err
    fields = [
        said(capsys, "solve", name, "-o", "a.vtu", "--json")["fields"]["temperature"]
        for name in ("case.yaml", "deck.inp", "again.inp", "back.yaml")
    ]
    assert all(f == pytest.approx(fields[0]) for f in fields)


def test_a_data_set_is_generated_checked_and_exported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiny.yaml").write_text(
        "family: {corners: {cells: 6, sides: [1, 2]}}\nequation: heat\nconditions: {outer: {dirichlet: {waves: 1}}}\n"
    )
    assert main(["generate", "tiny.yaml", "-o", "data", "--count", "8", "--workers", "1"]) == 0
    assert Path("data/samples.png").stat().st_size > 1000
    assert "8 solved cases of the equation `heat`" in Path("data/README.md").read_text()
    assert main(["check", "data"]) == 0
    assert "whole" in capsys.readouterr().out
    assert main(["export", "data", "3", "-o", "three.vtu"]) == 0
    assert "temperature" in geometries.read("three.vtu").point_data
    assert main(["export", "data", "8", "-o", "more.vtu"]) == 2
    assert "no sample 8" in capsys.readouterr().err
    assert main(["import", "three.vtu", "-o", "imported"]) == 0
    assert main(["export", "imported", "0", "-o", "again.vtu"]) == 0
    assert main(["generate", "corners", "-o", "other", "--files", "."]) == 2
    assert "reads no files" in capsys.readouterr().err


def test_data_are_made_where_nothing_can_be_drawn(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(*_: object) -> None:
        raise VizError("this machine cannot draw.")

    monkeypatch.setattr("meshops.pictures.draw_samples", blind)
    Path("tiny.yaml").write_text(
        "family: {corners: {cells: 6, sides: [1, 2]}}\nequation: heat\nconditions: {outer: {dirichlet: {waves: 1}}}\n"
    )
    assert main(["generate", "tiny.yaml", "-o", "data", "--count", "2", "--workers", "1"]) == 0
    told = capsys.readouterr().err
    assert "note: this machine cannot draw." in told
    assert "wrote data: 2 samples" in told
    assert Path("data/README.md").exists()
