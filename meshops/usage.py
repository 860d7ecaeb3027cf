"""What a wrong command line is told: from the words of the parser to one plain line."""

from __future__ import annotations

import inspect as introspect
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from geometries.errors import MeshopsError, short
from meshops.commands import Command

_WORDS = {int: "a whole number", float: "a number", Path: "a path", str: "text", bool: "no value"}
_VALUE = re.compile(r'Parser key "(?P<name>.+?)":.*(?:Given value|Got value): (?P<found>.*)', re.DOTALL)
_EXTRA = re.compile(r"argument (?P<name>\S+): ignored explicit argument '(?P<found>.*)'", re.DOTALL)
_NO_VALUE = re.compile(r"argument (?P<name>\S+): expected one argument")
_NOTHING = ("", "null", "Null", "NULL", "~")  # what YAML reads as no value
_MISSING = re.compile(r"the following arguments are required: (?P<names>.*)")


class UsageError(MeshopsError):
    """A command line is wrong."""


def kinds(function: Command) -> dict[str, Any]:
    """Return the type of each parameter of a command, those that it shares with others included."""
    parameters = introspect.signature(function, eval_str=True).parameters.values()
    out = {p.name: p.annotation for p in parameters if p.kind is not p.VAR_KEYWORD}
    for shared in (get_args(p.annotation)[0] for p in parameters if p.kind is p.VAR_KEYWORD):
        out |= get_type_hints(shared)
    return out


def check_texts(given: Sequence[str]) -> None:
    """Refuse empty arguments and YAML's nulls, which would stand for a default, and those that are not UTF-8 text."""
    for before, text in zip(("", *given), given, strict=False):
        name, equals, value = text.partition("=")
        joined = name.startswith("--") and equals == "="
        found = (value if joined else text).strip()
        if found in _NOTHING:
            option = name if joined else before
            where = f"{option}: " if option.startswith("-") else ""
            what, hint = (f"'{found}'", f" (./{found} for a file of that name)") if found else ("an empty text", "")
            raise UsageError(f"{where}found {what}; expected a value{hint}, or leave it out.")
        if not _is_text(text):
            shown = os.fsencode(text).decode("utf-8", "backslashreplace")
            raise UsageError(f"found '{shown}', which is not UTF-8 text; rename the file or folder.")


def check_numbers(given: Mapping[str, Any], function: Command) -> None:
    """Refuse numbers that are not finite."""
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(_wrong(function, name, value, "a finite number"))


def explained(said: str, function: Command | None) -> str:
    """Return what the parser said of a command's arguments as one plain line."""
    if function is None:
        return f"{said.rstrip('.')}; see meshops --help."
    if found := _VALUE.match(said):
        return _wrong(function, found["name"], found["found"])
    if found := _EXTRA.match(said):
        return _wrong(function, found["name"], found["found"], "no value")
    if found := _NO_VALUE.match(said):
        return _wrong(function, found["name"], None)
    if found := _MISSING.match(said):
        names = [_shown(function, name) for name in found["names"].split(", ")]
        said = f"{function.__name__} needs {' and '.join(names)}"
    return f"{said.rstrip('.')}; see meshops {function.__name__} --help."


def _wrong(function: Command, name: str, found: object, expected: str = "") -> str:
    name = _plain(name)
    kind = kinds(function).get(name, str)
    expected = expected or next(_WORDS[k] for k in (kind, *get_args(kind), str) if k in _WORDS)
    what = "no value" if found is None else short(found)
    return f"{_shown(function, name)}: found {what}; expected {expected}; see meshops {function.__name__} --help."


def _plain(name: str) -> str:
    """Return the parameter of an argument that the parser calls `size`, `mesh.size`, `--size` or `-o/--output`."""
    return name.rpartition(".")[2].rpartition("/")[2].lstrip("-")


def _shown(function: Command, name: str) -> str:
    """Return an argument as one types it: required ones but the output have no dashes."""
    name = _plain(name)
    own = introspect.signature(function).parameters.get(name)
    if name == "output":
        return "-o/--output"
    return name if own is not None and own.default is own.empty and own.kind is not own.VAR_KEYWORD else f"--{name}"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
