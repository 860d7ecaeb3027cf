"""Making samples: what a worker does. A sample depends on the recipe, the seed and its own number, on nothing else."""

from __future__ import annotations

import faulthandler
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geometries.child import Child
from geometries.errors import MeshopsError, ReadError
from meshops.data.recipe import Recipe
from meshops.data.samples import geometry_id, pack
from meshops.data.store import shard_bytes
from meshops.equations import solve
from meshops.graph import build_graph

Arrays = dict[str, NDArray[np.generic]]
Entry = dict[str, str]  # {"geometry": id} or {"failed": reason}
LONGEST = 900.0  # seconds a sample may take; the process that makes it is ended then
_MEMORY = 64.0  # GiB of address space; torch alone reserves several
_LINE = 300


@dataclass(frozen=True)
class Job:
    """One shard to make: samples `first` to `first + count` of a recipe's plain form and a seed."""

    recipe: Mapping[str, object]
    seed: int
    first: int
    count: int

    @property
    def header(self) -> dict[str, object]:
        """What tells this shard from every other."""
        return {"recipe": dict(self.recipe), "seed": self.seed, "first": self.first, "count": self.count}

    @property
    def numbers(self) -> range:
        """The numbers of its samples."""
        return range(self.first, self.first + self.count)


def make_shard(job: Job) -> bytes:
    """Make the samples of a shard, one after the other in this process, and return the shard's file."""
    recipe = Recipe.from_spec(job.recipe)
    with _one_thread():
        return _file(job, [make_sample(recipe, job.seed, number) for number in job.numbers])


def make_shard_apart(job: Job) -> bytes:
    """Make a shard whose making has ended a process: in a child process, sample by sample, to find which one does."""
    with Child("meshops") as child:
        return _file(job, [_make_apart(child, job, number) for number in job.numbers])


def make_sample(recipe: Recipe, seed: int, number: int) -> tuple[Entry, Arrays]:
    """Draw, solve and pack one sample. Whatever goes wrong costs this sample only and becomes its entry's reason."""
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        case = recipe.draw(np.random.default_rng([seed, number]))
        solution = solve(case)
        return {"geometry": geometry_id(case.mesh)}, pack(solution, build_graph(case, solution))
    except MeshopsError as error:
        return {"failed": _line(str(error))}, {}
    except Exception as error:  # noqa: BLE001  (a family, a solver: anything may fail on one shape in thousands)
        return {"failed": _line(f"{type(error).__name__}: {error}")}, {}
    finally:
        faulthandler.cancel_dump_traceback_later()


def make_one(recipe: Mapping[str, object], seed: int, number: int) -> dict[str, Any]:
    """Make one sample of a recipe's plain form, for a call in a child process."""
    with _one_thread():
        entry, arrays = make_sample(Recipe.from_spec(recipe), seed, number)
    return {"entry": entry, "arrays": arrays}


def _make_apart(child: Child, job: Job, number: int) -> tuple[Entry, Arrays]:
    """Make one sample in `child`. If that ends the process, earlier samples may be to blame: a fresh one decides."""
    values = {"recipe": dict(job.recipe), "seed": job.seed, "number": number}
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


@contextmanager
def _one_thread() -> Iterator[None]:
    """Give torch one thread: as many workers as cores fill the machine, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _line(text: str) -> str:
    return " ".join(text.split())[:_LINE]
