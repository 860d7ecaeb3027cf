"""gmsh: sessions, and the mesh of the current model as arrays.

For files this runs in a child process (see `geometries.child`); families call it where they are.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError

Ints = NDArray[np.int64]
# gmsh's number of an element type: our name, and the gmsh node that each of our nodes is where the orders differ
ELEMENTS: dict[int, tuple[str, tuple[int, ...]]] = {
    15: ("vertex", ()),
    1: ("line", ()),
    2: ("triangle", ()),
    3: ("quad", ()),
    4: ("tetra", ()),
    5: ("hexahedron", ()),
    6: ("wedge", ()),
    7: ("pyramid", ()),
    8: ("line3", ()),
    9: ("triangle6", ()),
    10: ("quad9", ()),
    16: ("quad8", ()),
    11: ("tetra10", (*range(8), 9, 8)),
    17: ("hexahedron20", (*range(8), 8, 11, 13, 9, 16, 18, 19, 17, 10, 12, 14, 15)),
    12: ("hexahedron27", (*range(8), 8, 11, 13, 9, 16, 18, 19, 17, 10, 12, 14, 15, 22, 23, 21, 24, 20, 25, 26)),
    18: ("wedge15", (*range(6), 6, 9, 7, 12, 14, 13, 8, 10, 11)),
    13: ("wedge18", (*range(6), 6, 9, 7, 12, 14, 13, 8, 10, 11, 15, 17, 16)),
    19: ("pyramid13", (*range(5), 5, 8, 10, 6, 7, 9, 11, 12)),
    14: ("pyramid14", (*range(5), 5, 8, 10, 6, 7, 9, 11, 12, 13)),
}
_LOCK = threading.Lock()  # gmsh has one global state
Namer = Callable[[int, int], Sequence[str]]


@contextmanager
def session() -> Iterator[ModuleType]:
    """Yield gmsh: without the user's configuration, on one thread, writing only to its own log; finalised in the end.

    After a failure to mesh, gmsh is of no use until the next session. One session at a time; others wait.
    """
    import gmsh

    with _LOCK:
        gmsh.initialize(readConfigFiles=False, interruptible=False)
        _keep_broken_pipes_errors()
        try:
            gmsh.option.setNumber("General.Terminal", 0)
            gmsh.option.setNumber("General.NumThreads", 1)
            gmsh.logger.start()
            yield gmsh
        finally:
            gmsh.logger.stop()  # else the next session's log begins with this one's
            gmsh.finalize()


def _keep_broken_pipes_errors() -> None:
    """Undo that gmsh, once a process, has a write to a pipe that nobody reads end the process, without a word.

    By the C library: Python sets signals on its main thread only, and has not noticed. Python raises `BrokenPipeError`.
    """
    if signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN:
        set_signal = ctypes.CDLL(None).signal
        set_signal.argtypes, set_signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        set_signal(signal.SIGPIPE, int(signal.SIG_IGN))


def physical_names(dim: int, tag: int) -> list[str]:
    """Return the names of the physical groups that an entity is in; a group without one is named by its number."""
    import gmsh

    groups = gmsh.model.getPhysicalGroupsForEntity(dim, tag)
    return [gmsh.model.getPhysicalName(dim, group) or str(group) for group in groups]


def extract(names: Namer = physical_names) -> dict[str, Any]:
    """Return the current model's mesh, in the order of gmsh's tags, as keyword arguments of `build.mesh_from_blocks`.

    `points` (N, 3) are those that cells use; `blocks` one dict for each element type of every dimension: kind,
    nodes (C, k) in our order, names {name: rows}. `names` gives the names of an entity's cells by (dim, tag).
    Raises `ReadError` for element types beyond the second order.
    """
    import gmsh

    found: dict[int, list[tuple[Ints, Ints, Sequence[str]]]] = {}
    for dim, tag in gmsh.model.getEntities():
        for kind, tags, nodes in zip(*gmsh.model.mesh.getElements(dim, tag), strict=True):
            if kind not in ELEMENTS:
                title, *_ = gmsh.model.mesh.getElementProperties(kind)
                raise ReadError(f"the mesh holds {title!r} elements; expected elements of the first or second order.")
            found.setdefault(kind, []).append((_ints(tags), _ints(nodes).reshape(len(tags), -1), names(dim, tag)))
    blocks = [_block(kind, parts) for kind, parts in found.items()]
    blocks.sort(key=lambda block: block.pop("first"))
    return {"points": _used_points(gmsh, blocks), "blocks": blocks}


def _ints(values: NDArray[np.uint64]) -> Ints:
    return np.asarray(values).astype(np.int64)


def _block(kind: int, parts: list[tuple[Ints, Ints, Sequence[str]]]) -> dict[str, Any]:
    """Join the elements of all entities, sorted by element tag."""
    tags = np.concatenate([part[0] for part in parts])
    order = np.argsort(tags, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    name, permutation = ELEMENTS[kind]
    nodes = np.concatenate([part[1] for part in parts])[order]
    sets: dict[str, list[Ints]] = {}
    start = 0
    for own, _, labels in parts:
        for label in labels:
            sets.setdefault(label, []).append(place[start : start + len(own)])
        start += len(own)
    return {
        "kind": name,
        "nodes": nodes[:, list(permutation)] if permutation else nodes,
        "names": {label: np.sort(np.concatenate(rows)) for label, rows in sets.items()},
        "first": int(tags[order[0]]) if len(tags) else 0,
    }


def _used_points(gmsh: ModuleType, blocks: list[dict[str, Any]]) -> NDArray[np.float64]:
    """Return the points that the blocks use, by tag, and renumber the blocks' nodes to them."""
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    order = np.argsort(tags)
    tags, points = _ints(tags)[order], np.asarray(coordinates).reshape(-1, 3)[order]
    used = np.unique(np.concatenate([block["nodes"].ravel() for block in blocks])) if blocks else np.empty(0, np.int64)
    if not np.isin(used, tags).all():
        raise ReadError("cells refer to nodes that the file does not hold.")
    for block in blocks:
        block["nodes"] = np.searchsorted(used, block["nodes"])
    return points[np.searchsorted(tags, used)]
