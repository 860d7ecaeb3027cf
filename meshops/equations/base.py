"""What an equation is: its fields, coefficients, conditions, weak form, scaling and a manufactured solution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition, Dirichlet

if TYPE_CHECKING:
    from geometries.mesh import Mesh
    from meshops.equations.case import Case

Floats = NDArray[np.float64]
Form = Callable[..., Any]
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Field:
    """An unknown of an equation: a scalar, or a vector whose components have names; `AXES` stands for as many as d.

    `lower` fields are one order lower than the others and live on the corners of second-order cells (Taylor-Hood).
    """

    name: str
    unit: str
    components: tuple[str, ...] = ()
    lower: bool = False

    def shape(self, dim: int) -> tuple[int, ...]:
        """Return () for a scalar, (c,) for a vector."""
        return (len(self.parts(dim)),) if self.components else ()

    def parts(self, dim: int) -> tuple[str, ...]:
        """Return the names of the components in `dim` dimensions; of a scalar one empty name."""
        return (AXES[:dim] if self.components == AXES else self.components) or ("",)

    def columns(self, dim: int) -> tuple[str, ...]:
        """Return one name a component: `temperature`, or `displacement.x`, `displacement.y`."""
        return tuple(f"{self.name}.{part}" if part else self.name for part in self.parts(dim))


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of an equation, of `rank` 0 (scalar), 1 (vector) or 2 (tensor, where a scalar is isotropic).

    `positive` and `nonnegative` ones are checked where they are evaluated. One that may `vary` with the field is an
    expression in u; a `transient` one matters in transient problems only. A `load` is like a source: linear problems
    are linear in it.
    """

    name: str
    unit: str
    default: float | tuple[float, ...] | None = None
    positive: bool = False
    rank: int = 0
    vary: bool = False
    transient: bool = False
    nonnegative: bool = False
    load: bool = False

    def shape(self, dim: int) -> tuple[int, ...]:
        """Return the shape of one value in `dim` dimensions."""
        return (dim,) * self.rank


@dataclass(frozen=True)
class Terms:
    """The weak terms of a condition: `bilinear(u, v, w)` and `linear(v, w)`; `w` holds the condition's values.

    A nonlinear one states `derivative` or `residual` too, as an equation does. `damping` multiplies ∂u/∂t.
    """

    bilinear: Form | None = None
    linear: Form | None = None
    derivative: Form | None = None
    residual: Form | None = None
    damping: Form | None = None

    @property
    def nonlinear(self) -> bool:
        """Whether the terms depend on the field in `w`."""
        return self.derivative is not None or self.residual is not None


@dataclass(frozen=True)
class Scaling:
    """How a case becomes dimensionless: pos = (x - center)/length, t/time, quantity = (value - offset)/scale.

    `quantities` maps the fields' names, the coefficients, `source`, and `kind.value` of each condition (as in
    `robin.ambient`) to their (offset, scale). `numbers` are what a nonlinear problem still depends on, once it is
    dimensionless, and its fields do not show: those that the equation names. `arbitrary` says that nothing given has a
    size, so that the field's scale is a unit only.
    """

    length: float
    center: tuple[float, ...]
    quantities: Mapping[str, tuple[float, float]]
    time: float = 1.0
    numbers: Mapping[str, float] = field(default_factory=dict)
    arbitrary: bool = False

    def apply(self, name: str, values: Floats) -> Floats:
        """Return dimensionless values."""
        offset, scale = self.quantities[name]
        return (values - offset) / scale

    def undo(self, name: str, values: Floats) -> Floats:
        """Return values in the case's own units."""
        offset, scale = self.quantities[name]
        return values * scale + offset


@dataclass(frozen=True, kw_only=True)
class Manufactured:
    """An exact solution with the data that produce it, as expressions in x, y, z and t; of vectors one a component.

    `right` {name: condition or conditions} are consistent with it on the boundary x = 1, whose outward normal is +x, of
    the unit interval, square or cube. `times` are empty for a steady problem; in a transient one the fields are at most
    linear in t, so that stepping adds no error, and `rates` are their derivatives in equations of second order.
    """

    fields: Mapping[str, str | tuple[str, ...]]
    source: str | tuple[str, ...]
    coefficients: Mapping[str, Any]
    right: Mapping[str, Condition | tuple[Condition, ...]] = field(default_factory=dict)
    times: tuple[float, ...] = ()
    rates: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


class Equation(ABC):
    """One PDE, M ∂ⁿu/∂tⁿ + D ∂u/∂t + A(u) = f. Stateless: class attributes and weak forms.

    Subclasses state `name`, `title` (the equation in one line), `fields` (conditions hold the first), `coefficients`,
    and in `terms` the conditions that they take, each with its weak terms (`Dirichlet`, `Roller` and `Periodic` have
    none).

    - `bilinear(u, v, w)` is the integrand of a(u, v), `linear(v, w)` that of the source term; `w` holds coefficients,
      `source`, position `x`, cell size `h` and the order of cells `degree`. With several fields: `bilinear(u, p, v, q,
      w)`, `linear(v, q, w)`.
    - A nonlinear equation finds its fields at the state in `w` under their names. Where A(u) is a(u; u) with a linear
      in its second argument, `bilinear` is a at that state and `derivative(u, v, w)` what Newton's method adds, the
      derivative in the first. Otherwise it states `residual(v, w)`, A at the state without the source, and `bilinear`
      is the whole derivative. Coefficients that depend on u come with their slope, as w.conductivity_slope.
    - One with `time_order` n = 1 or 2 states `mass(u, v, w)`, and with n = 2 perhaps `damping(u, v, w)`.
    - A nonlinear one names in `numbers` the dimensionless ones that its `scaling` leaves: `KIND.name` where a kind of
      condition brings it, `COEFFICIENT.slope` where that coefficient depends on the field.
    - Where the `linear` form holds more than source times v, for stability, the equation is `stabilised`.
    - `mirrored` equations know no direction but those of their vectors: a problem turned, or mirrored, has the turned
      solution.
    - `definite` equations give symmetric positive definite matrices. One whose steady matrix is no more than symmetric
      may state `like(u, p, v, q, w)`, a definite form as large, which preconditions it. One whose own form is of either
      sign states in `norm` a definite one, by which errors are measured.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    coefficients: ClassVar[tuple[Coefficient, ...]]
    terms: ClassVar[Mapping[type[Condition], Terms]] = MappingProxyType({Dirichlet: Terms()})
    dims: ClassVar[tuple[int, ...]] = (1, 2, 3)
    numbers: ClassVar[tuple[str, ...]] = ()
    time_order: ClassVar[int] = 0
    definite: ClassVar[bool] = True
    stabilised: ClassVar[bool] = False
    mirrored: ClassVar[bool] = True
    derivative: ClassVar[Form | None] = None
    residual: ClassVar[Form | None] = None
    mass: ClassVar[Form | None] = None
    damping: ClassVar[Form | None] = None
    like: ClassVar[Form | None] = None
    norm: ClassVar[Form | None] = None

    @property
    def field(self) -> str:
        """The name of the first field, which conditions hold."""
        return self.fields[0].name

    @property
    def unit(self) -> str:
        """The unit of the first field."""
        return self.fields[0].unit

    @staticmethod
    @abstractmethod
    def bilinear(*arguments: Any) -> Any:  # noqa: ANN401  (scikit-fem's form arguments)
        """Return the integrand of a(u, v); `w` holds the coefficients."""

    @staticmethod
    @abstractmethod
    def linear(*arguments: Any) -> Any:  # noqa: ANN401
        """Return the integrand of the source term; `w.source` is the source."""

    @abstractmethod
    def scaling(self, case: Case) -> Scaling:
        """Return the scaling that makes `case` dimensionless, invariant under a change of units."""

    @abstractmethod
    def manufactured(self, dim: int) -> Manufactured | None:
        """Return a smooth exact solution in `dim` dimensions with variable coefficients; None if there is none."""

    def nonlinear(self, case: Case | None) -> bool:
        """Return whether the equation is nonlinear with the coefficients of `case`, without one with constant ones."""
        return self.derivative is not None or self.residual is not None

    def source_shape(self, dim: int) -> tuple[int, ...]:
        """Return the shape of the source at a point: that of the first field."""
        return self.fields[0].shape(dim)

    def check(self, case: Case) -> None:  # noqa: B027  (most equations need none)
        """Raise `SpecError` where `case` has no unique solution; nothing is checked here."""

    def floating(self, case: Case) -> str | None:
        """Return the field that `case` determines up to a constant only; it is reported with mean 0. None here."""
        return None

    def eased(self, case: Case, share: float) -> Case | None:
        """Return an easier case on the way to `case`, which is at `share` 1, where Newton's method fails; None here."""
        return None

    def near_null(self, mesh: Mesh) -> Floats | None:
        """Return the (N c, k) fields that the matrix almost annihilates, for multigrid; None for constants."""
        return None

    def doubts(self, case: Case) -> tuple[str, ...]:
        """Return why the discrete solution may be far from the exact one where no estimate sees it; nothing here."""
        return ()

    def derived(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return further nodal fields {name: (N, c)} from those of a solution."""
        return {}

    def quantities(self, case: Case, fields: Mapping[str, Floats]) -> dict[str, float]:
        """Return derived numbers of a solution: forces, flow rates, energies."""
        return {}
