"""Threads of torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Give torch one thread: sums keep their order, and no thread waits for another that the machine has put aside.

    On graphs of a thousand nodes two threads are hardly quicker, and beside another program several times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
