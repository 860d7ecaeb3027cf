"""YAML files as plain data, every value with its line. Built from parser events: nothing in a file is ever constructed.

Beyond YAML 1.1: keys are texts as they are written (`3`, `on`), and `1e-3` is a number.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from numpy import isfinite

from geometries.errors import MeshopsError, ReadError, SpecError, WriteError
from geometries.files import existing

Key: TypeAlias = tuple[str | int, ...]
LARGEST = 10_000_000  # bytes
_DEEPEST = 40
_LINE = 120
_QUOTE = 'put a text such as "*" into quotes'
_HINTS = {"alias|anchor": _QUOTE, "block mapping|mapping values": "names of one section begin in the same column"}
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
_SCALARS = ("int", "float", "bool", "null")  # what plain text may stand for; dates and the like stay text


@dataclass(frozen=True, eq=False)
class YamlFile:
    """A YAML mapping: `data` is plain, `lines` {path of keys: line, from 1}."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[Key, int]

    @classmethod
    def read(cls, path: str | Path) -> YamlFile:
        """Read a file; raises `ReadError` of one line that names the file and, where there is one, the line.

        Refused: more than `LARGEST` bytes, text that is not UTF-8, several documents, anchors and aliases, tags, keys
        that appear twice, numbers that are not finite, nesting beyond 40 levels, anything but a mapping at the top.
        """
        path = Path(path)
        try:
            text = existing(path, largest=LARGEST).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ReadError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text.") from None
        builder = _Builder(path, text)
        return cls(path, builder.document(), builder.lines)

    def locate(self, error: MeshopsError, key: Key = ()) -> SpecError:
        """Return `error` with the file, the line and the key in front; `key` is for errors that carry none."""
        if isinstance(error, _Located):
            return error
        wanted: Key = getattr(error, "key", ()) or key
        known = next(k for k in (wanted[:n] for n in range(len(wanted), -1, -1)) if k in self.lines)
        at = f"{'.'.join(map(str, known))}: " if known else ""
        return _Located(f"{self.path}:{self.lines[known]}: {at}{error}", wanted)

    @contextmanager
    def at(self, *key: str | int) -> Iterator[None]:
        """Locate every `MeshopsError` raised inside: at its own key, else at `key`."""
        try:
            yield
        except MeshopsError as error:
            raise self.locate(error, key) from error


class _Located(SpecError):
    """An error whose message already names the file."""


def load(path: str | Path) -> dict[str, Any]:
    """Return the plain data of a YAML file; see `YamlFile.read`."""
    return YamlFile.read(path).data


def dump(data: Mapping[str, Any]) -> str:
    """Return the YAML text of plain data, keys in their order; `load` gives the data back."""
    try:
        return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_LINE, indent=2)
    except yaml.YAMLError as error:
        raise WriteError(f"not plain data: {error}.") from None


def flow(value: object) -> str:
    """Return plain data as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return f"{value:.10g}" if isinstance(value, float) else json.dumps(value)


class _Resolver(yaml.SafeLoader):
    """What plain text stands for."""

    def scalar(self, text: str) -> Any:  # noqa: ANN401
        tag = self.resolve(yaml.ScalarNode, text, (True, False))
        if tag.rpartition(":")[2] not in _SCALARS:
            return text
        return self.construct_object(yaml.ScalarNode(tag, text))


class _Dumper(yaml.SafeDumper):
    """Repeats equal objects instead of writing anchors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **{**kwargs, "default_flow_style": None})

    def ignore_aliases(self, data: object) -> bool:
        return True


for _class in (_Resolver, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


class _Builder:
    """Turns the events of one document into plain data and the line of each key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text
        self.lines: dict[Key, int] = {(): 1}
        self.events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.resolver = _Resolver("")

    def document(self) -> dict[str, Any]:
        try:
            _, start, *top = itertools.islice(self.events, 3)
            if not top or not isinstance(top[0], yaml.MappingStartEvent):
                raise self.wrong("expected `key: value` lines at the top", (top or [start])[0])
            data = self.value(top[0], ())
            _, after = itertools.islice(self.events, 2)
            if not isinstance(after, yaml.StreamEndEvent):
                raise self.wrong("a second document; expected one", after)
        except yaml.YAMLError as error:
            raise self.broken(error) from None
        return data

    def value(self, event: Any, key: Key) -> Any:  # noqa: ANN401
        self.refuse(event, key)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(key)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(key)
        return self.scalar(event)

    def refuse(self, event: Any, key: Key) -> None:  # noqa: ANN401
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.wrong(f"anchors and aliases (& and *) are not read; {_QUOTE}", event)
        if event.tag is not None:
            raise self.wrong(f"the tag {event.tag!r} is not read; leave it out", event)
        if len(key) > _DEEPEST:
            raise self.wrong(f"nested more than {_DEEPEST} deep", event)

    def mapping(self, key: Key) -> dict[str, Any]:
        out: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self.refuse(event, key)
            if not isinstance(event, yaml.ScalarEvent):
                raise self.wrong("a list or a mapping as a key; expected text", event)
            if event.value in out:
                raise self.wrong(f"the key {event.value!r} appears twice; keep one", event)
            inner = (*key, event.value)
            self.lines[inner] = event.start_mark.line + 1
            out[event.value] = self.value(next(self.events), inner)
        return out

    def sequence(self, key: Key) -> list[Any]:
        out: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            inner = (*key, len(out))
            self.lines[inner] = event.start_mark.line + 1
            out.append(self.value(event, inner))
        return out

    def scalar(self, event: yaml.ScalarEvent) -> Any:  # noqa: ANN401
        if event.style:
            return event.value
        try:
            value = self.resolver.scalar(event.value)
        except ValueError:
            raise self.wrong(f"the number {event.value[:20]!r} cannot be read", event) from None
        if isinstance(value, float) and not isfinite(value):
            raise self.wrong(f"found {event.value[:20]!r}; expected finite numbers", event)
        return value

    def wrong(self, what: str, event: Any) -> ReadError:  # noqa: ANN401
        return ReadError(f"{self.path}:{event.start_mark.line + 1}: {what}.")

    def broken(self, error: yaml.YAMLError) -> ReadError:
        mark, what = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        if mark and any(re.match(r" *\t", line) for line in self.text.split("\n")[mark.line : mark.line + 1]):
            return ReadError(f"{self.path}:{mark.line + 1}: not YAML: found a tab before the text; indent by spaces.")
        line = f":{mark.line + 1}" if mark else ""
        said = f"{getattr(error, 'context', None)} {what}"
        hint = next((f"; {hint}" for sign, hint in _HINTS.items() if re.search(sign, said)), "")
        return ReadError(f"{self.path}{line}: not YAML: {' '.join(what.split())}{hint}.")
