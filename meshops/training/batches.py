"""Which samples a step sees: a pure function of the seed and the step, so that training can go on from any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler


@dataclass(frozen=True)
class Order:
    """The batches of `count` samples on device `rank` of `world`.

    Each epoch is a fresh permutation, cut into steps of `size` samples a device. Its last step has what is left, filled
    up from the epoch's start to one sample a device.
    """

    count: int
    size: int
    seed: int
    rank: int = 0
    world: int = 1

    @property
    def steps(self) -> int:
        """Number of steps in an epoch."""
        return -(-self.count // (self.size * self.world))

    def epoch(self, number: int) -> np.ndarray:
        """Return the (count,) permutation of an epoch."""
        return np.random.default_rng([self.seed, number]).permutation(self.count)

    def batch(self, step: int) -> list[int]:
        """Return the samples of this device at `step`, counted from the start of training."""
        return self._share(self.epoch(step // self.steps), step)

    def batches(self, start: int, more: Callable[[int], bool]) -> Iterator[list[int]]:
        """Yield the batches from step `start` on while `more(step)`; at least one."""
        step, number = start, -1
        while step == start or more(step):
            if number != step // self.steps:
                number = step // self.steps
                permutation = self.epoch(number)
            yield self._share(permutation, step)
            step += 1

    def _share(self, permutation: np.ndarray, step: int) -> list[int]:
        whole = self.size * self.world
        first = step % self.steps * whole
        chosen = permutation[first : first + whole]
        if len(chosen) < self.world:
            chosen = np.resize(np.concatenate([chosen, permutation]), self.world)
        return chosen[self.rank :: self.world].tolist()


class Round(Sampler[list[int]]):
    """The batches from one validation to the next. Without a length: `more` may depend on the time."""

    def __init__(self, order: Order, start: int, more: Callable[[int], bool]) -> None:
        """Begin at step `start` and go on while `more(step)`."""
        self.order, self.start, self.more = order, start, more

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches."""
        return self.order.batches(self.start, self.more)
