"""Write `operators.md` from the operators' docstrings. Run it with `make gallery`; a test compares."""

import inspect
from pathlib import Path

from meshops.equations import EQUATIONS
from meshops.graph import schema_of
from meshops.operators import OPERATORS, Operator, build, options_of

HERE = Path(__file__).parent
HEAD = """\
# Operators

Each maps a `MeshGraph` to fields at its nodes, on meshes of any cells in 1-D to 3-D and on surfaces, alone or in a
batch. All obey the laws of `tests/operators/test_laws.py`; essential values hold exactly. Written from the docstrings
by `make gallery`. N nodes, M boundary nodes, E directed edges, B graphs, d dimensions; x_i is the place of node i, m_i
its mass, and its features, unless told, are the columns of `x`, `boundary_x` with a flag, `theta`, the logarithm of its
mass and, in time, the held values (`meshops.nn.node_features`).

| operator | what | cost | parameters | invariant under |
| --- | --- | --- | ---: | --- |
"""


def title(operator: type[Operator]) -> str:
    """Return the first line of the docstring, without its full stop."""
    return inspect.cleandoc(operator.__doc__ or "").splitlines()[0].rstrip(".")


def row(name: str) -> str:
    """Return the line of the table; parameters are those at the default size, for heat in the plane."""
    operator = OPERATORS[name]
    size = sum(p.numel() for p in build(name, schema_of(EQUATIONS["heat"], 2), {}).parameters())
    link = f"[{name}](#{name})" + (" (the one to begin with)" if operator.leading else "")
    return f"| {link} | {title(operator)} | {operator.cost} | {size:,} | {', '.join(operator.invariances)} |\n"


def section(name: str) -> str:
    """Return the section of one operator."""
    operator = OPERATORS[name]
    options = ", ".join(f"{key}={value!r}" for key, value in options_of(name).items())
    facts = f"Reference: {operator.reference}. Cost: {operator.cost}. Options: `{options}`."
    return f"\n## {name}\n\n{facts}\n\n{inspect.cleandoc(operator.__doc__ or '')}\n"


def page() -> str:
    """Return the page."""
    return HEAD + "".join(map(row, OPERATORS)) + "".join(map(section, OPERATORS))


if __name__ == "__main__":
    (HERE / "operators.md").write_text(page(), encoding="utf-8")
