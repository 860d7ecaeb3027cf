"""The store: a folder of safetensors shards and a manifest.

Memory-mapped; any sample is read in O(its size). The folder holds:

manifest.json
shards/00000.safetensors ...    N/NAME for the arrays of the shard's N-th sample, see `meshops.data.samples`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from geometries import write
from geometries.mesh import Mesh
from meshops.data.manifest import Manifest, StoreError, check_version, stamped
from meshops.data.samples import unpack_any, unpack_case, unpack_mesh, unpack_solution
from meshops.equations import Case, Solution
from meshops.graph import MeshGraph, to_graph

Arrays = Mapping[str, NDArray[np.generic]]
R = TypeVar("R")
SHARDS = "shards"
_KEY = "meshops"  # one key only: safetensors writes several in random order
_OPEN = 32


@dataclass(frozen=True, eq=False)
class Store:
    """Reads the samples of a data set by their numbers. Raises `StoreError` for missing and damaged shards."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Open a data set; raises `StoreError`."""
        return cls(Path(folder).resolve(), Manifest.read(folder))

    def read_graph(self, sample: int) -> MeshGraph:
        """Return the graph of a sample, with `y`; reads nothing else."""
        graph = self._read(sample, ("graph/",))
        return to_graph({name.removeprefix("graph/"): values for name, values in graph.items()})

    def read_case(self, sample: int) -> Case:
        """Return the case of a sample."""
        return self._unpacked(sample, ("spec", "mesh/", "case/"), unpack_case)

    def read_solution(self, sample: int) -> Solution:
        """Return the reference solution of a sample, with its case."""
        return self._unpacked(sample, ("spec", "mesh/", "case/", "solution/"), unpack_solution)

    def read_mesh(self, sample: int) -> Mesh:
        """Return the mesh of a sample, its fields as point data; also of an imported one, which has no case."""
        return self._unpacked(sample, ("spec", "mesh/", "solution/"), unpack_mesh)

    def export(self, sample: int, path: str | Path) -> None:
        """Write a sample's mesh and fields, at each of its times, to a mesh file, .vtu for choice."""
        found = self._unpacked(sample, ("spec", "mesh/", "case/", "solution/"), unpack_any)
        found.save(path) if isinstance(found, Solution) else write(found, path)

    def check(self) -> None:
        """Compare every shard with its checksum; raises `StoreError` naming those that differ or are missing."""
        bad = [name for name, digest in self.manifest.shards.items() if self._digest(name) != digest]
        if bad:
            raise StoreError(
                f"{len(bad)} of {len(self.manifest.shards)} shards of {str(self.folder)!r} are damaged or missing: "
                f"{', '.join(bad[:5])}; run its generation again to replace them, or import it anew."
            )

    def _digest(self, name: str) -> str:
        path = self.folder / SHARDS / name
        return file_digest(path) if path.is_file() else ""

    def _unpacked(self, sample: int, prefixes: tuple[str, ...], unpack: Callable[[Arrays], R]) -> R:
        arrays = self._read(sample, prefixes)
        try:
            return unpack(arrays)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            told = f"sample {sample} of {str(self.folder)!r} is damaged ({' '.join(str(error).split())})"
            raise StoreError(f"{told}; run its generation again, or import it anew.") from None

    def _read(self, sample: int, prefixes: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
        if not 0 <= sample < len(self.manifest.samples):
            raise StoreError(f"no sample {sample}; this data set has 0 to {len(self.manifest.samples) - 1}.")
        record = self.manifest.samples[sample]
        if record.failed:
            raise StoreError(f"sample {sample} was not made ({record.failed}); choose another.")
        name, number = self.manifest.locate(sample)
        shard = open_shard(self.folder / SHARDS / name)
        try:
            return shard.read(number, prefixes)
        except (KeyError, TypeError, SafetensorError) as error:
            raise StoreError(f"{shard.path} holds no sample {sample} ({error}); run the generation again.") from None


@dataclass(frozen=True, eq=False)
class Shard:
    """One open shard: its header, and the names of each sample's arrays."""

    path: Path
    header: Mapping[str, Any]
    names: Mapping[str, tuple[str, ...]]
    file: Any

    def read(self, number: int, prefixes: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
        """Return copies of the arrays of a sample, by its number in its part, whose names start with a prefix."""
        local = str(number - self.header["first"])
        return {
            name: self.file.get_tensor(f"{local}/{name}") for name in self.names[local] if name.startswith(prefixes)
        }


def open_shard(path: Path) -> Shard:
    """Return a shard, from the last few that this process has opened; raises `StoreError`."""
    try:
        found = path.stat()
    except OSError:
        raise StoreError(f"the shard {path} is missing; run the generation again to replace it.") from None
    return _opened(path, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=_OPEN)
def _opened(path: Path, mtime: int, inode: int) -> Shard:
    """Open a shard; time and number tell a file from one that replaced it."""
    try:
        file = safe_open(path, "np")
        header = json.loads(file.metadata()[_KEY])
        check_version(header, path)
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); run the generation again to replace it.") from None
    names: dict[str, list[str]] = {}
    for key in file.keys():  # noqa: SIM118  (not a mapping)
        local, _, name = key.partition("/")
        names.setdefault(local, []).append(name)
    return Shard(path, header, {local: tuple(found) for local, found in names.items()}, file)


def shard_bytes(header: Mapping[str, object], samples: Mapping[int, Arrays]) -> bytes:
    """Return a shard's file; it depends on nothing but the arguments. `samples` by their numbers within the shard."""
    arrays = {
        f"{local}/{name}": np.ascontiguousarray(values)
        for local, own in samples.items()
        for name, values in own.items()
    }
    return save(arrays, metadata={_KEY: json.dumps(stamped(header))})


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
