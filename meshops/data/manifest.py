"""What a data set holds: its manifest, the list of its samples, and their splits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from geometries.errors import MeshopsError
from geometries.files import atomic_write
from meshops.graph import Schema, SchemaError

FORMAT = "meshops-data"
VERSION = (2, 0)  # a newer minor version may add keys, a newer major one may change any
NAME = "manifest.json"
_PART, _SHARD = re.compile(r"[\w-]+"), re.compile(r"[\w-]+\.safetensors")
SPLITS = {"train": 0.8, "validation": 0.1, "test": 0.1}


class StoreError(MeshopsError):
    """A data set is missing, damaged, of another recipe, or of another format."""


class OtherVersion(StoreError):
    """A data set was made by an older meshops, or by a newer one."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sample: its number, its shard within its part, its shape and split; or why it has failed.

    `retried` says why its mesh is the finer one that is tried when the first fails.
    """

    id: int
    shard: int
    geometry: str = ""
    split: str = ""
    failed: str = ""
    retried: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """All but the numbers."""
        return self.geometry, self.split, self.failed, self.retried


@dataclass(frozen=True, eq=False, kw_only=True)
class Manifest:
    """`manifest.json`: `shards` {file name: SHA-256}, `samples` by number, failed ones included.

    Samples 0 to `count` - 1 are split by shape; then follow those of the recipe's own splits, `parts` {split: number of
    its first sample}.
    """

    recipe: Mapping[str, object]
    seed: int
    count: int
    shard_size: int
    schema: Schema
    shards: Mapping[str, str]
    samples: tuple[Record, ...]
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of all splits."""
        return (*SPLITS, *self.parts)

    def locate(self, sample: int) -> tuple[str, int]:
        """Return the file name of a sample's shard, and the sample's number in its part."""
        record = self.samples[sample]
        part = next((name for name, first in reversed(list(self.parts.items())) if sample >= first), "")
        return shard_name(record.shard, part), sample - self.parts.get(part, 0)

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """Read the manifest of a data set; raises `StoreError`."""
        path = Path(folder) / NAME
        if not path.is_file():
            raise StoreError(
                f"{str(folder)!r} holds no {NAME}; expected a data set. If its generation was stopped, run it again."
            )
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            check_version(given, path)
            samples = tuple(Record(**sample) for sample in given.pop("samples"))
            schema = Schema.from_json(given.pop("schema"))
            plain = {k: given[k] for k in ("recipe", "seed", "count", "shard_size", "shards")}
            found = cls(schema=schema, samples=samples, parts=given.get("parts", {}), **plain)
            found._check()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, SchemaError) as error:
            raise StoreError(f"{path} is damaged ({error}); run the generation again, or import it anew.") from None
        return found

    def _check(self) -> None:
        """Raise `ValueError` where what a file gave is of other kinds, or names files outside the folder."""
        for number, record in enumerate(self.samples):
            if (record.id, type(record.shard)) != (number, int) or not all(isinstance(t, str) for t in record.texts):
                raise ValueError(f"sample {number} is {record!r}")
        for name, digest in self.shards.items():
            if not (_SHARD.fullmatch(name) and isinstance(digest, str)):
                raise ValueError(f"a shard is called {name!r}")
        for name, first in self.parts.items():
            if not (_PART.fullmatch(name) and type(first) is int):
                raise ValueError(f"a split is called {name!r}, from {first!r}")

    def write(self, folder: str | Path) -> None:
        """Write the manifest, replacing one that is there when whole."""
        samples = [{k: v for k in Record.__slots__ if (v := getattr(s, k)) != ""} for s in self.samples]
        plain = {k: getattr(self, k) for k in ("recipe", "seed", "count", "shard_size", "shards")}
        plain |= {"parts": dict(self.parts)} if self.parts else {}
        given = stamped(plain | {"schema": self.schema.to_json(), "samples": samples})
        with atomic_write(Path(folder) / NAME) as path:
            path.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")


def stamped(given: Mapping[str, object]) -> dict[str, object]:
    """Return `given` with the format's name and version in front."""
    return {"format": FORMAT, "version": list(VERSION), **given}


def check_version(given: Any, path: Path) -> None:  # noqa: ANN401
    """Raise `StoreError` unless `given` is of this format, `OtherVersion` unless it is of this major version."""
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise StoreError(f"{path} is not of the format {FORMAT!r}; expected a data set of meshops.")
    major, minor = given["version"]
    if major > VERSION[0]:
        raise OtherVersion(f"{path} has version {major}.{minor}; this meshops reads {VERSION[0]}.x: update meshops.")
    if major < VERSION[0]:
        found = f"{path} has version {major}.{minor}; this meshops reads {VERSION[0]}.x"
        raise OtherVersion(f"{found}: delete the data set, and make it again (generate or import).")


def shard_name(number: int, part: str = "") -> str:
    """Return the file name of a shard."""
    return f"{part}{'-' if part else ''}{number:05d}.safetensors"


def splits(shapes: Iterable[str], seed: int) -> dict[str, str]:
    """Return {shape: split} of the distinct shapes in their order; those that follow change nothing for those before.

    The first three are of three splits. Of each further ten, one validates and one is tested on, which two of the first
    five is drawn: so the shares are those of `SPLITS` at each whole ten, and no less for validation and test between.
    """
    names = list(dict.fromkeys(shapes))
    labels = ["train", "validation", "test", *["train"] * 7]
    for ten in range(1, -(-len(names) // 10)):
        own = ["train"] * 10
        validation, test = np.random.default_rng([seed, ten]).permutation(5)[:2]
        own[validation], own[test] = "validation", "test"
        labels += own
    return dict(zip(names, labels, strict=False))


def with_splits(records: Sequence[Record], seed: int) -> tuple[Record, ...]:
    """Return the records with their splits, by shape; where there are fewer shapes than splits, by sample.

    Shapes are in the order of the records; see `splits`.
    """
    made = [record for record in records if not record.failed]
    by_shape = len({record.geometry for record in made}) >= len(SPLITS)
    group = {record.id: record.geometry if by_shape else f"{record.id:09d}" for record in made}
    found = splits(group.values(), seed)
    return tuple(replace(r, split="" if r.failed else found[group[r.id]]) for r in records)
