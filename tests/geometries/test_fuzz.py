"""A file of any format with any damage is a valid mesh or one of our errors: nothing else, within bounds.

MESHOPS_FUZZ=N makes N damaged files of each sample (make fuzz); the first ones are those of the normal run.
"""

import os
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import geometries as geo
from geometries.child import Child
from geometries.errors import MeshopsError, ReadError
from tests.geometries.damage import ATTEMPT, READERS, damaged
from tests.geometries.samples import NAMES, OPTIONS, write_all

OURS = {"inp", "obj", "off", "ply", "stl", "su2", "unv", "nastran", "medit", "geo"}  # no native code: never a crash
COUNT, NATIVE_COUNT = 120, 40  # files of a format; a native reader's crash or hang costs a second or two
LIMIT, NATIVE_LIMIT, MEMORY = 20.0, 2.0, 3.0  # seconds, seconds, GiB
GROWTH = 200 * 2**20
KINDS = Counter(READERS[Path(name).suffix] for name in NAMES)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return write_all(folder)


@pytest.fixture(scope="module")
def child():
    with Child("tests") as child:
        yield child


def test_every_format_has_a_sample_that_is_read(files, child):
    assert {READERS[Path(name).suffix] for name in NAMES} == set(READERS.values())
    for name, paths in files.items():
        found = child.call(ATTEMPT, {"path": name, "contents": _contents(paths), "options": OPTIONS.get(name, {})})
        assert name.endswith(".geo") or found["error"] == "", (name, found)


def _contents(paths):
    return {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in paths}


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_meshes_or_our_errors(files, child, tmp_path, record_property, name):
    kind, canary = READERS[Path(name).suffix], tmp_path / "canary"
    command = f'SystemCall "touch {canary}";\n'.encode()
    count, limit = (COUNT, LIMIT) if kind in OURS else (NATIVE_COUNT, NATIVE_LIMIT)
    before, crashed, good, slowest = _peak(), 0, 0, 0.0
    for i in range(int(os.environ.get("MESHOPS_FUZZ", count / KINDS[kind] + 0.5))):
        rng = np.random.default_rng([NAMES.index(name), i])
        contents = _contents(files[name])
        victim = list(contents)[rng.integers(len(contents))]
        contents[victim] = np.frombuffer(damaged(contents[victim].tobytes(), rng, command), np.uint8)
        values = {"path": name, "contents": contents, "options": OPTIONS.get(name, {})}
        start = time.monotonic()
        try:
            found = child.call(ATTEMPT, values, timeout=limit, memory=MEMORY)
            assert "\n" not in found["error"] and (found["error"] or (found["cells"] and found["sound"])), (
                name,
                i,
                found,
            )
            good += not found["error"]
        except ReadError as error:  # the child is no more, or something else escaped from the reader
            assert kind not in OURS and "the reader failed" not in str(error), _told(name, i, error)
            crashed += 1
            if crashed <= 2 and "crashed" in str(error):
                _read_as_users_do(values, tmp_path / str(i))
        slowest = max(slowest, time.monotonic() - start)
    assert not canary.exists()
    assert slowest < 2 * LIMIT
    assert _peak() - before < GROWTH
    record_property("outcome", f"{good} meshes, {crashed} crashes of {i + 1}, slowest {slowest:.2f} s")


def _peak():
    """Bytes of this process at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _told(name, i, error):
    return "\n".join([f"{name} {i}: {error}", *getattr(error, "__notes__", ())])


def _read_as_users_do(values, folder):
    folder.mkdir()
    for file, content in values["contents"].items():
        (folder / file).write_bytes(content.tobytes())
    try:
        assert geo.read(folder / values["path"], **values["options"]).num_cells
    except MeshopsError as error:
        assert str(error) and "\n" not in str(error)
