"""Seconds until a data set of 100,000 samples is open: `make bench-opening`.

Its index is as a long run leaves it, its shards are left out, for none is read. The first opening and the best of five,
the imports done before.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from meshops.data import MeshDataset
from meshops.data.manifest import Manifest, Record, shard_name, with_splits
from meshops.equations import Heat
from meshops.graph import schema_of

_SHARD = 32  # samples
_FAILS = 1000  # one in as many fails


def write_index(folder: Path, count: int) -> None:
    """Write the manifest of `count` samples on as many shapes."""
    records = [
        Record(i, i // _SHARD, failed="a reason") if i % _FAILS == _FAILS - 1 else Record(i, i // _SHARD, f"{i:016x}")
        for i in range(count)
    ]
    Manifest(
        recipe={},
        seed=0,
        count=count,
        shard_size=_SHARD,
        schema=schema_of(Heat(), 2),
        shards={shard_name(i): f"{i:064x}" for i in range(-(-count // _SHARD))},
        samples=with_splits(records, 0),
    ).write(folder)


def main(count: int = 100_000) -> None:
    """Write the line."""
    with tempfile.TemporaryDirectory() as folder:
        write_index(Path(folder), count)
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            MeshDataset.open(folder)
            seconds.append(time.perf_counter() - start)
    sys.stdout.write(f"{count:,} samples: {seconds[0]:.2f} s at first, {min(seconds):.2f} s at best\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
