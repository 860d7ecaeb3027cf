"""Whether this machine can draw off-screen. Without libEGL VTK ends the process, so a child process tries it first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from geometries.errors import MeshopsError

_WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
_TRY = "import pyvista as p; q = p.Plotter(off_screen=True, window_size=(8, 8)); q.screenshot(return_img=True)"
_REMEDY = "install the missing libraries: apt-get install -y libegl1 libgl1"
_SECONDS = 60


class VizError(MeshopsError):
    """A picture cannot be drawn."""


@cache
def probe() -> str | None:
    """Draw a tiny picture in a child process; return None if that works, else the reason and what to install.

    The answer is kept for the life of this process.
    """
    with egl():
        try:
            child = subprocess.run([sys.executable, "-c", _TRY], capture_output=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"off-screen drawing did not answer within {_SECONDS} s; {_REMEDY}"
    if child.returncode == 0:
        return None
    if child.returncode < 0:
        return f"off-screen drawing ends its process (signal {-child.returncode}); {_REMEDY}"
    said = child.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
    return f"off-screen drawing fails ({said[-1]}); {_REMEDY}"


def require() -> None:
    """Raise `VizError` with the remedy if `probe` finds that drawing does not work."""
    reason = probe()
    if reason:
        raise VizError(reason)


@contextmanager
def egl() -> Iterator[None]:
    """Let VTK open its windows through EGL while inside, unless there is a display or the user chose otherwise."""
    if _WINDOW in os.environ or os.environ.get("DISPLAY"):
        yield
        return
    os.environ[_WINDOW] = "vtkEGLRenderWindow"
    try:
        yield
    finally:
        os.environ.pop(_WINDOW, None)
