"""Files: what may be read, writing that never leaves half a file, and folders that one process has to itself."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from geometries.errors import MeshopsError, ReadError, WriteError

LARGEST = 8 * 2**30


def existing(path: str | Path, *, largest: int = LARGEST) -> Path:
    """Return `path` as an absolute path to a file that can be read.

    Raises `ReadError` where it is missing, not a file, empty, above `largest` bytes or not readable.
    """
    file = Path(path)
    if not file.exists():
        raise ReadError(f"no file {str(path)!r}; expected the path of an existing file.")
    if not file.is_file():
        raise ReadError(f"{str(path)!r} is not a file; expected the path of a file.")
    size = file.stat().st_size
    if not 0 < size <= largest:
        raise ReadError(f"{str(path)!r} has {size} bytes; expected 1 to {largest}.")
    if not os.access(file, os.R_OK):
        raise ReadError(f"{str(path)!r} may not be read; change its permissions.")
    return file.resolve()


def check_target(path: str | Path, extensions: Collection[str]) -> None:
    """Raise `WriteError` unless `path` ends in one of `extensions` and is a file's name in an existing folder.

    For what is to be written after long work; `atomic_write` sees the folder too late for that.
    """
    file = Path(path)
    if file.suffix.lower() not in extensions:
        raise WriteError(f"cannot write {str(path)!r}: expected a name that ends in {', '.join(extensions)}.")
    _in_folder(file)


def check_apart(path: str | Path, sources: Iterable[Path], what: str) -> None:
    """Raise `WriteError` where writing `path` would write over one of `sources` of `what`, through links too."""
    for file in sources:
        if file.resolve() == Path(path).resolve():
            raise WriteError(f"{str(path)!r} is a file that {what} is read from; choose another name.")


def _in_folder(path: str | Path) -> Path:
    target = Path(path).resolve()
    if target.is_dir() or not target.parent.is_dir():
        raise WriteError(f"cannot write {str(path)!r}: expected a file name in an existing folder.")
    return target


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path`, with its extension, to write to; `path` appears, or is replaced, once that is whole.

    On any error the temporary file is removed and what stood at `path` is untouched. A link is written through. Who may
    read the folder may read a new file.
    Raises `WriteError` where the folder is missing, or the operating system refuses (a full disk, permissions).
    """
    target = _in_folder(path)
    temporary = target.with_name(f".{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        else:  # some writers, safetensors among them, make files that only their owner reads
            temporary.chmod(temporary.stat().st_mode | target.parent.stat().st_mode & 0o044)
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise WriteError(f"cannot write {str(path)!r}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, busy: MeshopsError) -> Iterator[None]:
    """Keep out of `folder` others that ask for it here, or raise `busy` where one has it.

    The lock ends with the process, however that ends.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
