"""Assembly by scikit-fem: from a case to a linear system whose unknowns are the fields' values at the mesh's points.

Each block of cells is assembled on its own and scattered to numbers of unknowns, so that blocks of several types add
up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import skfem
from numpy.typing import NDArray
from scipy.sparse import csr_array
from skfem.assembly.form.form import FormExtraParams

from geometries.cells import CELLS
from geometries.errors import SpecError
from geometries.sides import over_sides
from geometries.values import Value, evaluate, names_in, slope_by_field
from meshops.equations.base import Form, Terms
from meshops.equations.case import Case, Part, label
from meshops.equations.case_checks import wrong_sign
from meshops.equations.constraints import Constraints, constraints
from meshops.equations.elements import Block, UnsupportedCells, blocks
from meshops.equations.layout import Layout
from meshops.equations.levels import Level
from meshops.equations.probing import probed
from meshops.equations.system import LinearSystem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Data = dict[str, Any]

__all__ = ["Assembler", "LinearSystem", "UnsupportedCells", "assemble", "blocks"]


def assemble(case: Case, state: Mapping[str, Floats] | None = None, time: float | None = None) -> LinearSystem:
    """Return the system of `case` at `time` (its first, by default): matrix u = rhs over all unknowns.

    Of a nonlinear case it is the linearisation at `state` {field: (N, c)}, by default zero: its solution is Newton's
    next iterate, and matrix state - rhs the residual at `state`.
    """
    assembler = Assembler(case)
    vector = None if state is None else assembler.layout.join(state)
    return assembler.system(vector, case.start if time is None else time)


@dataclass(frozen=True, eq=False)
class Term:
    """A condition on the sides of one block: those of `part.sides` that are `inside` it."""

    block: Block
    basis: Any
    numbers: Ints
    part: Part
    inside: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Assembler:
    """Assembles one case again and again: for Newton's steps and for times."""

    case: Case

    @cached_property
    def layout(self) -> Layout:
        """Where the unknowns stand."""
        return Layout(self.case.mesh, self.case.equation.fields)

    @cached_property
    def _blocks(self) -> list[tuple[Block, Ints]]:
        made = blocks(self.case.mesh, self.case.equation.fields)
        return [(block, block.numbers(self.layout)) for block in made]

    @property
    def blocks(self) -> Iterator[tuple[Block, Any, Ints]]:
        """The blocks of cells, each with its basis and the numbers of its degrees of freedom."""
        return ((block, block.basis(), numbers) for block, numbers in self._blocks)

    @cached_property
    def sides(self) -> list[Term]:
        """The conditions with weak terms, block by block."""
        out = []
        for part in self.case.parts:
            if self.case.equation.terms[type(part.condition)] == Terms():
                continue
            for block, numbers in self._blocks:
                inside = block.owns(part.sides)
                if inside.any():
                    out.append(Term(block, block.facet_basis(part.sides[inside]), numbers, part, inside))
        return out

    def system(self, state: Floats | None, time: float) -> LinearSystem:
        """Return the system at `time`, of a nonlinear case linearised at `state`.

        Raises `SpecError` where a coefficient has the wrong sign; one that varies with the field is told in `wrong`.
        """
        equation, n = self.case.equation, self.layout.size
        if not self.case.linear and state is None:
            state = np.zeros(n)
        matrix, rhs, wrong = csr_array((n, n)), np.zeros(n), ""
        for basis, numbers, data, terms in self._integrals(state, time):
            wrong = wrong or _wrong(self.case, data, time)
            added = _matrix(basis, numbers, terms.bilinear, data, n)
            rhs += _vector(basis, numbers, terms.linear, data, n)
            if state is not None and terms.residual is not None:
                rhs += added @ state - _vector(basis, numbers, terms.residual, data, n)
            elif state is not None and terms.derivative is not None:
                slope = _matrix(basis, numbers, terms.derivative, data, n)
                rhs += slope @ state
                added = added + slope
            matrix = matrix + added
        held = self.held(time)
        near = equation.near_null(self.case.mesh)
        like = partial(self.matrix, "like", None, time) if equation.like else None
        return self.balanced(LinearSystem(csr_array(matrix), rhs, held.fixed, held.value, held.ties, near, like, wrong))

    @cached_property
    def level(self) -> Level | None:
        """The level of the field that the case determines up to a constant only, if there is one."""
        fields, name = self.case.equation.fields, self.case.equation.floating(self.case)
        if name is None:
            return None
        place = [field.name for field in fields].index(name)
        total = np.zeros(self.layout.size)
        for _, basis, numbers in self.blocks:
            total += _vector(basis, numbers, lambda *v_and_w: v_and_w[place], {}, len(total))
        return Level(total)

    def balanced(self, system: LinearSystem) -> LinearSystem:
        """Return a system that has a solution where a field has no level; see `Level`."""
        return system if self.level is None else self.level.balanced(system)

    def split(self, values: Floats) -> dict[str, Floats]:
        """Return {field: (N, c)} at the mesh's points; a field without a level has mean 0."""
        return self.layout.split(values if self.level is None else self.level.settled(values))

    def rhs(self, time: float) -> Floats:
        """Return the right-hand side of a linear case at `time`."""
        n = self.layout.size
        found = self._integrals(None, time)
        return sum(
            (_vector(basis, numbers, terms.linear, data, n) for basis, numbers, data, terms in found), np.zeros(n)
        )

    def held(self, time: float) -> Constraints:
        """Return what the essential conditions say at `time`; that of the last time is kept."""
        if time not in self._held:
            held = constraints(self.case, self.layout, time)
            self._held.clear()
            self._held[time] = held if self.level is None else self.level.pinned(held)
        return self._held[time]

    @cached_property
    def _held(self) -> dict[float, Constraints]:
        return {}

    def matrix(self, form: str, state: Floats | None, time: float) -> csr_array:
        """Return the matrix of the equation's form `mass`, `damping` or `like` at `state`, and of the conditions'.

        Raises `SpecError` where a coefficient has the wrong sign at `time`.
        """
        n = self.layout.size
        total = csr_array((n, n))
        for basis, numbers, data, terms in self._integrals(state, time):
            _wrong(self.case, data, time)
            total = total + _matrix(basis, numbers, getattr(terms, form, None), data, n)
        return csr_array(total)

    def flux_through(self, part: Part, weight: Floats, time: float) -> Floats:
        """Return (n,) the weights over the unknowns of ∫ w F(u)·n over the outer sides of `part`, `weight` (N,) of w.

        Of a scalar field, with F the flux in the equation's form ∫ F(u)·∇v.
        """
        mesh, equation, total = self.case.mesh, self.case.equation, np.zeros(self.layout.size)
        outer = np.isin(mesh.facet_ids(part.sides), mesh.facet_ids(mesh.outer))
        for block, numbers in self._blocks:
            inside = block.owns(part.sides) & outer
            if inside.any():
                basis = block.facet_basis(part.sides[inside])
                data = _side_data(self.case, Term(block, basis, numbers, part, inside), {}, time)
                w = np.asarray(block.scalar_on(basis).interpolate(weight[block.points]))
                along = skfem.DiscreteField(np.zeros_like(w), w * basis.normals)  # F·∇v is w F·n, and v is nothing
                total += _vector(basis, numbers, _against(equation.bilinear, along), data, len(total))
        return total

    def at_nodes(self, state: Floats, time: float) -> Iterator[tuple[Ints, Any]]:
        """Yield of each block (C, k) the points of its cells, and what forms find in `w` there at `state`."""
        for block, numbers in self._blocks:
            basis = block.nodal_basis()
            data = self.inside(block, basis, state[numbers], time)
            yield block.nodes, FormExtraParams(**data, x=basis.global_coordinates())

    def inside(self, block: Block, basis: Any, local: Floats | None, time: float) -> Data:  # noqa: ANN401
        """Return what forms find in `w` at the quadrature points of a block whose unknowns are `local`."""
        data = _state_data(self.case, basis, local)
        return data | _cell_data(self.case, _Quadrature(block, basis, block.cells), _primary(self.case, data), time)

    def _integrals(self, state: Floats | None, time: float) -> Iterator[tuple[Any, Ints, Data, Any]]:
        """Yield basis, numbers, data and forms of each block of cells and of each condition on each block.

        The forms are attributes of an equation or of `Terms`.
        """
        equation = self.case.equation
        for block, basis, numbers in self.blocks:
            yield basis, numbers, self.inside(block, basis, None if state is None else state[numbers], time), equation
        for term in self.sides:
            data = _state_data(self.case, term.basis, None if state is None else state[term.numbers])
            data |= _side_data(self.case, term, data, time)
            yield term.basis, term.numbers, data, equation.terms[type(term.part.condition)]


# -- data at quadrature points, as forms find them in w ----------------------------------------------------------------
def _state_data(case: Case, basis: Any, local: Floats | None) -> Data:  # noqa: ANN401
    if local is None:
        return {}
    fields = basis.interpolate(local)
    named = fields if isinstance(fields, tuple) else (fields,)
    return {field.name: given for field, given in zip(case.equation.fields, named, strict=True)}


def _primary(case: Case, data: Data) -> Floats | None:
    """Values of the first field for coefficients that vary with u; None where it is a vector or unknown."""
    found = data.get(case.equation.field)
    return None if found is None or case.equation.fields[0].components else np.asarray(found)


@dataclass(frozen=True, eq=False)
class _Quadrature:
    """The quadrature points of a basis over `cells`, or over sides of these cells."""

    block: Block
    basis: Any
    cells: Ints

    @cached_property
    def points(self) -> Floats:
        """(C, q, d) positions."""
        return np.moveaxis(np.asarray(self.basis.global_coordinates()), 0, -1)

    def of_nodal(self, given: Floats) -> Floats:
        """Return (C, q, *shape) values of an array over points (N, *shape), by the element."""
        basis, columns = self.block.scalar_on(self.basis), given.reshape(len(given), -1).T
        found = [np.asarray(basis.interpolate(np.ascontiguousarray(c[self.block.points]))) for c in columns]
        return np.stack(found, axis=-1).reshape(*self.points.shape[:-1], *given.shape[1:])

    def of_coefficient(self, case: Case, name: str, u: Floats | None, time: float) -> Floats:
        """Return values of a coefficient or of the source, components first: (*shape, C, q)."""
        given, shape = case.given(name), case.shape_of(name)
        if isinstance(given, np.ndarray) and given.shape == (case.mesh.num_points, *shape):
            return self.first(self.of_nodal(given))
        return self.first(case.coefficient(name, self.points, self.cells, time=time, u=u))

    def first(self, values: Floats) -> Floats:
        """Put the components of (C, q, *shape) values first, as scikit-fem has them."""
        extra = values.ndim - 2
        return np.moveaxis(values, range(-extra, 0), range(extra)) if extra else values


def _cell_data(case: Case, at: _Quadrature, u: Floats | None, time: float) -> Data:
    data: Data = {"degree": CELLS[at.block.kind].order}
    for name, given in {"source": case.source, **case.coefficients}.items():
        data[name] = at.of_coefficient(case, name, u, time)
        if u is not None and not isinstance(given, Mapping) and "u" in names_in(given):
            slope = slope_by_field(given, at.points, time=time, u=u)
            data[f"{name}_slope"] = at.first(evaluate(slope, at.points, f"{name}'s slope", shape=case.shape_of(name)))
        elif u is not None:
            data[f"{name}_slope"] = np.zeros(at.points.shape[:-1])
    return data


def _side_data(case: Case, term: Term, state: Data, time: float) -> Data:
    """The values of a condition, and the coefficients of the cells behind its sides."""
    part, mesh = term.part, case.mesh
    at = _Quadrature(term.block, term.basis, part.sides[term.inside, 0])
    nodes = mesh.nodes(part.sides)
    data = {}

    def spread(given: Value, shape: tuple[int, ...]) -> Value:
        """Arrays over the part's points or sides become arrays over the quadrature points."""
        if isinstance(given, tuple):
            return tuple(None if item is None else spread(item, shape[1:]) for item in given)
        if not isinstance(given, np.ndarray):
            return given
        if over_sides(mesh, part.sides, given, shape):
            return np.repeat(given[term.inside][:, None], at.points.shape[1], axis=1)
        if given.shape == (len(nodes), *shape):
            over_points = np.zeros((mesh.num_points, *shape))
            over_points[nodes] = given
            return at.of_nodal(over_points)
        return given

    for name, given in part.values.items():
        shape = case.condition_shape(part.condition, name)
        values = evaluate(spread(given, shape), at.points, label(part, name), shape=shape, time=time)
        data[name] = at.first(values)
    u = _primary(case, state)
    for name in case.coefficients:
        data.setdefault(name, at.of_coefficient(case, name, u, time))
    return data


def _wrong(case: Case, data: Data, time: float) -> str:
    """What has the wrong sign of the coefficients that vary with the field; raises `SpecError` for any other."""
    told = ""
    for info in case.equation.coefficients:
        given, shape = case.given(info.name), case.shape_of(info.name)
        if isinstance(given, float | Mapping) or (isinstance(given, np.ndarray) and given.shape == shape):
            continue  # nothing that the checks of the case have not seen
        values = data[info.name]
        found = wrong_sign(info, np.moveaxis(values, range(len(shape)), range(-len(shape), 0)))
        if found and info.name not in case.varying:
            when = f" at time {time:.6g}" if case.transient else ""
            raise SpecError(found.replace(" somewhere", f" somewhere{when}"), ("coefficients", info.name))
        told = told or found
    return told


# -- forms -------------------------------------------------------------------------------------------------------------
def _matrix(basis: Any, numbers: Ints, form: Form | None, data: Data, n: int) -> csr_array:  # noqa: ANN401
    if form is None:
        return csr_array((n, n))
    if not isinstance(basis.elem, skfem.ElementH1):
        return probed(basis, form, data, numbers, n)
    local = skfem.BilinearForm(form).assemble(basis, **data).tocoo()
    return csr_array((local.data, (numbers[local.row], numbers[local.col])), shape=(n, n))


def _against(form: Form, v: Any) -> Form:  # noqa: ANN401
    """Return a bilinear form at one v: a linear form in u."""
    return lambda u, w: form(u, v, w)


def _vector(basis: Any, numbers: Ints, form: Form | None, data: Data, n: int) -> Floats:  # noqa: ANN401
    if form is None:
        return np.zeros(n)
    return np.bincount(numbers, skfem.LinearForm(form).assemble(basis, **data), minlength=n)
