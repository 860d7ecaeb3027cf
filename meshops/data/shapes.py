"""Where the shapes of a recipe come from: one family, or several with equal chances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from geometries.errors import SpecError, nearest
from geometries.families import FAMILIES, Family, Shape
from geometries.mesh import Mesh
from meshops.data.distributions.base import check_keys, only_entry, under

_FINER = 0.7
_PATHS = ("file", "folder", "path")  # parameters of families that are paths


@dataclass(frozen=True)
class OneOf(Family):
    """A member of one of several families, each as likely: `{one_of: [{square: {...}}, {disk: {...}}]}`."""

    name: ClassVar[str] = "one_of"
    options: tuple[Family, ...]

    def __post_init__(self) -> None:
        """Check the dimensions."""
        dims = sorted({option.dim for option in self.options})
        if len(dims) != 1:
            raise SpecError(f"families of dimensions {dims}; expected one dimension.")

    @property
    def dim(self) -> int:  # type: ignore[override]
        """The dimension of every option."""
        return self.options[0].dim

    def draw(self, rng: np.random.Generator) -> Shape:
        """Draw a family, then a shape of it."""
        option = int(rng.integers(len(self.options)))
        return {"option": option, "shape": self.options[option].draw(rng)}

    def mesh(self, shape: Shape) -> Mesh:
        """Mesh a shape by its family."""
        return self.options[shape["option"]].mesh(shape["shape"])


def finer(family: Family) -> Family | None:
    """Return the family that meshes the same shapes with shorter edges; None where it cannot."""
    return resized(family, _FINER)


def resized(family: Family, factor: float) -> Family | None:
    """Return the family that meshes the same shapes with edges `factor` times as long; None where it cannot."""
    try:
        if isinstance(family, OneOf):
            options = [resized(option, factor) or option for option in family.options]
            return None if options == list(family.options) else replace(family, options=tuple(options))
        now: int | float = getattr(family, family.resolution, 0.0)
        then: Any = round(now / factor) if isinstance(now, int) else factor * now
        return replace(family, **{family.resolution: then}) if then else None
    except (SpecError, TypeError):
        return None


def read_family(spec: object, folder: Path | None = None) -> Family:
    """Read `{name: parameters}`, a name, or `{one_of: [...]}`; paths are relative to `folder`. Raises `SpecError`."""
    name, given = (spec, {}) if isinstance(spec, str) else only_entry(spec, "a family such as {bracket: {size: 0.06}}")
    if name == OneOf.name:
        with under(name):
            return _one_of(given, folder)
    if name not in FAMILIES:
        raise SpecError(f"no family is called {name!r}; {nearest(str(name), [*FAMILIES, OneOf.name])}", (str(name),))
    with under(str(name)):
        if given is not None and not isinstance(given, Mapping):
            raise SpecError(f"found {given!r}; expected names with their values.")
        parameters = given or {}
        check_keys(parameters, [f.name for f in fields(FAMILIES[name])])
        return FAMILIES[name](**{k: _parameter(k, v, folder) for k, v in parameters.items()})


def with_files(recipe: Mapping[str, object], files: Path) -> dict[str, object]:
    """Return a recipe's plain form with its family reading `files`; raises `SpecError` where it reads no files."""
    with under("family"):
        name, given = only_entry(recipe.get("family"), "a family that reads files, such as {parts: {folder: ...}}")
        found = [key for key in _PATHS if isinstance(given, Mapping) and key in given]
        if not isinstance(given, Mapping) or not found:
            raise SpecError(f"the family {name!r} reads no files; leave out --files.")
    return {**recipe, "family": {name: {**given, found[0]: str(files.resolve())}}}


def write_family(family: Family) -> dict[str, object]:
    """Return the plain form with every default written out; `read_family` gives the family back."""
    if isinstance(family, OneOf):
        return {family.name: [write_family(option) for option in family.options]}
    return {family.name: {k: _plain(v) for k, v in asdict(family).items()}}


def _one_of(given: object, folder: Path | None) -> OneOf:
    if not isinstance(given, list | tuple) or not given:
        raise SpecError(f"found {given!r}; expected a list of families.")
    options = []
    for number, option in enumerate(given):
        with under(number):
            options.append(read_family(option, folder))
    return OneOf(tuple(options))


def _parameter(name: str, value: object, folder: Path | None) -> object:
    if folder is not None and name in _PATHS and isinstance(value, str):
        return str((folder / value).resolve())
    return tuple(value) if isinstance(value, list) else value


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
