"""A solved case as flat named arrays, and back.

Text and numbers go into one array `spec`, the bytes of a JSON object. The arrays are:

spec                            equation, conditions, ..., names in their order
mesh/points, mesh/cells/TYPE, mesh/boundaries/NAME, mesh/regions/NAME, ...
case/N                          values that are arrays, numbered
solution/FIELD
graph/FIELD                     the ready tensors of `MeshGraph`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition
from geometries.mesh import Mesh
from geometries.values import to_spec
from meshops.data.manifest import StoreError
from meshops.equations import Case, Solution, equation
from meshops.equations.case_file import read_conditions
from meshops.graph import MeshGraph

Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]
_SETS = ("cells", "boundaries", "regions", "point_data", "cell_data")
_ARRAY = "\0array"  # stands for no name


def pack(solution: Solution, graph: MeshGraph) -> dict[str, NDArray[np.generic]]:
    """Return everything about a solved case. No times: the same case gives the same bytes."""
    arrays: dict[str, NDArray[np.generic]] = {}
    spec = _case_spec(solution.case, arrays)
    spec["made_by"] = {k: v for k, v in solution.made_by.items() if k != "seconds"}
    return _packed(solution.case.mesh, solution.fields, graph, spec, arrays)


def pack_fields(mesh: Mesh, values: Arrays, graph: MeshGraph) -> dict[str, NDArray[np.generic]]:
    """Return everything about fields on a mesh that belong to no case: imported ones."""
    return _packed(mesh, values, graph, {"made_by": {}}, {})


def _packed(
    mesh: Mesh, values: Arrays, graph: MeshGraph, spec: dict[str, Any], arrays: dict[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    spec["mesh"] = {kind: list(getattr(mesh, kind)) for kind in _SETS}
    spec["solution"] = list(values)
    arrays["mesh/points"] = mesh.points
    for kind in _SETS:
        arrays |= {f"mesh/{kind}/{name}": data for name, data in getattr(mesh, kind).items()}
    arrays |= {f"solution/{name}": data for name, data in values.items()}
    arrays |= {f"graph/{name}": tensor.numpy() for name, tensor in graph.to_dict().items()}
    arrays["spec"] = np.frombuffer(json.dumps(spec, allow_nan=False).encode(), dtype=np.uint8)
    return arrays


def unpack_case(arrays: Arrays) -> Case:
    """Return the case from its arrays; those of the graph and the solution may be missing."""
    spec = _spec(arrays)
    if "equation" not in spec:
        raise StoreError("an imported sample is of no equation, so it has no case; its graph and mesh can be read.")
    return Case(
        _mesh(arrays, spec["mesh"]),
        equation(spec["equation"]),
        conditions={
            name: read_conditions(_restored(given, arrays), ("conditions", name))
            for name, given in spec["conditions"].items()
        },
        coefficients={name: _restored(given, arrays) for name, given in spec["coefficients"].items()},
        source=_restored(spec["source"], arrays),
        initial={name: _restored(given, arrays) for name, given in spec.get("initial", {}).items()},
        times=spec.get("times", ()),
    )


def unpack_mesh(arrays: Arrays) -> Mesh:
    """Return the mesh, the fields of the solution as its point data; a field at several times is its last."""
    spec = _spec(arrays)
    mesh = _mesh(arrays, spec["mesh"])
    fields = {name: arrays[f"solution/{name}"] for name in spec["solution"]}
    last = {name: values[-1] if values.ndim == 3 else values for name, values in fields.items()}
    data = {name: values[:, 0] if values.shape[1] == 1 else values for name, values in last.items()}
    return replace(mesh, point_data={**mesh.point_data, **data})


def unpack_solution(arrays: Arrays) -> Solution:
    """Return the solution, with its case."""
    spec = _spec(arrays)
    values = {name: arrays[f"solution/{name}"] for name in spec["solution"]}
    return Solution(unpack_case(arrays), values, spec["made_by"])


def unpack_any(arrays: Arrays) -> Solution | Mesh:
    """Return the solution; of an imported sample, which has no case, the mesh with its fields."""
    return unpack_solution(arrays) if "equation" in _spec(arrays) else unpack_mesh(arrays)


def geometry_id(mesh: Mesh) -> str:
    """Return a name for the mesh's shape: the same for the same points and cells, whatever its names are."""
    digest = hashlib.sha256(np.ascontiguousarray(mesh.points))
    for kind, cells in mesh.cells.items():
        digest.update(kind.encode())
        digest.update(np.ascontiguousarray(cells))
    return digest.hexdigest()[:16]


def _case_spec(case: Case, arrays: dict[str, NDArray[np.generic]]) -> dict[str, Any]:
    """Return the case as plain data; arrays go to `arrays`, and their numbers stand for them."""

    def plain(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, np.ndarray):
            arrays[f"case/{len(arrays)}"] = value
            return {_ARRAY: len(arrays) - 1}
        if isinstance(value, Mapping):
            return {name: plain(given) for name, given in value.items()}
        return value if isinstance(value, str) else to_spec(value)

    def condition(given: Condition) -> dict[str, Any]:
        return {given.key: {f.name: plain(getattr(given, f.name)) for f in fields(given)}}

    conditions = {
        name: [condition(c) for c in given] if isinstance(given, tuple) else condition(given)
        for name, given in case.conditions.items()
    }
    return {
        "equation": case.equation.name,
        "conditions": conditions,
        "coefficients": {name: plain(value) for name, value in case.coefficients.items()},
        "source": plain(case.source),
        "initial": {name: plain(value) for name, value in case.initial.items()},
        "times": list(case.times),
    }


def _restored(spec: Any, arrays: Arrays) -> Any:  # noqa: ANN401
    if isinstance(spec, list):
        return [_restored(value, arrays) for value in spec]
    if not isinstance(spec, Mapping):
        return spec
    if list(spec) == [_ARRAY] and f"case/{spec[_ARRAY]}" in arrays:
        return arrays[f"case/{spec[_ARRAY]}"]
    return {key: _restored(value, arrays) for key, value in spec.items()}


def _mesh(arrays: Arrays, names: Mapping[str, list[str]]) -> Mesh:
    sets = {kind: {name: arrays[f"mesh/{kind}/{name}"] for name in names[kind]} for kind in _SETS}
    return Mesh(points=arrays["mesh/points"], **sets)


def _spec(arrays: Arrays) -> dict[str, Any]:
    return json.loads(arrays["spec"].tobytes())
