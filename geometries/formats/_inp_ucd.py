"""AVS-UCD files, whose extension is .inp too: numbered nodes, then cells with a material number and a type."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.build import Block, Reading, mesh_from_blocks
from geometries.cells import CELLS
from geometries.errors import ReadError
from geometries.formats._text import integers, numbers

Ints = NDArray[np.int64]
HEADER = re.compile(rb"\s*\d+(?:[ \t]+\d+){4}\s*")
# Our cell type, and the node of theirs that each of ours is: they begin pyramids at the apex
_TYPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "pt": ("vertex", ()),
    "line": ("line", ()),
    "tri": ("triangle", ()),
    "quad": ("quad", ()),
    "tet": ("tetra", ()),
    "pyr": ("pyramid", (1, 2, 3, 4, 0)),
    "prism": ("wedge", (3, 4, 5, 0, 1, 2)),
    "hex": ("hexahedron", (4, 5, 6, 7, 0, 1, 2, 3)),
}


def read(path: Path, *, dim: int | None) -> Reading:
    """Return the mesh; material numbers become regions, and boundaries for cells one dimension lower."""
    lines = [x for x in path.read_text("latin-1").split("\n") if x.strip() and not x.lstrip().startswith("#")]
    count, cells, *data = map(int, lines[0].split())
    if count + cells > len(lines) - 1:
        raise ReadError(f"{path.name} declares {count} nodes and {cells} cells; the file is shorter.")
    values = numbers("\n".join(lines[1 : count + 1]).encode(), path.name)
    if len(values) != 4 * count:
        raise ReadError(f"{path.name} has {len(values)} numbers for {count} nodes; expected 4 each.")
    table = values.reshape(count, 4)
    blocks = _blocks(lines[count + 1 : count + 1 + cells], integers(table[:, 0], path.name), path)
    reading = mesh_from_blocks(table[:, 1:], blocks, dim=dim)
    problems = (*reading.problems, "values at nodes and cells are left out") if any(data) else reading.problems
    return Reading(mesh=reading.mesh, problems=problems)


def _blocks(lines: list[str], labels: Ints, path: Path) -> list[Block]:
    text = "\n".join(lines)
    out = []
    for key, (kind, order) in _TYPES.items():
        rows = re.findall(rf"^[ \t]*\d+[ \t]+(-?\d+)[ \t]+{key}[ \t]+(.*)$", text, re.MULTILINE)
        if not rows:
            continue
        nodes = integers(numbers(" ".join(r[1] for r in rows).encode(), path.name), path.name)
        if len(nodes) != len(rows) * CELLS[kind].nodes:
            raise ReadError(f"{path.name}: a {key} cell has not {CELLS[kind].nodes} nodes; the file is damaged.")
        nodes = nodes.reshape(len(rows), -1)[:, list(order or range(CELLS[kind].nodes))]
        material = np.array([r[0] for r in rows])
        names = {str(m): np.flatnonzero(material == m) for m in np.unique(material)}
        out.append(Block(kind=kind, nodes=_numbered(nodes, labels, path), names=names))
    if sum(len(b.nodes) for b in out) != len(lines):
        raise ReadError(f"{path.name} holds cells other than {', '.join(_TYPES)}; the file is damaged.")
    return out


def _numbered(nodes: Ints, labels: Ints, path: Path) -> Ints:
    order = np.argsort(labels, kind="stable")
    at = order[np.minimum(np.searchsorted(labels[order], nodes), len(labels) - 1)] if len(labels) else nodes
    if not len(labels) or (labels[at] != nodes).any():
        raise ReadError(f"{path.name}: a cell has a node that is nowhere; the file is damaged.")
    return at
