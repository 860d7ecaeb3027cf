"""`Recipe`: a random distribution over cases, as one YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from geometries.errors import MeshopsError, SpecError, nearest
from geometries.families import Family
from geometries.mesh import Mesh
from geometries.yaml_file import YamlFile
from meshops.data.distributions import Constant, Distribution, Draw, Place, read_distribution
from meshops.data.distributions.base import check_keys, number_of, under
from meshops.data.distributions.composite import references
from meshops.data.random_conditions import Entry, draw_conditions, kinds_of, read_entry, write_entry
from meshops.data.regions import with_regions
from meshops.data.shapes import read_family, with_files, write_family
from meshops.data.variations import Variation, read_variations
from meshops.equations import Case, Equation, equation
from meshops.graph import Schema, schema_of

_KEYS = (
    "about", "family", "per_shape", "parameters", "regions", "equation", "coefficients", "source", "conditions",
    "initial", "times", "splits",
)  # fmt: skip
_FOLDER = Path(__file__).resolve().parents[1] / "recipes"
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A family of shapes, an equation, and distributions of what the equation needs: a distribution over cases.

    - `family` {name: parameters}, the name alone, or {one_of: [families]}; see `geometries.families`. Paths are taken
      relative to the recipe's file.
    - `per_shape` cases are drawn on each mesh, so that one matrix may serve several.
    - `regions` {name: random field}: the cells in whose middle the field is above 0; see `meshops.data.regions`.
    - `parameters` {name: distribution of numbers}, drawn first; other texts refer to them: `"4*{speed}*y*(1-y)"`.
    - `equation` by name; `coefficients` {name: distribution}; `source` a distribution.
    - `conditions` {boundary: random condition}; `*` is every outer side not named. A name that ends in `?` is left out
      where a shape lacks that boundary. {label: {some: ...}} is a condition on boundaries chosen by chance; with a `?`
      on fewer where there are no more.
    - `initial` {field: distribution} and `times`, a list, or {end, count} evenly spaced from 0: transient cases.
    - `splits` {name: {count, what differs}}: further splits, see `meshops.data.variations`.
    - `about` says in a line what it is for; it is no part of the recipe's identity.

    A case is made dimensionless by its equation, so any consistent units will do. Raises `SpecError` at the wrong key.
    """

    family: Family
    equation: Equation
    conditions: Mapping[str, Entry]
    coefficients: Mapping[str, Distribution] = field(default_factory=dict)
    source: Distribution = field(default_factory=lambda: Constant(0.0))
    regions: Mapping[str, Distribution] = field(default_factory=dict)
    parameters: Mapping[str, Distribution] = field(default_factory=dict)
    initial: Mapping[str, Distribution] = field(default_factory=dict)
    times: tuple[float, ...] = ()
    per_shape: int = 1
    splits: Mapping[str, Variation] = field(default_factory=dict)
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Freeze and check the names."""
        for name in ("conditions", "coefficients", "regions", "parameters", "initial", "splits"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        with under("coefficients"):
            check_keys(self.coefficients, [c.name for c in self.equation.coefficients])
        for name, distribution in self.parameters.items():
            if not distribution.numeric:
                raise SpecError("found a field; expected a number or a distribution of numbers.", ("parameters", name))
        for name, condition in self.conditions.items():
            _check_kinds(self.equation, name, condition)
        if not isinstance(self.per_shape, int) or isinstance(self.per_shape, bool) or not 1 <= self.per_shape <= _MOST:
            raise SpecError(f"found {self.per_shape!r}; expected a whole number from 1 to {_MOST}.", ("per_shape",))
        for name, split in self.splits.items():
            own = split.recipe.family
            if own != self.family and own.dim != self.family.dim:
                found = f"found shapes in {own.dim}-D; expected them in {self.family.dim}-D, as the recipe's"
                raise SpecError(f"{found}: name another family.", ("splits", name, "family"))

    @classmethod
    def load(cls, name_or_path: str | Path, *, files: Path | None = None) -> Recipe:
        """Read a shipped recipe by name, or a YAML file; errors name the file, the line and the key.

        `files` is the file or folder that its family takes shapes from, in place of the one that it names.
        """
        if files and not files.exists():
            raise SpecError(f"no file or folder {str(files)!r}; give --files one that exists.")
        file = YamlFile.read(_find(name_or_path))
        with file.at():
            data = with_files(file.data, files) if files else file.data
            return cls.from_spec(data, file.path.resolve().parent)

    @classmethod
    def from_spec(cls, spec: Mapping[str, object], folder: Path | None = None) -> Recipe:
        """Read the plain form; paths in it are relative to `folder`."""
        check_keys(spec, _KEYS)
        missing = [k for k in ("family", "equation", "conditions") if k not in spec]
        if missing:
            raise SpecError(f"a recipe needs {missing[0]!r}.")
        recipe = cls(**_read(spec, folder), per_shape=spec.get("per_shape", 1), about=str(spec.get("about", "")))
        _check_parameters(spec)
        with under("splits"):
            splits = read_variations(_names(spec.get("splits")), spec, folder, cls.from_spec)
        return replace(recipe, splits=splits)

    def to_spec(self) -> dict[str, Any]:
        """Return the plain form, defaults of parameters written out; `from_spec` gives the recipe back."""
        spec: dict[str, Any] = {
            "family": write_family(self.family),
            "equation": self.equation.name,
            "coefficients": {k: v.to_spec() for k, v in self.coefficients.items()},
            "source": self.source.to_spec(),
            "conditions": {k: write_entry(v) for k, v in self.conditions.items()},
        }
        for name in ("regions", "parameters", "initial"):
            if found := getattr(self, name):
                spec[name] = {k: v.to_spec() for k, v in found.items()}
        if self.times:
            spec["times"] = list(self.times)
        if self.per_shape != 1:
            spec["per_shape"] = self.per_shape
        if self.splits:
            spec["splits"] = {k: v.to_spec() for k, v in self.splits.items()}
        return spec

    def draw(self, rng: np.random.Generator) -> Case:
        """Draw a shape and mesh it, then a case on it. All randomness comes from `rng`."""
        return self.case(rng, self.family.sample(rng))

    def case(self, rng: np.random.Generator, mesh: Mesh) -> Case:
        """Draw a case on the mesh of a shape of the family."""
        place = Place(mesh, parameters={n: _number(d.draw(rng, Place(mesh))) for n, d in self.parameters.items()})
        if self.regions:
            place = replace(place, mesh=with_regions(self.regions, rng, place))
        conditions = draw_conditions(self.conditions, rng, place)
        coefficients: dict[str, Any] = {name: d.draw(rng, place) for name, d in self.coefficients.items()}
        source: Any = self.source.draw(rng, place)
        initial: dict[str, Any] = {name: d.draw(rng, place) for name, d in self.initial.items()}
        return Case(
            place.mesh,
            self.equation,
            conditions=conditions,
            coefficients=coefficients,
            source=source,
            initial=initial,
            times=self.times,
        )

    @property
    def schema(self) -> Schema:
        """What the columns of its samples' graphs are: those that it gives values to, in any of its splits."""
        every = [self, *(variation.recipe for variation in self.splits.values())]
        kinds = {kind for recipe in every for entry in recipe.conditions.values() for kind in kinds_of(entry)}
        given = [item for recipe in every for item in recipe.coefficients.items()]
        varying = {name for name, distribution in given if _mentions(distribution.to_spec(), "u")}
        moving = any(_mentions(recipe.source.to_spec(), "t") for recipe in every)
        full = schema_of(self.equation, self.family.dim, times=len(self.times))
        return full.restricted(kinds, {name for name, _ in given}, varying, moving=moving)


def recipes() -> dict[str, Path]:
    """Return the shipped recipes: {name: file}."""
    return {file.stem: file for file in sorted(_FOLDER.glob("*.yaml"))}


def _find(name_or_path: str | Path) -> Path:
    shipped, path = recipes(), Path(name_or_path)
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    raise MeshopsError(f"no recipe is called {str(name_or_path)!r}; {nearest(str(name_or_path), shipped)}")


def _read(spec: Mapping[str, object], folder: Path | None) -> dict[str, Any]:
    """Return the parts of a recipe that are the same in every split's."""
    with under("equation"):
        found = _equation(spec["equation"])
    with under("family"):
        family = read_family(spec["family"], folder)
    return {
        "family": family,
        "equation": found,
        "coefficients": {k: _distribution(v, "coefficients", k) for k, v in _mapping(spec, "coefficients").items()},
        "source": _distribution(spec.get("source", 0.0), "source"),
        "conditions": {k: _condition(v, k) for k, v in _mapping(spec, "conditions").items()},
        "times": _times(spec.get("times")),
    } | {
        section: {k: _distribution(v, section, k) for k, v in _mapping(spec, section).items()}
        for section in ("regions", "parameters", "initial")
    }


def _times(given: object) -> tuple[float, ...]:
    """Read a list of times, or {end, count}."""
    if given is None:
        return ()
    with under("times"):
        if isinstance(given, Mapping) and set(given) == {"end", "count"}:
            end, count = number_of(given["end"]), given["count"]
            if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= _MOST:
                raise SpecError(f"found {count!r}; expected a whole number from 2 to {_MOST}.", ("count",))
            return tuple((end * np.arange(count) / (count - 1)).tolist())
        if isinstance(given, list | tuple) and len(given) > 1:
            return tuple(number_of(value) for value in given)
        raise SpecError(f"found {given!r}; expected a list of times, or {{end: 1, count: 11}}.")


def _check_parameters(spec: Mapping[str, object]) -> None:
    """Raise `SpecError` at the first text that refers to no parameter of the recipe, or to another of them in one."""
    known = _mapping(spec, "parameters")
    for section in ("parameters", "regions", "coefficients", "source", "conditions", "initial"):
        for key, name in references(spec.get(section), (section,)):
            if section == "parameters":
                raise SpecError(f"refers to {name!r}; expected no names in braces: parameters are independent.", key)
            if name not in known:
                raise SpecError(f"no parameter {name!r}; {nearest(name, known)}", key)


def _mentions(spec: object, name: str) -> bool:
    """Whether a text in the plain form of a distribution is an expression in u or t, as `name` says."""
    if isinstance(spec, Mapping):
        return any(_mentions(value, name) for value in spec.values())
    if isinstance(spec, list | tuple):
        return any(_mentions(value, name) for value in spec)
    return isinstance(spec, str) and re.search(rf"\b{name}\b", re.sub(r"{.*?}", "", spec)) is not None


def _number(drawn: Draw) -> float:
    return float(drawn)  # type: ignore[arg-type]


def _mapping(spec: Mapping[str, object], key: str) -> Mapping[str, object]:
    with under(key):
        return _names(spec.get(key))


def _names(given: object) -> Mapping[str, object]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SpecError(f"found {given!r}; expected names with their values.")
    return given


def _distribution(spec: object, *key: str) -> Distribution:
    with under(*key):
        return read_distribution(spec)


def _condition(spec: object, name: str) -> Entry:
    with under("conditions", name):
        return read_entry(spec)


def _equation(name: object) -> Equation:
    try:
        return equation(str(name))
    except MeshopsError as error:
        raise SpecError(str(error)) from None


def _check_kinds(given: Equation, name: str, condition: Entry) -> None:
    known = [kind.key for kind in given.terms]
    for kind in kinds_of(condition):
        if kind not in known:
            raise SpecError(f"{given.name} does not take {kind!r}; it takes {known}.", ("conditions", name, kind))
