"""Case files: one YAML mapping that says which problem to solve.

geometry: bracket.step          # CAD or mesh, relative to this file
size: 2.0                       # target edge length in the file's units (CAD only); also dim, order
boundaries:                     # names for faces that the file does not name, in order
base: {normal: [0, 0, -1]}
equation: heat
coefficients: {conductivity: 45.0}          # a number, an expression or {region: number}
source: 0.0
conditions:
base: {dirichlet: 20}
"*": {robin: {coefficient: 12, ambient: 20}}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geometries.conditions import Condition, read_condition, write_condition
from geometries.errors import SpecError, WriteError, nearest, short
from geometries.files import atomic_write
from geometries.formats import read, write
from geometries.mesh import Mesh, Selector
from geometries.tags import read_selector
from geometries.values import Value, to_spec
from geometries.yaml_file import LARGEST, YamlFile, dump
from meshops.equations.case import Case

KEYS = ("geometry", "size", "dim", "order", "boundaries", "equation", "coefficients", "source", "conditions")
_EXTENSIONS = (".yaml", ".yml")


def read_case(path: str | Path) -> Case:
    """Read a case file and the geometry that it names.

    Raises `SpecError` with the file, the line and the key for whatever is wrong in it, in the geometry or in the
    problem as a whole; `ReadError` where the file cannot be read or is not YAML.
    """
    from meshops.equations import equation

    file = _open(path)
    mesh = _mesh(file)
    with file.at("equation"):
        chosen = equation(_text(file, "equation"))
    with file.at():
        return Case(
            mesh,
            chosen,
            conditions=_conditions(file),
            coefficients=_section(file, "coefficients"),
            source=file.data.get("source", 0.0),
        )


def write_case(case: Case, path: str | Path) -> None:
    """Write `case` as a case file and, beside it, its mesh as .vtu; `read_case` gives an equal case.

    Each of the two files is replaced only by a whole one. Raises `WriteError`, also for arrays too long for YAML.
    """
    path = Path(path)
    if path.suffix.lower() not in _EXTENSIONS:
        raise WriteError(f"{path.name} does not end in {' or '.join(_EXTENSIONS)}; a case file is YAML.")
    geometry = path.with_suffix(".vtu")
    text = dump({"geometry": geometry.name, **_spec(case)})
    if len(text.encode()) > LARGEST:
        raise WriteError(
            f"the case takes {len(text)} bytes of YAML, {LARGEST} at most; use expressions for its arrays."
        )
    write(case.mesh, geometry)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def names_of(path: str | Path) -> dict[str, Selector]:
    """Return the selectors of a case file's `boundaries`, in order; the rest of the file may be missing."""
    return _selectors(_open(path))


def _open(path: str | Path) -> YamlFile:
    file = YamlFile.read(path)
    for key in file.data:
        if key not in KEYS:
            raise file.locate(SpecError(f"unknown key; {nearest(key, KEYS)}", (key,)))
    return file


def _mesh(file: YamlFile) -> Mesh:
    options = {name: file.data[name] for name in ("size", "dim", "order") if name in file.data}
    for name, given in options.items():
        kinds = (int, float) if name == "size" else (int,)
        if type(given) not in kinds or not given > 0:
            what = "number" if name == "size" else "whole number"
            raise file.locate(SpecError(f"found {short(given)}; expected a {what} above 0.", (name,)))
    with file.at("geometry"):
        mesh = read(file.path.parent / _text(file, "geometry"), **options)
    for name, selector in _selectors(file).items():
        with file.at("boundaries", name):
            mesh = mesh.with_boundary(name, selector)
    return mesh


def _selectors(file: YamlFile) -> dict[str, Selector]:
    with file.at():
        return {n: read_selector(s, ("boundaries", n)) for n, s in _section(file, "boundaries").items()}


def _conditions(file: YamlFile) -> dict[str, Condition]:
    return {n: read_condition(s, ("conditions", n)) for n, s in _section(file, "conditions").items()}


def _section(file: YamlFile, key: str) -> dict[str, object]:
    given = file.data.get(key, {})
    if not isinstance(given, dict):
        raise file.locate(SpecError(f"found {short(given)}; expected `name: value` lines.", (key,)))
    return given


def _text(file: YamlFile, key: str) -> str:
    given = file.data.get(key)
    if not isinstance(given, str) or not given:
        found = f"found {short(given)}" if key in file.data else f"the file has no {key!r}"
        raise file.locate(SpecError(f"{found}; expected a line such as `{key}: {_EXAMPLES[key]}`.", (key,)))
    return given


_EXAMPLES = {"geometry": "bracket.step", "equation": "heat"}


def _spec(case: Case) -> dict[str, object]:
    return {
        "equation": case.equation.name,
        "coefficients": {name: _plain(value) for name, value in case.coefficients.items()},
        "source": to_spec(case.source),
        "conditions": {name: write_condition(c) for name, c in case.conditions.items()},
    }


def _plain(value: Value | Mapping[str, float]) -> object:
    return dict(value) if isinstance(value, Mapping) else to_spec(value)
