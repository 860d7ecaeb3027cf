"""How fast the reference converges: second order in L² with straight cells, third with second-order ones."""

import numpy as np

import meshops as mo
from geometries.families import FAMILIES


def error(cells: int, order: int) -> float:
    """Return the L² error of the manufactured solution on a square of `cells` x `cells` squares."""
    family = FAMILIES["grid"](shape=(cells, cells), cell="triangle", order=order)
    mesh, heat = family.sample(np.random.default_rng(0)), mo.Heat()
    exact = heat.manufactured(2)
    case = mo.Case(
        mesh,
        heat,
        conditions={"*": mo.Dirichlet(exact.fields["temperature"])},
        coefficients=exact.coefficients,
        source=exact.source,
    )
    difference = mo.solve(case).values - mo.Expression(exact.fields["temperature"])(mesh.points)
    return float(np.sqrt(mesh.mass @ difference**2))


def main() -> tuple[float, float]:
    """Return the rates for order 1 and 2."""
    rates = tuple(float(np.log2(error(8, order) / error(16, order))) for order in (1, 2))
    print(f"rates: {rates[0]:.2f} with straight cells, {rates[1]:.2f} with second-order cells")
    return rates


if __name__ == "__main__":
    straight, second = main()
    assert straight > 1.9
    assert second > 2.8
