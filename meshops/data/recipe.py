"""`Recipe`: a random distribution over cases, as one YAML file."""

from __future__ import annotations

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
from meshops.data.distributions import Constant, Distribution, Place, read_distribution
from meshops.data.distributions.base import check_keys, under
from meshops.data.random_conditions import RandomCondition, SomeOf, draw_conditions, read_condition_entry
from meshops.data.regions import with_regions
from meshops.data.shapes import read_family, with_files, write_family
from meshops.data.variations import Variation, read_variations
from meshops.equations import Case, Equation, equation

_KEYS = ("about", "family", "per_shape", "regions", "equation", "coefficients", "source", "conditions", "splits")
_FOLDER = Path(__file__).resolve().parents[1] / "recipes"
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A family of shapes, an equation, and distributions of what the equation needs: a distribution over cases.

    - `family` {name: parameters}, the name alone, or {one_of: [families]}; see `geometries.families`. Paths are taken
      relative to the recipe's file.
    - `per_shape` cases are drawn on each mesh, so that one matrix may serve several.
    - `regions` {name: random field}: the cells in whose middle the field is above 0; see `meshops.data.regions`.
    - `equation` by name; `coefficients` {name: distribution}; `source` a distribution.
    - `conditions` {boundary: random condition}; `*` is every outer side not named. A name that ends in `?` is left out
      where a shape lacks that boundary. {label: {some: ...}} is a condition on boundaries chosen by chance.
    - `splits` {name: {count, what differs}}: further splits, see `meshops.data.variations`.
    - `about` says in a line what it is for; it is no part of the recipe's identity.

    A case is made dimensionless by its equation, so any consistent units will do. Raises `SpecError` at the wrong key.
    """

    family: Family
    equation: Equation
    conditions: Mapping[str, RandomCondition | SomeOf]
    coefficients: Mapping[str, Distribution] = field(default_factory=dict)
    source: Distribution = field(default_factory=lambda: Constant(0.0))
    regions: Mapping[str, Distribution] = field(default_factory=dict)
    per_shape: int = 1
    splits: Mapping[str, Variation] = field(default_factory=dict)
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Freeze and check the names."""
        for name in ("conditions", "coefficients", "regions", "splits"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        with under("coefficients"):
            check_keys(self.coefficients, [c.name for c in self.equation.coefficients])
        for name, condition in self.conditions.items():
            _check_kinds(self.equation, name, condition)
        if not isinstance(self.per_shape, int) or isinstance(self.per_shape, bool) or not 1 <= self.per_shape <= _MOST:
            raise SpecError(f"found {self.per_shape!r}; expected a whole number from 1 to {_MOST}.", ("per_shape",))

    @classmethod
    def load(cls, name_or_path: str | Path, *, files: Path | None = None) -> Recipe:
        """Read a shipped recipe by name, or a YAML file; errors name the file, the line and the key.

        `files` is the file or folder that its family takes shapes from, in place of the one that it names.
        """
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
        with under("splits"):
            return replace(recipe, splits=read_variations(_names(spec.get("splits")), spec, folder, cls.from_spec))

    def to_spec(self) -> dict[str, Any]:
        """Return the plain form, defaults of parameters written out; `from_spec` gives the recipe back."""
        spec: dict[str, Any] = {
            "family": write_family(self.family),
            "equation": self.equation.name,
            "coefficients": {k: v.to_spec() for k, v in self.coefficients.items()},
            "source": self.source.to_spec(),
            "conditions": {k: v.to_spec() for k, v in self.conditions.items()},
        }
        if self.regions:
            spec["regions"] = {k: v.to_spec() for k, v in self.regions.items()}
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
        mesh = with_regions(self.regions, rng, mesh)
        place, conditions = Place(mesh), draw_conditions(self.conditions, rng, mesh)
        coefficients: dict[str, Any] = {name: d.draw(rng, place) for name, d in self.coefficients.items()}
        source: Any = self.source.draw(rng, place)
        return Case(mesh, self.equation, conditions=conditions, coefficients=coefficients, source=source)


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
        "regions": {k: _distribution(v, "regions", k) for k, v in _mapping(spec, "regions").items()},
    }


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


def _condition(spec: object, name: str) -> RandomCondition | SomeOf:
    with under("conditions", name):
        return read_condition_entry(spec)


def _equation(name: object) -> Equation:
    try:
        return equation(str(name))
    except MeshopsError as error:
        raise SpecError(str(error)) from None


def _check_kinds(given: Equation, name: str, condition: RandomCondition | SomeOf) -> None:
    known = ["dirichlet", *(kind.key for kind in given.terms)]
    for kind in condition.kinds():
        if kind not in known:
            raise SpecError(f"{given.name} does not take {kind!r}; it takes {known}.", ("conditions", name, kind))
