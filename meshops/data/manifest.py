"""What a data set holds: its manifest, the list of its samples, and their splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geometries.errors import MeshopsError
from geometries.files import atomic_write
from meshops.graph import Schema

FORMAT = "meshops-data"
VERSION = (1, 0)  # a newer minor version may add keys, a newer major one may change any
NAME = "manifest.json"
SPLITS = {"train": 0.8, "validation": 0.1, "test": 0.1}


class StoreError(MeshopsError):
    """A data set is missing, damaged, of another recipe, or of a newer format."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sample: its number, where it lies, its shape and split; or why it has failed."""

    id: int
    shard: int
    geometry: str = ""
    split: str = ""
    failed: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Manifest:
    """`manifest.json`: `shards` {file name: SHA-256}, `samples` by number, failed ones included."""

    recipe: Mapping[str, object]
    seed: int
    count: int
    shard_size: int
    schema: Schema
    shards: Mapping[str, str]
    samples: tuple[Record, ...]

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
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path} is damaged ({error}); run the generation again.") from None
        return cls(schema=schema, samples=samples, **plain)

    def write(self, folder: str | Path) -> None:
        """Write the manifest, replacing one that is there when whole."""
        samples = [{k: v for k in Record.__slots__ if (v := getattr(s, k)) != ""} for s in self.samples]
        plain = {k: getattr(self, k) for k in ("recipe", "seed", "count", "shard_size", "shards")}
        given = stamped(plain | {"schema": self.schema.to_json(), "samples": samples})
        with atomic_write(Path(folder) / NAME) as path:
            path.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")


def stamped(given: Mapping[str, object]) -> dict[str, object]:
    """Return `given` with the format's name and version in front."""
    return {"format": FORMAT, "version": list(VERSION), **given}


def check_version(given: Any, path: Path) -> None:  # noqa: ANN401
    """Raise `StoreError` unless `given` is of this format and of no newer major version."""
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise StoreError(f"{path} is not of the format {FORMAT!r}; expected a data set of meshops.")
    major, minor = given["version"]
    if major > VERSION[0]:
        raise StoreError(
            f"{path} has version {major}.{minor}; this meshops reads up to {VERSION[0]}.x: update meshops."
        )


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"{number:05d}.safetensors"


def splits(geometries: Iterable[str], seed: int) -> dict[str, str]:
    """Return {geometry: split}: a seeded permutation of the distinct shapes, cut by `SPLITS`; no shape is in two.

    Validation and test get at least one shape each as soon as there are three.
    """
    names = np.array(sorted(set(geometries)))
    order = np.random.default_rng([seed, len(names)]).permutation(len(names))
    held = {k: max(round(part * len(names)), int(len(names) >= 3)) for k, part in SPLITS.items() if k != "train"}
    labels = [name for name, n in held.items() for _ in range(n)]
    labels += ["train"] * (len(names) - len(labels))
    return dict(zip(names[order].tolist(), labels, strict=True))
