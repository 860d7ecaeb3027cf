"""Damage to files at random, and reading of what comes out in a process that is meant to bear it.

`attempt` runs in a child process that answers thousands of calls: the calls to children of its own, which a reader
makes, are made there instead. A crash of it is the reader's.
"""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from geometries import cad, child
from geometries.errors import MeshopsError, ReadError
from geometries.formats import FORMATS, inspect

ATTEMPT = f"{__name__}:attempt"
READERS = {e: f.name for f in FORMATS.values() if f.read for e in f.extensions}
_NUMBER = re.compile(rb"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:[eEdD][-+]?\d+)?")
_TEXTS = ["-1", "0", "nan", "inf", "1e999", "-7.5", "2147483648", "4294967295", "10000000000", "9" * 25, "x", ""]
_EXTREMES = [-1, 0, 1, 127, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 10**10, 2**63 - 1]
_OWN = ("su2", "unv", "nastran", "medit")  # readers in a child process that are ours: they raise our errors only


# -- damage ------------------------------------------------------------------------------------------------------------
def damaged(content: bytes, rng: np.random.Generator, command: bytes) -> bytes:
    """Return the content with some kinds of damage, one mostly; `command` is a line whose run would be seen."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        kind = _KINDS[rng.integers(len(_KINDS))]
        content = kind(content, rng) if kind is not _command else _command(content, rng, command)
    return content or b"\n"


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    array = np.frombuffer(content, np.uint8).copy()
    at = rng.integers(0, max(len(array), 1), min(len(array), rng.integers(1, 9)))
    array[at] = rng.integers(0, 256, len(at))
    return array.tobytes()


def _binary_number(content: bytes, rng: np.random.Generator) -> bytes:
    value = _EXTREMES[rng.integers(len(_EXTREMES))]
    size, order = (4, 8)[rng.integers(2)], ("little", "big")[rng.integers(2)]
    at = rng.integers(0, len(content) + 1)
    if rng.random() < 0.3:
        return content[:at] + np.array([np.nan, np.inf, -1e300])[rng.integers(3)].tobytes() + content[at + 8 :]
    return content[:at] + (value % 2 ** (8 * size)).to_bytes(size, order) + content[at + size :]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return _binary_number(content, rng)
    at = found[rng.integers(len(found))]
    return content[: at.start()] + _TEXTS[rng.integers(len(_TEXTS))].encode() + content[at.end() :]


def _lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    i, j = rng.integers(0, len(lines), 2)
    change = rng.integers(3)
    if change == 0:
        del lines[i]
    elif change == 1:
        lines.insert(j, lines[i])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def _chunk(content: bytes, rng: np.random.Generator) -> bytes:
    a, b = sorted(rng.integers(0, len(content) + 1, 2))
    b = min(b, a + 200)
    return content[:b] + content[a:] if rng.random() < 0.5 else content[:a] + content[b:]


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(0, len(content) + 1)]


def _command(content: bytes, rng: np.random.Generator, command: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.insert(rng.integers(0, min(len(lines), 12) + 1), command)
    return b"".join(lines)


_KINDS: list[Callable[..., bytes]] = [_bytes, _binary_number, _number, _number, _lines, _chunk, _cut, _command]


# -- the child's side --------------------------------------------------------------------------------------------------
class _Here:
    """Stands for `geometries.child.Child`: makes the calls in this process."""

    def __enter__(self) -> "_Here":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @staticmethod
    def call(function: str, values: dict, **_: float) -> dict:
        """Do as a child would: what a native reader raises is a `ReadError`."""
        module, _, name = function.partition(":")
        run = getattr(importlib.import_module(module), name)
        try:
            return run(**values)
        except MeshopsError:
            raise
        except MemoryError:
            raise ReadError("the reader needed too much memory") from None
        except (Exception, SystemExit) as error:
            if module.rsplit(".", 1)[-1] in _OWN:
                raise
            raise ReadError(f"the reader failed: {type(error).__name__}") from None


def calls_stay_here() -> None:
    """Let readers run in this process, and not in children of their own."""
    for module in [m for n, m in sys.modules.items() if n.startswith("geometries.") and n != child.__name__]:
        if getattr(module, "call", None) is child.call:
            module.call = _Here.call
    cad.Child = _Here


def attempt(path: str, contents: dict, options: dict) -> dict:
    """Write files into the current folder and read the one at `path` by `options`; return its cells or its error.

    Raises what is neither a mesh nor an error of ours.
    """
    calls_stay_here()
    for name, content in contents.items():
        Path(name).write_bytes(content.tobytes())
    try:
        mesh = inspect(Path(path).absolute(), **options).mesh
    except MeshopsError as error:
        return {"error": str(error)}
    sound = bool(np.isfinite(mesh.points).all() and (mesh.measure > 0).all())
    return {"error": "", "cells": mesh.num_cells, "sound": sound}
