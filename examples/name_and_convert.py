"""Name the faces that a file does not name, and carry the names to another format and back."""

import numpy as np

import geometries as geo
from geometries.families import FAMILIES


def main() -> int:
    """Return the number of facets that lost their name on the way through two formats; 0 is right."""
    family = FAMILIES["polygon"]()
    mesh = family.sample(np.random.default_rng(3))
    lowest = mesh.points[:, 1].min()
    mesh = mesh.with_boundary("floor", geo.select.Nearest([0.5, lowest]))

    geo.write(mesh, "shape.msh")
    geo.write(geo.read("shape.msh"), "shape.vtu")
    back = geo.read("shape.vtu")
    print({name: len(sides) for name, sides in back.boundaries.items()})
    return sum(abs(len(sides) - len(back.sides(name))) for name, sides in mesh.boundaries.items())


if __name__ == "__main__":
    assert main() == 0
