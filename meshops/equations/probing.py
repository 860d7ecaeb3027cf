"""Assembly of vector fields by probing: the integrand's coefficients first, then their products with scalar functions.

A form is bilinear in (u, ∇u) and (v, ∇v) at each point, so its values on unit fields say all of it. In space these are
12 × 12 for a vector, where the pairs of basis functions are 30 × 30 on tetrahedra of order 2 and 81 × 81 on hexahedra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import skfem
from numpy.typing import NDArray
from scipy.sparse import csr_array
from skfem.assembly.form.form import FormExtraParams
from skfem.element import DiscreteField

from meshops.equations.elements import Components

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Component:
    """One scalar component of one field: the local numbers (k,) of its degrees of freedom, and its unit fields.

    `tables` hold the values and the derivatives (C, k, q) of its basis functions, `probes` the arguments of a form for
    a value, or one derivative, of 1.
    """

    rows: Ints
    tables: tuple[Floats, ...]
    probes: tuple[tuple[DiscreteField, ...], ...]


_COMPONENTS: WeakKeyDictionary[Any, list[Component]] = WeakKeyDictionary()  # as long as a basis lives


def probed(basis: Any, form: Callable[..., Any], data: dict[str, Any], numbers: Ints, n: int) -> csr_array:  # noqa: ANN401
    """Return the (n, n) matrix of a form on a basis of vector fields, what `BilinearForm.assemble` gives."""
    w = FormExtraParams({**basis.default_parameters(), **data})
    if basis not in _COMPONENTS:
        _COMPONENTS[basis] = list(components(basis))
    parts = _COMPONENTS[basis]
    local = np.zeros((basis.nelems, basis.Nbfun, basis.Nbfun))
    for v in parts:
        for u in parts:
            local[:, v.rows[:, None], u.rows] = _products(form, u, v, w, basis.dx)
    where = numbers[basis.element_dofs.T]
    rows, columns = np.broadcast_arrays(where[:, :, None], where[:, None, :])
    return csr_array((local.ravel(), (rows.ravel(), columns.ravel())), shape=(n, n))


def _products(form: Callable[..., Any], u: Component, v: Component, w: Any, dx: Floats) -> Floats:  # noqa: ANN401
    """(C, k, l) integrals of the form over the functions of two components."""
    total = np.zeros((len(dx), len(v.rows), len(u.rows)))
    for v_probe, v_table in zip(v.probes, v.tables, strict=True):
        weighed = None
        for u_probe, u_table in zip(u.probes, u.tables, strict=True):
            value = np.asarray(form(*u_probe, *v_probe, w))
            if value.any():
                term = (value * dx)[:, None] * u_table
                weighed = term if weighed is None else weighed + term
        if weighed is not None:
            total += v_table @ weighed.transpose(0, 2, 1)
    return total


def components(basis: Any) -> Iterator[Component]:  # noqa: ANN401
    """Yield the components of a basis of one or several fields, scalars and vectors."""
    composite = isinstance(basis.elem, skfem.ElementComposite)
    elements = basis.elem.elems if composite else (basis.elem,)
    place = [basis.elem._deduce_bfun(i)[0] for i in range(basis.Nbfun)] if composite else [0] * basis.Nbfun
    for field, element in enumerate(elements):
        rows = np.flatnonzero(np.array(place) == field)
        count = element.count if isinstance(element, Components) else 0
        scalar = basis.with_element(element.elem if count else element)
        functions = [own[0] for own in scalar.basis]
        tables = tuple(
            np.ascontiguousarray(np.stack(t, axis=1))
            for t in ([np.asarray(f) for f in functions], *zip(*(f.grad for f in functions), strict=True))
        )
        for component in range(max(count, 1)):
            probes = tuple(_probes(elements, field, component, derivative) for derivative in range(len(tables)))
            yield Component(rows[component :: max(count, 1)], tables, probes)


def _probes(elements: tuple[Any, ...], field: int, component: int, derivative: int) -> tuple[DiscreteField, ...]:
    """The arguments of a form, one a field: 1 in this value (0) or derivative (1, ...), else 0."""
    out = []
    for i, element in enumerate(elements):
        shape = (element.count, 1, 1) if isinstance(element, Components) else (1, 1)
        dim = element.refdom.dim()
        value, slope = np.zeros(shape), np.zeros((*shape[:-2], dim, 1, 1))
        if i == field:
            own = (component,) if len(shape) == 3 else ()
            (slope if derivative else value)[(*own, derivative - 1) if derivative else own] = 1.0
        out.append(DiscreteField(value, slope))
    return tuple(out)
