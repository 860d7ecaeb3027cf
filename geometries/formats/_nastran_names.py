"""The names of properties and components that preprocessors put into a deck's comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from geometries.formats._text import Ints

_COMPONENT = re.compile(rb'^\$HMNAME +COMPS? +(\d+) *"([^"\n]*)" *(\d*)', re.MULTILINE)
_MEMBERS = re.compile(rb"^\$HMMOVE +(\d+)[^\n]*\n((?:\$ +\d[^\n]*\n?)*)", re.MULTILINE)
_RANGE = re.compile(rb"(\d+) *(?:THRU *(\d+))?")
_PROPERTIES = (
    rb'^\$HMNAME +PROPS? +(\d+) *"([^"\n]*)"',
    rb"^\$ANSA_NAME_COMMENT;(\d+);P\w+;([^;\n]*);",
    rb"^\$ *Femap[^\n]*Property +(\d+) *: *([^\n]*)",
)


class Component(NamedTuple):
    """A component of HyperMesh's: its names, the number of its property, (n, 2) first and last label of elements.

    Without a property of its own its number is that of one.
    """

    names: list[str]
    property: int
    elements: Ints


def components(text: bytes) -> dict[int, Component]:
    """Return the components of a deck by number: `$HMNAME COMP 1"name" 4`, and `$HMMOVE 1` before lines of labels."""
    out: dict[int, Component] = {}
    members = {int(number): lines for number, lines in _MEMBERS.findall(text)}
    for number, name, of in _COMPONENT.findall(text):
        known = out.get(int(number))
        ranges = _ranges(members.get(int(number), b""))
        names = [*(known.names if known else []), *_decoded(name)]
        out[int(number)] = Component(names, int(of or number), ranges)
    return out


def _ranges(lines: bytes) -> Ints:
    """Return the ranges in lines of fields of 8 columns, which may touch one another."""
    cut = [line[i : i + 8] for line in lines.split(b"\n") for i in range(8, len(line), 8)]
    found = [(int(first), int(last or first)) for first, last in _RANGE.findall(b" ".join(cut))]
    return np.array(found, np.int64).reshape(-1, 2)


def property_names(text: bytes, parts: Mapping[int, Component]) -> dict[int, list[str]]:
    """Return the names of properties; those of the components that list no elements of their own come first."""
    out: dict[int, list[str]] = {}
    for part in parts.values():
        if not len(part.elements):
            out.setdefault(part.property, []).extend(part.names)
    for pattern in _PROPERTIES:
        found: dict[int, list[str]] = {}
        for number, name in re.findall(pattern, text, re.MULTILINE):
            found.setdefault(int(number), []).extend(_decoded(name))
        out = found | out
    return out


def _decoded(name: bytes) -> list[str]:
    text = name.decode(errors="replace").strip()
    return [text] if text else []
