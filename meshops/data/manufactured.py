"""Manufactured solutions: further problems on the shape of each sample, whose solutions are known without solving."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geometries.errors import MeshopsError
from meshops.data.normalization import Normalization
from meshops.equations import EQUATIONS, Case, assemble
from meshops.graph import MeshGraph, Schema, segment_sum

WAVES, FREQUENCY = 8, 4.0  # of a field; the spread of its wave vectors, in units of 1 / the shape's length
SIZE = 1.0  # mean of the amplitude, in the fields' standard deviations
ROOM = 50_000_000  # entries of matrices that are kept, a gigabyte; beyond, they are assembled anew


@dataclass(frozen=True, eq=False)
class _Matrix:
    """Entries of a sample's dimensionless matrix, as loads of points: f_i = Σ value v_column over the rows i."""

    row: Tensor
    column: Tensor
    value: Tensor


class Manufactured:
    """Adds a random smooth field v to a sample's solution, and to its data what v takes.

    Where A u = f and u = g on a part of the boundary, u + v solves the problem with f + A v and g + v: exactly, for the
    same matrix A, which depends on shape, coefficients and kinds of condition alone. So each step sees other data on
    its shapes, and an operator cannot learn a shape's one answer by heart. v is a sum of sines of random directions,
    lengths and phases, component by component.

    For steady linear problems of one field on linear cells, whose equation is known and not stabilised: an upwind test
    function would be in A v and not in the source. The load of a point is A v over its mass, as
    `Case.loads` counts sources; samples with sources by points differ from that by O(h²). Raises `MeshopsError` for
    others, and for hybrids, whose classical solution would be of other data. Matrices are assembled when first needed,
    and kept while there is room.
    """

    name = "manufactured"

    def __init__(self, schema: Schema, read_case: Callable[[int], Case]) -> None:
        """`read_case` gives the case of a sample by its number."""
        if schema.lifting:
            raise MeshopsError("found a hybrid with manufactured solutions; expected one of lifting and manufactured.")
        equation = EQUATIONS.get(schema.equation)
        self._source = [schema.x.index(name) for name in schema.x if name.split(".")[0] == "source"]
        steady = schema.linear and not schema.times and not {"periodic", "roller"} & set(schema.kinds)
        plain = equation is not None and len(equation.fields) == 1 and not equation.stabilised
        if equation is None or not (steady and plain and len(self._source) == len(schema.y)):
            raise MeshopsError(
                f"found a problem of {schema.equation!r} that is not steady, linear, of one field with a source for "
                "each component, free of periodic conditions, rollers and upwind tests; train it without manufactured "
                "solutions."
            )
        names = list(enumerate(schema.boundary_x))
        self._held = [i for i, name in names if name.split(":")[0] == "dirichlet"]
        self._values = [i for i, name in names if name.startswith("dirichlet.value")]
        self._field, self._read_case = equation.fields[0].name, read_case
        self._known: dict[int, _Matrix] = {}

    def __call__(self, graph: MeshGraph, normalization: Normalization) -> MeshGraph:
        """Return the normalized graph, or batch, of other problems; draws by torch's generator."""
        out, normal = copy(graph), {k: v.to(graph.x) for k, v in normalization.to_tensors().items()}
        rise = torch.cat([self._field_on(pos, len(self._source)) for pos in self._split(graph, graph.pos)])
        load = self._loads(graph, rise * normal["y_scale"]) / normal["x_scale"][self._source]
        out.y, out.x, out.boundary_x = graph.y + rise, graph.x.clone(), graph.boundary_x.clone()
        out.x[:, self._source] += torch.where(graph.fixed, 0.0, load)
        out.fixed_value = torch.where(graph.fixed, graph.fixed_value + rise, graph.fixed_value)
        if self._values:
            factor = normal["y_scale"] / normal["boundary_scale"][self._values]
            edge = torch.where(graph.boundary_x[:, self._held] > 0, rise.index_select(0, graph.boundary_index), 0.0)
            out.boundary_x[:, self._values] += edge * factor
        return out

    @staticmethod
    def _split(graph: MeshGraph, rows: Tensor) -> tuple[Tensor, ...]:
        return rows.split(torch.bincount(graph.graph_of_node, minlength=graph.size).tolist())

    @staticmethod
    def _field_on(pos: Tensor, components: int) -> Tensor:
        """Return (n, components) a random smooth field of sines."""
        waves = FREQUENCY * torch.randn(WAVES, pos.shape[1]) * torch.rand(WAVES, 1)
        phase = 2 * torch.pi * torch.rand(WAVES)
        amplitude = 2 * SIZE * torch.rand(1) * torch.randn(WAVES, components) / WAVES**0.5
        return (pos @ waves.T.to(pos) + phase.to(pos)).sin() @ amplitude.to(pos)

    def _loads(self, graph: MeshGraph, rise: Tensor) -> Tensor:
        """Return (N, C) the loads that a dimensionless field (N, C) takes on each sample's own matrix."""
        found = []
        for sample, values in zip(graph.sample.tolist(), self._split(graph, rise), strict=True):
            own = self._matrix(sample)
            part = own.value.to(values) * values.flatten().index_select(0, own.column.to(values.device))
            found.append(segment_sum(part, own.row.to(values.device), values.numel()).view(values.shape))
        return torch.cat(found)

    def _matrix(self, sample: int) -> _Matrix:
        if sample in self._known:
            return self._known[sample]
        found = _matrix(self._read_case(sample), self._field)
        if sum(len(known.value) for known in self._known.values()) + len(found.value) <= ROOM:
            self._known[sample] = found
        return found


def _matrix(case: Case, field: str) -> _Matrix:
    if case.mesh.order != 1:
        raise MeshopsError("a sample has cells of second order; train without manufactured solutions.")
    scaling, entries = case.equation.scaling(case), assemble(case).matrix.tocoo()
    components = entries.shape[0] // case.mesh.num_points
    mass = np.repeat(case.mesh.mass, components)
    scale = scaling.quantities[field][1] / scaling.quantities["source"][1]
    value = entries.data * scale / mass[entries.row]
    row, column = (torch.from_numpy(np.asarray(index, dtype=np.int64)) for index in (entries.row, entries.col))
    return _Matrix(row, column, torch.from_numpy(value).float())
