"""Scaling of each equation: the same problem in other units of length, time and field is the same graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometries import Absorbing, Dirichlet, Neumann, Periodic, Radiation, Robin
from geometries.families.grid import Grid
from meshops.equations import (
    AdvectionDiffusion,
    Burgers,
    Case,
    Combined,
    DampedHelmholtz,
    Heat,
    Helmholtz,
    Magnetostatics,
    Wave,
)
from meshops.equations.transient import march
from meshops.graph import build_graph

FACTORS = st.floats(1e-3, 1e3)
FLAT, LINE = Grid(shape=(3, 4)).mesh(), Grid(shape=(6,)).mesh()


@dataclass(frozen=True)
class Units:
    """How many of ours are one of theirs: of length, time, and the field."""

    length: float = 1.0
    time: float = 1.0
    field: float = 1.0


def heat(s: Units) -> Case:
    """The unit of power is that of the conductivity times field and length."""
    u, x = s.field, FLAT.points[:, 0]
    return Case(
        FLAT.scaled(s.length),
        Heat(),
        conditions={
            "left": Dirichlet(u * (2 + FLAT.points[FLAT.nodes(FLAT.sides("left")), 1])),
            "right": Radiation(0.1 / u**3 / s.length, ambient=3 * u),
            "top": Neumann(2 * u / s.length),
        },
        coefficients={"conductivity": (1 + x), "loss": 0.3 / s.length**2, "capacity": 2 * s.time / s.length**2},
        initial={"temperature": u * x},
        times=(0, 0.25 * s.time, 0.5 * s.time),
    )


def advection(s: Units) -> Case:
    k = s.length**2 / s.time
    return Case(
        FLAT.scaled(s.length),
        AdvectionDiffusion(),
        conditions={"left": Dirichlet(2 * s.field), "right": Robin(3 * k / s.length, ambient=s.field)},
        coefficients={
            "diffusivity": k * (0.1 + FLAT.points[:, 1]),
            "velocity": (2 * s.length / s.time, s.length / s.time),
            "decay": 0.5 / s.time,
        },
        source=1.5 * s.field / s.time,
        initial={"concentration": s.field * FLAT.points[:, 0]},
        times=(0, 0.3 * s.time),
    )


def helmholtz(s: Units) -> Case:
    return Case(
        FLAT.scaled(s.length),
        Helmholtz(),
        conditions={"left": Dirichlet(s.field), "top": Neumann(2 * s.field / s.length), "right": Robin(1 / s.length)},
        coefficients={"wavenumber": 2 / s.length},
        source=3 * s.field / s.length**2,
    )


def damped(s: Units) -> Case:
    return Case(
        FLAT.scaled(s.length),
        DampedHelmholtz(),
        conditions={
            "left": Dirichlet((s.field, 0.0)),
            "top": Neumann((2 * s.field / s.length, -s.field / s.length)),
            "right": Absorbing(),
        },
        coefficients={"wavenumber": 2 / s.length, "loss_factor": 0.1},
        source=(0.0, 3 * s.field / s.length**2),
    )


def magnetostatics(s: Units) -> Case:
    """The unit of current density is that of potential over permeability and area; the last stays."""
    return Case(
        FLAT.scaled(s.length),
        Magnetostatics(),
        conditions={"left": Dirichlet(s.field), "right": Robin(4 / s.length)},
        coefficients={"permeability": 1 + FLAT.points[:, 1]},
        source=2 * s.field / s.length**2,
    )


def wave(s: Units) -> Case:
    return Case(
        FLAT.scaled(s.length),
        Wave(),
        conditions={
            "left": Dirichlet(s.field),
            "right": Absorbing(),
            "top": Robin(2 * s.length / s.time**2, ambient=s.field),
        },
        coefficients={"speed": (1 + FLAT.points[:, 0]) * s.length / s.time, "damping": 0.2 / s.time},
        source=s.field / s.time**2,
        initial={"displacement": s.field * FLAT.points[:, 1], "displacement.rate": 2 * s.field / s.time},
        times=(0, 0.4 * s.time),
    )


def burgers(s: Units) -> Case:
    speed = s.length / s.time
    return Case(
        FLAT.scaled(s.length),
        Burgers(),
        conditions={"left": Dirichlet((speed, 0.0)), "top": Neumann((0.0, 0.1 * speed**2))},
        coefficients={"viscosity": 0.3 * speed * s.length},
        source=(0.5 * speed / s.time, 0.0),
        initial={"velocity": speed * FLAT.points},
        times=(0, 0.3 * s.time),
    )


def combined(s: Units) -> Case:
    speed = s.length / s.time
    return Case(
        LINE.scaled(s.length),
        Combined(),
        conditions={"left": Periodic("right")},
        coefficients={
            "advection": 1.5,
            "diffusion": 0.2 * speed * s.length,
            "dispersion": 0.1 * speed * s.length**2,
        },
        source=0.5 * speed / s.time * np.sin(2 * np.pi * LINE.points[:, 0]),
        initial={"velocity": speed * np.cos(2 * np.pi * LINE.points[:, 0])},
        times=(0, 0.3 * s.time),
    )


PROBLEMS = [heat, advection, helmholtz, damped, magnetostatics, wave, burgers, combined]


def graph(case: Case) -> dict[str, np.ndarray]:
    from meshops.equations import solve

    solution = case.solution(march(case, steps=3)[0]) if case.transient else solve(case)
    found = build_graph(case, solution, dtype=torch.float64)
    return {name: found[name].numpy() for name in found.keys()}  # noqa: SIM118  (Data iterates over pairs)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.__name__)
@settings(max_examples=4)
@given(length=FACTORS, time=FACTORS, size=FACTORS)
def test_one_problem_in_other_units_is_one_graph(
    problem: Callable[[Units], Case], length: float, time: float, size: float
) -> None:
    ours, theirs = graph(problem(Units())), graph(problem(Units(length, time, size)))
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_allclose(theirs[name], values, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.__name__)
def test_what_a_graph_holds_is_of_order_one(problem: Callable[[Units], Case]) -> None:
    found = graph(problem(Units(1e-3, 1e3, 1e2)))
    assert np.abs(found["x"]).max() < 20 and np.abs(found["boundary_x"]).max() < 20
    assert 0.01 < np.sqrt((found["y"] ** 2).mean()) < 10


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.__name__)
def test_scalings_have_a_scale_for_everything(problem: Callable[[Units], Case]) -> None:
    case = problem(Units())
    equation: Any = case.equation
    names = {f.name for f in equation.fields} | {c.name for c in equation.coefficients} | {"source"}
    names |= {f"{kind.key}.{value}" for kind in equation.terms for value in kind.value_names()}
    assert names <= set(equation.scaling(case).quantities)
