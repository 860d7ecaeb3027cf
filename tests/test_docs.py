"""What the documents show works: the operator of `extending.md`, and the commands and files of the README."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

import geometries
from geometries.conditions import Dirichlet
from geometries.families.grid import Grid
from geometries.tags import read_selector
from meshops.commands import COMMANDS
from meshops.data import recipes
from meshops.equations import Case, Heat
from meshops.graph import build_graph, schema_of
from meshops.operators import OPERATORS, Operator, describe

ROOT = Path(__file__).parents[1]


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_operator_in_extending_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/extending.md").read_text()
    block = next(b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "(Operator)" in b)
    file = tmp_path / "smoothing.py"
    file.write_text(block)
    kind = loaded(file).Smoothing
    assert issubclass(kind, Operator)
    monkeypatch.setitem(OPERATORS, kind.name, kind)
    assert "O(N)" in describe(kind.name).values()
    case = Case(Grid(shape=(4, 3)).mesh(), Heat(), conditions={"left": Dirichlet(1.0)}, source=1.0)
    graph = build_graph(case)
    values = kind(schema_of(case.equation, 2), width=8, steps=2)(graph)
    assert values.shape == (graph.num_nodes, 1)
    assert torch.equal(values[graph.fixed], graph.fixed_value[graph.fixed])


def test_the_gallery_is_that_of_the_examples() -> None:
    assert (ROOT / "docs/gallery.md").read_text() == loaded(ROOT / "docs/gallery.py").page(), "run: make gallery"


def test_the_page_of_recipes_is_that_of_the_files() -> None:
    assert (ROOT / "docs/recipes.md").read_text() == loaded(ROOT / "docs/recipes.py").page(), "run: make gallery"
    assert {f"{name}.png" for name in recipes()} == {f.name for f in (ROOT / "docs/images/recipes").iterdir()}


def test_the_operators_page_is_that_of_the_docstrings() -> None:
    assert (ROOT / "docs/operators.md").read_text() == loaded(ROOT / "docs/operators.py").page(), "run: make gallery"


def test_the_readme_names_commands_and_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    known = {c.__name__ for c in COMMANDS}
    assert {m for m in re.findall(r"^ *`?meshops ([a-z]+)", text, re.MULTILINE)} <= known
    linked = re.findall(r"\]\((docs/[^)]+)\)", text) + re.findall(r"`(docs/[a-z_]+\.md)`", text)
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_the_case_of_the_readme_heats_the_bore_of_the_bracket() -> None:
    block = next(b for b in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
    spec = yaml.safe_load(block)
    part = geometries.read(ROOT / "meshops/resources/bracket.step", size=4.0)
    for name in ("base", "bore"):
        found = read_selector(spec["boundaries"][name])(part)
        assert np.array_equal(np.unique(part.facet_ids(found)), np.unique(part.facet_ids(part.boundaries[name])))
