"""`Recipe`: a random distribution over cases, as one YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

import numpy as np

from geometries.errors import MeshopsError, SpecError, nearest
from geometries.families import FAMILIES, Family
from geometries.mesh import Mesh
from geometries.yaml_file import YamlFile
from meshops.data.distributions import Constant, Distribution, check_keys, only_entry, read_distribution, under
from meshops.data.random_conditions import RandomCondition, read_random_condition
from meshops.equations import Case, Equation, equation

_KEYS = ("about", "family", "equation", "coefficients", "source", "conditions")
_FOLDER = Path(__file__).resolve().parents[1] / "recipes"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A family of shapes, an equation, and distributions of what the equation needs: a distribution over cases.

    - `family` {name: parameters}, or the name alone; see `geometries.families`.
    - `equation` by name; `coefficients` {name: distribution}; `source` a distribution.
    - `conditions` {boundary: random condition}; `*` is every outer side not named. A name that ends in `?` is left out
      where a shape lacks that boundary.
    - `about` says in a line what it is for; it is no part of the recipe's identity.

    A case is made dimensionless by its equation, so any consistent units will do. Raises `SpecError` at the wrong key.
    """

    family: Family
    equation: Equation
    conditions: Mapping[str, RandomCondition]
    coefficients: Mapping[str, Distribution] = field(default_factory=dict)
    source: Distribution = field(default_factory=lambda: Constant(0.0))
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Freeze and check the names."""
        object.__setattr__(self, "conditions", MappingProxyType(dict(self.conditions)))
        object.__setattr__(self, "coefficients", MappingProxyType(dict(self.coefficients)))
        with under("coefficients"):
            check_keys(self.coefficients, [c.name for c in self.equation.coefficients])
        for name, condition in self.conditions.items():
            _check_kinds(self.equation, name, condition)

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """Read a shipped recipe by name, or a YAML file; errors name the file, the line and the key."""
        file = YamlFile.read(_find(name_or_path))
        with file.at():
            return cls.from_spec(file.data)

    @classmethod
    def from_spec(cls, spec: Mapping[str, object]) -> Recipe:
        """Read the plain form."""
        check_keys(spec, _KEYS)
        missing = [k for k in ("family", "equation", "conditions") if k not in spec]
        if missing:
            raise SpecError(f"a recipe needs {missing[0]!r}.")
        with under("equation"):
            found = _equation(spec["equation"])
        return cls(
            family=_family(spec["family"]),
            equation=found,
            coefficients={k: _distribution(v, "coefficients", k) for k, v in _mapping(spec, "coefficients").items()},
            source=_distribution(spec.get("source", 0.0), "source"),
            conditions={k: _condition(v, k) for k, v in _mapping(spec, "conditions").items()},
            about=str(spec.get("about", "")),
        )

    def to_spec(self) -> dict[str, object]:
        """Return the plain form with every default written out; `from_spec` gives the recipe back."""
        parameters = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.family).items()}
        return {
            "family": {self.family.name: parameters},
            "equation": self.equation.name,
            "coefficients": {k: v.to_spec() for k, v in self.coefficients.items()},
            "source": self.source.to_spec(),
            "conditions": {k: v.to_spec() for k, v in self.conditions.items()},
        }

    def draw(self, rng: np.random.Generator) -> Case:
        """Draw a shape and mesh it, then a case on it. All randomness comes from `rng`."""
        mesh = self.family.sample(rng)
        return Case(
            mesh,
            self.equation,
            conditions={n.removesuffix("?"): c.draw(rng, mesh) for n, c in self.conditions.items() if _has(mesh, n)},
            coefficients={name: d.draw(rng, mesh) for name, d in self.coefficients.items()},
            source=self.source.draw(rng, mesh),
        )


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


def _has(mesh: Mesh, name: str) -> bool:
    return not name.endswith("?") or name.removesuffix("?") in mesh.boundaries


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


def _condition(spec: object, name: str) -> RandomCondition:
    with under("conditions", name):
        return read_random_condition(spec)


def _equation(name: object) -> Equation:
    try:
        return equation(str(name))
    except MeshopsError as error:
        raise SpecError(str(error)) from None


def _family(spec: object) -> Family:
    with under("family"):
        name, given = (
            (spec, {}) if isinstance(spec, str) else only_entry(spec, "a family such as {bracket: {size: 0.06}}")
        )
        if name not in FAMILIES:
            raise SpecError(f"no family is called {name!r}; {nearest(str(name), FAMILIES)}", (str(name),))
        with under(str(name)):
            parameters = _names(given)
            check_keys(parameters, [f.name for f in fields(FAMILIES[name])])
            return FAMILIES[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()})


def _check_kinds(given: Equation, name: str, condition: RandomCondition) -> None:
    known = ["dirichlet", *(kind.key for kind in given.terms)]
    for kind in condition.kinds():
        if kind not in known:
            raise SpecError(f"{given.name} does not take {kind!r}; it takes {known}.", ("conditions", name, kind))
