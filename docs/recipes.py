"""Write `recipes.md` from the shipped recipes and the distributions. Run it with `make gallery`; a test compares.

With names of recipes, or `all`, it draws their pictures too.
"""

import sys
import textwrap
from pathlib import Path

import numpy as np

from meshops.data import DISTRIBUTIONS, Recipe, recipes

HERE = Path(__file__).parent
HEAD = """\
# Recipes

A recipe is one YAML file: where shapes come from, an equation, and distributions of what the equation needs.
`meshops generate NAME -o FOLDER --count 1000` takes a shipped one by its name or yours by its path. The same recipe,
count and seed give the same bytes, for any number of workers and after any interruption. This page is written by
`make gallery`.

## Writing your own

{sections}

Wherever a number can stand, so can an expression in x, y, z (and t), a distribution, or a list of those for a vector:

| distribution | what |
| --- | --- |
{distributions}

Lengths are relative to the longest side of the shape's bounding box. Files of your own as shapes: the families `parts`
(a folder) and `morph` (one part, deformed); `--files` replaces what a recipe names.

## The shipped ones
"""


def page() -> str:
    """Return the page."""
    about = textwrap.dedent(Recipe.__doc__.partition("\n\n")[2]).split("\n\nA case is")[0]
    sections = "\n".join(line.removeprefix("    ") for line in about.strip().splitlines())
    rows = "\n".join(f"| `{key}` | {_first(kind)} |" for key, kind in DISTRIBUTIONS.items())
    return HEAD.format(sections=sections, distributions=rows) + "".join(map(_recipe, recipes().items()))


def _first(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


def _recipe(item: tuple[str, Path]) -> str:
    name, path = item
    picture = f"![{name}](images/recipes/{name}.png)\n\n" if (HERE / f"images/recipes/{name}.png").is_file() else ""
    return f"\n### {name}\n\n{picture}```yaml\n{path.read_text(encoding='utf-8').strip()}\n```\n"


def draw(name: str) -> None:
    """Draw three samples of a recipe."""
    from meshops.equations import solve
    from meshops.pictures import draw_samples

    recipe, path = Recipe.load(name), HERE / f"images/recipes/{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_samples([solve(recipe.draw(np.random.default_rng([0, i]))) for i in range(3)], path)


if __name__ == "__main__":
    for given in list(recipes()) if sys.argv[1:] == ["all"] else sys.argv[1:]:
        draw(given)
    (HERE / "recipes.md").write_text(page(), encoding="utf-8")
