"""Text files as arrays: numbers of ragged lines, records that follow one another, tables to text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLANK, _NEWLINE = 32, 10
_WHOLE = 2.0**53  # beyond it float64 does not tell integers apart


def numbers(text: bytes, what: str) -> Floats:
    """Return all numbers in a text, in C's or Fortran's notation; raises `ReadError` that names `what`."""
    words = re.sub(rb"(?<=[\d.])[dD](?=[-+\d])", b"e", text).split()
    try:
        return np.array(words, dtype=np.float64)
    except ValueError as error:
        raise ReadError(f"{what} holds what is no number ({str(error)[:80]}); the file is damaged.") from None


def integers(values: Floats, what: str) -> Ints:
    """Return whole numbers as integers; raises `ReadError` that names `what` for others."""
    with np.errstate(invalid="ignore"):
        whole = (np.abs(values) < _WHOLE) & (values == np.floor(values))
    if not whole.all():
        raise ReadError(f"{what} holds {values[~whole][0]:g}; expected whole numbers.")
    return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Rows:
    """The numbers of lines that are not blank: those of line i are `values[start[i] : start[i + 1]]`."""

    values: Floats
    start: Ints
    what: str

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.start) - 1

    @property
    def widths(self) -> Ints:
        """(n,) numbers on each line."""
        return np.diff(self.start)

    def table(self, at: Ints, columns: int, *, skip: int = 0) -> Floats:
        """Return (len(at), columns) numbers of the lines `at`, past the first `skip`; raises `ReadError` if too few."""
        if len(at) and self.widths[at].min() < skip + columns:
            raise ReadError(f"{self.what} has a line of {self.widths[at].min()} numbers; expected {skip + columns}.")
        return self.values[self.start[at][:, None] + np.arange(skip, skip + columns)]


def rows(text: bytes, what: str) -> Rows:
    """Return the numbers in a text, line by line."""
    letters = np.frombuffer(text, np.uint8)
    blank = letters <= _BLANK
    words = np.flatnonzero(~blank & np.append(True, blank[:-1])) if len(letters) else np.empty(0, np.int64)
    line = np.searchsorted(np.flatnonzero(letters == _NEWLINE), words)
    count = np.bincount(line)
    return Rows(numbers(text, what), np.append(0, np.cumsum(count[count > 0])), what)


def chain(lengths: Ints) -> Ints:
    """Return where records begin that follow one another from 0, if one that begins at i is `lengths[i]` long.

    Pointer doubling: as many steps as the number of records has binary digits.
    """
    size = len(lengths)
    jump = np.append(np.minimum(np.arange(size) + np.maximum(lengths, 1), size), size)
    starts = np.zeros(1, np.int64)
    while starts[-1] < size:
        starts = np.concatenate([starts, jump[starts]])
        jump = jump[jump]
    return starts[starts < size]


def places(labels: Ints, wanted: Ints) -> Ints:
    """Return where `wanted` stand among the labels of nodes; raises `ReadError` for one that is not there."""
    order = np.argsort(labels, kind="stable")
    found = order[np.minimum(np.searchsorted(labels, wanted, sorter=order), len(labels) - 1)]
    missing = labels[found] != wanted
    if missing.any():
        raise ReadError(f"{missing.any(-1).sum()} cells refer to nodes that the file does not hold; it is damaged.")
    return found


def lines(form: str, table: NDArray[np.generic]) -> bytes:
    """Return each row of `table` in the %-format `form`, a line each."""
    return ((form + "\n") * len(table) % tuple(table.ravel().tolist())).encode()
