"""`Schema`: what the columns of a graph's `x`, `boundary_x`, `y` and `theta` are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from geometries.conditions import CONDITIONS, Condition, Dirichlet
from geometries.errors import MeshopsError
from meshops.equations import EQUATIONS, Equation
from meshops.equations.base import AXES, Coefficient

SLOPE = ".slope"  # ends the number of a coefficient that depends on the field
LIFTING = "lifting"  # begins the columns of a classical solution that a hybrid takes as an input
_DATA = ("source", "initial", LIFTING)


class SchemaError(MeshopsError):
    """A case has what the graphs of a schema have no columns for."""


@dataclass(frozen=True)
class Schema:
    """Names of the feature columns for one equation in one dimension: what an operator is built for.

    - `x`: `source` as points take it up (`Case.loads`), where it changes in time also `source@1`, ..., one a time after
      the start; the coefficients, and of transient problems `initial.FIELD`; of vectors one column a component. Of
      hybrids `lifting.COLUMN` for each of `y`, the harmonic extension of its essential values.
    - `boundary_x`: the share of each kind of condition, where components may be open one a component (`dirichlet:x`);
      each kind's values (`robin.ambient`, `neumann.value.x`); the outward normal; the weight.
    - `y`: the fields' components; with times `temperature@1`, ..., one a time after the start.
    - `theta`: of transient problems `duration`, the logarithm of the time from start to end; of nonlinear ones the
      equation's `numbers`.
    """

    equation: str
    dim: int
    x: tuple[str, ...]
    boundary_x: tuple[str, ...]
    y: tuple[str, ...]
    theta: tuple[str, ...] = ()
    times: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of condition that it has columns for."""
        return tuple(k for k in CONDITIONS if any(name.split(":")[0] == k for name in self.boundary_x))

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The names of the coefficients that it has columns for."""
        names = dict.fromkeys(_root(name) for name in self.x)
        return tuple(name for name in names if name not in _DATA)

    @property
    def lifting(self) -> tuple[str, ...]:
        """The columns of a classical solution, which make what takes such graphs a hybrid; none of plain schemas."""
        return tuple(name for name in self.x if _root(name) == LIFTING)

    def lifted(self) -> Schema:
        """Return the schema with the harmonic extension of the essential values, which `lift` adds to graphs."""
        return self if self.lifting else replace(self, x=(*self.x, *(f"{LIFTING}.{name}" for name in self.y)))

    @property
    def varying(self) -> tuple[str, ...]:
        """The names of the coefficients that may depend on the field."""
        return tuple(name.removesuffix(SLOPE) for name in self.theta if name.endswith(SLOPE))

    @property
    def moving(self) -> bool:
        """Whether the source may change in time."""
        return any(map(_later_source, self.x))

    @property
    def data(self) -> frozenset[str]:
        """The columns of `x` and `boundary_x` that a linear problem's solution is linear in.

        Sources and other loads, starts, liftings, and the values of conditions but exchange coefficients; the others
        say what the problem is.
        """
        known = EQUATIONS.get(self.equation)
        loads = {c.name for c in known.coefficients if c.load} if known else set()
        inside = [name for name in self.x if _root(name) in loads.union(_DATA)]
        given = [name for name in self.boundary_x if "." in name and name.split(".")[0] in CONDITIONS]
        return frozenset((*inside, *(name for name in given if not name.endswith(".coefficient"))))

    @property
    def linear(self) -> bool:
        """Whether its problems are linear in their data; of imported ones that is not known, so they are not."""
        equation = EQUATIONS.get(self.equation)
        if equation is None:
            return False
        terms = [term for kind, term in equation.terms.items() if kind.key in self.kinds]
        return not (self.varying or equation.nonlinear(None) or any(term.nonlinear for term in terms))

    def to_json(self) -> dict[str, object]:
        """Return the plain form; `from_json` gives the schema back."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, object]) -> Schema:
        """Read the plain form; raises `SchemaError` for values of other kinds, `TypeError` for missing ones."""
        if not isinstance(given, dict):
            raise SchemaError(f"found {given!r:.80}; expected the plain form of a schema.")
        for name, value in given.items():
            if not _fits(name, value):
                raise SchemaError(f"{name} of a schema is {value!r:.80}; expected what `to_json` gives.")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})

    def restricted(
        self, kinds: Iterable[str], coefficients: Iterable[str], varying: Iterable[str] = (), *, moving: bool = False
    ) -> Schema:
        """Return the schema with columns for these kinds of condition and these coefficients only.

        Those `varying` may depend on the field; the source may change in time where it is `moving`.
        """
        gone = set(self.kinds) - set(kinds)
        less = set(self.coefficients) - set(coefficients)
        fixed = {name + SLOPE for name in set(self.varying) - set(varying)}
        return replace(
            self,
            x=tuple(n for n in self.x if _root(n) not in less and (moving or not _later_source(n))),
            boundary_x=tuple(n for n in self.boundary_x if n.split(".")[0].split(":")[0] not in gone),
            theta=tuple(n for n in self.theta if n.split(".")[0] not in gone and n not in fixed),
        )


def _fits(name: str, value: object) -> bool:
    """Return whether a value is of the kind that the plain form has under this name."""
    if name in ("dim", "times"):
        return type(value) is int
    if name == "equation":
        return isinstance(value, str)
    return isinstance(value, list | tuple) and all(isinstance(column, str) for column in value)


def schema_of(equation: Equation, dim: int, *, times: int = 0) -> Schema:
    """Return the schema with columns for all that an equation takes, in `dim` dimensions and for `times` times."""
    initial = [f"initial.{c}" for f in equation.fields for c in f.columns(dim)] if times else []
    rates = [f"initial.{c}.rate" for f in equation.fields for c in f.columns(dim)] if times else []
    steady = [c for c in equation.coefficients if times or not c.transient]
    columns = [name for field in equation.fields for name in field.columns(dim)]
    conditions = [name for kind in equation.terms for name in _condition_columns(equation, kind, dim)]
    sources = _vector("source", equation.source_shape(dim))
    return Schema(
        equation=equation.name,
        dim=dim,
        x=(
            *sources,
            *_later(sources, times),
            *(name for c in steady for name in coefficient_columns(c, dim)),
            *initial,
            *(rates if equation.time_order == 2 else []),
        ),
        boundary_x=(*conditions, *(f"normal.{axis}" for axis in AXES[:dim]), "weight"),
        y=tuple(_later(columns, times) if times else columns),
        theta=(*(["duration"] if times else []), *equation.numbers),
        times=times,
    )


def coefficient_columns(coefficient: Coefficient, dim: int) -> list[str]:
    """Return the columns of a coefficient: one a component of a vector, the mean of a tensor's diagonal alone."""
    return _vector(coefficient.name, coefficient.shape(dim) if coefficient.rank == 1 else ())


def kind_columns(equation: Equation, kind: type[Condition], dim: int) -> list[str]:
    """Return the columns that say where a kind of condition holds."""
    parts = equation.fields[0].parts(dim)
    return [f"{kind.key}:{part}" for part in parts] if kind is Dirichlet and parts != ("",) else [kind.key]


def value_columns(equation: Equation, kind: type[Condition], name: str, dim: int) -> list[str]:
    """Return the columns of one value of a condition."""
    parts = equation.fields[0].parts(dim) if name in kind.of_field else ("",)
    return [f"{kind.key}.{name}.{part}".rstrip(".") for part in parts]


def _later(columns: list[str], times: int) -> list[str]:
    """Return the columns at each time after the start."""
    return [f"{name}@{k}" for k in range(1, times) for name in columns]


def _later_source(name: str) -> bool:
    """Return whether a column of `x` is the source at a time after the start."""
    return _root(name) == "source" and "@" in name


def _root(name: str) -> str:
    """Return what a column of `x` is of."""
    return name.split("@")[0].split(".")[0]


def _condition_columns(equation: Equation, kind: type[Condition], dim: int) -> list[str]:
    values = [column for name in kind.value_names() for column in value_columns(equation, kind, name, dim)]
    return [*kind_columns(equation, kind, dim), *values]


def _vector(name: str, shape: tuple[int, ...]) -> list[str]:
    return [f"{name}.{AXES[i] if shape[0] <= len(AXES) else i}" for i in range(shape[0])] if shape else [name]
