"""The commands that list what is registered."""

from __future__ import annotations

from meshops import console


def operators(*, json: bool = False) -> None:
    """List the operators.

    Example: meshops operators

    Args:
        json: Print one JSON object.
    """
    from meshops.operators import OPERATORS, describe

    if json:
        console.print_json({"operators": [describe(name) for name in OPERATORS]})
        return
    columns = ("name", "what", "cost", "reference")
    console.table("", ("operator", *columns[1:]), [[describe(name)[c] for c in columns] for name in OPERATORS])


def equations() -> None:
    """List the equations, with their coefficients and conditions.

    Example: meshops equations
    """
    from geometries.yaml_file import flow
    from meshops.equations import EQUATIONS

    rows = [
        (
            e.name,
            e.title,
            ", ".join(
                f"{c.name} [{c.unit}]{'' if c.default is None else f' = {flow(c.default)}'}" for c in e.coefficients
            ),
            ", ".join(c.key for c in e.terms),
        )
        for e in EQUATIONS.values()
    ]
    console.table("", ("equation", "", "coefficients", "conditions"), rows)
    console.line("a coefficient that a case does not give has the value behind its `=`; one without must be given")
    console.line("with `times` the fields start from `initial`, from 0 where it is not given")


def families() -> None:
    """List the random families of shapes.

    Example: meshops families
    """
    from geometries.families import FAMILIES

    rows = [
        (name, str(f.dim) if isinstance(f.dim, int) else "1 to 3", (f.__doc__ or "").strip().splitlines()[0])
        for name, f in FAMILIES.items()
    ]
    console.table("", ("family", "dim", "what"), rows)


def formats() -> None:
    """List the file formats.

    Example: meshops formats
    """
    from geometries.formats import FORMATS

    rows = [
        (f.name, " ".join(f.extensions), "yes" if f.read else "–", "yes" if f.write else "–", f.keeps)
        for f in FORMATS.values()
    ]
    console.table("", ("format", "extensions", "read", "write", "kept"), rows)


def recipes() -> None:
    """List the shipped recipes for data sets.

    Example: meshops recipes
    """
    from meshops.data import Recipe
    from meshops.data import recipes as shipped

    console.table("", ("recipe", "what"), [(name, Recipe.load(path).about) for name, path in shipped().items()])
