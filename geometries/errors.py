"""Every error that a wrong input can cause, under one root.

A message says what was found, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 80  # characters of a wrong value


class MeshopsError(Exception):
    """Root of all errors that `geometries` and `meshops` raise on wrong input."""


class MeshError(MeshopsError):
    """The arrays do not form a valid mesh."""


class ReadError(MeshopsError):
    """A file cannot be read as a mesh or a shape."""


class ReaderCrashed(ReadError):
    """A native reader died, of a signal that is named, or went over a limit of time or memory."""


class WriteError(MeshopsError):
    """A mesh cannot be written in the requested format."""


class CadError(ReadError):
    """A shape cannot be read or meshed."""


class MeshingError(CadError):
    """A shape is read and does not mesh."""


class NoVolumeCells(CadError):
    """The file holds surfaces only, and a volume mesh was asked for."""


class SelectionError(MeshopsError):
    """A selector or a name matches nothing."""


class ExpressionError(MeshopsError):
    """A text is not arithmetic in x, y, z, t."""


class SpecError(MeshopsError):
    """A YAML specification is wrong at `key`, the path of keys that leads there."""

    def __init__(self, message: str, key: tuple[str | int, ...] = ()) -> None:
        """Keep the key beside the message."""
        super().__init__(message)
        self.key = key


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that ends an error: the nearest known name, or all of them."""
    names = sorted(str(k) for k in known)
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there are none."
    shown = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
    return f"known: {shown}."


def short(given: object) -> str:
    """Return `given` as an error shows it: on one line, of bounded length."""
    text = " ".join(line.strip() for line in repr(given).splitlines())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."
