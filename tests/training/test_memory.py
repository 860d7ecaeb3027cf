"""Keeping memory is a hint to the allocator: it is taken on glibc and never an error."""

from __future__ import annotations

import ctypes
import platform

import pytest

from meshops.training.memory import keep_memory


def test_glibc_takes_it() -> None:
    assert keep_memory() == (platform.libc_ver()[0] == "glibc")


def test_elsewhere_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_memory()
