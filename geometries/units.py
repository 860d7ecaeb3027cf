"""Units of length: their sizes, and the ones that STEP and IGES files are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geometries.errors import ReadError, nearest

if TYPE_CHECKING:
    from geometries.build import Reading

METRES = {
    "m": 1.0, "mm": 1e-3, "cm": 1e-2, "dm": 1e-1, "km": 1e3, "um": 1e-6, "nm": 1e-9,
    "in": 0.0254, "ft": 0.3048, "yd": 0.9144, "mi": 1609.344, "mil": 2.54e-5, "uin": 2.54e-8,
}  # fmt: skip
_PREFIXES = {"": "m", "MILLI": "mm", "CENTI": "cm", "DECI": "dm", "KILO": "km", "MICRO": "um", "NANO": "nm"}
_NAMES = {"INCH": "in", "FOOT": "ft", "YARD": "yd", "MILE": "mi", "MIL": "mil", "MICROINCH": "uin"}
_NAMES |= {f"{prefix}MET{end}": unit for prefix, unit in _PREFIXES.items() for end in ("RE", "ER")}
_IGES = ("in", "mm", "", "ft", "mi", "m", "km", "mil", "um", "cm", "uin")  # by flag, from 1; 3: as the file names it
_IGES_NAMES = {"IN": "in", "INCH": "in", "FT": "ft", "MI": "mi", "UM": "um", "UIN": "uin", "MIL": "mil"}
_IGES_NAMES |= {"MM": "mm", "CM": "cm", "M": "m", "KM": "km"}
_FLAG, _NAME = 13, 14  # places in the global section


class UnitError(ReadError):
    """A unit of length that is not known, or that a file does not tell; `key` is where a case file has it."""

    key = ("unit",)


def factor(wanted: str, known: str | None) -> tuple[float, str]:
    """Return the number to multiply lengths by, and the unit that they have then.

    `wanted` is a unit such as `m`, or `mm:m` where the file does not tell its own, `known`. Raises `UnitError`.
    """
    before, colon, after = wanted.partition(":")
    start, end = (before, after) if colon else (known, before)
    for unit in (end, start):
        if unit is not None and unit not in METRES:
            raise UnitError(f"unknown unit {unit!r}; {nearest(unit, METRES)}")
    if start is None:
        raise UnitError(f"the file does not tell its unit of length; say both, such as mm:{end} for a file in mm.")
    return (1.0 if start == end else METRES[start] / METRES[end]), end


def converted(reading: Reading, wanted: str) -> Reading:
    """Return a reading, with the conditions of its deck, in another unit of length; `wanted` as in `factor`."""
    scale, unit = factor(wanted, reading.unit)
    if scale == 1:
        return replace(reading, unit=unit)
    loads = reading.loads.scaled(scale) if reading.loads else None
    return replace(reading, mesh=reading.mesh.scaled(scale), unit=unit, loads=loads)


def of_cad(file: Path) -> str | None:
    """Return the unit that a STEP or IGES file is written in, None where it tells none that is known."""
    if file.suffix.lower() in (".step", ".stp"):
        return of_step(file.read_text("latin-1"))
    return of_iges(file.read_text("latin-1")) if file.suffix.lower() in (".iges", ".igs") else None


def of_step(text: str) -> str | None:
    """Return the unit of length of a STEP text: that of its first context that assigns units."""
    context = re.search(r"GLOBAL_UNIT_ASSIGNED_CONTEXT\s*\(\s*\(([^)]*)\)", text)
    for number in re.findall(r"#(\d+)", context[1]) if context else []:
        found = re.search(rf"#{number}\s*=\s*\(([^;]*);", text)
        if found and "LENGTH_UNIT" in found[1]:
            return _length_unit(found[1])
    return None


def _length_unit(given: str) -> str | None:
    metric = re.search(r"SI_UNIT\s*\(\s*(?:\.(\w+)\.|\$)\s*,\s*\.METRE\.", given)
    if metric:
        return _PREFIXES.get(metric[1] or "")
    other = re.search(r"CONVERSION_BASED_UNIT\s*\(\s*'([^']*)'", given)
    return _NAMES.get(other[1].strip().upper()) if other else None


def of_iges(text: str) -> str | None:
    """Return the unit of length of an IGES text: entries 14 and 15 of its global section."""
    lines = re.findall(r"^(.{72})G", text, re.MULTILINE)
    entries = list(_iges_entries("".join(lines)))
    if len(entries) <= _FLAG or not entries[_FLAG].strip().isdigit():
        return None
    flag = int(entries[_FLAG])
    if flag == 3:
        return _IGES_NAMES.get(entries[_NAME].strip().upper()) if len(entries) > _NAME else None
    return _IGES[flag - 1] if 1 <= flag <= len(_IGES) else None


def _iges_entries(section: str) -> Iterator[str]:
    """Yield the entries of a global section: texts are counted, as in `3Hm,m`; the first two are the delimiters."""
    at, delimiter, end, first = 0, ",", ";", True
    while at < len(section):
        counted = re.compile(r"\s*(\d+)H").match(section, at)
        if counted:
            at = counted.end()
            entry = section[at : at + int(counted[1])]
            at += len(entry)
        else:
            stop = min(i if i >= 0 else len(section) for i in (section.find(delimiter, at), section.find(end, at)))
            entry = section[at:stop]
            at = stop
        yield entry
        delimiter = entry.strip() if first and entry.strip() else delimiter
        first = False
        if section[at : at + 1] != delimiter:
            return
        at += 1
