"""What equations of solids share: checks, rigid motions, supports, scaling, stresses and von Mises' measure of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, dia_array, vstack

from geometries.conditions import Dirichlet, Robin
from geometries.errors import SpecError
from geometries.mesh import Mesh
from geometries.sides import components
from meshops.equations.base import AXES, Scaling
from meshops.equations.case import Case, Part, on_nodes, on_sides
from meshops.equations.case_checks import evaluated
from meshops.equations.constraints import constraints
from meshops.equations.layout import Layout
from meshops.equations.reactions import reactions
from meshops.equations.scales import mean, put_in

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LOCKING = 0.45  # Poisson's ratio above which first-order cells lock
_LOOSE = 1e-10  # of the strongest resistance to a rigid motion, squared: none


# -- supports ----------------------------------------------------------------------------------------------------------
def rigid_motions(mesh: Mesh) -> Floats:
    """Return (N d, 3 or 6) the translations, and the rotations about the centroid for a rim speed of 1 at `length`."""
    n, d = mesh.points.shape
    at = (mesh.points - mesh.centroid) / mesh.length
    turns = []
    for i, j in zip(*np.triu_indices(d, 1), strict=True):
        turn = np.zeros((n, d))
        turn[:, i], turn[:, j] = -at[:, j], at[:, i]
        turns.append(turn.ravel())
    return np.column_stack([np.tile(np.eye(d), (n, 1)), *turns])


def check_held(case: Case) -> None:
    """Raise `SpecError` where a rigid body can move or turn as a whole against its conditions.

    Cells that share facets are one body; bodies that share less, as a hinge does, move alike at the points they share.
    """
    mesh, motions = case.mesh, rigid_motions(case.mesh)
    k, bodies, point, body = motions.shape[1], *_bodies(mesh)
    moved, apart = _moving(motions.reshape(mesh.num_points, -1, k), point, body)
    rows = csr_array(vstack([_resisted(case, moved), apart]))
    strength = coo_array(rows.T @ rows)
    group = components(np.stack([strength.row, strength.col], 1) // k, bodies)
    matrix = csr_array(strength)
    for i in range(group.max() + 1):
        own = np.flatnonzero(np.repeat(group == i, k))
        sizes, ways = np.linalg.eigh(matrix[own][:, own].toarray())
        if sizes[0] <= _LOOSE * max(sizes[-1], 1.0):
            loose = own[np.abs(ways[:, 0]).argmax()] // k
            where = mesh.points[point[np.argmax(body == loose)]].round(6).tolist()
            raise SpecError(
                f"the piece at {where} (one of {bodies}) can still move or turn as a whole; hold it on more boundaries "
                "or in more components.",
                ("conditions",),
            )


def _bodies(mesh: Mesh) -> tuple[int, Ints, Ints]:
    """Return the number of bodies, cells that share facets, and (n,) (n,) each pair of a point and a body it is of."""
    body = components(mesh.neighbors, mesh.num_cells)
    count = int(body.max()) + 1
    pairs = [
        cells.ravel() * count + np.repeat(body[start : start + len(cells)], cells.shape[1])
        for _, cells, start in mesh.blocks()
    ]
    pair = np.unique(np.concatenate(pairs))
    return count, pair // count, pair % count


def _moving(motions: Floats, point: Ints, body: Ints) -> tuple[csr_array, csr_array]:
    """Return (N d, B k) the displacements of points as bodies move, the mean where they share one, and how they differ.

    `motions` (N, d, k) are those of the whole mesh, `point` and `body` as `_bodies` gives them.
    """
    n, d, k = motions.shape
    row = np.repeat(np.arange(len(point) * d), k)
    column = np.repeat(body * k, d * k) + np.tile(np.arange(k), len(point) * d)
    shape = (len(point) * d, (body.max() + 1) * k)
    each = csr_array(coo_array((motions[point].ravel(), (row, column)), shape=shape))
    unknown = (point[:, None] * d + np.arange(d)).ravel()
    times = np.bincount(unknown, minlength=n * d)
    pick = csr_array((np.ones(len(unknown)), (np.arange(len(unknown)), unknown)), shape=(len(unknown), n * d))
    moved = csr_array((pick / np.maximum(times, 1)).T @ each)
    shared = np.flatnonzero(times[unknown] > 1)
    return moved, csr_array(each[shared] - pick[shared] @ moved)


def _resisted(case: Case, motions: csr_array) -> csr_array:
    """(N d, k) what the conditions forbid of each motion: supports, rollers, periodic images and springs."""
    held = constraints(case, Layout(case.mesh, case.equation.fields))
    firm = held.fixed.copy()
    for part in case.parts:
        if isinstance(part.condition, Robin):
            firm |= np.repeat(np.nan_to_num(on_nodes(case, part, "coefficient")) > 0, case.mesh.space_dim)
    free = dia_array((1.0 * ~firm[None], [0]), shape=(len(firm), len(firm))) @ motions
    if held.ties is not None:
        weight = np.asarray(held.ties.multiply(held.ties).sum(0)).ravel()
        scaled_ties = held.ties @ dia_array((1 / weight[None], [0]), shape=(len(weight), len(weight)))
        free = scaled_ties @ (held.ties.T @ free)
    return csr_array(motions - free)


def forces(case: Case, fields: Mapping[str, Floats]) -> dict[str, float]:
    """Return {`NAME.reaction.x`: the force of a support on the body}, of every support and component."""
    found = reactions(case, fields).items()
    return {f"{name}.reaction.{axis}": float(f) for name, force in found for axis, f in zip(AXES, force, strict=False)}


# -- scaling -----------------------------------------------------------------------------------------------------------
def scaled(case: Case) -> Scaling:
    """Scale lengths by the radius of gyration L, stresses by the mean modulus E₀ U/L, displacements by U.

    U² = mean square of the given displacements by area + (Q/(E₀ L^(d-2)))² + (α T L)², with Q = ∫|f| + ∫|g| all force
    put in. So u' is of order one in any units for a compact part, and linear in the data up to that one number.
    """
    mesh, length = case.mesh, case.mesh.length
    young, force = mean(case, "young"), put_in(case)
    moved = sum(_moved(case, p) for p in case.parts)
    expansion, strain = _expansion(case)
    scale = float(np.sqrt(moved + (force / (young * length ** (mesh.dim - 2))) ** 2 + (strain * length) ** 2)) or length
    stress = young * scale / length
    quantities = {
        "displacement": scale,
        "young": young,
        "poisson": 1.0,
        "expansion": expansion,
        "temperature_rise": scale / length / expansion,
        "source": stress / length,
        "dirichlet.value": scale,
        "neumann.value": stress,
        "pressure.value": stress,
        "robin.coefficient": young / length,
        "robin.ambient": scale,
    }
    pairs = MappingProxyType({name: (0.0, float(value)) for name, value in quantities.items()})
    return Scaling(length, tuple(mesh.centroid.tolist()), pairs)


def _expansion(case: Case) -> tuple[float, float]:
    """The largest coefficient of expansion, 1 where there is none, and the largest thermal strain."""
    if "expansion" not in case.coefficients:
        return 1.0, 0.0
    alpha = np.abs(case.nodal("expansion"))
    return float(alpha.max()) or 1.0, float((alpha * np.abs(case.nodal("temperature_rise"))).max())


def _moved(case: Case, part: Part) -> float:
    """The mean square of given displacements: of supports, and of the far ends of springs."""
    if not isinstance(part.condition, Dirichlet | Robin):
        return 0.0
    area = case.mesh.side_geometry(part.sides)[2]
    values = np.nan_to_num(on_sides(case, part, "value" if isinstance(part.condition, Dirichlet) else "ambient"))
    return float(area @ (values**2).sum(1) / area.sum())


# -- stresses ----------------------------------------------------------------------------------------------------------
def whole(plane: Any, across: Any) -> Any:  # noqa: ANN401
    """Return (6, C, q) xx, yy, zz, xy, yz, xz of a (d, d, C, q) stress; zz is `across` in the plane."""
    zero = np.zeros_like(plane[0, 0])
    if len(plane) == 2:
        return np.stack([plane[0, 0], plane[1, 1], across + zero, plane[0, 1], zero, zero])
    return np.stack([plane[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))])


def von_mises(stress: Floats) -> Floats:
    """Return (N, 1) sqrt(3/2 s : s) of (N, 6) stresses xx, yy, zz, xy, yz, xz, with s their deviator."""
    normal, shear = stress[:, :3], stress[:, 3:]
    deviator = normal - normal.mean(1, keepdims=True)
    return np.sqrt(1.5 * (deviator**2).sum(1) + 3 * (shear**2).sum(1))[:, None]


def lame(young: Any, poisson: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return λ = E ν/((1 + ν)(1 - 2ν)) and μ = E/(2(1 + ν))."""
    return young * poisson / ((1 + poisson) * (1 - 2 * poisson)), young / (2 * (1 + poisson))


def check_poisson(case: Case) -> None:
    """Raise `SpecError` where Poisson's ratio is not above -1 and below 1/2."""
    for nu in evaluated(case, "poisson"):
        if nu.min() <= -1 or nu.max() >= 0.5:
            raise SpecError(
                f"poisson is {nu.min():.6g} to {nu.max():.6g}; expected above -1 and below 0.5.",
                ("coefficients", "poisson"),
            )


def locking(case: Case) -> tuple[str, ...]:
    """Return the doubt about first-order cells where Poisson's ratio is above `LOCKING`, if there is one.

    Their displacements cannot keep the volume everywhere but by hardly moving: the solution is too small and looks
    smooth, so that its own gradients do not show it.
    """
    nu = max(float(values.max()) for values in evaluated(case, "poisson"))
    if nu <= LOCKING or all(kind.order > 1 for kind, _, _ in case.mesh.blocks()):
        return ()
    return (
        f"first-order cells lock at poisson {nu:.6g}, which makes the part too stiff and no estimate sees; take "
        "second-order cells (`order: 2`)",
    )


class Solid:
    """What an equation of a solid's displacement, with the coefficient `poisson`, puts before `Equation`."""

    def check(self, case: Case) -> None:
        """Poisson's ratio is in its range, and no piece is free to move as a whole."""
        check_poisson(case)
        check_held(case)

    def doubts(self, case: Case) -> tuple[str, ...]:
        """Return that first-order cells lock, where they do."""
        return locking(case)

    def near_null(self, mesh: Mesh) -> Floats:
        """Return the rigid motions."""
        return rigid_motions(mesh)
