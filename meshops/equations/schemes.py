"""Methods of stepping in time: the θ-scheme and BDF2 for first order, Newmark's method for second order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from meshops.equations.assembly import Assembler
from meshops.equations.case import Case
from meshops.equations.jumps import HeldValues, Jumps
from meshops.equations.moving import field_scale, inertia_moves, matrix_moves, rhs_moves
from meshops.equations.solvers import Prepared, SolverError, newton_on
from meshops.equations.system import LinearSystem

Floats = NDArray[np.float64]
KEPT = 8  # factorisations, of the latest step sizes
_INSTANT = 1e-6  # of the first interval: a step that only makes the start consistent


@dataclass(frozen=True, eq=False)
class Moment:
    """The unknowns at a time, and what the next step needs of the past.

    `past` holds earlier (time, unknowns), latest first; `rate` and `acceleration` are of second-order problems.
    """

    time: float
    values: Floats
    past: tuple[tuple[float, Floats], ...] = ()
    rate: Floats | None = None
    acceleration: Floats | None = None


class Scheme(ABC):
    """One method of stepping; `order` is that of the time derivative."""

    order: int

    def __init__(self, case: Case) -> None:
        """Assemble what does not change with time."""
        self.case, self.assembler = case, Assembler(case)
        self._moving = inertia_moves(case)
        self._inertia: dict[str, tuple[float, csr_array]] = {}
        self.weights = np.asarray(abs(self.inertia("mass", case.start)).sum(1)).ravel()
        self.held, self.fixed = HeldValues(self.assembler), self.assembler.held(case.start).fixed
        self.jumps = Jumps(self.held)
        self._constant = case.linear and not matrix_moves(case)
        self._prepared: dict[tuple[float, ...], Prepared] = {}
        self._system: LinearSystem | None = None

    def start(self) -> Moment:
        """Return the first moment."""
        return self.begin(self.case.start, self._start_vector(), self._start_vector(".rate"))

    @abstractmethod
    def begin(self, time: float, values: Floats, rate: Floats | None) -> Moment:
        """Return a moment without a past: held values are those of `time`, the others as given."""

    @abstractmethod
    def step(self, moment: Moment, time: float) -> tuple[Moment, Floats]:
        """Return the moment at `time`, and an estimate (n,) of the step's local error; what is held has none."""

    def lasting(self, error: Floats, before: Moment, after: Moment) -> Floats:
        """Return what of a step's estimated error outlasts the step; all of it, where the scheme damps nothing."""
        return error

    @cached_property
    def scale(self) -> float:
        """The size of the field, which errors and jumps are small or great by."""
        return field_scale(self.case)

    def over(self, moment: Moment) -> Moment:
        """Return the moment after the jump: it moves what is held and nothing else."""
        return self.begin(self.jumps.passing(), moment.values, moment.rate)

    def inertia(self, form: str, time: float) -> csr_array:
        """Return the matrix `mass` or `damping` at `time`: assembled once where no coefficient moves."""
        time = time if self._moving else self.case.start
        if form not in self._inertia or self._inertia[form][0] != time:
            self._inertia[form] = time, self.assembler.matrix(form, self._start_vector(), time)
        return self._inertia[form][1]

    def _start_vector(self, suffix: str = "") -> Floats:
        return self.assembler.layout.join(self.case.start_values(suffix))

    def _linearised(self, state: Floats, time: float) -> LinearSystem:
        """The steady terms K u = r at `time`; assembled once where they do not change."""
        if not self._constant:
            return self.assembler.system(state, time)
        if self._system is None:
            self._system = self.assembler.system(None, time)
        if not rhs_moves(self.case):
            return self._system
        value = self.assembler.held(time).value
        return self.assembler.balanced(replace(self._system, rhs=self.assembler.rhs(time), fixed_value=value))

    def _implicit(self, key: tuple[float, ...], staged: Callable[[Floats], LinearSystem], guess: Floats) -> Floats:
        """Solve `staged`, which gives a stage's linearised system; with a matrix told by `key` where it is constant."""
        if not self._constant:
            return newton_on(staged, guess, definite=self.case.equation.definite).values
        system = staged(guess)
        return self._solver(key, system).solve(system.rhs, system.fixed_value, guess).values

    def _solver(self, key: tuple[float, ...], system: LinearSystem) -> Prepared:
        """The stage's matrix made ready; where it is constant once for all stages of one `key`."""
        if not self._constant:
            return Prepared(system, definite=self.case.equation.definite)
        prepared = self._prepared.pop(key, None) or Prepared(system, definite=self.case.equation.definite)
        self._prepared[key] = prepared  # the latest stands last
        if len(self._prepared) > KEPT:
            del self._prepared[next(iter(self._prepared))]
        return prepared

    def _free(self, error: Floats) -> Floats:
        """An error without what is held."""
        return np.where(self.fixed, 0.0, error)

    def size(self, values: Floats) -> float:
        """The root mean square by mass."""
        return float(np.sqrt(self.weights @ values**2 / self.weights.sum()))


class _FirstOrder(Scheme):
    """Schemes for M u' + A(u) = f; M may move with time, and is outside the derivative."""

    order = 1

    def begin(self, time: float, values: Floats, rate: Floats | None) -> Moment:
        """Return the values; of a flow the nearest velocity that conserves volume, with its pressure.

        The velocity is what an implicit step of almost no time makes of it. That step's pressure is of the impulse;
        that of the flow is what a second step takes, in which held values move on.
        """
        values = np.where(self.fixed, self.held.at(time), values)
        if any(field.lower for field in self.case.equation.fields):
            instant = _INSTANT * (self.case.times[1] - self.case.times[0])
            values = self._stage(1 / instant, values / instant, 1.0, 0.0, time, values)
            later = self._stage(1 / instant, values / instant, 1.0, 0.0, time + instant, values)
            values = np.where(self.assembler.layout.lower, later, values)
        return Moment(time, values)

    def _stage(self, a: float, b: Floats, theta: float, extra: Floats | float, time: float, guess: Floats) -> Floats:
        """Solve M (a u - b) + θ (A(u) - f)(time) = extra, with M at the middle of the step where θ is 1/2."""
        mass = self.inertia("mass", time - (1 - theta) / a)
        pulled = mass @ b + extra

        def staged(state: Floats) -> LinearSystem:
            steady = self._linearised(state, time)
            matrix = csr_array(a * mass + theta * steady.matrix)
            return replace(steady, matrix=matrix, rhs=pulled + theta * steady.rhs, like=None)

        return self._implicit((_digits(a), theta), staged, guess)

    def _damped(self, a: float, error: Floats, after: Moment) -> Floats:
        """Return (a M + K)⁻¹ a M e: what relaxes faster than an L-stable step counts by what the step leaves of it.

        Else no step is small enough for a node that strong exchange sets at once (Hairer and Wanner 1996, IV.8,
        doi:10.1007/978-3-642-05221-7).
        """
        mass, steady = self.inertia("mass", after.time), self._linearised(after.values, after.time)
        system = replace(steady, matrix=csr_array(a * mass + steady.matrix), like=None)
        return self._solver((_digits(a), 1.0), system).solve(a * (mass @ error), np.zeros_like(error)).values


class Euler(_FirstOrder):
    """M (u₁ - u₀)/Δt + A(u₁) = f(t₁): implicit Euler, first order, L-stable."""

    theta = 1.0

    def step(self, moment: Moment, time: float) -> tuple[Moment, Floats]:
        """Step; the estimate compares with the line through the last two moments."""
        dt = time - moment.time
        extra = self._explicit(moment)
        new = self._stage(1 / dt, moment.values / dt, self.theta, extra, time, moment.values)
        error = self._estimate(moment, time, new)
        return Moment(time, new, ((moment.time, moment.values), *moment.past[:1])), error

    def lasting(self, error: Floats, before: Moment, after: Moment) -> Floats:
        """Return the error, damped by the step."""
        return self._damped(1 / (after.time - before.time), error, after)

    def _explicit(self, moment: Moment) -> Floats | float:
        return 0.0

    def _estimate(self, moment: Moment, time: float, new: Floats) -> Floats:
        if not moment.past:
            return self._free(new - moment.values) / 2
        return self._free(new - _extrapolated(moment, time, 2)) / 2


class Theta(Euler):
    """M (u₁ - u₀)/Δt + (A(u₁) + A(u₀))/2 = (f(t₁) + f(t₀))/2: Crank and Nicolson's, second order, A-stable.

    Not for equations with a field that has no time derivative, such as a pressure.
    """

    theta = 0.5

    def _explicit(self, moment: Moment) -> Floats:
        steady = self._linearised(moment.values, moment.time)
        return 0.5 * (steady.rhs - steady.matrix @ moment.values)

    def _estimate(self, moment: Moment, time: float, new: Floats) -> Floats:
        if len(moment.past) < 2:
            return super()._estimate(moment, time, new) / 4
        return self._free(new - _extrapolated(moment, time, 3)) / 13

    def lasting(self, error: Floats, before: Moment, after: Moment) -> Floats:
        """Return all of it: what relaxes faster than a step swings, and does not fade."""
        return error


class BDF2(_FirstOrder):
    """M (a u₁ - b) + A(u₁) = f(t₁), a and b from the parabola through the last three: second order, L-stable.

    With the ratio w of this step to the last: a Δt = (1 + 2w)/(1 + w), b Δt = (1 + w) u₀ - w²/(1 + w) u₋₁. The first
    step is implicit Euler's.
    """

    def step(self, moment: Moment, time: float) -> tuple[Moment, Floats]:
        """Step; the estimate compares with the parabola through the last three moments."""
        a, dt = self._leading(moment, time), time - moment.time
        if not moment.past:
            new = self._stage(a, moment.values / dt, 1.0, 0.0, time, moment.values)
            error = self._free(new - moment.values) / 2
        else:
            before, earlier = moment.past[0]
            w = dt / (moment.time - before)
            b = ((1 + w) * moment.values - w**2 / (1 + w) * earlier) / dt
            new = self._stage(a, b, 1.0, 0.0, time, _extrapolated(moment, time, 2))
            parabola = len(moment.past) > 1
            error = self._free(new - _extrapolated(moment, time, 3 if parabola else 2)) * (2 / 11 if parabola else 0.25)
        return Moment(time, new, ((moment.time, moment.values), *moment.past[:1])), error

    def lasting(self, error: Floats, before: Moment, after: Moment) -> Floats:
        """Return the error, damped by the step."""
        return self._damped(self._leading(before, after.time), error, after)

    def _leading(self, moment: Moment, time: float) -> float:
        """The a of a step from `moment` to `time`."""
        dt = time - moment.time
        if not moment.past:
            return 1 / dt
        w = dt / (moment.time - moment.past[0][0])
        return (1 + 2 * w) / (1 + w) / dt


class Newmark(Scheme):
    """M u'' + D u' + A u = f by Newmark's method with β = 1/4, γ = 1/2: second order, conserves energy.

    doi:10.1061/JMCEA3.0000098; local error (β - 1/6) Δt² (u''₁ - u''₀) (Zienkiewicz and Xie 1991,
    doi:10.1002/eqe.4290200907). What is held has the rates of the values held, by their differences: Newmark's own
    would swing for ever about these after the least kink. Their changes act on what is free by M Δu' = 0, half before a
    step and half after it; accelerations are those without. M does not move. For linear equations.
    """

    order = 2
    beta, gamma = 0.25, 0.5

    def __init__(self, case: Case) -> None:
        """Assemble; raises `SolverError` for a nonlinear case."""
        super().__init__(case)
        if not case.linear:
            raise SolverError(f"Newmark's method is for linear equations; {case.equation.name} is not with this case.")

    def begin(self, time: float, values: Floats, rate: Floats | None) -> Moment:
        """Return the values; the first step sets off what they do next."""
        return Moment(time, np.where(self.fixed, self.held.at(time), values), rate=rate)

    def step(self, moment: Moment, time: float) -> tuple[Moment, Floats]:
        """Step."""
        moment = self._set_off(moment, time) if moment.acceleration is None else moment
        assert moment.rate is not None and moment.acceleration is not None
        dt, beta, gamma = time - moment.time, self.beta, self.gamma
        impulse = self._impulse(moment.rate, self.held.rate(time, self._around(moment.time, time)))
        ahead = moment.values + dt * (moment.rate + impulse / 2) + dt**2 * (0.5 - beta) * moment.acceleration
        ahead = np.where(self.fixed, self.held.at(time), ahead)
        ahead_rate = moment.rate + impulse + dt * (1 - gamma) * moment.acceleration
        a, d = 1 / (beta * dt**2), gamma / (beta * dt)
        mass, damping = self.inertia("mass", time), self.inertia("damping", time)

        def staged(state: Floats) -> LinearSystem:
            steady = self._linearised(state, time)
            matrix = csr_array(a * mass + d * damping + steady.matrix)
            pulled = mass @ (a * ahead) + damping @ (d * ahead - ahead_rate)
            return replace(steady, matrix=matrix, rhs=steady.rhs + pulled)

        new = self._implicit((_digits(a),), staged, ahead)
        acceleration = a * (new - ahead)
        rate = ahead_rate + dt * gamma * acceleration
        error = self._free((beta - 1 / 6) * dt**2 * (acceleration - moment.acceleration))
        return Moment(time, new, rate=rate, acceleration=acceleration), error

    def _set_off(self, moment: Moment, time: float) -> Moment:
        """Return a moment without a past as a step to `time` needs it: with held rates those of this way, told at once.

        So nothing depends on how values move within a step. The accelerations are those that the equation gives.
        """
        assert moment.rate is not None
        rate = moment.rate + self._impulse(moment.rate, self.held.rate(time, (moment.time, time)))
        steady = self._linearised(moment.values, moment.time)
        force = steady.rhs - steady.matrix @ moment.values - self.inertia("damping", moment.time) @ rate
        return replace(moment, rate=rate, acceleration=self._by_mass.solve(force, 0 * rate).values)

    def _impulse(self, rate: Floats, held: Floats) -> Floats:
        """What rates gain as those of what is held become `held`: M v stays, but there."""
        gain = np.where(self.fixed, held - rate, 0.0)
        return self._by_mass.solve(0 * rate, gain).values if gain.any() else gain

    @cached_property
    def _by_mass(self) -> Prepared:
        """M a = f."""
        start = self.case.start
        return Prepared(replace(self._linearised(self._start_vector(), start), matrix=self.inertia("mass", start)))

    def _around(self, before: float, time: float) -> tuple[float, float, float]:
        """Three times whose middle is `time`, or which end there where held values may not be looked at any later."""
        later = min(2 * time - before, self.jumps.until)
        soon = later - time < (time - before) / 2
        return (before, (before + time) / 2, time) if soon else (before, time, later)


SCHEMES: dict[str, type[Scheme]] = {"bdf2": BDF2, "theta": Theta, "euler": Euler, "newmark": Newmark}
DEFAULTS = {1: "bdf2", 2: "newmark"}


def _digits(number: float) -> float:
    """Twelve digits of it: steps that differ by rounding share a factorisation."""
    return float(f"{number:.11e}")


def _extrapolated(moment: Moment, time: float, count: int) -> Floats:
    """The polynomial through the last `count` moments, or those there are, at `time` (Lagrange's form)."""
    known = ((moment.time, moment.values), *moment.past)[:count]
    total = np.zeros_like(moment.values)
    for i, (own, values) in enumerate(known):
        others = [t for j, (t, _) in enumerate(known) if j != i]
        total += values * np.prod([(time - t) / (own - t) for t in others])
    return total
