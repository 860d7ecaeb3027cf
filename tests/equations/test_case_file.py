"""Case files: a case written is read back equal, and every wrong line is named by file, line and key."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometries import Dirichlet, Expression, Neumann, Robin
from geometries import tags as select
from geometries.errors import MeshopsError, ReadError, SpecError, WriteError
from geometries.families.grid import Grid
from geometries.formats import inspect, write
from geometries.mesh import Mesh
from meshops.equations import Case, Heat, names_of, read_case, solve, write_case

GOOD = """\
geometry: parts/square.vtu
boundaries:
  base: {normal: [0, -1]}
  corner: {box: {low: [0.8, 0.5], high: [1, 1]}}
equation: heat
coefficients:
  conductivity: {west: 2, east: 3.0}
source: "sin(pi*x) * 1e2"
conditions:
  base: {dirichlet: 20}
  corner:
    neumann: 1e4*(1+0.1*sin(x))
  "*": {robin: {coefficient: 12, ambient: 20}}
"""


def halves(mesh: Mesh) -> Mesh:
    west = np.flatnonzero(mesh.cell_centers[:, 0] < 0.5)
    return replace(mesh, regions={"west": west, "east": np.setdiff1d(np.arange(mesh.num_cells), west)})


SQUARE = halves(Grid(shape=(4, 4)).mesh())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the good file's geometry, which is read once for all tests."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "parts").mkdir()
    write(replace(SQUARE, boundaries={}), folder / "parts/square.vtu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meshops.equations.case_file.inspect", functools.cache(inspect))
        yield folder


def wrong(folder: Path, old: str, new: str) -> str:
    """The error of the good file with one change, without the name of the file."""
    assert old in GOOD
    file = folder / "case.yaml"
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MeshopsError) as caught:
        read_case(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{file}:")
    return message.removeprefix(f"{file}:")


def same_value(a: object, b: object) -> bool:
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def assert_equal(a: Case, b: Case) -> None:
    assert a.equation is b.equation or type(a.equation) is type(b.equation)
    assert np.array_equal(a.mesh.points, b.mesh.points)
    for sets in ("cells", "regions", "boundaries"):
        ours, theirs = getattr(a.mesh, sets), getattr(b.mesh, sets)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[k], theirs[k]) for k in ours)
    assert same_value(a.source, b.source)
    assert {
        k: dict(v) if hasattr(v, "keys") else v for k, v in a.coefficients.items() if not isinstance(v, np.ndarray)
    } == {k: dict(v) if hasattr(v, "keys") else v for k, v in b.coefficients.items() if not isinstance(v, np.ndarray)}
    assert all(same_value(v, b.coefficients[k]) for k, v in a.coefficients.items() if isinstance(v, np.ndarray))
    assert list(a.conditions) == list(b.conditions)
    for p, q in zip(a.parts, b.parts, strict=True):
        assert type(p.condition) is type(q.condition)
        assert all(same_value(v, q.values[k]) for k, v in p.values.items())


RNG = np.random.default_rng(0)
CASES = {
    "numbers": Case(SQUARE, Heat(), conditions={"left": Dirichlet(1 / 3), "top": Robin(2.0, ambient=-1e-7)}),
    "texts": Case(
        SQUARE,
        Heat(),
        conditions={"left": Dirichlet("1e4"), "*": Neumann("x*y")},
        coefficients={"conductivity": "1 + x"},
    ),
    "regions": Case(
        SQUARE, Heat(), conditions={"*": Dirichlet(0)}, coefficients={"conductivity": {"west": 1.0, "east": 2.5}}
    ),
    "arrays": Case(
        SQUARE,
        Heat(),
        conditions={"left": Dirichlet(RNG.normal(size=5)), "right": Robin(RNG.random(4), ambient=RNG.normal(size=5))},
        coefficients={"conductivity": 1 + RNG.random(SQUARE.num_points)},
        source=RNG.normal(size=SQUARE.num_points),
    ),
    "second order": Case(Grid(shape=(2, 2, 2), order=2).mesh(), Heat(), conditions={"left": Dirichlet(1.0)}),
    "odd names": Case(
        SQUARE.renamed({"left": "on", "right": "3", "top": "Ä: b, #1", "bottom": "~"}),
        Heat(),
        conditions={"on": Dirichlet(1.0), "3": Neumann(2), "Ä: b, #1": Neumann(3), "~": Neumann(4)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_written_is_read_back_equal(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    case.write(tmp_path / "case.yaml")
    again = Case.read(tmp_path / "case.yaml")
    assert_equal(case, again)
    assert np.array_equal(solve(case).values, solve(again).values)
    first = (tmp_path / "case.yaml").read_bytes()
    write_case(again, tmp_path / "case.yaml")
    assert (tmp_path / "case.yaml").read_bytes() == first
    assert {f.name for f in tmp_path.iterdir()} == {"case.yaml", "case.vtu"}


def test_the_good_file_says_what_it_says(folder: Path) -> None:
    (folder / "case.yaml").write_text(GOOD)
    case = read_case(folder / "case.yaml")
    assert np.array_equal(case.mesh.sides("base"), SQUARE.sides("bottom"))
    assert case.coefficients["conductivity"] == {"west": 2.0, "east": 3.0}
    assert case.source == Expression("sin(pi*x) * 1e2")
    assert case.conditions["*"].ambient == 20.0
    assert [p.name for p in case.parts] == ["base", "corner", "*"]


def test_names_are_read_from_a_file_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("boundaries:\n  b: {normal: [0, -1]}\n  a: {not: {normal: [0, 1]}}\n")
    assert names_of(tmp_path / "names.yaml") == {"b": select.Normal((0, -1)), "a": select.Not(select.Normal((0, 1)))}
    (tmp_path / "names.yaml").write_text("boundaries:\n  b: {normall: [0, -1]}\n")
    with pytest.raises(SpecError, match=r"names.yaml:2: boundaries.b.normall: .*did you mean 'normal'"):
        names_of(tmp_path / "names.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source:", "sorce:", "8: sorce: unknown key; did you mean 'source'?"),
        ("geometry: parts/square.vtu\n", "", "1: the file has no 'geometry'"),
        ("parts/square.vtu", "parts/circle.vtu", "1: geometry: no file"),
        ("parts/square.vtu", "parts", "1: geometry: "),
        ("parts/square.vtu", "3", "1: geometry: found 3"),
        ("boundaries:", "size: 2.0\nboundaries:", "1: geometry: "),
        ("boundaries:", "size: -2\nboundaries:", "2: size: found -2; expected a number above 0"),
        ("boundaries:", "order: first\nboundaries:", "2: order: found 'first'; expected a whole number"),
        ("boundaries:", "dim: true\nboundaries:", "2: dim: found True"),
        ("equation: heat", "equation: heet", "5: equation: no equation is called 'heet'; did you mean 'heat'?"),
        ("equation: heat\n", "", "1: the file has no 'equation'"),
        ("normal: [0, -1]", "normal: [0, -1, 0]", "3: boundaries.base: "),
        ("normal: [0, -1]", "normal: [0, abc]", "3: boundaries.base.normal: "),
        ("normal: [0, -1]", "normal: 3", "3: boundaries.base.normal: found 3; expected a list"),
        ("normal: [0, -1]", "plane: {point: [0, 9], normal: [0, 1]}", "3: boundaries.base: "),
        ("low: [0.8", "lo: [0.8", "4: boundaries.corner.box.lo: unknown key 'lo'; did you mean 'low'?"),
        ("conductivity", "conductvity", "7: coefficients.conductvity: "),
        ("west: 2", "west: -2", "7: coefficients.conductivity: "),
        ("west: 2", "wst: 2", "7: coefficients.conductivity.wst: no region"),
        ("west: 2, ", "", "7: coefficients.conductivity: "),
        ("west: 2", "west: x", "7: coefficients.conductivity.west: found 'x'"),
        ("sin(pi*x)", "sin(pi*z)", "8: source: "),
        ("sin(pi*x)", "sn(pi*x)", "8: source: "),
        ("sin(pi*x)", "log(x)", "8: source: source is not finite"),
        ('"sin(pi*x) * 1e2"', "[1, 2]", "8: source: "),
        ('"sin(pi*x) * 1e2"', ".nan", "8: found '.nan'; expected finite"),
        (
            "base: {dirichlet",
            "bass: {dirichlet",
            "10: conditions.bass: no boundary is named 'bass'; did you mean 'base'?",
        ),
        ("dirichlet: 20", "dirichlet: nan", "10: conditions.base.dirichlet: 'nan' uses 'nan'"),
        ("dirichlet: 20", "dirchlet: 20", "10: conditions.base.dirchlet: unknown condition"),
        ("dirichlet: 20", "dirichlet: [1, 2]", "10: conditions.base.dirichlet: "),
        ("neumann: 1e4*", "neumann: 1e4*__import__('os')*", "12: conditions.corner.neumann: "),
        ("neumann: 1e4*", "neumann: 1e4/0*", "12: conditions.corner.neumann: "),
        ("coefficient: 12", "coefficient: -12", "13: conditions.*.robin.coefficient: "),
        ("coefficient: 12", "coeficient: 12", "13: conditions.*.robin.coeficient: unknown key"),
        ("conditions:", "conditions: 3\nx:", "10: x: unknown key"),
        (
            "{normal: [0, -1]}",
            "{normal: [1, 0]}",
            "11: conditions.corner: 2 facets of 'corner' are also claimed by 'base'",
        ),
        ("[0.8, 0.5]", "[0.8, 0.5", "4: not YAML"),
    ],
    ids=lambda v: v.replace("\n", " ")[:30],
)
def test_what_is_wrong_is_named_by_line_and_key(folder: Path, old: str, new: str, said: str) -> None:
    assert wrong(folder, old, new).startswith(said)


def test_pure_neumann_is_refused_at_the_conditions(folder: Path) -> None:
    (folder / "case.yaml").write_text(GOOD.split("conditions:")[0] + "conditions:\n  base: {neumann: 1}\n")
    with pytest.raises(SpecError, match=r"case.yaml:9: conditions: .*not unique"):
        read_case(folder / "case.yaml")


def test_a_selection_error_is_its_cause(folder: Path) -> None:
    (folder / "case.yaml").write_text(GOOD.replace("parts/square.vtu", "nowhere.step"))
    with pytest.raises(SpecError) as caught:
        read_case(folder / "case.yaml")
    assert isinstance(caught.value.__cause__, ReadError)


def test_a_mesh_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.with_suffix(".vtu").write_text("precious")
    for text in ("", "geometry: other.vtu"):
        file.write_text(text)
        with pytest.raises(WriteError, match=r"case\.vtu' is there"):
            CASES["numbers"].write(file)
    file.unlink()
    with pytest.raises(WriteError, match=r"case\.vtu' is there"):
        CASES["numbers"].write(file)
    assert file.with_suffix(".vtu").read_text() == "precious"


def test_writing_never_leaves_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "case.yaml"
    CASES["numbers"].write(file)
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    monkeypatch.setattr("meshops.equations.case_file.LARGEST", 300)
    with pytest.raises(WriteError, match="300"):
        CASES["arrays"].write(file)
    with pytest.raises(WriteError, match="yaml"):
        CASES["numbers"].write(tmp_path / "case.vtu")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before
