"""The layout, the one-way imports, the size limits and what the code never does.

Every rule is a function from a parsed file to the offences in it, so that each is tested on a bad snippet too.
"""

from __future__ import annotations

import ast
import fnmatch
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("geometries", "meshops", "examples")

BELOW_EVALUATION = "geometries equations graph data nn operators training trust"
MAY_IMPORT = {
    unit: set(names.split())
    for unit, names in {
        "geometries": "",
        "equations": "geometries",
        "graph": "geometries equations",
        "data": "geometries equations graph",
        "nn": "graph",
        "operators": "graph nn",
        "training": "graph data operators",
        "trust": "geometries equations graph",
        "evaluation": BELOW_EVALUATION,
        "viz": "geometries graph trust evaluation",
    }.items()
}
FRONT = "front"  # meshops/__init__, cli, doctor and their like: they import everything, nothing below imports them
TORCH = {"torch", "torch_geometric", "torchmetrics", "lightning", "pytorch_lightning"}
UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec"}
UNSAFE_KEYWORDS = {("allow_pickle", True), ("weights_only", False)}
IMPORTERS = {"import_module", "__import__", "importorskip"}

MAX_BODY, MAX_FILE, MAX_PARAMETERS, MEDIAN_BODY = 50, 400, 8, 10

FILES = {"pyproject.toml", "README.md", "LICENSE", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "constraints.txt"}
VISIBLE = FILES | {"geometries", "meshops", "tests", "examples", "docs"}
DATA_FOLDERS = {"recipes", "resources"}
REGISTRIES = ("geometries/formats", "geometries/families", "meshops/equations", "meshops/operators")


def sources(*folders: str) -> list[Path]:
    return sorted(f for folder in folders for f in (ROOT / folder).rglob("*.py"))


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def ids(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def unit_of(dotted: str) -> str | None:
    """The unit that a module belongs to: `geometries`, the second part of `meshops.*`, else not ours."""
    first, _, rest = dotted.partition(".")
    if first == "geometries":
        return "geometries"
    if first != "meshops":
        return None
    second = rest.split(".")[0]
    return second if second in MAY_IMPORT else FRONT


def derived(tree: ast.AST, base: str) -> bool:
    """Whether a class in `tree` is derived from `base`."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return any(isinstance(b, ast.Name) and b.id == base for c in classes for b in c.bases)


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, at any depth, also by `import_module("...")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and name_of(node.func) in IMPORTERS:
            yield from ((node.lineno, str(a.value)) for a in node.args[:1] if isinstance(a, ast.Constant))


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def wrong_imports(tree: ast.AST, unit: str) -> list[str]:
    """Imports of `unit` that go against the one way."""
    relative = [
        f"line {n.lineno}: relative import" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level
    ]
    allowed = {None, unit, *MAY_IMPORT.get(unit, ())}
    upward = [f"line {at}: {name}" for at, name in imported(tree) if unit != FRONT and unit_of(name) not in allowed]
    heavy = [
        f"line {at}: {name}" for at, name in imported(tree) if unit == "geometries" and name.split(".")[0] in TORCH
    ]
    return relative + upward + heavy


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    a = function.args
    names = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def too_big(tree: ast.AST) -> list[str]:
    long = [f"{f.name}: {body_lines(f)} body lines" for f in functions(tree) if body_lines(f) > MAX_BODY]
    return long + [f"{f.name}: {parameters(f)} parameters" for f in functions(tree) if parameters(f) > MAX_PARAMETERS]


def unsafe(tree: ast.AST) -> list[str]:
    """Where text or a pickle could be run as code."""
    found = [f"line {at}: {name}" for at, name in imported(tree) if name.split(".")[0] in UNSAFE_MODULES]
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id in UNSAFE_CALLS:
            found.append(f"line {call.lineno}: {call.func.id}()")
        given = {(k.arg, k.value.value) for k in call.keywords if isinstance(k.value, ast.Constant)}
        found += [f"line {call.lineno}: {k}={v}" for k, v in given & UNSAFE_KEYWORDS]
    return found


def prints(tree: ast.AST) -> list[str]:
    return [f"line {n.lineno}" for n in ast.walk(tree) if isinstance(n, ast.Call) and name_of(n.func) == "print"]


def unregistered(init: ast.AST, package: str, modules: list[str]) -> list[str]:
    """Modules of `package` that its `__init__` does not import in exactly one statement."""
    counts = dict.fromkeys(modules, 0)
    for node in ast.walk(init):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in {name.removeprefix(f"{package}.").split(".")[0] for _, name in imported(node)}:
                counts[module] = counts.get(module, 0) + 1
    return [module for module in modules if counts[module] != 1]


@pytest.mark.parametrize("file", sources("geometries", "meshops"), ids=ids)
def test_imports_go_one_way(file: Path) -> None:
    unit = unit_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
    assert wrong_imports(parse(file), unit) == []


@pytest.mark.parametrize("file", sources(*CODE), ids=ids)
def test_functions_are_small(file: Path) -> None:
    assert too_big(parse(file)) == []


@pytest.mark.parametrize("file", sources(*CODE, "tests"), ids=ids)
def test_files_are_small(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_FILE


def test_the_median_function_is_short() -> None:
    assert statistics.median(body_lines(f) for file in sources(*CODE) for f in functions(parse(file))) < MEDIAN_BODY


@pytest.mark.parametrize("file", sources(*CODE), ids=ids)
def test_nothing_is_run_as_code(file: Path) -> None:
    assert unsafe(parse(file)) == []


@pytest.mark.parametrize("file", sources("geometries", "meshops"), ids=ids)
def test_only_the_command_line_prints(file: Path) -> None:
    assert file == ROOT / "meshops/console.py" or prints(parse(file)) == []


@pytest.mark.parametrize("folder", REGISTRIES)
def test_every_file_of_a_registry_is_registered_once(folder: str) -> None:
    modules = [f.stem for f in (ROOT / folder).glob("*.py") if not f.stem.startswith("_") and f.stem != "base"]
    if folder == "meshops/equations":  # beside the equations lies what assembles and solves them
        modules = [m for m in modules if derived(parse(ROOT / folder / f"{m}.py"), "Equation")]
    assert modules, f"{folder} is empty"
    assert unregistered(parse(ROOT / folder / "__init__.py"), folder.replace("/", "."), modules) == []


def test_the_top_level_is_the_designed_one() -> None:
    ignored = [line.strip().strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.strip()]
    there = {f.name for f in ROOT.iterdir() if not f.name.startswith(".")}
    extra = {name for name in there - VISIBLE if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)}
    assert (VISIBLE - there, extra) == (set(), set())
    assert (ROOT / ".ci/run").is_file()


def test_the_packages_are_the_designed_ones() -> None:
    folders = {f.name for f in (ROOT / "meshops").iterdir() if f.is_dir() and f.name != "__pycache__"}
    assert folders <= set(MAY_IMPORT) | DATA_FOLDERS
    assert (ROOT / "meshops/cli.py").is_file()


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("geometries", "import meshops.graph"),
        ("geometries", "def f():\n    import torch"),
        ("geometries", "from torch_geometric.data import Data"),
        ("equations", "from meshops.graph import MeshGraph"),
        ("graph", "from meshops import data"),
        ("graph", "from meshops import Case"),
        ("nn", "if TYPE_CHECKING:\n    from geometries import Mesh"),
        ("operators", "def f():\n    from meshops.training.loop import train"),
        ("viz", "importlib.import_module('meshops.operators')"),
        ("data", "from meshops.cli import main"),
        ("graph", "from . import levels"),
    ],
)
def test_a_wrong_import_is_seen(unit: str, source: str) -> None:
    assert wrong_imports(ast.parse(source), unit)


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("operators", "from meshops.nn.mlp import MLP\nfrom meshops import graph\nimport torch"),
        ("geometries", "from geometries import tags\nimport numpy"),
        (FRONT, "from meshops import operators, viz\nimport meshops.doctor"),
    ],
)
def test_a_right_import_is_let_through(unit: str, source: str) -> None:
    assert wrong_imports(ast.parse(source), unit) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "def f():\n    exec('x = 1')",
        "import pickle",
        "from cloudpickle import dumps",
        "np.load(f, allow_pickle=True)",
        "torch.load(f, weights_only=False)",
    ],
)
def test_unsafe_code_is_seen(source: str) -> None:
    assert unsafe(ast.parse(source))
    assert unsafe(ast.parse("model.eval()\nnp.load(f, allow_pickle=False)")) == []


def test_sizes_are_measured() -> None:
    lines = "\n".join("    x = 1" for _ in range(MAX_BODY))
    assert too_big(ast.parse(f'def f():\n    """Doc\n\n    string."""\n{lines}')) == []
    assert too_big(ast.parse(f"def f():\n{lines}\n    y = 2"))
    assert too_big(ast.parse("class A:\n    def f(self, a, b, c, d, *, e, f, g, h): ...")) == []
    assert too_big(ast.parse("def f(a, b, c, d, e, *, f, g, h, i): ..."))
    assert prints(ast.parse("def f():\n    print(1)"))


def test_a_missing_or_double_registration_is_seen() -> None:
    once = ast.parse("from p.q.a import A\nfrom p.q import b")
    assert unregistered(once, "p.q", ["a", "b"]) == []
    assert unregistered(once, "p.q", ["a", "b", "c"]) == ["c"]
    assert unregistered(ast.parse("from p.q.a import A\nfrom p.q.a import B"), "p.q", ["a"]) == ["a"]
