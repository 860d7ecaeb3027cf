"""`MeshDataset`: a data set of solved cases as a torch data set of graphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import Dataset

from meshops.data.manifest import StoreError
from meshops.data.store import Store
from meshops.equations import EQUATIONS, Case, Solution
from meshops.graph import MeshGraph, Schema, lift


class MeshDataset(Dataset[MeshGraph]):
    """The samples of a store, failed ones left out.

    Item i is the graph of sample `ids[i]`, in float32, with `y` and `sample` (1,), the sample's number. Files are
    opened when read, in each process for itself, so that a loader may use several workers. With `lifting` graphs carry
    the harmonic extension of their essential values, computed when read. Raises `StoreError` for what is missing or
    damaged.
    """

    def __init__(self, store: Store, ids: tuple[int, ...], *, lifting: bool = False) -> None:
        """Take the samples `ids` of a store."""
        self.store, self.ids, self.lifting = store, ids, lifting

    @classmethod
    def open(cls, folder: str | Path) -> MeshDataset:
        """Open a data set; reads its manifest only."""
        store = Store.open(folder)
        return cls(store, tuple(s.id for s in store.manifest.samples if not s.failed))

    @property
    def folder(self) -> Path:
        """Where the data set lies."""
        return self.store.folder

    @property
    def schema(self) -> Schema:
        """What the graphs' columns are."""
        schema = self.store.manifest.schema
        return schema.lifted() if self.lifting else schema

    @property
    def shapes(self) -> frozenset[str]:
        """The names of its samples' shapes."""
        return frozenset(self.store.manifest.samples[i].geometry for i in self.ids)

    @property
    def imported(self) -> bool:
        """Whether its samples are fields of another program, of no equation and without cases."""
        return self.schema.equation not in EQUATIONS

    @property
    def failed(self) -> dict[int, str]:
        """The samples that could not be made, with the reason; those of the whole set, also in a split."""
        return {s.id: s.failed for s in self.store.manifest.samples if s.failed}

    @property
    def retried(self) -> dict[int, str]:
        """The samples on a finer mesh than asked for, with what went wrong on that; as `failed`, of the whole set."""
        return {s.id: s.retried for s in self.store.manifest.samples if s.retried}

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.ids)

    def __getitem__(self, i: int) -> MeshGraph:
        """Return the graph of the i-th sample."""
        graph = self.store.read_graph(self.ids[i])
        graph = lift(graph, self.store.read_mesh(self.ids[i])) if self.lifting else graph
        graph.sample = torch.tensor([self.ids[i]])
        return graph

    def __iter__(self) -> Iterator[MeshGraph]:
        """Yield the graphs, one after the other."""
        return (self[i] for i in range(len(self)))

    def case(self, i: int) -> Case:
        """Return the case of the i-th sample."""
        return self.store.read_case(self.ids[i])

    def solution(self, i: int) -> Solution:
        """Return the reference solution of the i-th sample."""
        return self.store.read_solution(self.ids[i])

    def split(self, name: str) -> MeshDataset:
        """Return the samples of `train`, `validation` or `test`, no shape in two of them, or of an own split."""
        if name not in self.store.manifest.splits:
            raise StoreError(f"no split is called {name!r}; expected {', '.join(self.store.manifest.splits)}.")
        own = tuple(i for i in self.ids if self.store.manifest.samples[i].split == name)
        return MeshDataset(self.store, own, lifting=self.lifting)

    def lifted(self) -> MeshDataset:
        """Return the same samples with the harmonic extension, a classical solve, among their inputs: for hybrids."""
        return MeshDataset(self.store, self.ids, lifting=True)

    def check(self) -> None:
        """Compare every shard with its checksum; raises `StoreError` naming the damaged ones."""
        self.store.check()

    def export(self, i: int, path: str | Path) -> None:
        """Write the i-th sample's mesh and fields, at each of its times, to a mesh file, .vtu for choice."""
        self.store.export(self.ids[i], path)
