"""`Certificate`: what every verdict on one matrix shares: matrix, V-cycle, and the proof of how well it contracts."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometries.conditions import Periodic
from geometries.mesh import Mesh
from geometries.values import to_spec
from meshops.equations import Case, LinearSystem
from meshops.trust.contraction import Contraction, measure
from meshops.trust.diffusion import system_of
from meshops.trust.errors import TrustError
from meshops.trust.hierarchy import Hierarchy

Floats = NDArray[np.float64]
KEPT = 8  # certificates that `certify` remembers
ROUNDED = float(np.finfo(float).eps)  # of a row's absolute sum, the rounding of its product
LEAST = 1e-2  # what 1 - δ is taken for where no more is proved


@dataclass(frozen=True, eq=False)
class Certificate:
    """The natural matrix (n, n) of a problem, the hierarchy of its free part, and the contraction of the V-cycle.

    `modes` (n, m) span the fields of little energy. Where unknowns are tied, u = value + ties z, the hierarchy is that
    of z (k,): errors of u and of z have the same energy. Residuals and corrections are (k,) then, else (n,).
    """

    matrix: csr_array
    hierarchy: Hierarchy
    contraction: Contraction
    modes: Floats
    ties: csr_array | None = None

    @classmethod
    def of(cls, system: LinearSystem, *, components: int = 1, mesh: Mesh | None = None) -> Certificate:
        """Build for a symmetric positive definite system; see `Hierarchy.build` and `contraction.measure`.

        Raises `TrustError` for a matrix that is not symmetric or not positive.
        """
        modes = near_kernel(system, components)
        if system.ties is None:
            hierarchy = Hierarchy.build(system, components=components, mesh=mesh)
        else:
            hierarchy = Hierarchy.build(untied(system, modes))
        return cls(csr_array(system.matrix), hierarchy, measure(hierarchy), modes, system.ties)

    def imposed(self, values: Floats, system: LinearSystem) -> Floats:
        """Return `values` (n,) with the fixed ones set and the tied ones as near as they come."""
        if system.ties is not None:
            return system.expand(system.restrict(values))
        return np.where(system.fixed, system.fixed_value, values)

    def residual(self, values: Floats, rhs: Floats) -> Floats:
        """Return the residual of b - A u, zero where u is fixed."""
        return self.reduced(rhs - self.matrix @ values)

    def reduced(self, load: Floats) -> Floats:
        """Return what of a load (n,) acts on unknowns that are not fixed."""
        return np.where(self.hierarchy.fixed, 0.0, load) if self.ties is None else self.ties.T @ load

    def spread(self, correction: Floats) -> Floats:
        """Return (n,) what a correction adds to the field."""
        return correction if self.ties is None else self.ties @ correction

    @cached_property
    def rounding(self) -> float:
        """What rounding in the residual of a field of values up to 1 may be in the dual norm.

        Each row of A u is wrong by up to an epsilon of its absolute sum. One V-cycle weighs these, half of each with
        one sign, as where all rows round alike, and half with random signs.
        """
        sums = np.asarray(abs(self.matrix).sum(1)).ravel()
        rows = self.reduced(sums) if self.ties is None else abs(self.ties).T @ sums
        rows = ROUNDED * rows * (1.0 + np.random.default_rng(0).choice((-1.0, 1.0), len(rows)))
        least = max(1.0 - self.contraction.bound, LEAST)
        return float(np.sqrt(max(rows @ self.hierarchy.cycle(rows), 0.0) / least))

    def energy_norm(self, values: Floats) -> float:
        """Return the least ‖u - z‖_A over the near-kernel z.

        So neither an offset of all temperatures nor a rigid motion counts.
        """
        return energy_norm(self.matrix, self.modes, values)


def energy_norm(matrix: csr_array, modes: Floats, values: Floats) -> float:
    """Return the least ‖u - z‖_A over the fields z that `modes` (n, m) span."""
    rest = values - modes @ np.linalg.lstsq(modes, values, rcond=None)[0]
    stiff = modes.T @ (matrix @ modes)
    size, axes = np.linalg.eigh(stiff)
    scale = np.abs(modes).T @ (np.abs(matrix).diagonal()[:, None] * np.abs(modes))
    kept = size > 1e-10 * np.trace(scale)
    image = matrix @ rest
    along = axes[:, kept].T @ (modes.T @ image)
    return float(np.sqrt(max(rest @ image - (along**2 / size[kept]).sum(), 0.0)))


def near_kernel(system: LinearSystem, components: int) -> Floats:
    """Return (n, m) the system's fields of little energy: its `near_null`, or the constants."""
    n = len(system.rhs)
    return np.tile(np.eye(components), (n // components, 1)) if system.near_null is None else system.near_null


def untied(system: LinearSystem, modes: Floats) -> LinearSystem:
    """Return the system of z alone, none of it fixed."""
    matrix, rhs = system.reduced()
    free = np.zeros(len(rhs), bool)
    return LinearSystem(matrix, rhs, free, np.zeros(len(rhs)), near_null=system.restrict(modes))


_certificates: OrderedDict[str, Certificate] = OrderedDict()
_meshes: WeakKeyDictionary[Mesh, str] = WeakKeyDictionary()


def certify(case: Case, system: LinearSystem | None = None) -> Certificate:
    """Return the certificate of a case, the same object for all loads on one part.

    It is remembered by what the matrix is made of: mesh, equation, coefficients, kinds of condition and where they
    hold, and exchange coefficients; not sources, coefficients that are loads, fluxes, ambients and Dirichlet values.
    `system` spares assembling.

    Raises `TrustError` where the problem is not linear, steady and symmetric positive definite.
    """
    _require_definite(case)
    key = fingerprint(case)
    if key not in _certificates:
        system = system_of(case) if system is None else system
        components = len(case.equation.fields[0].parts(case.mesh.space_dim))
        _certificates[key] = Certificate.of(system, components=components, mesh=case.mesh)
        while len(_certificates) > KEPT:
            _certificates.popitem(last=False)
    _certificates.move_to_end(key)
    return _certificates[key]


def remembered(case: Case) -> Certificate | None:
    """Return the certificate of a case if `certify` need not make it."""
    return _certificates.get(fingerprint(case))


def forget() -> None:
    """Drop all certificates that `certify` remembers."""
    _certificates.clear()


def provable(case: Case) -> bool:
    """Return whether a case is linear, steady and symmetric positive definite in one field."""
    one = len(case.equation.fields) == 1
    return one and case.equation.definite and case.linear and not case.transient


def _require_definite(case: Case) -> None:
    if not provable(case):
        raise TrustError(
            f"{case.equation.name} is no linear, steady, symmetric positive definite problem in one field here; "
            "nothing is proved for it, only estimated."
        )


def fingerprint(case: Case) -> str:
    """Return a digest of everything that the matrix of `case` is made of."""
    if case.mesh not in _meshes:
        _meshes[case.mesh] = _digest(_geometry(case.mesh))
    return _digest([_meshes[case.mesh], *_ingredients(case)])


def _digest(items: Iterable[object]) -> str:
    digest = hashlib.blake2b()
    for item in items:
        data = np.ascontiguousarray(item).tobytes() if isinstance(item, np.ndarray) else repr(item).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _geometry(mesh: Mesh) -> Iterator[object]:
    yield mesh.points
    for kind, cells in mesh.cells.items():
        yield from (kind, cells)


def _ingredients(case: Case) -> Iterator[object]:
    yield from (case.equation.name, np.isnan(case.fixed))
    idle = {info.name for info in case.equation.coefficients if info.load or info.transient}
    for name, value in sorted((name, value) for name, value in case.coefficients.items() if name not in idle):
        yield name
        yield from _plain(case, value)
    for part in case.parts:
        terms = case.equation.terms.get(type(part.condition))
        yield from (part.condition.key, part.sides)
        if isinstance(part.condition, Periodic):
            yield case.mesh.sides(part.condition.partner)
        if terms is not None and terms.bilinear is not None:
            for name, value in part.values.items():
                if name != "ambient":
                    yield from _plain(case, value)


def _plain(case: Case, value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for region, number in sorted(value.items()):
            yield from (region, number, case.mesh.regions[region])
    else:
        yield value if isinstance(value, np.ndarray) else to_spec(value)
