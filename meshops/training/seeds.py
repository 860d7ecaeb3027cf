"""Random numbers that leave torch's global state alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(*numbers: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw torch's random numbers from a seed that `numbers` make; afterwards the global state is as it was."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
    on_gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed seeds what is not there, too, which takes 2 ms
        if on_gpu:
            torch.cuda.manual_seed(seed)
        yield
