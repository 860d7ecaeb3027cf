"""Running jobs on Dask: a local cluster by default, a scheduler's address when there is one."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from types import FrameType
from typing import Any, TypeVar

from geometries.errors import MeshopsError

J = TypeVar("J")
R = TypeVar("R")
_AHEAD = 4  # jobs in flight for each thread, so that nobody waits and results do not pile up
_CONFIG = {
    "distributed.scheduler.allowed-failures": 0,  # a job that ends its worker is not tried on another
    "distributed.scheduler.worker-saturation": 1.0,
}


class GenerationError(MeshopsError):
    """A data set cannot be generated."""


@contextmanager
def client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Yield a Dask client: of `scheduler`, else of a cluster of `workers` processes with one thread each.

    A script that comes here must guard its main part by `if __name__ == "__main__":`, since workers import it. Raises
    `GenerationError` where no scheduler answers or a worker does not start.
    """
    import dask
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_CONFIG))
        if scheduler is not None:
            address: Any = scheduler
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="meshops-", ignore_cleanup_errors=True))
            address = stack.enter_context(_local(workers or available(), folder))
        yield stack.enter_context(_connected(Client, address, scheduler))


def _local(workers: int, folder: str) -> Any:  # noqa: ANN401
    from distributed import LocalCluster

    with warnings.catch_warnings():  # a second run takes another port for its HTTP server, which nobody asks for
        warnings.filterwarnings("ignore", r"\s*Port \d+ is already in use", UserWarning)
        try:
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=None,
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:  # a worker ended, or took too long, before it could answer
            reason = f"{workers} worker processes did not start ({error}); free some memory, or try fewer --workers."
            raise GenerationError(reason) from None


def _connected(client_type: Any, address: Any, scheduler: str | None) -> Any:  # noqa: ANN401
    try:
        return client_type(address, set_as_default=False)
    except (OSError, ValueError):
        raise GenerationError(f"no Dask scheduler answers at {scheduler!r}; start one or leave it out.") from None


def available() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(client: Any, function: Callable[[J], R], jobs: Sequence[J], apart: Callable[[J], R]) -> Iterator[tuple[J, R]]:  # noqa: ANN401
    """Yield each job with its result, in the order in which they are done.

    A job whose worker died is run by `apart`, here. Any other exception of a job is raised.
    """
    from distributed import KilledWorker, as_completed

    waiting = iter(jobs)
    started = {}

    def start(count: int) -> list[Any]:
        fresh = {client.submit(function, job, pure=False): job for job in islice(waiting, count)}
        started.update(fresh)
        return list(fresh)

    threads = sum(client.nthreads().values()) or 1
    done = as_completed(start(_AHEAD * threads), loop=client.loop)
    for future in done:
        job = started.pop(future)
        for fresh in start(1):
            done.add(fresh)
        try:
            result = future.result()
        except KilledWorker:
            result = apart(job)
        future.release()
        yield job, result


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt` inside, as Ctrl-C does. Without effect off the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
