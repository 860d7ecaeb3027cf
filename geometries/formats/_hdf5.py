"""HDF5 files as trees of groups and arrays. For the child process only: the library behind h5py is native code.

Nothing outside the file is read: links other than hard ones, and arrays that are stored elsewhere, do not exist here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_PACKED = 1100  # times that deflate, the usual filter, makes zeros smaller at most
_SMALL = 2**20  # bytes that any array may have


@contextmanager
def opened(path: str) -> Iterator[Node]:
    """Yield the root of an HDF5 file, which is copied alone into the current (private) folder."""
    import h5py

    alone = shutil.copyfile(path, Path("data.h5").absolute())
    name = Path(path).name
    try:
        with h5py.File(alone, "r") as stream:
            yield Node(stream, name)
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises where the bytes are not what they should be
        reason = " ".join(str(error).split())[:120]
        raise ReadError(f"{name} is no HDF5 file, or a damaged one ({reason}).") from None


def check_own(path: str) -> None:
    """Raise `ReadError` where anything in an HDF5 file leads out of it, for readers that would follow."""
    import h5py

    found: list[str] = []

    def note(place: str, link: Any) -> None:  # noqa: ANN401  h5py has no types
        if not isinstance(link, h5py.HardLink):
            found.append(place)

    def look(place: str, item: Any) -> None:  # noqa: ANN401
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            found.append(place)

    with opened(path) as root:
        root.group.visititems_links(note)
        root.group.visititems(look)
    if found:
        raise ReadError(f"{Path(path).name} takes {found[0]!r} from elsewhere; expected arrays in the file itself.")


class Node:
    """A group of the file called `file`."""

    def __init__(self, group: Any, file: str, place: str = "") -> None:  # noqa: ANN401  h5py has no types
        """Stand for an h5py group."""
        self.group = group
        self.file = file
        self.place = place

    def names(self) -> list[str]:
        """Return the names of what the group itself holds, in alphabetical order; links are left out."""
        return [name for name in self.group if self._is_own(name)]

    def links(self) -> list[str]:
        """Return the names that lead elsewhere, in or out of the file."""
        return [name for name in self.group if not self._is_own(name)]

    def _is_own(self, name: str) -> bool:
        import h5py

        return isinstance(self.group.get(name, getlink=True), h5py.HardLink)

    def child(self, name: str) -> Node | None:
        """Return the group `name` in this one, None where there is none."""
        import h5py

        found = self.group[name] if name in self.group and self._is_own(name) else None
        return Node(found, self.file, f"{self.place}/{name}") if isinstance(found, h5py.Group) else None

    def children(self) -> Iterator[tuple[str, Node]]:
        """Yield the groups in this one with their names."""
        yield from ((name, node) for name in self.names() if (node := self.child(name)))

    def attribute(self, name: str) -> Any:  # noqa: ANN401
        """Return an attribute, None where there is none."""
        value = self.group.attrs.get(name)
        return value.item() if isinstance(value, np.generic) else value

    def array(self, name: str) -> NDArray[np.generic] | None:
        """Return the numbers called `name`, None where there is nothing; raises `ReadError` for what is no such thing.

        What unpacks to far more than the file holds is refused before memory is asked for.
        """
        import h5py

        if name not in self.group:
            return None
        where = f"{self.place}/{name}"
        found = self.group[name] if self._is_own(name) else None
        if (
            not isinstance(found, h5py.Dataset)
            or found.external
            or found.is_virtual
            or found.dtype.base.kind not in "iuf"
        ):
            raise ReadError(
                f"{self.file} holds no numbers of its own at {where!r}; expected an array in the file itself."
            )
        size, stored = found.size * found.dtype.itemsize if found.size else 0, found.id.get_storage_size()
        if size > max(_SMALL, _PACKED * stored):
            raise ReadError(f"{self.file} declares {size:.1e} bytes at {where!r} and holds {stored}; it is damaged.")
        values = found[()]
        return values.reshape(found.shape + found.dtype.shape or (1,)) if values is not None else None


def text(values: NDArray[np.generic] | bytes | str | None) -> str:
    """Return a text from characters as numbers or bytes: up to the first zero, without blanks at its ends."""
    if isinstance(values, str):
        return values.strip()
    raw = b"" if values is None else values if isinstance(values, bytes) else values.astype(np.uint8).tobytes()
    raw = raw.split(b"\0")[0].strip()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
