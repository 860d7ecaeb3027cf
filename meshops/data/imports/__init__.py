"""Data of other programs as data sets. A new source is one file and one entry in `IMPORTERS`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from geometries.errors import MeshopsError, nearest
from geometries.files import atomic_write
from meshops.data.card import write_card
from meshops.data.dataset import MeshDataset
from meshops.data.generation import alone
from meshops.data.imports import beno, npy, plaid, vtk
from meshops.data.imports.base import PICKLE, Fields, Importer, ImportFailure, Made, Sample
from meshops.data.manifest import NAME, Manifest, Record, StoreError, shard_name, with_splits
from meshops.data.samples import Arrays, geometry_id, pack, pack_fields
from meshops.data.store import SHARDS, file_digest, shard_bytes
from meshops.equations import Solution
from meshops.graph import Schema, build_graph, schema_of

IMPORTERS: dict[str, Importer] = {i.IMPORTER.name: i.IMPORTER for i in (beno, npy, plaid, vtk)}
Progress = Callable[[int, int, int], None]
_SHARD = 16
_LARGEST = np.finfo(np.float32).max  # graphs are of float32
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill")

__all__ = ["IMPORTERS", "ImportFailure", "import_data"]


def import_data(
    source: str | Path, folder: str | Path, *, kind: str = "", progress: Progress | None = None
) -> MeshDataset:
    """Read all samples of `source` into a new data set; a sample that cannot be read is left out with its reason.

    `kind` is a name in `IMPORTERS`, found out by default. All samples must have the same fields. Raises `ImportFailure`
    where nothing is recognised, for pickles, and where no sample can be read; `StoreError` where `folder` is not empty.
    What a failed import has written is removed.
    """
    source, folder = Path(source), Path(folder)
    samples = list(importer_of(source, kind).samples(source))
    if not samples:
        raise ImportFailure(f"{str(source)!r} holds no sample; expected one or more.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{str(folder)!r} is not empty; name a new folder.")
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    with alone(folder), _removed_on_failure(folder):
        _write(samples, folder, source.name, progress or (lambda done, total, failed: None))
    dataset = MeshDataset.open(folder)
    write_card(dataset)
    return dataset


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Remove what was written into `folder`, which was empty, where that fails or is interrupted."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder / SHARDS, ignore_errors=True)
        (folder / NAME).unlink(missing_ok=True)
        raise


def importer_of(source: Path, kind: str = "") -> Importer:
    """Return the importer named `kind`, or the first that recognises `source`."""
    if kind and kind not in IMPORTERS:
        raise ImportFailure(f"no importer is called {kind!r}; {nearest(kind, IMPORTERS)}")
    if not source.exists():
        raise ImportFailure(f"no file or folder {str(source)!r}.")
    found = [i for i in IMPORTERS.values() if (not kind or i.name == kind) and i.matches(source)]
    if found:
        return found[0]
    files = [source] if source.is_file() else sorted(source.rglob("*"))
    pickles = [f.name for f in files if f.suffix.lower() in _PICKLES]
    if pickles:
        raise ImportFailure(f"{pickles[0]} is a pickle: {PICKLE}")
    known = "; ".join(f"{i.name} ({i.about})" for i in IMPORTERS.values())
    raise ImportFailure(f"{str(source)!r} holds nothing that can be imported; known are {known}.")


def _write(samples: list[Sample], folder: Path, name: str, progress: Progress) -> None:
    schema: Schema | None = None
    records: list[Record] = []
    digests: dict[str, str] = {}
    recipe = {"imported": name}
    for number, chunk in enumerate(_chunks(samples)):
        made = []
        for sample in chunk:
            entry, arrays, own = _made(sample, schema)
            made.append((entry, arrays))
            schema = schema or own
        header = {"recipe": recipe, "seed": 0, "first": len(records), "count": len(chunk)}
        entries = [entry for entry, _ in made]
        path = folder / SHARDS / shard_name(number)
        with atomic_write(path) as temporary:
            temporary.write_bytes(shard_bytes(header | {"samples": entries}, {i: a for i, (_, a) in enumerate(made)}))
        digests[path.name] = file_digest(path)
        records += [Record(len(records) + i, number, **entry) for i, entry in enumerate(entries)]
        progress(len(records), len(samples), sum(bool(r.failed) for r in records))
    if schema is None:
        raise ImportFailure(f"none of {len(samples)} samples could be read; the first: {records[0].failed}")
    Manifest(
        recipe=recipe,
        seed=0,
        count=len(records),
        shard_size=_SHARD,
        schema=schema,
        shards=digests,
        samples=_split(records),
    ).write(folder)


def _split(records: list[Record]) -> tuple[Record, ...]:
    """Return the records with their splits, dealt in random order: that of files may say something about them."""
    order = np.random.default_rng(0).permutation(len(records))
    return tuple(sorted(with_splits([records[i] for i in order], 0), key=lambda record: record.id))


def _chunks(samples: list[Sample]) -> Iterator[list[Sample]]:
    waiting = iter(samples)
    while chunk := list(islice(waiting, _SHARD)):
        yield chunk


def _made(sample: Sample, schema: Schema | None) -> tuple[dict[str, str], Arrays, Schema | None]:
    name, read = sample
    try:
        made = read()
        own, arrays = _packed(made)
        _require_finite(arrays)
    except MeshopsError as error:
        return {"failed": f"{name}: {' '.join(str(error).split())}"[:300]}, {}, None
    if schema is not None and own != schema:
        return {"failed": f"{name}: fields {own.x}, {own.y} in {own.dim}-D; expected {schema.x}, {schema.y}."}, {}, None
    mesh = made.mesh if isinstance(made, Fields) else made.case.mesh
    return {"geometry": geometry_id(mesh)}, arrays, own


def _require_finite(arrays: Arrays) -> None:
    for part, values in arrays.items():
        bad = ~(np.abs(values) <= _LARGEST) if part.startswith("solution/") else np.False_
        if bad.any():
            found = f"{part.removeprefix('solution/')!r} is not finite at {int(bad.sum())} places in float32"
            raise ImportFailure(f"the field {found}; expected numbers everywhere.")


def _packed(made: Made) -> tuple[Schema, Arrays]:
    if isinstance(made, Solution):
        case = made.case
        return schema_of(case.equation, case.mesh.space_dim), pack(made, build_graph(case, made))
    return made.schema, pack_fields(made.mesh, {**made.inputs, **made.outputs}, made.graph)
