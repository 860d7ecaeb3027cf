"""`Run`: all that the weights at the end of training depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from meshops.data import MeshDataset, Normalization, turns
from meshops.graph import MeshGraph, Schema
from meshops.operators import Boosted, Operator, build, completed
from meshops.training.errors import TrainingError
from meshops.training.seeds import seeded
from meshops.training.settings import Settings
from meshops.training.surrogate import Surrogate, misfit

Graphs = Sequence[MeshGraph]
CLOSE = 1e-4  # of its own scale, that a normalization may differ by and be of the same data


@dataclass(frozen=True, eq=False)
class Run:
    """Data, the operator by `name` and all its `options`, and settings; with `first`, the operator that it is to boost.

    `fitted` is the normalization of the training set, by which data are told apart. Raises `TrainingError` for empty
    sets.
    """

    train_set: Graphs
    validation_set: Graphs
    name: str
    options: Mapping[str, Any]
    schema: Schema
    settings: Settings
    fitted: Normalization
    first: Surrogate | None = None

    @property
    def normalization(self) -> Normalization:
        """What graphs are normalized by: of an operator to boost its own, which its weights go with."""
        return self.first.normalization if self.first else self.fitted

    def operator(self) -> Operator:
        """Return the operator as it is before training, a pure function of the seed."""
        with seeded(self.settings.seed):
            operator = build(self.name, self.schema, dict(self.options))
        if isinstance(operator, Boosted) and self.first is not None:
            operator.first.load_state_dict(self.first.operator.state_dict())
        operator.prepare(self.normalization)
        return operator

    @property
    def shapes(self) -> list[str]:
        """The names of the shapes trained on, also those of the operator to boost; none of lists of graphs."""
        before = self.first.training.get("shapes", ()) if self.first else ()
        own = self.train_set.shapes if isinstance(self.train_set, MeshDataset) else ()
        return sorted({*before, *own})

    def identity(self) -> dict[str, Any]:
        """Return what two runs that may go on with each other have in common, as plain values."""
        counts = {"training graphs": len(self.train_set), "validation graphs": len(self.validation_set)}
        own = {"operator": self.name, "options": dict(self.options), "schema": self.schema.to_json(), **counts}
        return json.loads(json.dumps(own | self.settings.identity()))

    def origin(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, for `following`."""
        return {"identity": json.dumps(self.identity()), "normalization": self.fitted.to_tensors()}

    def following(self, origin: Mapping[str, Any]) -> Run:
        """Return this run with the normalization of the one that it goes on with.

        Raises `TrainingError` where they differ.
        """
        before, now = json.loads(origin["identity"]), self.identity()
        before["options"] = completed(before["operator"], before["options"])  # of an earlier version: those given
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                raise TrainingError(_differs(name, before.get(name), now.get(name)))
        own = self.fitted.to_tensors()
        for name, values in origin["normalization"].items():
            scale = own[f"{name.partition('_')[0]}_scale"]
            if not ((values - own[name]).abs() <= CLOSE * (values.abs() + scale)).all():
                raise TrainingError(_differs("training data", "of other values", f"other in {name}"))
        return replace(self, fitted=Normalization.from_tensors(origin["normalization"]))


def _differs(name: str, before: object, now: object) -> str:
    """Return what to say; of options and schemas the entries that differ."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        unlike = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        before, now = ({key: given.get(key) for key in unlike} for given in (before, now))
    return f"the run to resume has {name} {before!r}, this one {now!r}; give the same, or train in another folder."


def make_run(train_set: Graphs, validation_set: Graphs, *, schema: Schema | None, **given: Any) -> Run:  # noqa: ANN401
    """Return the run with a normalization of its own, fitted on the training set only."""
    for name, graphs in (("training", train_set), ("validation", validation_set)):
        if not len(graphs):
            raise TrainingError(f"the {name} set is empty; expected at least one graph. Generate more.")
    if validation_set[0].get("y") is None:
        raise TrainingError("the validation set has no labels; it needs them whatever the loss, to pick the weights.")
    schema = schema or getattr(train_set, "schema", None)
    if schema is None:
        raise TrainingError("the training set has no schema; expected a data set, or a list with schema=...")
    if getattr(validation_set, "schema", schema) != schema:
        raise TrainingError("the training and the validation set differ in equation or dimension; give two of one.")
    if given["settings"].symmetries and not turns(schema):
        raise TrainingError(
            f"found symmetries with {schema.equation!r}, whose problems are not known to turn with the axes; train "
            "without symmetries."
        )
    labels = given["settings"].loss.labels
    _require_graphs("training", train_set, schema, labels=labels)
    _require_graphs("validation", validation_set, schema, labels=True)
    options = _checked(given.pop("options"))
    first = options.get("boost")
    if first is not None:
        first.require_data(schema)
        if isinstance(train_set, MeshDataset) and isinstance(validation_set, MeshDataset):
            first.require_unseen(validation_set, train_set)
        options["boost"] = {"operator": first.name, "options": dict(first.options), "scale": _left(first)}
    fitted = Normalization.fit(train_set, schema, labels=labels)
    options = completed(given["name"], options)
    return Run(train_set, validation_set, schema=schema, options=options, fitted=fitted, first=first, **given)


def _require_graphs(name: str, graphs: Graphs, schema: Schema, *, labels: bool) -> None:
    """Raise `TrainingError` unless graphs have the columns of `schema`, labels where needed, and are of float32.

    A list may hold anything; graphs of a data set are alike, so that its first tells.
    """
    for number, graph in enumerate(graphs if isinstance(graphs, list) else [graphs[0]]):
        told, unlike = f"graph {number} of the {name} set", misfit(graph, schema)
        if unlike:
            raise TrainingError(f"{told} does not fit the schema: {unlike}. Give the schema that it was made with.")
        found = None if graph.get("y") is None else graph.y.shape[1]
        if labels and found != len(schema.y):
            found_columns = f"{told} has {found or 'no'} columns of labels; expected {len(schema.y)}"
            raise TrainingError(f"{found_columns}: build it with its solution.")
        if graph.x.dtype != torch.float32:
            raise TrainingError(f"{told} is of {graph.x.dtype}; expected torch.float32: build it with that dtype.")


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the options; raises `TrainingError` for those that are of finished surrogates alone."""
    if "refined" in options:
        raise TrainingError("found the option refined; expected a run without it: train it, then refine it.")
    if "boost" in options and not isinstance(options["boost"], Surrogate):
        found = type(options["boost"]).__name__
        raise TrainingError(f"boost is of type {found}; expected a Surrogate: load it, or give its folder by --boost.")
    return dict(options)


def _left(first: Surrogate) -> float:
    """Return about the relative error of a surrogate, as its own validation found it."""
    return min(1.0, float(first.training.get("val_relative_l2", 1.0))) or 1.0
