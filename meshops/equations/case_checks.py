"""What makes a case well-posed: names, signs, and a unique solution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Absorbing, Dirichlet, Neumann, Periodic, Pressure, Radiation, Robin, Roller
from geometries.errors import ExpressionError, SpecError, nearest
from geometries.sides import components
from meshops.equations.base import Coefficient, Terms
from meshops.equations.case import REST, Case, Given, every, in_time, label, on_nodes, per_cell
from meshops.equations.constraints import held_along, images_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LOOSE = 1e-10  # of the strongest hold on a constant, squared: none
_ASYMMETRY = 1e-9  # of a tensor's largest entry: rounding
_FLUXES = (Neumann, Robin, Radiation, Pressure, Absorbing)


def check(case: Case) -> None:
    """Raise `SpecError` at what is wrong; see `Case`."""
    _check_space(case)
    _check_conditions(case)
    _check_names(case)
    _check_values(case)
    _check_fluxes(case)
    _check_start(case)
    case.equation.check(case)


def check_level(case: Case, loss: str | None = None) -> None:
    """Raise `SpecError` unless each connected piece has a level: with fluxes alone a constant may be added.

    For equations whose only term in u itself, if any, has the coefficient `loss`: a piece where it is above 0 somewhere
    has a level. A vector needs one in every direction. A transient problem has its start.
    """
    if case.transient:
        return
    count, piece = pieces(case)
    held = _held(case, loss)
    strength = np.zeros((count, *held.shape[1:]))
    np.add.at(strength, piece, held)
    sizes = np.linalg.eigvalsh(strength)
    loose = np.setdiff1d(piece[case.mesh.mass > 0], np.flatnonzero(sizes[:, 0] > _LOOSE * sizes[:, -1]))
    if len(loose):
        where = case.mesh.points[np.flatnonzero(piece == loose[0])[0]].round(6).tolist()
        lack, mend = "no dirichlet and no robin condition", "fix the value or the exchange"
        if held.shape[1] > 1:
            lack, mend = "a direction in which nothing holds them", "give all components"
        nor = f" and no {loss}" if loss else ""
        closed = "" if len(case.mesh.outer) else " (the mesh is a closed surface, without any: `dim: 3` may fill it)"
        raise SpecError(
            f"{len(loose)} of {count} connected pieces (one at {where}) have {lack}{nor}, so the solution is not "
            f"unique; {mend} on one of its boundaries{closed}.",
            ("conditions",),
        )


def pieces(case: Case) -> tuple[int, Ints]:
    """Return the number of connected pieces of the mesh, periodic images joined, and (N,) the piece of each point."""
    piece = components(np.concatenate([case.mesh.edges, images_of(case)]), case.mesh.num_points)
    return int(piece.max()) + 1, piece


def _held(case: Case, loss: str | None) -> Floats:
    """(N, c, c) Σ d dᵀ over the directions d in which conditions hold a point, all of them where it exchanges or loses.

    Exchange counts with a coefficient above 0.
    """
    n, every_way = case.mesh.num_points, np.eye(len(case.equation.fields[0].parts(case.mesh.space_dim)))
    total = np.zeros((n, *every_way.shape))
    if loss:
        total[case.nodal(loss) > 0] += every_way
    for part in case.parts:
        if isinstance(part.condition, Dirichlet | Roller):
            along = held_along(case, part)
            total += along.swapaxes(1, 2) @ along
        elif isinstance(part.condition, Robin | Radiation):
            total[np.nan_to_num(on_nodes(case, part, "coefficient")) > 0] += every_way
    return total


def _check_space(case: Case) -> None:
    if case.mesh.space_dim not in case.equation.dims:
        dims = " or ".join(f"{d}-D" for d in case.equation.dims)
        raise SpecError(f"the mesh is {case.mesh.space_dim}-D; {case.equation.name} is for {dims}.", ("equation",))
    if case.transient and not case.equation.time_order:
        raise SpecError(f"{case.equation.name} is steady; leave `times` out.", ("times",))


def _check_conditions(case: Case) -> None:
    taken = tuple(case.equation.terms)
    owner: dict[str, Ints] = {}
    for name, given in case.conditions.items():
        key = ("conditions", name)
        for condition in every(given):
            if type(condition) not in taken:
                known, found = ", ".join(c.key for c in taken), getattr(condition, "key", condition)
                raise SpecError(f"{case.equation.name} does not take {found}; it takes {known}.", key)
        kinds = [type(c) for c in every(given)]
        if not kinds or len(set(kinds)) < len(kinds):
            raise SpecError("a boundary has a condition of one kind twice, or none; expected one of each kind.", key)
        _check_partner(case, name, given)
        if name == REST:
            continue
        if name not in case.mesh.boundaries:
            raise SpecError(f"no boundary is named {name!r}; {nearest(name, case.mesh.boundaries)}", key)
        _check_shared(case, name, owner)
        if any(case.equation.terms[type(c)] != Terms() for c in every(given)):
            _check_once(case, name)


def _check_partner(case: Case, name: str, given: object) -> None:
    for condition in every(given):  # type: ignore[arg-type]
        if isinstance(condition, Periodic):
            partner = condition.partner
            if partner not in case.mesh.boundaries or partner == name:
                hint = nearest(partner, [b for b in case.mesh.boundaries if b != name])
                raise SpecError(f"the partner of {name!r} is {partner!r}; {hint}", ("conditions", name, "periodic"))


def _check_shared(case: Case, name: str, owner: dict[str, Ints]) -> None:
    ids = case.mesh.facet_ids(case.mesh.boundaries[name])
    for other, others in owner.items():
        shared = int(np.isin(ids, others).sum())
        if shared:
            raise SpecError(
                f"{shared} facets of {name!r} are also claimed by {other!r}; name each facet once, "
                "by {all: [..., {not: {name: OTHER}}]} for instance.",
                ("conditions", name),
            )
    owner[name] = ids


def _check_once(case: Case, name: str) -> None:
    """What flows through a facet would flow as often as the facet is there."""
    ids = case.mesh.facet_ids(case.mesh.boundaries[name])
    twice = len(ids) - len(np.unique(ids))
    if twice:
        raise SpecError(
            f"{twice} facets of {name!r} are there twice, or from both of their sides; expected once: name an "
            "interface from one of its sides.",
            ("conditions", name),
        )


def _check_names(case: Case) -> None:
    known = [f.name for f in case.equation.fields]
    if case.equation.time_order == 2:
        known += [f"{name}.rate" for name in known]
    for name in case.initial:
        if name not in known:
            raise SpecError(f"{case.equation.name} has no field {name!r}; {nearest(name, known)}", ("initial", name))
    may = {c.name for c in case.equation.coefficients if c.vary}
    for name in sorted(case.varying - may):
        what = "the source" if name == "source" else name
        raise SpecError(f"{what} of {case.equation.name} may not depend on u.", _key(name))


def _key(name: str) -> tuple[str, ...]:
    return ("source",) if name == "source" else ("coefficients", name)


def _check_values(case: Case) -> None:
    mesh = case.mesh
    for part in case.parts:
        for name in part.values:
            with _at("conditions", part.name, part.condition.key, name):
                _check_moment(case, part.values[name])
                values = on_nodes(case, part, name)
                _check_open(case, part.condition, name, values[mesh.nodes(part.sides)])
                if name == "coefficient" and np.nanmin(values, initial=0.0) < 0:
                    raise SpecError(f"{label(part, name)} is {np.nanmin(values):.6g} somewhere; expected at least 0.")
                if isinstance(part.condition, Radiation) and name == "ambient" and np.nanmin(values, initial=0.0) < 0:
                    raise SpecError(f"ambient is {np.nanmin(values):.6g}; radiation needs absolute temperatures.")
    for info in case.equation.coefficients:
        with _at("coefficients", info.name):
            _check_moment(case, case.given(info.name))
            for values in evaluated(case, info.name):
                _refuse(wrong_sign(info, values))
    with _at("source"):
        _check_moment(case, case.given("source"))
        case.nodal("source")
    with _at("initial"):
        case.start_values()


def _check_moment(case: Case, given: Given) -> None:
    """A steady problem has no time that an expression in t could be taken at."""
    if in_time(given) and not case.transient:
        raise SpecError("the value depends on t, but the case is steady; give `times`, or leave t out.")


def evaluated(case: Case, name: str) -> Iterator[Floats]:
    """Yield a coefficient where its sign is checked: by cells where it goes by regions, else at points and centres."""
    given, mesh = case.given(name), case.mesh
    if isinstance(given, Mapping):
        yield per_cell(mesh, given, name, case.shape_of(name))
        return
    yield case.nodal(name)
    if not isinstance(given, np.ndarray):
        u = np.full((mesh.num_cells, 1), case.level) if name in case.varying else None
        centers, cells = mesh.cell_centers[:, None], np.arange(mesh.num_cells)
        yield case.coefficient(name, centers, cells, time=case.start, u=u)


def _check_fluxes(case: Case) -> None:
    """A flux has no effect where Dirichlet holds every component."""
    for part in case.parts:
        fluxes = [c.key for c in every(case.conditions[part.name]) if isinstance(c, _FLUXES)]
        if not fluxes or not isinstance(part.condition, Dirichlet):
            continue
        if not np.isnan(on_nodes(case, part, "value")[case.mesh.nodes(part.sides)]).any():
            raise SpecError(
                f"dirichlet holds {part.name!r}, so that {' and '.join(fluxes)} would have no effect there; leave one "
                "of them out.",
                ("conditions", part.name),
            )


def _check_start(case: Case) -> None:
    if case.initial and case.linear and not case.transient:
        raise SpecError("a steady linear problem has no start; leave `initial` out, or give `times`.", ("initial",))


def _check_open(case: Case, condition: object, name: str, values: Floats) -> None:
    """Only a Dirichlet value of a vector may leave components open, and not all of them."""
    open_ = np.isnan(values)
    if open_.any() and not isinstance(condition, Dirichlet):
        raise SpecError(f"{name} has components without a value; expected one for each.")
    if values.size and open_.all():
        raise SpecError(f"{name} leaves every component open; leave the condition out.")


def _refuse(wrong: str) -> None:
    if wrong:
        raise SpecError(wrong)


def wrong_sign(info: Coefficient, values: Floats) -> str:
    """Return what is wrong with the sign of values (*n, *shape) of a coefficient, empty where nothing is.

    Raises `SpecError` for tensors that are not symmetric.
    """
    if not (info.positive or info.nonnegative) or not values.size:
        return ""
    tensor = info.rank == 2 and values.ndim > 2
    if tensor:
        _check_symmetric(info.name, values)
    least = np.linalg.eigvalsh(values).min() if tensor else values.min()
    if least > 0 or (least == 0 and not info.positive):
        return ""
    what = "has an eigenvalue of" if tensor else "is"
    expected = "above 0" if info.positive else "at least 0"
    return f"{info.name} {what} {least:.6g} somewhere; expected {expected}."


def _check_symmetric(name: str, values: Floats) -> None:
    flat = values.reshape(-1, *values.shape[-2:])
    gap = np.abs(flat - flat.transpose(0, 2, 1)).max((1, 2)) / np.abs(flat).max((1, 2), initial=np.finfo(float).tiny)
    worst = int(gap.argmax())
    if gap[worst] > _ASYMMETRY:
        raise SpecError(f"{name} is {flat[worst].tolist()} somewhere; expected a symmetric tensor.")


@contextmanager
def _at(*key: str) -> Iterator[None]:
    """Give the errors of values the key that they stand at."""
    try:
        yield
    except (SpecError, ExpressionError) as error:
        inner = getattr(error, "key", ())
        raise SpecError(str(error), inner if inner[: len(key)] == key else key) from None
