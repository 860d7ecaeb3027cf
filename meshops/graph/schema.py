"""`Schema`: what the columns of a graph's `x`, `boundary_x`, `y` and `theta` are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from geometries.conditions import CONDITIONS
from meshops.equations import Equation


@dataclass(frozen=True)
class Schema:
    """Names of the feature columns for one equation in one dimension: what an operator is built for."""

    equation: str
    dim: int
    x: tuple[str, ...]
    boundary_x: tuple[str, ...]
    y: tuple[str, ...]
    theta: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the plain form; `from_json` gives the schema back."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, object]) -> Schema:
        """Read the plain form."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def schema_of(equation: Equation, dim: int) -> Schema:
    """Return the schema of an equation's cases: coefficients and source; kinds, values, normal and weight."""
    kinds = [k for k, c in CONDITIONS.items() if k == "dirichlet" or c in equation.terms]
    values = [f"{k}.{f.name}" for k in kinds for f in fields(CONDITIONS[k])]
    normal = [f"normal.{axis}" for axis in "xyz"[:dim]]
    return Schema(
        equation=equation.name,
        dim=dim,
        x=("source", *(c.name for c in equation.coefficients)),
        boundary_x=(*kinds, *values, *normal, "weight"),
        y=(equation.field,),
    )
