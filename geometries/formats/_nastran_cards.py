"""The cards of a Nastran bulk data deck: free, small (8 columns) and large (16 columns) fields, as one array."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError
from geometries.formats._text import Floats, Ints, numbers

Words = NDArray[np.bytes_]
_COLUMNS, _FIELDS, _WIDE_FIELDS = 80, 8, 4


@dataclass(frozen=True, eq=False)
class Cards:
    """Cards by name; the fields of card i, past its name, are `fields[start[i] : start[i + 1]]`, without blanks.

    `replicated` tells whether the deck makes cards from those before them.
    """

    names: Words
    fields: Words
    start: Ints
    replicated: bool = False

    def of(self, *names: str) -> Ints:
        """Return the numbers of the cards that have one of these names."""
        return np.flatnonzero(np.isin(self.names, [name.encode() for name in names]))

    def words(self, at: Ints, first: int, count: int) -> Words:
        """Return (len(at), count) fields of the cards `at`, from the field `first` (0 follows the name)."""
        place = self.start[at][:, None] + np.arange(first, first + count)
        inside = place < self.start[at + 1][:, None]
        return np.where(inside, self.fields[np.minimum(place, len(self.fields) - 1)], b"")

    def integers(self, at: Ints, first: int, count: int) -> Ints:
        """Return (len(at), count) whole numbers; 0 where a field is blank."""
        return whole(self.words(at, first, count))

    def reals(self, at: Ints, first: int, count: int) -> Floats:
        """Return (len(at), count) numbers, also in Nastran's notation without an E; 0 where a field is blank."""
        words = self.words(at, first, count)
        text = b"\n".join(np.where(words == b"", b"0", words).ravel().tolist())
        text = re.sub(rb"(?<=[\d.])([-+])(?=\d)", rb"e\1", text)
        found = numbers(text, "the deck")
        if found.size != words.size:
            raise ReadError("the deck holds two numbers in one field; it is damaged.")
        return found.reshape(len(at), count)

    def rest(self, at: Ints, first: int) -> tuple[Ints, Words]:
        """Return the fields from `first` that are not blank, of all cards `at`: positions in `at` (sorted), fields."""
        owner = np.repeat(np.arange(len(self.names)), np.diff(self.start))
        fields = self.fields[: len(owner)]
        place = np.arange(len(owner)) - self.start[owner]
        wanted = np.isin(owner, at) & (place >= first) & (fields != b"")
        return np.searchsorted(at, owner[wanted]), fields[wanted]


def whole(words: Words) -> Ints:
    """Return the whole numbers that `words` are; 0 for blank ones."""
    try:
        return np.where(words == b"", b"0", words).astype(np.int64)
    except (ValueError, OverflowError) as error:
        raise ReadError(f"the deck holds what is no whole number ({str(error)[:80]}); it is damaged.") from None


def cards(text: bytes) -> Cards:
    """Return the cards of a deck's bulk data, in capitals; comments are left out."""
    text = re.sub(rb"\$[^\n]*", b"", text.replace(b"\r", b"").expandtabs(_FIELDS)).upper()
    begin = re.search(rb"^ *BEGIN +BULK[^\n]*$", text, re.MULTILINE)
    text = text[begin.end() :] if begin else text
    end = re.search(rb"^ *ENDDATA", text, re.MULTILINE)
    bulk = [line for line in text[: end.start() if end else None].split(b"\n") if line.strip()]
    lines = np.array(bulk or [b""], dtype=f"S{_COLUMNS}")  # cuts longer ones
    head, wide, data = _fields(lines)
    first = np.char.isalpha(head.astype("S1"))
    known = np.cumsum(first) > 0
    head, wide, data, first = head[known], wide[known], data[known], first[known]
    widths = np.where(wide, _WIDE_FIELDS, _FIELDS)
    starts = np.append(0, np.cumsum(widths))
    fields = data[np.arange(_FIELDS) < widths[:, None]]
    names = np.char.strip(head[first], b" *")
    replicated = bool(np.char.startswith(head, b"=").any())
    return Cards(names, np.append(fields, b""), np.append(starts[:-1][first], starts[-1]), replicated)


def _fields(lines: Words) -> tuple[Words, NDArray[np.bool_], Words]:
    """Return the first field of each line, whether its fields are wide, and its (n, 8) fields."""
    free = np.char.find(lines, b",") >= 0
    letters = np.frombuffer(lines.tobytes(), np.uint8).reshape(len(lines), _COLUMNS)
    letters = np.where(letters == 0, ord(" "), letters).astype(np.uint8)
    head = _cut(letters[:, :_FIELDS], 1)[:, 0]
    if free.any():  # numpy splits no empty arrays
        head[free] = np.char.partition(lines[free], b",")[:, 0]
    head = np.char.strip(head)
    wide = np.char.find(head, b"*") >= 0
    data = np.zeros((len(lines), _FIELDS), dtype="S16")
    small = ~free & ~wide
    data[small] = _cut(letters[small, 8:72], _FIELDS)
    data[~free & wide, :_WIDE_FIELDS] = _cut(letters[~free & wide, 8:72], _WIDE_FIELDS)
    commas = np.char.count(lines, b",")
    for count in np.unique(commas[free]):
        at = np.flatnonzero(free & (commas == count))
        words = np.array(b",".join(lines[at].tolist()).split(b",")).reshape(len(at), count + 1)[:, 1 : _FIELDS + 1]
        data[at, : words.shape[1]] = words
    return head, wide, np.char.strip(data)


def _cut(letters: NDArray[np.uint8], count: int) -> Words:
    """Return (n, count) pieces of equal width of (n, columns) letters."""
    width = letters.shape[1] // count
    return np.ascontiguousarray(letters).view(f"S{width}").reshape(len(letters), count)
