"""Laws of the child process: what goes in comes out, and no failure of a reader becomes one of the caller."""

import os
import sys
import time

import numpy as np
import pytest
from dask.distributed import Client

from geometries.child import Child, call
from geometries.errors import CadError, ReadError

_CODE = """
import os, sys, time
import numpy as np
from geometries.errors import CadError

def echo(**values): return values
def crash(path): print("deep trouble", flush=True); os.abort()
def fault(path): os.kill(os.getpid(), 11)
def fill(path):
    with open("endless", "wb") as stream: stream.seek(2**40); stream.write(b"x")
def hang(path): time.sleep(60)
def spin(path):
    while True: pass
def ask(path, gib): return {"a": np.ones(int(gib * 2**27))}
def refuse(path): raise CadError("a face is broken")
def fail(path): raise Exception("native words")
def leave(path): sys.exit(1)
def where(): open("litter", "w").close(); return {"cwd": os.getcwd(), "pid": os.getpid(), "home": os.environ["HOME"]}
def noise(): print("NOISE"); print("NOISE", file=sys.stderr); os.system("echo NOISE"); return {}
def _hidden(): return {}
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    (tmp_path / "hostile").mkdir()
    (tmp_path / "hostile" / "__init__.py").write_text(_CODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Child("hostile") as child:
        yield child


def test_values_return_as_they_were_sent(child):
    arrays = {"f": np.random.default_rng(0).random((3, 2)), "i": np.arange(4), "none": np.empty((0, 2), np.int64)}
    values = {"text": "é\udcff", "n": None, "x": [1, {"deep": arrays["f"]}], **arrays}
    answer = child.call("hostile:echo", values)
    assert answer["text"] == values["text"] and answer["n"] is None and answer["x"][0] == 1
    np.testing.assert_array_equal(answer["x"][1]["deep"], arrays["f"])
    for name, array in arrays.items():
        assert answer[name].dtype == array.dtype
        np.testing.assert_array_equal(answer[name], array)


@pytest.mark.parametrize(
    ("function", "values", "words"),
    [
        ("crash", {}, "crashed .*SIGABRT.*deep trouble"),
        ("fault", {}, "crashed .*SIGSEGV"),
        ("fill", {}, "File too large"),
        ("hang", {}, "longer than 1 s"),
        ("spin", {}, "longer than 1 s"),
        ("ask", {"gib": 3.0}, "more than 1.5 GiB"),
        ("fail", {}, "native words"),
        ("leave", {}, "SystemExit"),
    ],
)
def test_a_failure_is_a_read_error_that_names_the_file_and_the_child_goes_on(child, function, values, words):
    child.call("hostile:echo", {})  # its start is not timed
    begin = time.monotonic()
    with pytest.raises(ReadError, match=f"bad.step.*{words}"):
        child.call(f"hostile:{function}", {"path": "/a/bad.step", **values}, timeout=1.0, memory=1.5)
    assert time.monotonic() - begin < 8
    assert child.call("hostile:echo", {"x": 1}) == {"x": 1}


def test_our_errors_keep_their_type_and_message(child):
    with pytest.raises(CadError, match=r"^a face is broken$"):
        child.call("hostile:refuse", {"path": "x"})


def test_one_process_answers_many_calls_in_folders_that_vanish(child):
    first, second = child.call("hostile:where", {}), child.call("hostile:where", {})
    assert first["pid"] == second["pid"] != os.getpid()
    assert first["cwd"] != second["cwd"]
    child.close()
    assert not any(os.path.exists(p) for p in (first["cwd"], second["cwd"], first["home"]))  # noqa: PTH110
    assert child.call("hostile:where", {})["pid"] != first["pid"]


@pytest.mark.parametrize("name", ["os:getcwd", "hostile:_hidden", "hostile:os.abort", "hostilex:echo"])
def test_only_public_functions_of_the_package_are_called(child, name):
    with pytest.raises(ReadError, match="may not be called"):
        child.call(name, {})


def test_what_a_reader_prints_stays_out_of_sight(child, capfd):
    child.call("hostile:noise", {})
    out, err = capfd.readouterr()
    assert "NOISE" not in out + err


def test_the_callers_folder_is_not_imported_from(child, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "numpy.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert child.call("hostile:echo", {"x": 1}) == {"x": 1}


def _inside(_):
    try:
        call("geometries.files:existing", {"path": "/nowhere"})
    except ReadError as error:
        return str(error)
    return sys.executable


def test_it_works_in_dask_workers():
    with Client(n_workers=1, threads_per_worker=2, dashboard_address=":0") as client:
        answers = client.gather(client.map(_inside, range(3)))
    assert all("no file '/nowhere'" in answer for answer in answers)
