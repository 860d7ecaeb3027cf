"""Case files: one YAML mapping that says which problem to solve.

geometry: bracket.step          # CAD or mesh, relative to this file
size: 2.0                       # target edge length in `unit`, mm by default; also dim, order
unit: mm                        # of all lengths here; the mesh is converted to it. Or m:mm where its file tells no unit
heal: true                      # sew the faces of a CAD file without solids
boundaries:                     # names for faces that the file does not name, in order
base: {normal: [0, 0, -1]}
equation: heat
coefficients: {conductivity: 45.0}          # a number, an expression or {region: number}
source: 0.0                     # the same; a region that is not named has none
conditions:
base: {dirichlet: 20}
"*": {robin: {coefficient: 12, ambient: 20}}    # or a list of several
initial: {temperature: 20}      # of a transient problem, at the first time
times: [0, 10, 60]              # when the fields are wanted; or {start: 0, end: 60, count: 13}

Where the geometry is a solver's deck (.inp) with a problem of heat or of elasticity, what the file does not say the
deck says: equation, conditions, each coefficient, source. Such a deck is a case by itself too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from geometries.build import Reading
from geometries.conditions import read_condition, write_condition
from geometries.deck import Loads
from geometries.errors import MeshopsError, SpecError, WriteError, nearest, short
from geometries.files import atomic_write
from geometries.formats import geometry_files, inp, inspect, readable, write
from geometries.mesh import Selector
from geometries.tags import read_selector
from geometries.values import to_spec
from geometries.yaml_file import LARGEST, YamlFile, dump
from meshops.equations.case import REST, Case, Conditions, Given

KEYS = (
    "geometry",
    "size",
    "dim",
    "order",
    "unit",
    "heal",
    "boundaries",
    "equation",
    "coefficients",
    "source",
    "conditions",
    "initial",
    "times",
)
EXTENSIONS = (".yaml", ".yml")
DECKS = inp.FORMAT.extensions


def read_case(path: str | Path) -> Case:
    """Read a case file and the geometry that it names, or a deck with a problem.

    Raises `SpecError` with the file, the line and the key for whatever is wrong in it, in the geometry or in the
    problem as a whole; `ReadError` where the file cannot be read or is not YAML.
    """
    from meshops.equations import equation

    if Path(path).suffix.lower() in DECKS:
        return _deck_case(path)
    file = _open(path)
    reading = _reading(file)
    loads = reading.loads
    if loads is None or file.data.get("equation", loads.equation) != loads.equation:
        loads = Loads(equation=str(file.data.get("equation")))
    with file.at("equation"):
        stated = reading.loads is None or "equation" in file.data
        chosen = equation(_text(file, "equation") if stated else loads.equation)
    with file.at():
        if "conditions" not in file.data:
            _check_whole(loads)
        return Case(
            reading.mesh,
            chosen,
            conditions=_conditions(file) if "conditions" in file.data else loads.conditions,
            coefficients={**loads.coefficients, **_section(file, "coefficients")},
            source=file.data.get("source", loads.source),
            initial=_section(file, "initial"),
            times=_times(file),
        )


def converts_case(source: Path, target: Path) -> bool:
    """Whether turning one file into the other carries a case: one is a case file, or both are decks with a problem.

    Raises `WriteError` where a case file is wanted of a file that states no problem.
    """
    ends = (source.suffix.lower(), target.suffix.lower())
    if ends[1] in EXTENSIONS and ends[0] not in (*EXTENSIONS, *DECKS):
        raise WriteError(f"{source.name} states no problem; a case file is written from a case file or a deck (.inp).")
    if ends[1] in EXTENSIONS or (ends[0] in EXTENSIONS and ends[1] in DECKS):
        return True
    if not all(end in DECKS for end in ends):
        return False
    loads = inspect(source).loads
    return loads is not None and not loads.missing


def _deck_case(path: str | Path) -> Case:
    from meshops.equations import equation

    reading = inspect(path)
    loads = reading.loads
    if loads is None:
        raise SpecError(
            f"{Path(path).name} states no problem that is known; write a case file (.yaml) whose geometry it is."
        )
    _check_whole(loads)
    return Case(
        reading.mesh,
        equation(loads.equation),
        conditions=loads.conditions,
        coefficients=loads.coefficients,
        source=loads.source,
    )


def _check_whole(loads: Loads) -> None:
    """Refuse a deck's problem of which only a part can be carried: its answer would be another's."""
    if loads.missing:
        raise SpecError(
            f"the deck is not carried whole: {'; '.join(loads.missing)}; state `conditions` in a case file.",
            ("geometry",),
        )


def write_case(case: Case, path: str | Path) -> None:
    """Write `case` as a case file and, beside it, its mesh as .vtu; `read_case` gives an equal case.

    A path that ends in .inp gets a deck that CalculiX runs; `*` becomes the boundary `rest` there, and what varies on
    sides and in cells one number each (see `geometries.formats.inp`).
    Each file is replaced only by a whole one. Raises `WriteError`, also for arrays too long for YAML, and where the
    .vtu is there and the case file there is not one of this mesh.
    """
    path = Path(path)
    if path.suffix.lower() in DECKS:
        return _write_deck(case, path)
    if path.suffix.lower() not in EXTENSIONS:
        raise WriteError(f"{path.name} does not end in {' or '.join(EXTENSIONS)}; a case file is YAML (or .inp).")
    geometry = path.with_suffix(".vtu")
    if geometry.exists() and not _names(path, geometry):
        raise WriteError(
            f"{str(geometry)!r} is there, and the case's mesh would be written to it; choose another name than "
            f"{path.name!r}, or move that file away."
        )
    text = dump({"geometry": geometry.name, **_spec(case)})
    if len(text.encode()) > LARGEST:
        raise WriteError(
            f"the case takes {len(text)} bytes of YAML, {LARGEST} at most; use expressions for its arrays."
        )
    write(case.mesh, geometry)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _names(path: Path, geometry: Path) -> bool:
    """Whether `path` is a case file with this geometry in its folder."""
    try:
        return YamlFile.read(path).data.get("geometry") == geometry.name
    except MeshopsError:
        return False


def _write_deck(case: Case, path: Path) -> None:
    taken = {*case.mesh.boundaries, *case.mesh.regions}
    rest = next(name for name in ("rest", *(f"rest{i}" for i in range(2, len(taken) + 3))) if name not in taken)
    if case.transient:
        raise WriteError("a deck of ours cannot hold times; write a case file (.yaml).")
    parts = {rest if part.name == REST else part.name: part for part in case.parts if len(part.sides)}
    loads = Loads(
        equation=case.equation.name,
        conditions={name: case.conditions[part.name] for name, part in parts.items()},
        coefficients=case.coefficients,
        source=case.source,
    )
    boundaries = {**case.mesh.boundaries, **{name: part.sides for name, part in parts.items()}}
    inp.write(replace(case.mesh, boundaries=boundaries), path, loads=loads)


def names_of(path: str | Path) -> dict[str, Selector]:
    """Return the selectors of a case file's `boundaries`, in order; the rest of the file may be missing."""
    return _selectors(_open(path))


def files_of(path: str | Path) -> tuple[Path, ...]:
    """Return what solving a case reads: the case file and its geometry with its parts, or the deck."""
    path = Path(path)
    if path.suffix.lower() in DECKS:
        return (path,)
    return path, *geometry_files(path.parent / _text(_open(path), "geometry"))


def _open(path: str | Path) -> YamlFile:
    if Path(path).suffix.lower() in readable():
        name = Path(path).name
        raise SpecError(f"{name} is no case file; write one (.yaml) with the line `geometry: {name}`.")
    file = YamlFile.read(path)
    for key in file.data:
        if key not in KEYS:
            raise file.locate(SpecError(f"unknown key; {nearest(key, KEYS)}", (key,)))
    return file


def _reading(file: YamlFile) -> Reading:
    options = {name: file.data[name] for name in ("size", "dim", "order") if name in file.data}
    for name, given in options.items():
        kinds = (int, float) if name == "size" else (int,)
        if type(given) not in kinds or not given > 0:
            what = "number" if name == "size" else "whole number"
            raise file.locate(SpecError(f"found {short(given)}; expected a {what} above 0.", (name,)))
    for name, kind, what in (("unit", str, "text such as mm"), ("heal", bool, "true or false")):
        if name in file.data and not isinstance(file.data[name], kind):
            raise file.locate(SpecError(f"found {short(file.data[name])}; expected {what}.", (name,)))
    more = {name: file.data[name] for name in ("unit", "heal") if name in file.data}
    with file.at("geometry"):
        reading = inspect(file.path.parent / _text(file, "geometry"), **options, **more)
    mesh = reading.mesh
    for name, selector in _selectors(file).items():
        with file.at("boundaries", name):
            mesh = mesh.with_boundary(name, selector)
    return replace(reading, mesh=mesh)


def _selectors(file: YamlFile) -> dict[str, Selector]:
    with file.at():
        return {n: read_selector(s, ("boundaries", n)) for n, s in _section(file, "boundaries").items()}


def _conditions(file: YamlFile) -> dict[str, Conditions]:
    return {n: read_conditions(s, ("conditions", n)) for n, s in _section(file, "conditions").items()}


def read_conditions(spec: object, key: tuple[str | int, ...]) -> Conditions:
    """Read one condition, or a list of several; raises `SpecError`."""
    if not isinstance(spec, list):
        return read_condition(spec, key)
    found = tuple(read_condition(own, (*key, i)) for i, own in enumerate(spec))
    kinds = [condition.key for condition in found]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice or not kinds:
        what = f"{twice} twice" if twice else "no condition"
        raise SpecError(f"found {what}; expected one or more conditions, each kind once.", key)
    return found


def write_conditions(given: Conditions) -> object:
    """Return the plain form; `read_conditions` gives the conditions back."""
    return [write_condition(c) for c in given] if isinstance(given, tuple) else write_condition(given)


def _times(file: YamlFile) -> Sequence[float]:
    given = file.data.get("times", [])
    if isinstance(given, dict):
        known = {"start": 0.0, "end": None, "count": 11}
        unknown = [k for k in given if k not in known]
        if unknown:
            raise SpecError(f"unknown key {unknown[0]!r}; {nearest(unknown[0], known)}", ("times", unknown[0]))
        start, end, count = ({**known, **given}[k] for k in known)
        if (
            not isinstance(end, int | float)
            or not isinstance(start, int | float)
            or type(count) is not int
            or count < 2
        ):
            raise SpecError(
                f"found {short(given)}; expected numbers `start`, `end` and a whole `count` from 2.", ("times",)
            )
        return tuple(start + (end - start) * i / (count - 1) for i in range(count))
    if not isinstance(given, list):
        raise SpecError(f"found {short(given)}; expected a list of times.", ("times",))
    return given


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
        "source": _plain(case.source),
        "conditions": {name: write_conditions(c) for name, c in case.conditions.items()},
        **({"initial": {name: to_spec(v) for name, v in case.initial.items()}} if case.initial else {}),
        **({"times": list(case.times)} if case.times else {}),
    }


def _plain(value: Given) -> object:
    return {k: to_spec(v) for k, v in value.items()} if isinstance(value, Mapping) else to_spec(value)
