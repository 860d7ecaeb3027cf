"""Making samples: what a worker does. A sample depends on the recipe, the seed and its own number, on nothing else.

The cases on one shape follow each other: their shape is drawn by the generator of the first.
"""

from __future__ import annotations

import faulthandler
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.child import Child
from geometries.errors import MeshopsError, ReadError, SpecError
from geometries.families import Family, Shape
from geometries.mesh import Mesh
from meshops.data.recipe import Recipe
from meshops.data.samples import geometry_id, pack
from meshops.data.shapes import finer
from meshops.data.store import shard_bytes
from meshops.data.threads import one_thread
from meshops.equations import Case
from meshops.equations.recycling import Repeated
from meshops.graph import build_graph

Arrays = dict[str, NDArray[np.generic]]
Entry = dict[
    str, str
]  # {"geometry": id}, with "retried" the reason where a finer mesh was taken; or {"failed": reason}
LONGEST = 900.0  # seconds a sample may take; the process that makes it is ended then
_MEMORY = 64.0  # GiB of address space; torch alone reserves several
_LINE = 300


@dataclass(frozen=True)
class Job:
    """One shard to make: samples `first` to `first + count` of a recipe's plain form and a seed.

    They are counted within `split`, one of the recipe's own splits, or "" for all others.
    """

    recipe: Mapping[str, object]
    seed: int
    first: int
    count: int
    split: str = ""

    @property
    def header(self) -> dict[str, object]:
        """What tells this shard from every other."""
        own = {"split": self.split} if self.split else {}
        return {"recipe": dict(self.recipe), "seed": self.seed, "first": self.first, "count": self.count} | own

    @property
    def numbers(self) -> range:
        """The numbers of its samples within its split."""
        return range(self.first, self.first + self.count)

    @property
    def maker(self) -> Maker:
        """What makes its samples."""
        recipe = Recipe.from_spec(self.recipe)
        return Maker(recipe, self.seed, self.split)


class Maker:
    """Makes the samples of one split of a recipe, the last mesh and matrix at hand for those that share them."""

    def __init__(self, recipe: Recipe, seed: int, split: str = "") -> None:
        """Make samples of a recipe's own `split`, or of none; the split's number is part of the seed."""
        self.recipe = recipe.splits[split].recipe if split else recipe
        self.entropy = (1 + list(recipe.splits).index(split),) if split else ()
        self.seed, self.schema = seed, recipe.schema
        self.families = tuple(f for f in (self.recipe.family, finer(self.recipe.family)) if f is not None)
        self.meshes: dict[tuple[int, int], Mesh] = {}
        self.solver = Repeated()

    def sample(self, number: int) -> tuple[Entry, Arrays]:
        """Draw, solve and pack one sample. Whatever goes wrong costs this sample only and becomes its entry's reason.

        Where a shape cannot be meshed, or the case on its mesh not be solved, a finer mesh of it is tried.
        """
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        reason = ""
        try:
            for attempt in range(len(self.families)):
                try:
                    entry, arrays = self._attempt(number, attempt)
                except SpecError as error:  # the recipe's: no mesh will help
                    return {"failed": reason or _line(str(error))}, {}
                except MeshopsError as error:
                    reason = reason or _line(str(error))
                except Exception as error:  # noqa: BLE001  (anything may fail on one shape in thousands)
                    reason = reason or _line(f"{type(error).__name__}: {error}")
                else:
                    return entry | ({"retried": reason} if reason else {}), arrays
            return {"failed": reason}, {}
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _attempt(self, number: int, attempt: int) -> tuple[Entry, Arrays]:
        first = number - number % self.recipe.per_shape
        case = self._case(number, lambda shape: self._mesh(first, attempt, shape))
        solution = self.solver.solve(case)
        made = self.meshes.get((first, 0), self.meshes[first, attempt])  # a finer mesh is of the same shape
        return {"geometry": geometry_id(made)}, pack(solution, build_graph(case, solution, schema=self.schema))

    def mesh_of(self, number: int, family: Family) -> Mesh:
        """Return the mesh of a sample's shape by another family of the same shapes, such as a coarser one."""
        return family.mesh(self.recipe.family.draw(self._generator(number - number % self.recipe.per_shape)))

    def _case(self, number: int, mesh: Callable[[Shape], Mesh]) -> Case:
        first = number - number % self.recipe.per_shape
        rng = self._generator(first)
        shape = self.recipe.family.draw(rng)
        return self.recipe.case(rng if number == first else self._generator(number), mesh(shape))

    def _mesh(self, first: int, attempt: int, shape: Shape) -> Mesh:
        if (first, attempt) not in self.meshes:
            self.meshes = {key: mesh for key, mesh in self.meshes.items() if key[0] == first}
            self.meshes[first, attempt] = self.families[attempt].mesh(shape)
        return self.meshes[first, attempt]

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number, *self.entropy])


def make_shard(job: Job) -> bytes:
    """Make the samples of a shard, one after the other in this process, and return the shard's file."""
    maker = job.maker
    with one_thread():
        return _file(job, [maker.sample(number) for number in job.numbers])


def make_shard_apart(job: Job) -> bytes:
    """Make a shard whose making has ended a process: in a child process, sample by sample, to find which one does."""
    with Child("meshops") as child:
        return _file(job, [_make_apart(child, job, number) for number in job.numbers])


def make_one(recipe: Mapping[str, object], seed: int, number: int, split: str) -> dict[str, Any]:
    """Make one sample of a recipe's plain form, for a call in a child process."""
    with one_thread():
        entry, arrays = Job(recipe, seed, number, 1, split).maker.sample(number)
    return {"entry": entry, "arrays": arrays}


def _make_apart(child: Child, job: Job, number: int) -> tuple[Entry, Arrays]:
    """Make one sample in `child`. If that ends the process, earlier samples may be to blame: a fresh one decides."""
    values = {"recipe": dict(job.recipe), "seed": job.seed, "number": number, "split": job.split}
    how = None
    for _ in range(2):
        try:
            made = child.call(f"{__name__}:make_one", values, timeout=LONGEST, memory=_MEMORY)
        except ReadError as error:
            how = re.search(r"SIG[A-Z]+|exit code \d+", str(error))
        else:
            return made["entry"], made["arrays"]
    return {"failed": f"its process was ended by {how.group() if how else 'a limit of time or memory'}"}, {}


def _file(job: Job, made: Iterable[tuple[Entry, Arrays]]) -> bytes:
    entries, arrays = zip(*made, strict=True)
    return shard_bytes(job.header | {"samples": list(entries)}, dict(enumerate(arrays)))


def _line(text: str) -> str:
    return " ".join(text.split())[:_LINE]
