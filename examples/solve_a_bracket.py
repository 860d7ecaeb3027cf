"""A STEP part with named faces, solved by finite elements; what goes in comes out.

Reads the shipped bracket, heats its bore, cools the rest by air, and checks the balance of heat.
"""

from importlib.resources import files

import geometries as geo
import meshops as mo


def main() -> float:
    """Return the relative error of the heat balance."""
    part = geo.read(files("meshops") / "resources" / "bracket.step", size=5.0)
    part = part.with_boundary("end", geo.select.Normal([1, 0, 0]))  # a face that the file calls `sides` only
    heated, exchange, air = 0.02, 2e-4, 25.0  # W/mm², W/(mm² K), °C
    case = mo.Case(
        part,
        mo.Heat(),
        conditions={"bore": mo.Neumann(heated), "*": mo.Robin(exchange, ambient=air)},
        coefficients={"conductivity": 0.045},
    )
    answer = mo.solve(case)
    answer.save("bracket.vtu")

    inside = heated * part.side_geometry(part.sides("bore"))[2].sum()
    rest = case.parts[-1]
    outside = 0.0
    _, _, areas = part.side_geometry(rest.sides)
    for _, at, points in part.facets(rest.sides):
        outside += exchange * float(areas[at] @ (answer.values[points].mean(1) - air))
    print(f"{inside:.4f} W in, {outside:.4f} W out, hottest {answer.values.max():.1f} °C")
    return abs(inside - outside) / inside


if __name__ == "__main__":
    assert main() < 1e-9
