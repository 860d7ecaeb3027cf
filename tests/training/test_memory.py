"""Keeping memory is a hint to the allocator: it is taken on glibc and never an error."""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from meshops.training.memory import keep_memory

LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def test_glibc_takes_it() -> None:
    assert keep_memory() == (platform.libc_ver()[0] == "glibc")


def test_elsewhere_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_memory()


@pytest.mark.skipif(not LARGE_PAGES.exists(), reason="this system has no large pages")
def test_the_heap_may_have_large_pages_and_is_asked_once() -> None:
    code = """
from pathlib import Path
from meshops.training.memory import keep_memory
for _ in range(4):
    bytearray(24 * 2**20)  # after which glibc keeps that much free
for _ in range(2):
    keep_memory()
    print("==", Path("/proc/self/smaps").read_text())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    first, second = (_heaps(text) for text in ran.stdout.split("== ")[1:])
    assert any("hg" in flags for _, flags in first)
    assert sum(size for size, _ in second) - sum(size for size, _ in first) < 2**20


def _heaps(smaps: str) -> list[tuple[int, list[str]]]:
    """Return the size in kB and the flags of each part of the heap."""
    parts = re.findall(r"\[heap\]\nSize:\s+(\d+) kB(?:\n.*?)*?\nVmFlags: (.*)", smaps)
    return [(int(size), flags.split()) for size, flags in parts]
