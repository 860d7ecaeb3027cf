"""From a recipe to a data set, on all cores or many machines, resumable at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from geometries.files import atomic_write, locked
from meshops.data.card import write_card
from meshops.data.cluster import GenerationError, available, client, interruptible, run
from meshops.data.dataset import MeshDataset
from meshops.data.make import Job, make_shard, make_shard_apart
from meshops.data.manifest import NAME, Manifest, OtherVersion, Record, StoreError, shard_name, with_splits
from meshops.data.recipe import Recipe
from meshops.data.store import SHARDS, Shard, file_digest, open_shard
from meshops.graph import Schema

Progress = Callable[[int, int, int], None]
_LARGEST = 16  # samples a shard
_LEAST = 8  # shards of a small set, so that workers share it
_HOPELESS = 64  # samples, none of which could be made


class GenerationStopped(GenerationError):
    """Generation was interrupted; whole shards are kept."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be made where."""

    recipe: Recipe
    folder: Path
    count: int
    seed: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("count", 1), ("seed", 0)):
            given = getattr(self, name)
            if not isinstance(given, int) or isinstance(given, bool) or given < least:
                raise GenerationError(f"{name} is {given!r}; expected a whole number from {least}.")

    @cached_property
    def parts(self) -> dict[str, Part]:
        """The parts of the set: "" for what is split by shape, then the recipe's own splits."""
        parts = {"": Part(0, self.count, _shard_size(self.count, self.recipe.per_shape))}
        first = self.count
        for name, variation in self.recipe.splits.items():
            count = variation.samples(self.count)
            parts[name] = Part(first, count, _shard_size(count, variation.recipe.per_shape))
            first += count
        return parts

    @property
    def total(self) -> int:
        """Number of samples of all parts."""
        return sum(part.count for part in self.parts.values())

    @property
    def jobs(self) -> list[Job]:
        """The shards in order."""
        spec = self.recipe.to_spec()
        return [
            Job(spec, self.seed, first, min(part.shard_size, part.count - first), name)
            for name, part in self.parts.items()
            for first in range(0, part.count, part.shard_size)
        ]

    @property
    def schema(self) -> Schema:
        """What the graphs' columns are."""
        return self.recipe.schema

    def path(self, job: Job) -> Path:
        """Return the file of a shard."""
        return self.folder / SHARDS / shard_name(self.number(job), job.split)

    def number(self, job: Job) -> int:
        """Return the number of a shard in its part."""
        return job.first // self.parts[job.split].shard_size


@dataclass(frozen=True)
class Part:
    """Samples `first` to `first + count` of the set, `shard_size` a shard."""

    first: int
    count: int
    shard_size: int


def _shard_size(count: int, per_shape: int) -> int:
    """Samples a shard: it depends on nothing else, so that shards do not depend on the workers; whole shapes."""
    size = min(_LARGEST, -(-count // _LEAST))
    return -(-size // per_shape) * per_shape


def generate(
    recipe: Recipe,
    folder: str | Path,
    *,
    count: int,
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> MeshDataset:
    """Make `count` samples of `recipe` in `folder`, and return them as a data set.

    The same recipe, count and seed give the same bytes, for any number of `workers` (all cores by default), on a local
    cluster or on that of a Dask `scheduler` at an address, and after any interruption: what a stopped run left is kept
    and completed. `progress(done, total, failed)` is called after each shard. A sample that fails, or ends its process,
    is recorded with the reason and left out.

    Raises `StoreError` if the folder holds something else, or more samples, `GenerationStopped` on Ctrl-C and SIGTERM,
    and `GenerationError` if more than half of the samples fail, of all or of one of the recipe's own splits.
    """
    if workers is not None and workers < 1:
        raise GenerationError(f"workers is {workers!r}; expected a whole number from 1.")
    plan = Plan(recipe, Path(folder).resolve(), count, seed)
    _begin(plan.folder)
    with alone(plan.folder):
        known, state = _known(plan), _State(plan, progress)
        missing = [job for job in plan.jobs if not state.keep(job, known)]
        try:
            with interruptible():
                state.complete(missing, workers, scheduler)
        except KeyboardInterrupt:
            done = f"{state.done} of {plan.total} samples"
            raise GenerationStopped(f"stopped after {done}; run it again to go on.") from None
        state.finish()
    dataset = MeshDataset.open(plan.folder)
    write_card(dataset)
    return dataset


class _State:
    """The shards that are done: their checksums, and what became of each sample."""

    def __init__(self, plan: Plan, progress: Progress | None) -> None:
        self.plan = plan
        self.progress = progress or (lambda done, total, failed: None)
        self.digests: dict[str, str] = {}
        self.records: dict[int, Record] = {}
        self.made: Counter[str] = Counter()  # samples by part
        self.reasons: dict[str, Counter[str]] = {name: Counter() for name in plan.parts}  # of those that failed

    @property
    def done(self) -> int:
        """Number of samples in whole shards."""
        return len(self.records)

    def keep(self, job: Job, known: Mapping[str, str]) -> bool:
        """Add a shard that is there, if it is this one and, where its checksum is known, undamaged."""
        path = self.plan.path(job)
        try:
            shard = open_shard(path)
        except StoreError:
            return False
        digest = file_digest(path)
        if any(shard.header.get(k) != v for k, v in job.header.items()) or known.get(path.name, digest) != digest:
            return False
        self.add(job, shard, digest)
        return True

    def add(self, job: Job, shard: Shard, digest: str) -> None:
        """Note a whole shard."""
        number, first = self.plan.number(job), self.plan.parts[job.split].first
        self.digests[shard.path.name] = digest
        for i, entry in zip(job.numbers, shard.header["samples"], strict=True):
            self.records[first + i] = Record(first + i, number, split=job.split, **entry)
        self.made[job.split] += job.count
        self.reasons[job.split].update(entry["failed"] for entry in shard.header["samples"] if "failed" in entry)

    def complete(self, missing: list[Job], workers: int | None, scheduler: str | None) -> None:
        """Make the missing shards; each is written when whole."""
        self.report()
        if not missing:
            return
        with client(min(workers or available(), len(missing)), scheduler) as dask:
            for job, content in run(dask, make_shard, missing, make_shard_apart):
                path = self.plan.path(job)
                with atomic_write(path) as temporary:
                    temporary.write_bytes(content)
                    (self.plan.folder / NAME).unlink(missing_ok=True)  # from here on it tells of other shards
                self.add(job, open_shard(path), file_digest(path))
                self.report()

    def report(self) -> None:
        """Call the progress function; raise `GenerationError` where going on with a part is of no use."""
        self.progress(self.done, self.plan.total, sum(found.total() for found in self.reasons.values()))
        for name, part in self.plan.parts.items():
            failed, done = self.reasons[name].total(), self.made[name]
            if 2 * failed > part.count or failed == done >= _HOPELESS:
                often, times = self.reasons[name].most_common(1)[0]
                where = f" of the split {name!r}" if name else ""
                raise GenerationError(
                    f"{failed} of {done} samples{where} failed, {times} of them so: {often} Change the recipe."
                )

    def finish(self) -> None:
        """Write the manifest and remove shards that are not of this set."""
        plan = self.plan
        own = with_splits([self.records[i] for i in range(plan.count)], plan.seed)
        Manifest(
            recipe=plan.recipe.to_spec(),
            seed=plan.seed,
            count=plan.count,
            shard_size=plan.parts[""].shard_size,
            schema=plan.schema,
            shards=dict(sorted(self.digests.items())),
            samples=(*own, *(self.records[i] for i in range(plan.count, plan.total))),
            parts={name: part.first for name, part in plan.parts.items() if name},
        ).write(plan.folder)
        for path in (plan.folder / SHARDS).iterdir():
            if path.name not in self.digests:
                path.unlink()


def _begin(folder: Path) -> None:
    """Make the folder, unless what is there is no data set."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{str(folder)!r} is a file; expected a folder for the data set.")
    shards = folder / SHARDS
    if folder.is_dir() and not (folder / NAME).exists() and not shards.is_dir() and any(folder.iterdir()):
        raise StoreError(f"{str(folder)!r} is no data set and not empty; name a new folder.")
    shards.mkdir(parents=True, exist_ok=True)


def alone(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs out of a data set; the lock ends with the process."""
    busy = f"another run is generating in {str(folder)!r}; wait for it or name a new folder."
    return locked(folder / SHARDS, StoreError(busy))


def _known(plan: Plan) -> Mapping[str, str]:
    """Check that what is in the folder belongs to the plan and is no more; return the checksums that it states."""
    folder = plan.folder
    if (folder / NAME).exists():
        manifest = Manifest.read(folder)
        found, count, known = {"recipe": manifest.recipe, "seed": manifest.seed}, manifest.count, manifest.shards
    else:
        headers = _headers(folder / SHARDS)
        count = max((header["first"] + header["count"] for header in headers), default=0)
        found, known = headers[0] if headers else {}, {}
    _check_same(plan, found)
    if count > plan.count:
        raise StoreError(f"{str(folder)!r} holds {count} samples; ask for as many or more, or name another.")
    return known


def _headers(shards: Path) -> list[Mapping[str, Any]]:
    """Return the headers of the whole shards that a stopped run left of what is split by shape."""
    found = []
    for path in sorted(shards.glob("[0-9]*.safetensors")):
        try:
            found.append(open_shard(path).header)
        except OtherVersion:
            raise
        except StoreError:
            continue
    return found


def _check_same(plan: Plan, header: Mapping[str, Any]) -> None:
    found = {"recipe": plan.recipe.to_spec(), "seed": plan.seed}
    for name, value in found.items():
        if name in header and header[name] != value:
            raise StoreError(
                f"{str(plan.folder)!r} holds samples of another {name}; give that one, name a new folder, or delete it."
            )
