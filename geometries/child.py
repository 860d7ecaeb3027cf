"""Run functions of ours in a child process with limits: native readers crash, hang and ask for any amount of memory.

A new interpreter is started, never forked. A call's arguments and result are dicts of JSON values and numpy arrays,
which travel as a JSON and an .npz file (no pickle) in a private folder; the call runs in that folder, which is removed
afterwards. What the child prints goes to a log in that folder.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import traceback
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np

from geometries import errors
from geometries.errors import MeshopsError, ReaderCrashed, ReadError

Values = dict[str, Any]
TIMEOUT = 300.0
MEMORY = 8.0
_GIB = 2**30
_LARGEST_FILE = 16 * _GIB
_ARRAY = "\0array"  # no name that a native reader returns holds a zero
_ROOT = Path(__file__).resolve().parents[1]
_QUIET = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VTK_SMP_MAX_THREADS")


def call(function: str, values: Values, *, timeout: float = TIMEOUT, memory: float = MEMORY) -> Values:
    """Call one function in a child process of its own; see `Child.call`."""
    with Child() as child:
        return child.call(function, values, timeout=timeout, memory=memory)


class Child:
    """A child process that answers many calls, one at a time; started when needed, and anew after any failure.

    Only functions of modules of `package` may be called. Not for use by several threads at once.
    """

    def __init__(self, package: str = "geometries") -> None:
        """Start nothing yet."""
        self._package = package
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Child:
        """Return the child itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def call(self, function: str, values: Values, *, timeout: float = TIMEOUT, memory: float = MEMORY) -> Values:
        """Return what `function`, given as "package.module:name", returns for the keyword arguments `values`.

        A `MeshopsError` of the function is raised here again. Raises `ReadError` if it raised anything else, and
        `ReaderCrashed` if it crashed, ran longer than `timeout` seconds or needed more than `memory` GiB;
        `values["path"]` is named in it.
        """
        process, root = self._started()
        folder = Path(tempfile.mkdtemp(dir=root))
        subject = Path(str(values.get("path", function))).name
        answered = False
        try:
            _save(folder / "request", values)
            request = {"function": function, "folder": str(folder), "timeout": timeout, "memory": memory}
            if not _exchange(process, request, timeout):
                raise _failure(process, subject, timeout, memory, root / "log")
            result = _load(folder / "result")
            if "error" in result:
                raise _raised(result, subject, memory)
            answered = True
            return result["value"]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if not answered:
                self.close()

    def close(self) -> None:
        """End the process and remove its folder; a later call starts another."""
        if self._process is not None and self._folder is not None:
            self._process.kill()
            self._process.communicate()
            self._folder.cleanup()
        self._process = self._folder = None

    def _started(self) -> tuple[subprocess.Popen[bytes], Path]:
        if self._process is None or self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="meshops-", ignore_cleanup_errors=True)
            self._process = _start(self._package, Path(self._folder.name))
        return self._process, Path(self._folder.name)


# -- the parent's side -------------------------------------------------------------------------------------------------
def _start(package: str, folder: Path) -> subprocess.Popen[bytes]:
    paths = [str(_ROOT), *(str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)]
    quiet = dict.fromkeys(_QUIET, "1")
    own = {"PYTHONPATH": os.pathsep.join(paths), "HOME": str(folder), "TMPDIR": str(folder)}
    own["PYTHONUSERBASE"] = site.getuserbase()
    script = f"from geometries.child import serve; serve({package!r})"
    with (folder / "log").open("wb") as log:
        # -P: what lies in the user's current folder is not imported.
        return subprocess.Popen(
            [sys.executable, "-P", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            cwd=folder,
            env={**os.environ, **quiet, **own},
            start_new_session=True,
        )


def _exchange(process: subprocess.Popen[bytes], request: Values, timeout: float) -> bool:
    """Send a request; return whether the child finished it in time."""
    if process.stdin is None or process.stdout is None:
        return False
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
    except BrokenPipeError:
        return False
    return bool(wait([process.stdout], timeout)) and process.stdout.readline() == b"done\n"


def _failure(process: subprocess.Popen[bytes], subject: str, timeout: float, memory: float, log: Path) -> ReaderCrashed:
    try:
        code = process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        code = -signal.SIGXCPU
    if code == -signal.SIGXCPU:
        return ReaderCrashed(f"{subject}: the reader ran longer than {timeout:g} s; simplify the file or allow more.")
    last = _last_line(log)
    if code == -signal.SIGKILL or "bad_alloc" in last or "MemoryError" in last:
        return _too_much(subject, memory)
    what = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    said = f", saying {last!r}" if last else ""
    return ReaderCrashed(f"{subject}: the reader crashed ({what}){said}; the file is damaged or beyond it.")


def _too_much(subject: str, memory: float) -> ReaderCrashed:
    return ReaderCrashed(f"{subject}: the reader needed more than {memory:g} GiB; the file is damaged or too large.")


def _last_line(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 4096))
        lines = stream.read().decode(errors="replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


def _raised(result: Values, subject: str, memory: float) -> MeshopsError:
    """Return the error that the child reports; its traceback becomes a note."""
    if result["error"] == "MemoryError":
        return _too_much(subject, memory)
    kind = getattr(errors, result["error"], None)
    if isinstance(kind, type) and issubclass(kind, MeshopsError):
        return kind(result["message"])
    error = ReadError(f"{subject}: the reader failed: {result['message']}")
    error.add_note(result["trace"])
    return error


# -- both sides --------------------------------------------------------------------------------------------------------
def _save(base: Path, values: Values) -> None:
    arrays: dict[str, np.ndarray] = {}

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            arrays[f"a{len(arrays)}"] = value
            return {_ARRAY: f"a{len(arrays) - 1}"}
        return value.item() if isinstance(value, np.generic) else str(value)

    base.with_suffix(".json").write_text(json.dumps(values, default=plain), encoding="ascii")
    np.savez(base.with_suffix(".npz"), **arrays)


def _load(base: Path) -> Values:
    with np.load(base.with_suffix(".npz"), allow_pickle=False) as arrays:

        def restored(value: Values) -> object:
            return arrays[value[_ARRAY]] if _ARRAY in value else value

        return json.loads(base.with_suffix(".json").read_text(encoding="ascii"), object_hook=restored)


# -- the child's side --------------------------------------------------------------------------------------------------
def serve(package: str) -> None:
    """Answer requests from stdin until it ends. Everything that is printed goes to stderr, the log."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as reply:
        os.dup2(2, 1)
        for line in sys.stdin:
            request = json.loads(line)
            folder = Path(request["folder"])
            os.chdir(folder)
            _limit(request["timeout"], request["memory"])
            _save(folder / "result", _answer(package, request["function"], folder))
            reply.write(b"done\n")


def _answer(package: str, function: str, folder: Path) -> Values:
    try:
        module, _, name = function.partition(":")
        if module.split(".")[0] != package or not name.isidentifier() or name.startswith("_"):
            raise ReadError(f"{function!r} may not be called; expected a public function of {package}.")
        return {"value": getattr(importlib.import_module(module), name)(**_load(folder / "request"))}
    except MeshopsError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        return {"error": "MemoryError"}
    except (Exception, SystemExit) as error:  # noqa: BLE001  native readers raise anything, meshio exits
        text = " ".join(str(error).split())[:300]
        return {"error": "", "message": f"{type(error).__name__}: {text}", "trace": traceback.format_exc()}


def _limit(timeout: float, memory: float) -> None:
    """Limit this process; CPU time ends it even where the parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime + 2 * timeout + 2
    for kind, value in (
        (resource.RLIMIT_AS, memory * _GIB),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        soft = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (soft, hard))
