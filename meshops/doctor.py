"""What this machine has and lacks for meshops, and the one line that installs what is missing."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

# Shared library -> the Debian package that holds it.
LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libGLU.so.1": "libglu1-mesa",
    "libXcursor.so.1": "libxcursor1",
    "libXft.so.2": "libxft2",
    "libXinerama.so.1": "libxinerama1",
    "libgomp.so.1": "libgomp1",
    "libEGL.so.1": "libegl1",
}

PACKAGES = (
    "dask",
    "distributed",
    "gmsh",
    "h5py",
    "jsonargparse",
    "lightning",
    "matplotlib",
    "meshio",
    "numpy",
    "pyamg",
    "pyvista",
    "pyyaml",
    "rich",
    "safetensors",
    "scikit-fem",
    "scipy",
    "torch",
    "torch-geometric",
    "trimesh",
)

_OLDEST_PYTHON = (3, 11)
_REINSTALL = "make setup"
_CUDA = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is as needed, what was found, and what to do where it is not."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def diagnose() -> tuple[Finding, ...]:
    """Look at this machine: Python, packages, shared libraries, gmsh, rendering, CUDA, cores and memory.

    What may crash the interpreter runs in a child process. Takes a few seconds, and raises nothing:
    whatever is wrong is a finding.
    """
    with ThreadPoolExecutor() as pool:
        slow = [pool.submit(probe) for probe in (_gmsh, _rendering, _cuda)]
        quick = (_python(), *_packages(), _libraries(missing_libraries()), _resources())
        return (*quick, *(s.result() for s in slow))


def missing_libraries(load: Callable[[str], object] = ctypes.CDLL) -> tuple[str, ...]:
    """Return the shared libraries of `LIBRARIES` that `load` cannot load; none where names differ (not Linux)."""
    if not sys.platform.startswith("linux"):
        return ()
    return tuple(name for name in LIBRARIES if not _loads(name, load))


def apt_line(libraries: Iterable[str]) -> str:
    """Return the one line that installs these shared libraries on Debian and its kin, empty for none."""
    packages = " ".join(LIBRARIES[name] for name in libraries)
    if not packages:
        return ""
    return f"{'sudo ' if os.geteuid() else ''}apt-get install -y {packages}"


def run_python(code: str, timeout: float = 20.0) -> tuple[bool, str]:
    """Run `code` in a fresh interpreter; return whether it ended well, and its last line or why it did not."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {timeout:g} s"
    if child.returncode < 0:
        return False, f"the process died of signal {-child.returncode}"
    return child.returncode == 0, _last_line(child.stdout if child.returncode == 0 else child.stderr)


def _loads(name: str, load: Callable[[str], object]) -> bool:
    try:
        load(name)
    except OSError:
        return False
    return True


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _python() -> Finding:
    ok = sys.version_info >= _OLDEST_PYTHON
    oldest = ".".join(map(str, _OLDEST_PYTHON))
    return Finding("python", ok, platform.python_version(), "" if ok else f"install Python {oldest} or later")


def _packages() -> tuple[Finding, ...]:
    return tuple(_package(name) for name in PACKAGES)


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", _REINSTALL)


def _libraries(missing: tuple[str, ...]) -> Finding:
    if not missing:
        return Finding("system libraries", True, "all there")
    return Finding("system libraries", False, "missing: " + ", ".join(missing), apt_line(missing))


def _remedy() -> str:
    """What mends a native package that does not start: the missing libraries, else the package itself."""
    return apt_line(missing_libraries()) or _REINSTALL


def _gmsh() -> Finding:
    ok, detail = run_python("import gmsh; print(gmsh.__version__)")
    return Finding("gmsh starts", ok, detail, "" if ok else _remedy())


def _rendering() -> Finding:
    try:
        from meshops.viz.probe import probe
    except ImportError as error:
        return Finding("off-screen rendering", False, str(error), _REINSTALL)
    reason = probe()
    return Finding("off-screen rendering", reason is None, reason or "works", "" if reason is None else _remedy())


def _cuda() -> Finding:
    ok, detail = run_python(_CUDA)
    return Finding("cuda device", ok, detail or "none: the CPU is used", "" if ok else _REINSTALL)


def _resources() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Finding("cores and memory", True, f"{cores} cores, {memory:.1f} GiB")
