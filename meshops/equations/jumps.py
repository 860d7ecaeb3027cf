"""The values that conditions hold, in time: their rates, and where they jump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet
from meshops.equations.assembly import Assembler
from meshops.equations.case import in_time
from meshops.equations.solvers import SolverError

Floats = NDArray[np.float64]
LEAST = 16  # units of rounding: times nearer than that are one to a march
_HALVINGS = 40  # of a step, until what changes is a jump
_CROWD, _CLOSE = 8, 2.0**-20  # more jumps than that within this share of an interval between output times are too many


def units(begin: float, end: float) -> float:
    """Return how many units of rounding `end` is after `begin`."""
    return float((end - begin) / np.spacing(max(abs(begin), abs(end))))


@dataclass(frozen=True, eq=False)
class HeldValues:
    """The values of the unknowns that conditions hold, 0 of the others."""

    assembler: Assembler

    @cached_property
    def move(self) -> bool:
        """Whether they depend on time."""
        parts = [part for part in self.assembler.case.parts if isinstance(part.condition, Dirichlet)]
        return any(in_time(value) for part in parts for value in part.values.values())

    def at(self, time: float) -> Floats:
        """Return them (n,) at `time`."""
        return self.assembler.held(time).value

    def rate(self, time: float, times: tuple[float, ...]) -> Floats:
        """Return their rates at `time`: those of the line or the parabola through them at two or three `times`."""
        if not self.move:
            return np.zeros(self.assembler.layout.size)
        slopes = np.diff([self.at(t) for t in times], axis=0) / np.diff(times)[:, None]
        bend = 2 * (slopes[-1] - slopes[0]) / (times[-1] - times[0])
        return slopes[0] + bend * (time - (times[0] + times[1]) / 2)

    def jump(
        self, begin: float, end: float, size: Callable[[Floats], float], limit: float
    ) -> tuple[float, float] | None:
        """Return times just before and just after they jump by more than `limit` in `size`, if they do on the way.

        Of two parts the one with the greater change is searched, until the change is small, the part is 2^-40, or no
        time lies between; at last parted by output times, so that each is on its own side.
        """
        if not self.move:
            return None
        low, high = self.at(begin), self.at(end)
        outputs = [t for t in self.assembler.case.times if begin < t < end]
        for halving in range(_HALVINGS + len(outputs)):
            if size(high - low) <= limit:
                return None
            middle = (begin + end) / 2 if halving < _HALVINGS else outputs[halving - _HALVINGS]
            if not begin < middle < end:
                continue
            value = self.at(middle)
            if size(value - low) > size(high - value):
                end, high = middle, value
            else:
                begin, low = middle, value
        return begin, end


@dataclass(eq=False)
class Jumps:
    """The jumps of held values on a march; `next` are times just before and after the next one, once it is seen."""

    held: HeldValues
    next: tuple[float, float] | None = None
    passed: tuple[float, ...] = ()

    @property
    def until(self) -> float:
        """The time up to which held values are known not to jump, or are taken not to."""
        return self.next[0] if self.next else self.held.assembler.case.times[-1]

    def look(self, begin: float, time: float, size: Callable[[Floats], float], limit: float) -> bool:
        """Look for a jump by more than `limit` in a step from `begin` to `time` and as far again.

        Raises `SolverError` where jumps crowd: then values change too fast for steps.
        """
        found = self.held.jump(begin, min(2 * time - begin, self.until), size, limit)
        self.next = found or self.next
        close = _CLOSE * min(np.diff(self.held.assembler.case.times))
        if found and len(self.passed) >= _CROWD and found[0] - self.passed[-_CROWD] < close:
            raise SolverError(
                f"held values jump {_CROWD + 1} times within {close:.3g} of time {found[0]:.6g}, each by more than the "
                f"tolerance; expected jumps farther apart. Let values change more slowly, or march by equal steps."
            )
        return found is not None

    def due(self, time: float, end: float) -> bool:
        """Whether the next jump is at `time`, but for rounding, and not behind `end`."""
        return self.next is not None and units(time, self.next[0]) <= LEAST and self.next[1] <= end

    def passing(self) -> float:
        """Return the time just after the next jump, which has then passed."""
        assert self.next is not None
        time, self.next = self.next[1], None
        self.passed = (*self.passed, time)
        return time
