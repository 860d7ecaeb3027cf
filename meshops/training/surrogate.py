"""`Surrogate`: a trained operator with its scaling: what a user saves, loads and solves with."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from meshops.data import MeshDataset, Normalization
from meshops.graph import (
    Case,
    MeshGraph,
    MeshopsError,
    Schema,
    Solution,
    build_graph,
    nearest,
    schema_of,
    untargeted,
    with_essential,
)
from meshops.graph.schema import LIFTING
from meshops.operators import Operator, build
from meshops.training.errors import SurrogateError
from meshops.training.files import atomic_write
from meshops.training.seeds import seeded

DESCRIPTION, TENSORS = "surrogate.json", "operator.safetensors"
FORMAT, VERSION = "meshops surrogate", (1, 0)
_COLUMNS = ("pos", "x", "boundary_x", "fixed", "theta")
_OPERATOR, _NORMALIZATION = "operator/", "normalization/"


@dataclass(frozen=True, eq=False)
class Surrogate:
    """An operator, the normalization of its graphs, and how it came to be.

    It was built by `name` in the registry with `options`, and trained as `training` says in plain values.

    A folder holds it: `surrogate.json` says what it is, `operator.safetensors` has the weights, the normalization and
    the record of training. From one save of a run to the next only the latter changes, so a kill in between leaves a
    whole surrogate.
    """

    operator: Operator
    normalization: Normalization
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> Schema:
        """What the graphs look like that it takes."""
        return self.operator.schema

    @property
    def label(self) -> str:
        """What its answers are told by: the name, `NAME+lifting` of a hybrid, which had a classical solve's help."""
        return f"{self.name}+{LIFTING}" if self.schema.lifting else self.name

    @torch.no_grad()
    def predict(self, graph: MeshGraph) -> Tensor:
        """Return the (N, C) fields of a graph or a batch, as `build_graph` scales them, on the CPU.

        Essential values are exact. Raises `SurrogateError` for a graph of other columns or another type of number.
        """
        self._require_features(graph)
        self.operator.eval()
        device = next(self.operator.parameters()).device
        values = self.operator(self.normalization.apply(graph).to(device)).cpu()
        return torch.where(graph.fixed, graph.fixed_value, self.normalization.undo(values))

    def solve(self, case: Case, *, graph: MeshGraph | None = None) -> Solution:
        """Return the predicted solution of `case`, in its own units; essential values are exact.

        `graph` is that of `graph_of`, where it is at hand. Raises `SurrogateError` for another equation or dimension
        than it was trained for.
        """
        start = time.perf_counter()
        self._require_case(case)
        graph = self.graph_of(case) if graph is None else graph
        built = time.perf_counter()
        values = self.predict(graph).double().numpy()
        fields = untargeted(case, case.equation.scaling(case), values)
        seconds = {"graph": built - start, "predict": time.perf_counter() - built}
        return with_essential(case.solution(fields, surrogate=self.label, seconds=seconds))

    def graph_of(self, case: Case) -> MeshGraph:
        """Return the graph of `case` that the operator takes; raises `SurrogateError` as `solve` does."""
        self._require_case(case)
        return build_graph(case, schema=self.schema)

    def require_data(self, schema: Schema) -> None:
        """Raise `SurrogateError` unless graphs of `schema` are what it was trained on."""
        if schema != self.schema:
            found, own = _problems(schema), _problems(self.schema)
            other = " with other columns" if found == own else ""
            raise SurrogateError(
                f"the data are of {found}; this surrogate was trained for {own}{other}: give data of its recipe."
            )

    def require_unseen(self, samples: MeshDataset, train: MeshDataset) -> None:
        """Raise `SurrogateError` where it was trained on a shape of the data set `samples`, as its record tells.

        A shape that the split `train` of the same data set has too is on both sides on purpose. Raises it as well where
        the record tells no shapes, as one of an earlier version.
        """
        if "shapes" not in self.training:
            raise SurrogateError(
                "this surrogate's record does not tell the shapes that it was trained on, as one of an earlier "
                "version; the data may hold some of them: train it again."
            )
        seen = (samples.shapes & set(self.training["shapes"])) - train.shapes
        if seen:
            raise SurrogateError(
                f"this surrogate was trained on {len(seen)} of the {len(samples.shapes)} shapes that it is to be "
                "tested on; expected unseen ones: train on this data set anew, or give the one that it was trained on."
            )

    def save(self, folder: str | Path) -> None:
        """Write the two files into `folder`, which is made if need be; what is there is replaced."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._description(), indent=2) + "\n"
        tensors = {_OPERATOR + k: v for k, v in self.operator.state_dict().items()}
        tensors |= {_NORMALIZATION + k: v for k, v in self.normalization.to_tensors().items()}
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        facts = {"training": json.dumps(dict(self.training)), "describes": _digest(text.encode())}
        facts["sha256"] = _sum(tensors)
        with atomic_write(folder / TENSORS) as beside:
            save_file(tensors, beside, metadata=facts)
        with atomic_write(folder / DESCRIPTION) as beside:
            beside.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Surrogate:
        """Read what `save` wrote, with nothing in it run.

        Raises `SurrogateError` where files are missing, damaged, not of one surrogate or of a newer version.
        """
        folder = Path(folder)
        text = _read(folder / DESCRIPTION)
        given = _parse(folder, text)
        tensors, facts = _read_tensors(folder / TENSORS)
        if facts.get("describes") != _digest(text):
            raise SurrogateError(f"{str(folder)!r}: {DESCRIPTION} and {TENSORS} are of two surrogates; copy it again.")
        if facts.get("sha256") != _sum(tensors):
            raise SurrogateError(f"{str(folder / TENSORS)!r} is damaged: its checksum differs; copy it again.")
        try:
            options = dict(given["options"])
            with seeded(0):  # what is drawn is replaced
                operator = build(given["operator"], Schema.from_json(given["schema"]), options)
            operator.load_state_dict(_within(tensors, _OPERATOR))
            normalization = Normalization.from_tensors(_within(tensors, _NORMALIZATION))
            training = dict(json.loads(facts["training"]))
        except (KeyError, TypeError, ValueError, RuntimeError, MeshopsError) as error:
            reason = str(error).splitlines()[0]
            raise SurrogateError(f"{str(folder)!r} does not fit this version of meshops: {reason}") from error
        return cls(operator.eval(), normalization, given["operator"], options, training)

    def _description(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": list(VERSION),
            "operator": self.name,
            "options": dict(self.options),
            "schema": self.schema.to_json(),
        }

    def _require_case(self, case: Case) -> None:
        found, dim = case.equation.name, case.mesh.space_dim
        if (found, dim) != (self.schema.equation, self.schema.dim):
            raise SurrogateError(
                f"the case is {found!r} in {dim}-D; this surrogate was trained for {self.schema.equation!r} in "
                f"{self.schema.dim}-D. Solve with one trained for such cases, or without."
            )
        full = schema_of(case.equation, dim, times=len(case.times))
        full = full.lifted() if self.schema.lifting else full
        own = (self.schema.kinds, self.schema.coefficients, self.schema.varying)
        if full.restricted(*own, moving=self.schema.moving) != self.schema:
            raise SurrogateError(
                f"this surrogate was trained for {self.schema.times} times of {found!r}, or another version of it; "
                f"the case has {len(case.times)}."
            )

    def _require_features(self, graph: MeshGraph) -> None:
        unlike = misfit(graph, self.schema)
        if unlike:
            raise SurrogateError(f"{unlike}: give graphs of this surrogate, as its graph_of makes them.")
        own = next(self.operator.parameters()).dtype
        if graph.x.dtype != own:
            raise SurrogateError(f"the graph is of {graph.x.dtype}; expected {own}: build it with that dtype.")


def misfit(graph: MeshGraph, schema: Schema) -> str:
    """Return how the columns of a graph, or a batch, are not those of `schema`; empty where they are."""
    found = tuple(None if graph.get(name) is None else graph[name].shape[1] for name in _COLUMNS)
    expected = (schema.dim, len(schema.x), len(schema.boundary_x), len(schema.y), len(schema.theta))
    if found == expected:
        return ""
    return f"the graph has {found} columns of {', '.join(_COLUMNS)}; expected {expected}, for {_problems(schema)}"


def _problems(schema: Schema) -> str:
    times = f" at {schema.times} times" if schema.times else ""
    return f"{schema.equation!r} in {schema.dim}-D{times}"


@contextmanager
def shipped(name: str) -> Iterator[Path]:
    """Yield the folder of a run that comes with the package: `bracket` or `corners`, trained on the recipe so called.

    Raises `SurrogateError` for other names.
    """
    with as_file(files("meshops") / "resources" / "surrogates") as folder:
        names = sorted(path.name for path in folder.iterdir())
        if name not in names:
            raise SurrogateError(f"no surrogate {name!r} comes with meshops; {nearest(name, names)}")
        yield folder / name


def _within(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SurrogateError(f"{str(path.parent)!r} is no surrogate: {path.name}: {error.strerror}.") from error


def _parse(folder: Path, text: bytes) -> dict[str, Any]:
    try:
        given = json.loads(text)
        fits, major = given["format"] == FORMAT, int(given["version"][0])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise SurrogateError(f"{str(folder / DESCRIPTION)!r} is damaged: {error}.") from error
    if not fits:
        raise SurrogateError(f"{str(folder / DESCRIPTION)!r} is of format {given['format']!r}; expected {FORMAT!r}.")
    if major > VERSION[0]:
        raise SurrogateError(
            f"{str(folder)!r} has version {given['version']}; expected {VERSION[0]}.x; upgrade meshops."
        )
    return given


def _read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SurrogateError(f"{str(path)!r} is damaged: {error}.") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sum(tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()
