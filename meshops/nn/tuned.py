"""Tuned kernels and the plain forms that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_plain = False


def tuned(reference: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function or method as a tuned form of `reference`, which takes and returns the same."""

    def mark(kernel: Callable[P, R]) -> Callable[P, R]:
        @wraps(kernel)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            return (reference if _plain else kernel)(*args, **kwargs)

        return run

    return mark


@contextmanager
def plain_forms() -> Iterator[None]:
    """Within, every tuned kernel runs as its plain form: what tests compare with and benchmarks measure against."""
    global _plain
    before, _plain = _plain, True
    try:
        yield
    finally:
        _plain = before
