"""One operator per file. A new one is one file and one line in `_ALL`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from meshops.graph import Schema, nearest
from meshops.operators.base import Operator, OperatorError
from meshops.operators.beno import BENO
from meshops.operators.bistride_unet import BiStrideUNet
from meshops.operators.boosted import Boosted
from meshops.operators.chebnet import ChebNet
from meshops.operators.coral import Coral
from meshops.operators.deeponet import DeepONet
from meshops.operators.fno import FNO
from meshops.operators.fourier import Fourier
from meshops.operators.galerkin import Galerkin
from meshops.operators.gno import GNO
from meshops.operators.gnot import GNOT
from meshops.operators.low_rank import LowRank
from meshops.operators.meshgraphnet import MeshGraphNet
from meshops.operators.mgno import MgNO
from meshops.operators.mp_pde import MPPDE
from meshops.operators.multigrid import Multigrid
from meshops.operators.multipole_gno import MultipoleGNO
from meshops.operators.omega import Omega
from meshops.operators.pign import PIGN
from meshops.operators.point_mlp import PointMLP
from meshops.operators.refined import Refined
from meshops.operators.rollout import Rollout
from meshops.operators.transolver import Transolver

_ALL: tuple[type[Operator], ...] = (
    BENO,
    BiStrideUNet,
    ChebNet,
    Coral,
    DeepONet,
    FNO,
    Fourier,
    Galerkin,
    GNO,
    GNOT,
    LowRank,
    MeshGraphNet,
    MgNO,
    MPPDE,
    Multigrid,
    MultipoleGNO,
    Omega,
    PIGN,
    PointMLP,
    Transolver,
)
OPERATORS: dict[str, type[Operator]] = {o.name: o for o in _ALL}
STEPPING: dict[str, object] = {"bundle": 1, "pushforward": True, "noise": 0.0}


def options_of(name: str) -> dict[str, object]:
    """Return the options of the operator `name` with their defaults; raises `OperatorError` with the nearest name."""
    if name not in OPERATORS:
        raise OperatorError(f"no operator is called {name!r}; {nearest(name, OPERATORS)}")
    parameters = inspect.signature(OPERATORS[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def completed(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` of the operator `name` with the defaults of all others: what does not change with defaults.

    With `bundle` those of `STEPPING` too, with `boost` those of the first operator. Raises `OperatorError` for an
    unknown name.
    """
    full = {**_known(name, options), **options}
    if "boost" in options:
        before = options["boost"]
        full["boost"] = {**before, "options": completed(before["operator"], before["options"])}
    return full


def build(name: str, schema: Schema, options: Mapping[str, object]) -> Operator:
    """Return the operator `name` for `schema`; raises `OperatorError` for an unknown name, option or type of value.

    On problems in time every operator also takes `STEPPING`'s options: with `bundle` it is the step of a `Rollout`.
    With `boost` {operator, options, scale} it is the second of a `Boosted`, and with `refined` the inner one of a
    `Refined`, whose weights are then loaded or found.
    """
    if options.get("refined"):
        return Refined(build(name, schema, {k: v for k, v in options.items() if k != "refined"}))
    if "boost" in options:
        return _boosted(name, schema, options)
    known = _known(name, options)
    for key, value in options.items():
        if key in STEPPING and key not in known:
            raise OperatorError(f"{key} is of operators that go in steps; give bundle, the times a step, too.")
        if key not in known:
            raise OperatorError(f"{name} has no option {key!r}; {nearest(key, known)}")
        default = known[key]
        if type(value) is not type(default) or (type(value) is int and value < 1):
            kind = "a whole number above 0" if type(default) is int else f"of type {type(default).__name__}"
            raise OperatorError(f"{key} of {name} is {value!r}; expected {kind}, such as {default!r}.")
    if "bundle" in options:
        return Rollout(schema, OPERATORS[name], **{**STEPPING, **options})  # type: ignore[arg-type]
    return OPERATORS[name](schema, **options)


def _known(name: str, options: Mapping[str, object]) -> dict[str, object]:
    return options_of(name) | (STEPPING if "bundle" in options else {})


def _boosted(name: str, schema: Schema, options: Mapping[str, Any]) -> Operator:
    before = options["boost"]
    first = build(before["operator"], schema, before["options"])
    second = build(name, schema, {k: v for k, v in options.items() if k != "boost"})
    return Boosted(schema, first, second, scale=float(before["scale"]))


def describe(name: str) -> dict[str, object]:
    """Return what the operator `name` says of itself, in plain values."""
    operator = OPERATORS[name]
    return {
        "name": name,
        "what": inspect.cleandoc(operator.__doc__ or "").splitlines()[0],
        "reference": operator.reference,
        "cost": operator.cost,
        "invariances": list(operator.invariances),
        "leading": operator.leading,
        "options": options_of(name),
    }


__all__ = [
    "OPERATORS",
    "STEPPING",
    "Boosted",
    "Operator",
    "OperatorError",
    "Refined",
    "Rollout",
    "build",
    "completed",
    "describe",
    "options_of",
]
