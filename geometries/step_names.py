"""Names of faces in STEP files: the first argument of ADVANCED_FACE, which gmsh neither writes nor reads.

gmsh numbers the faces of an imported file in the order of the file's solids, shells and faces, so names are matched by
that order, and only where the number of faces and the kind of every surface agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from geometries.errors import CadError

_STATEMENT = re.compile(r"#(\d+)\s*=\s*([A-Z0-9_]+)\s*\(([^;']*+(?:'[^']*+'[^;']*+)*+);")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NAMED = re.compile(r"ADVANCED_FACE\s*\(\s*'[^']")
_NUMBER = re.compile(r"#\d+")
_SOLIDS = ("MANIFOLD_SOLID_BREP", "BREP_WITH_VOIDS", "SHELL_BASED_SURFACE_MODEL")
_SHELLS = ("CLOSED_SHELL", "OPEN_SHELL", "ORIENTED_CLOSED_SHELL")
_KINDS = {
    "PLANE": "Plane",
    "CYLINDRICAL_SURFACE": "Cylinder",
    "CONICAL_SURFACE": "Cone",
    "SPHERICAL_SURFACE": "Sphere",
    "TOROIDAL_SURFACE": "Torus",
}


@dataclass(frozen=True)
class Face:
    """An ADVANCED_FACE: its name, and gmsh's word for its surface ("" for those that the kernel may convert)."""

    name: str
    kind: str


def has_names(text: str) -> bool:
    """Whether a STEP text names any face."""
    return _NAMED.search(text) is not None


def faces(text: str) -> list[Face]:
    """Return the faces of a STEP text by solid, shell and place."""
    entities = {number: (kind, given) for number, kind, given in _STATEMENT.findall(text)}
    found = []
    for number in _in_shells(entities):
        _, given = entities[number]
        surface = entities.get((_references(given) or [""])[-1], ("", ""))[0]
        found.append(Face(_decoded(_STRING.match(given.strip())), _KINDS.get(surface, "")))
    return found


def face_names(model: ModuleType, text: str) -> dict[int, str]:
    """Return {tag: name} of the faces of gmsh's `model`, imported from a STEP text; {} where they cannot be told.

    A name that every face has, and entity numbers, are the exporter's and say nothing: they are left out.
    """
    tags = [tag for _, tag in model.getEntities(2)]
    listed = faces(text) if has_names(text) else []
    if len(listed) != len(tags) or len({face.name for face in listed}) < 2:
        return {}
    pairs = list(zip(tags, listed, strict=True))
    if any(face.kind and face.kind != model.getType(2, tag) for tag, face in pairs):
        return {}
    return {tag: face.name for tag, face in pairs if face.name and not _NUMBER.fullmatch(face.name)}


def with_names(text: str, names: Sequence[str]) -> str:
    """Return the STEP text with its faces named, in the order of `faces`; raises `CadError` if the numbers differ."""
    entities = {number: (kind, given) for number, kind, given in _STATEMENT.findall(text)}
    order = list(_in_shells(entities))
    if len(order) != len(names) or not all(name.isascii() for name in names):
        raise CadError(f"{len(names)} names for {len(order)} faces; expected one each, in ASCII.")
    quoted = {number: name.replace("'", "''") for number, name in zip(order, names, strict=True)}
    return re.sub(
        r"(#(\d+)\s*=\s*ADVANCED_FACE\s*\(\s*)'(?:[^']|'')*'", lambda m: f"{m[1]}'{quoted.get(m[2], '')}'", text
    )


def _in_shells(entities: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Yield the numbers of the faces of every solid, each shell's in its own order."""
    for number, (kind, _) in entities.items():
        if kind in _SOLIDS:
            yield from _below(entities, number, 3)


def _below(entities: dict[str, tuple[str, str]], number: str, levels: int) -> Iterator[str]:
    """Yield the faces at most `levels` (solid, oriented shell, shell) below an entity."""
    kind, given = entities.get(number, ("", ""))
    if kind == "ADVANCED_FACE":
        yield number
    elif levels and kind in _SOLIDS + _SHELLS:
        for reference in _references(given):
            yield from _below(entities, reference, levels - 1)


def _references(given: str) -> list[str]:
    return re.findall(r"#(\d+)", _STRING.sub("", given))


def _decoded(match: re.Match[str] | None) -> str:
    """Return a STEP string as text: quotes doubled, other characters in hexadecimal."""
    if match is None:
        return ""
    text = re.sub(r"\\X\\([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), match[1].replace("''", "'"))
    return re.sub(r"\\X2\\((?:[0-9A-F]{4})+)\\X0\\", lambda m: bytes.fromhex(m[1]).decode("utf-16-be", "replace"), text)
