"""Names of faces in STEP files: the first argument of ADVANCED_FACE, which gmsh neither writes nor reads.

gmsh numbers the faces of a solid in the order of its shells and faces, so names are matched by that order, and only
where the number of faces and the kind of every surface agree. The order of solids is the assembly's and not the text's:
which solid is which is told by its colour in a copy of the text, `painted`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from geometries.errors import CadError

Entities: TypeAlias = dict[str, tuple[str, str]]  # {number: (kind, arguments)}
_STATEMENT = re.compile(r"#(\d+)\s*=\s*([A-Z0-9_]+)\s*\(([^;']*+(?:'[^']*+'[^;']*+)*+);")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NAMED = re.compile(r"ADVANCED_FACE\s*\(\s*'[^']")
_NUMBER = re.compile(r"#\d+")
_SOLIDS = ("MANIFOLD_SOLID_BREP", "BREP_WITH_VOIDS", "SHELL_BASED_SURFACE_MODEL")
_STYLES = ("STYLED_ITEM", "OVER_RIDING_STYLED_ITEM", "MECHANICAL_DESIGN_GEOMETRIC_PRESENTATION_REPRESENTATION")
_LEVELS = 64  # of a colour's red, green and blue: few enough to survive rounding
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


def solids(text: str) -> list[list[Face]]:
    """Return the faces of each solid, and each model of surfaces, of a STEP text by shell and place."""
    entities = _entities(text)
    return [[_face(entities, number) for number in numbers] for numbers in _in_shells(entities).values()]


def _face(entities: Entities, number: str) -> Face:
    _, given = entities[number]
    surface = entities.get((_references(given) or [""])[-1], ("", ""))[0]
    return Face(_decoded(_STRING.match(given.strip())), _KINDS.get(surface, ""))


def painted(text: str) -> str:
    """Return the STEP text with the colour of each of its `solids` its place among them, and nothing else coloured."""
    entities = _entities(text)
    start = max(map(int, entities), default=0)
    styles, items = [], []
    for place, solid in enumerate(_in_shells(entities)):
        n, color = start + 8 * place, ",".join(f"{c / (_LEVELS - 1):.9f}" for c in _channels(place))
        styles.append(
            f"#{n + 1}=COLOUR_RGB('',{color});#{n + 2}=FILL_AREA_STYLE_COLOUR('',#{n + 1});"
            f"#{n + 3}=FILL_AREA_STYLE('',(#{n + 2}));#{n + 4}=SURFACE_STYLE_FILL_AREA(#{n + 3});"
            f"#{n + 5}=SURFACE_SIDE_STYLE('',(#{n + 4}));#{n + 6}=SURFACE_STYLE_USAGE(.BOTH.,#{n + 5});"
            f"#{n + 7}=PRESENTATION_STYLE_ASSIGNMENT((#{n + 6}));#{n + 8}=STYLED_ITEM('',(#{n + 7}),#{solid});\n"
        )
        items.append(f"#{n + 8}")
    styles.append(f"#{start + 8 * len(items) + 1}={_STYLES[-1]}('',({','.join(items)}),$);\n")
    bare = _STATEMENT.sub(lambda m: "" if m[2] in _STYLES else m[0], text)
    body, end, rest = bare.rpartition("ENDSEC")
    return f"{body}{''.join(styles)}{end}{rest}"


def _channels(place: int) -> tuple[int, int, int]:
    return place // _LEVELS**2 % _LEVELS, place // _LEVELS % _LEVELS, place % _LEVELS


def _places(model: ModuleType, text: str, count: int) -> list[int | None]:
    """Return which of the `count` solids of a STEP text each solid of the model is; None where that is not told."""
    own, shapes = model.getCurrent(), model.getEntities(3)
    if len(shapes) < 2:
        return [None] * len(shapes)
    copy = Path("painted.step").absolute()
    copy.write_text(painted(text), "utf-8")
    model.add("painted")
    model.occ.importShapes(str(copy), highestDimOnly=False)
    model.occ.synchronize()
    told = {tag: _place(model.getColor(3, tag)) for _, tag in model.getEntities(3)}
    model.remove()
    model.setCurrent(own)
    return [place if (place := told.get(tag, count)) < count else None for _, tag in shapes]


def _place(color: Sequence[int]) -> int:
    """Return the place that the colour (red, green, blue, alpha) of a `painted` solid tells; a high one if none."""
    red, green, blue = (round(c * (_LEVELS - 1) / 255) for c in color[:3])
    return (red * _LEVELS + green) * _LEVELS + blue if color[3] else _LEVELS**3


def face_names(model: ModuleType, text: str) -> dict[int, str]:
    """Return {tag: name} of the faces of gmsh's `model`, imported from a STEP text; {} where they cannot be told.

    Faces of no solid, and of solids that are not told apart, are matched by their order. A name that every face has,
    and entity numbers, are the exporter's and say nothing: they are left out. Writes to the current folder.
    """
    listed = solids(text) if has_names(text) else []
    if len({face.name for part in listed for face in part}) < 2:
        return {}
    places = _places(model, text, len(listed))
    parts = [(sorted(model.getAdjacencies(3, tag)[1].tolist()), listed[place])
             for (_, tag), place in zip(model.getEntities(3), places, strict=True) if place is not None]  # fmt: skip
    told = {tag for tags, _ in parts for tag in tags}
    parts.append(([tag for _, tag in model.getEntities(2) if tag not in told],
                  [face for i, part in enumerate(listed) if i not in places for face in part]))  # fmt: skip
    if any(len(tags) != len(own) for tags, own in parts):
        return {}
    pairs = [pair for tags, own in parts for pair in zip(tags, own, strict=True)]
    if any(face.kind and face.kind != model.getType(2, tag) for tag, face in pairs):
        return {}
    return {tag: face.name for tag, face in pairs if face.name and not _NUMBER.fullmatch(face.name)}


def with_names(text: str, names: Sequence[str]) -> str:
    """Return the STEP text with its faces named, in the order of `solids`; raises `CadError` if the numbers differ."""
    order = [face for own in _in_shells(_entities(text)).values() for face in own]
    if len(order) != len(names) or not all(name.isascii() for name in names):
        raise CadError(f"{len(names)} names for {len(order)} faces; expected one each, in ASCII.")
    quoted = {number: name.replace("'", "''") for number, name in zip(order, names, strict=True)}
    return re.sub(
        r"(#(\d+)\s*=\s*ADVANCED_FACE\s*\(\s*)'(?:[^']|'')*'", lambda m: f"{m[1]}'{quoted.get(m[2], '')}'", text
    )


def _entities(text: str) -> Entities:
    return {number: (kind, given) for number, kind, given in _STATEMENT.findall(text)}


def _in_shells(entities: Entities) -> dict[str, list[str]]:
    """Return {number of a solid: those of its faces, each shell's in its own order}."""
    return {n: list(_below(entities, n, 3)) for n, (kind, _) in entities.items() if kind in _SOLIDS}


def _below(entities: Entities, number: str, levels: int) -> Iterator[str]:
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
