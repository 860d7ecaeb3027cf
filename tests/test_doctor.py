"""The doctor says what is missing and what installs it."""

import importlib.metadata
import re
import sys
import time
import tomllib
from pathlib import Path

import pytest

from meshops import doctor

ROOT = Path(__file__).resolve().parent.parent


def without(*lost: str):
    def load(name: str) -> object:
        if name in lost:
            raise OSError(f"{name}: cannot open shared object file")
        return object()

    return load


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of Linux")
@pytest.mark.parametrize("lost", [(), ("libEGL.so.1",), tuple(doctor.LIBRARIES)])
def test_the_apt_line_names_exactly_what_is_missing(lost: tuple[str, ...]) -> None:
    missing = doctor.missing_libraries(without(*lost))
    assert missing == lost
    named = set(doctor.apt_line(missing).removeprefix("sudo ").removeprefix("apt-get install -y").split())
    assert named == {doctor.LIBRARIES[name] for name in lost}


@pytest.mark.parametrize(
    ("code", "ok", "detail"),
    [
        ("print('a'); print('b')", True, "b"),
        ("raise ImportError('libGLU.so.1: no such file')", False, "libGLU.so.1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", False, "signal 11"),
        ("import time; time.sleep(60)", False, "no answer"),
    ],
)
def test_a_probe_survives_what_it_runs(code: str, ok: bool, detail: str) -> None:
    ended, said = doctor.run_python(code, timeout=5 if ok or "sleep" not in code else 0.3)
    assert ended is ok
    assert detail in said


def test_a_missing_package_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", gone)
    assert [(f.ok, bool(f.remedy)) for f in doctor._packages()] == [(False, True)] * len(doctor.PACKAGES)


def test_what_cannot_be_imported_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "meshops.viz.probe", None)
    found = doctor._rendering()
    assert not found.ok
    assert found.remedy


def test_the_packages_are_those_that_the_project_needs() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert sorted(doctor.PACKAGES) == sorted(re.match(r"[\w-]+", line)[0] for line in needed)


def test_the_setup_installs_the_same_libraries() -> None:
    listed = re.search(r'^LIBRARIES="(.*)"', (ROOT / ".ci/setup").read_text(), re.MULTILINE)[1]
    assert set(listed.split()) == set(doctor.LIBRARIES.values())


def test_this_machine_is_well_and_told_quickly() -> None:
    start = time.perf_counter()
    findings = doctor.diagnose()
    assert time.perf_counter() - start < 30  # a few seconds; the limit leaves room for a busy machine
    assert [f for f in findings if not f.ok] == []
    assert len({f.name for f in findings}) == len(findings)
