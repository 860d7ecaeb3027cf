"""Every CAD and mesh file found is a valid mesh or one of our errors, and what others read is read here (make corpus).

The files are those that came with gmsh and PyVista, and all in the folders of MESHOPS_CORPUS. Nothing is downloaded.
"""

import os
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from geometries.child import Child
from geometries.errors import MeshopsError, NoVolumeCells, ReadError
from geometries.formats import FORMATS, inspect

READERS = {e: f for f in FORMATS.values() if f.read and f.name != "geo" for e in f.extensions}
LIMIT, SHARE = 60.0, 0.9
TWICE = "meshio counts its last *ELEMENT block twice and drops the first"
TOLD = {  # counted by hand in the decks
    ("beamcom.inp", "EALL"): "4 elements are 2 cells, each given twice, as layers of a composite",
    ("beamcontact.inp", "EALL"): TWICE,  # 32 C3D20R and 2 C3D8
    ("cubef2f1.inp", "AUTO1"): TWICE,  # 120 C3D10 and 512 C3D20
    ("cubef2f2.inp", "AUTO1"): TWICE,
    ("cubef2f3.inp", "AUTO1"): TWICE,
    ("UUea.inp", "_PICKEDSET2"): "a set of an instance has the instance's name before its own",
}


def _files():
    """Distinct files of known extensions."""
    places = [Path(sys.prefix) / "share" / "doc" / "gmsh", Path(find_spec("pyvista").origin).parent / "examples"]
    places += [Path(p) for p in os.environ.get("MESHOPS_CORPUS", "").split(os.pathsep) if p]
    found = [f for place in places for f in sorted(place.rglob("*")) if f.suffix.lower() in READERS and f.is_file()]
    return list({f.read_bytes(): f for f in reversed(found)}.values())[::-1]


def _outcome(file):
    """What came of reading a file: (cells, words). CAD of surfaces only is read as the error says, with dim=2."""
    words = ""
    try:
        try:
            mesh = inspect(file).mesh
        except NoVolumeCells:
            mesh, words = inspect(file, dim=2).mesh, "surfaces only; "
    except MeshopsError as error:
        return 0, f"{type(error).__name__}: {error}"
    return mesh.num_cells, f"{words}{len(mesh.boundaries)} boundaries, {len(mesh.regions)} regions"


def _asked(child, function, file):
    try:
        return child.call(
            f"tests.geometries.referees:{function}", {"path": str(file.resolve())}, timeout=LIMIT, memory=4.0
        )
    except ReadError:
        return {}


def _compared(child, file):
    """Return the groups that another reader finds, as (kind, name, its count, ours)."""
    try:
        mesh = inspect(file).mesh
    except MeshopsError:
        return []
    ours = {name: len(np.unique(mesh.facet_ids(sides))) for name, sides in mesh.boundaries.items()}
    rows = [("boundary", name, n, ours.get(name, 0)) for name, n in _asked(child, "groups", file).items()]
    if READERS[file.suffix.lower()].name == "inp":
        regions = {name.upper(): len(cells) for name, cells in mesh.regions.items()}
        rows += [("region", name, n, regions.get(name, 0)) for name, n in _asked(child, "element_sets", file).items()]
    return rows


@pytest.mark.slow
def test_named_groups_have_the_size_that_others_find(capsys):
    with Child("tests") as child:
        rows = [(file, *row) for file in _files() for row in _compared(child, file)]
    wrong = [row for row in rows if row[3] != row[4]]
    with capsys.disabled():
        sys.stdout.write(f"\n{len(rows)} named groups compared, {len(wrong)} differ\n")
        sys.stdout.writelines(f"{f.name}: {kind} {name!r}: {n}, here {m}\n" for f, kind, name, n, m in wrong)
    assert [row for row in wrong if (row[0].name, row[2]) not in TOLD] == []


@pytest.mark.slow
def test_every_file_is_a_mesh_or_an_error_and_what_others_read_is_read(capsys):
    files, rows = _files(), []
    if not files:
        pytest.skip("no files: gmsh and PyVista came without examples, and MESHOPS_CORPUS names no folder")
    with Child("tests") as child:
        for file in files:
            start = time.monotonic()
            cells, words = _outcome(file)
            seconds = time.monotonic() - start
            kind = READERS[file.suffix.lower()].name
            rows.append((kind, file, cells, seconds, _asked(child, "cells", file), words))
    with capsys.disabled():
        sys.stdout.write(_table(rows))
    assert [r for r in rows if r[3] > LIMIT] == []
    theirs = [r for r in rows if r[4]]
    assert sum(r[2] > 0 for r in theirs) >= SHARE * len(theirs)


def _table(rows):
    lines = ["", f"{'format':9}{'cells':>9} {'s':>5}  file: outcome"]
    for kind, file, cells, seconds, others, words in rows:
        told = "".join(f"; {name} {n}" for name, n in others.items() if n != cells)
        lines.append(f"{kind:9}{cells:9} {seconds:5.1f}  {file.name}: {words}{told}")
    total, read, theirs, both = (Counter() for _ in range(4))
    for kind, _, cells, _, others, _ in rows:
        total[kind] += 1
        read[kind] += cells > 0
        theirs[kind] += bool(others)
        both[kind] += bool(others) and cells > 0
    lines.append(f"{'format':9}{'files':>7}{'read':>7}{'others read':>13}{'of these read':>15}")
    lines += [f"{k:9}{total[k]:7}{read[k]:7}{theirs[k]:13}{both[k]:15}" for k in sorted(total)]
    lines.append(f"{'all':9}{total.total():7}{read.total():7}{theirs.total():13}{both.total():15}")
    return "\n".join([*lines, ""])
