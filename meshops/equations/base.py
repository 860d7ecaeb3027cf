"""What an equation is: its field, coefficients, conditions, weak form, scaling and a manufactured solution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Condition

if TYPE_CHECKING:
    from meshops.equations.case import Case

Floats = NDArray[np.float64]
Form = Callable[..., Any]


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of an equation. `positive` ones are checked where they are evaluated."""

    name: str
    unit: str
    default: float | None = None
    positive: bool = False


@dataclass(frozen=True)
class Terms:
    """The weak terms of a condition: `bilinear(u, v, w)` and `linear(v, w)`; `w` holds the condition's values."""

    bilinear: Form | None = None
    linear: Form | None = None


@dataclass(frozen=True)
class Scaling:
    """How a case becomes dimensionless: pos = (x - center)/length, quantity = (value - offset)/scale.

    `quantities` maps the field's name, the coefficients, `source`, and `kind.value` of each condition (as in
    `robin.ambient`) to their (offset, scale).
    """

    length: float
    center: tuple[float, ...]
    quantities: Mapping[str, tuple[float, float]]

    def apply(self, name: str, values: Floats) -> Floats:
        """Return dimensionless values."""
        offset, scale = self.quantities[name]
        return (values - offset) / scale

    def undo(self, name: str, values: Floats) -> Floats:
        """Return values in the case's own units."""
        offset, scale = self.quantities[name]
        return values * scale + offset


@dataclass(frozen=True)
class Manufactured:
    """An exact solution with the data that produce it, as expressions in x, y, z."""

    field: str
    gradient: tuple[str, ...]
    source: str
    coefficients: Mapping[str, str]


class Equation(ABC):
    """One linear PDE for one scalar field. Stateless: class attributes and weak forms.

    Subclasses state `name`, `title` (the equation in one line), the field's name and unit, `coefficients`, and in
    `terms` the conditions that they take beyond `Dirichlet`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    field: ClassVar[str]
    unit: ClassVar[str]
    source_unit: ClassVar[str]
    coefficients: ClassVar[tuple[Coefficient, ...]]
    terms: ClassVar[Mapping[type[Condition], Terms]]

    @staticmethod
    @abstractmethod
    def bilinear(u: Any, v: Any, w: Any) -> Any:  # noqa: ANN401  (scikit-fem's form arguments)
        """Return the integrand of a(u, v); `w` holds the coefficients."""

    @staticmethod
    @abstractmethod
    def linear(v: Any, w: Any) -> Any:  # noqa: ANN401
        """Return the integrand of the source term; `w.source` is the source."""

    @abstractmethod
    def scaling(self, case: Case) -> Scaling:
        """Return the scaling that makes `case` dimensionless, invariant under a change of units."""

    @abstractmethod
    def manufactured(self, dim: int) -> Manufactured:
        """Return a smooth exact solution in `dim` dimensions with variable coefficients."""
