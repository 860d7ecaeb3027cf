"""The text of an Abaqus or CalculiX deck: keyword lines, and the data lines below each.

Only files in the deck's own folder are included. Nothing is allocated by a number that the deck states.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError, short
from geometries.files import existing
from geometries.formats._text import rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]
LARGEST = 2**31  # bytes, included files too
_DEEPEST, _MOST_FILES = 10, 1000  # of included files
_MOST_CARDS = 1_000_000
_LONGEST_FIELD = 256
_MOST_FIELDS = 2**30  # bytes of a table of text
_LISTS = ("NODE", "ELEMENT", "NSET", "ELSET", "SURFACE", "BOUNDARY")  # whose lines may be those of a file, by INPUT=
_STAR = re.compile(r"^[ \t]*\*[^\n]*", re.MULTILINE)
_OPTION = re.compile(r"[ \t]*\n(?![ \t]*[-+.\d])([^\n=,*]+=[^\n]*)")
_NAME = re.compile(r"\*\* name of (\S+): (.*)")
_EMPTY_FIELD = re.compile(r"(?<=,)[ \t]*(?=,)")
_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True, eq=False)
class Card:
    """A keyword in capitals without blanks, its options (keys in capitals), the data lines, and where it stands."""

    keyword: str
    options: Mapping[str, str]
    text: str
    where: str

    def error(self, message: str) -> ReadError:
        """Return an error that names this place."""
        return ReadError(f"{self.where}: *{self.keyword}: {message}")


@dataclass(frozen=True, eq=False)
class Deck:
    """The cards in order, and names that a label (in capitals) stands for; None: the set has no name of its own."""

    cards: tuple[Card, ...]
    names: Mapping[str, str | None]


def read_deck(path: Path) -> Deck:
    """Return the cards of a deck and of the files that it includes; raises `ReadError`."""
    names: dict[str, str | None] = {}
    cards = tuple(itertools.islice(_cards((path,), path.parent, names, []), _MOST_CARDS + 1))
    if len(cards) > _MOST_CARDS:
        raise ReadError(f"{path.name} has more than {_MOST_CARDS} keyword lines; that is no deck.")
    return Deck(cards, names)


def name_comment(label: str, name: str | None) -> str:
    """Return the comment line that tells which name a label stands for."""
    return f"** name of {label}: {json.dumps(name, ensure_ascii=False)}\n"


def _cards(trail: tuple[Path, ...], folder: Path, names: dict[str, str | None], read: list[int]) -> Iterator[Card]:
    for card in _own_cards(trail[-1], names, read):
        if card.keyword == "INCLUDE":
            yield from _cards((*trail, _included(card, trail, folder)), folder, names, read)
        elif card.keyword in _LISTS and "INPUT" in card.options:
            lines = _text(_included(card, trail, folder), read)
            yield replace(card, text=_STAR.sub("", lines) + card.text)
        else:
            yield card


def _own_cards(path: Path, names: dict[str, str | None], read: list[int]) -> Iterator[Card]:
    text = _text(path, read)
    head, data, line, seen = "", [], 1, 0
    starts = _STAR.finditer(text)
    at = next(starts, None)
    while at is not None:
        following = next(starts, None)
        after = text[at.end() + 1 : following.start() if following else len(text)]
        if at.group().lstrip().startswith("**"):
            _note_name(at.group(), names)
            data.append(after)
        else:
            if head:
                yield _card(head, data, f"{path.name}:{line}")
            line, seen = line + text.count("\n", seen, at.start()), at.start()
            head, data = at.group(), [after]
        at = following
    if head:
        yield _card(head, data, f"{path.name}:{line}")


def _card(head: str, data: list[str], where: str) -> Card:
    text = "".join(data)
    head = head.strip()
    while head.endswith(",") and (more := _OPTION.match(f"\n{text}")):
        head, text = f"{head}{more.group(1).strip()}", text[more.end() :]
    keyword, *options = head.lstrip("*").split(",")
    pairs = (option.partition("=") for option in options)
    given = {_bare(key): value.strip().strip('"') for key, _, value in pairs if key.strip()}
    return Card(_bare(keyword), given, text, where)


def _bare(text: str) -> str:
    return "".join(text.split()).upper()


def _text(path: Path, read: list[int]) -> str:
    raw = existing(path, largest=LARGEST).read_bytes()
    read.append(len(raw))
    if sum(read) > LARGEST or len(read) > _MOST_FILES:
        raise ReadError(f"{path.name}: the deck includes more than {_MOST_FILES} files or {LARGEST} bytes in all.")
    if b"\0" in raw:
        raise ReadError(f"{path.name} is binary; a deck is text.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _note_name(line: str, names: dict[str, str | None]) -> None:
    found = _NAME.match(line)
    if not found:
        return
    try:
        name = json.loads(found.group(2))
    except (ValueError, RecursionError):
        return
    if name is None or (isinstance(name, str) and name.strip() and name != "*"):
        names[found.group(1).upper()] = name


def _included(card: Card, trail: tuple[Path, ...], folder: Path) -> Path:
    given = card.options.get("INPUT", "")
    target = Path(given.replace("\\", "/"))
    if not given or target.is_absolute() or ".." in target.parts or ":" in given:
        raise card.error(f"{short(given)} is not followed; expected a file in the deck's own folder.")
    file = folder / target
    if file.exists() and not file.resolve().is_relative_to(folder.resolve()):
        raise card.error(f"{short(given)} leads out of the deck's folder; copy the file there.")
    if file.resolve() in [f.resolve() for f in trail] or len(trail) >= _DEEPEST:
        raise card.error(f"{short(given)} includes itself or is more than {_DEEPEST} deep.")
    return file


# -- data lines --------------------------------------------------------------------------------------------------------
def numbers(card: Card) -> tuple[Floats, Ints]:
    """Return all numbers of the data lines, and how many stand on each line that is not empty."""
    text = _EMPTY_FIELD.sub("0", card.text) if _EMPTY_FIELD.search(card.text) else card.text
    found = rows(text.replace(",", " ").encode(), f"{card.where}: *{card.keyword}")
    return found.values, found.widths


def fields(card: Card) -> Texts:
    """Return (rows, width) the fields of the data lines as text; short rows end in empty fields."""
    text = _BLANK_LINES.sub("\n", card.text.strip())
    if not text:
        return np.empty((0, 0), "U1")
    parts = re.split("[,\n]", text)
    if max(map(len, parts)) > _LONGEST_FIELD:
        raise card.error(f"holds a field of more than {_LONGEST_FIELD} characters.")
    flat = np.char.strip(np.array(parts))
    raw = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    ends = raw[(raw == ord(",")) | (raw == ord("\n"))] == ord("\n")
    row = np.concatenate([[0], np.cumsum(ends)])
    column = np.arange(len(flat)) - np.flatnonzero(np.concatenate([[True], ends]))[row]
    shape = (int(row[-1]) + 1, int(column.max()) + 1)
    if shape[0] * shape[1] * flat.itemsize > _MOST_FIELDS:
        raise card.error(f"has {shape[0]} lines of up to {shape[1]} fields; that is too much.")
    out = np.full(shape, "", flat.dtype)
    out[row, column] = flat
    return out


def padded(rows: Texts, width: int) -> Texts:
    """Return rows of at least `width` fields: empty ones are added."""
    return np.pad(rows, ((0, 0), (0, max(0, width - rows.shape[1]))))


def are_labels(words: Texts) -> NDArray[np.bool_]:
    """Return which words are numbers of nodes or elements, and not names."""
    return np.char.isdecimal(words) & (np.char.str_len(words) < 18)


def whole(values: Floats, card: Card) -> Ints:
    """Return numbers as integers; raises `ReadError` where they are not."""
    if not (np.isfinite(values) & (np.abs(values) < 2**53) & (values == np.floor(values))).all():
        raise card.error("expected whole numbers for nodes and elements.")
    return values.astype(np.int64)


def floats(texts: Texts, card: Card) -> Floats:
    """Return fields as numbers, empty ones as 0."""
    if not texts.size:
        return np.zeros(texts.shape)
    try:
        return np.char.replace(np.char.lower(np.where(texts == "", "0", texts)), "d", "e").astype(np.float64)
    except ValueError as error:
        raise card.error(f"found what is no number ({str(error)[-60:]}).") from None
