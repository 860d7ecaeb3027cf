"""The fixture `verified`: figures of ours against figures that nobody here wrote, and the table of them in the docs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TABLE = Path(__file__).resolve().parents[2] / "docs" / "verification.md"
_HEAD = """# Verification

The reference solver against figures from elsewhere: closed forms, published benchmarks, another solver. Every row is
written by a test in `tests/verification`, which fails beyond the stated bound; `make verification` runs them all and
writes this page. Rates of convergence to manufactured solutions, for every equation, cell type, order and condition,
are in `tests/equations/test_convergence.py`.

| equation | case | quantity | found | expected | off by | bound | source |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

Verified = Callable[..., None]


@pytest.fixture(scope="session")
def rows() -> Iterator[list[tuple[str, ...]]]:
    found: list[tuple[str, ...]] = []
    yield found
    if os.environ.get("MESHOPS_VERIFICATION") and found:
        lines = ["| " + " | ".join(row) + " |" for row in sorted(found)]
        TABLE.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def verified(rows: list[tuple[str, ...]]) -> Verified:
    """Assert |found - expected| <= within |expected|, or `within` itself where expected is 0, and note the row."""

    def check(equation: str, case: str, quantity: str, found: Any, expected: float, within: float, source: str) -> None:
        found = float(found)
        gap = abs(found - expected) / (abs(expected) or 1.0)
        rows.append(
            (equation, case, quantity, f"{found:.5g}", f"{expected:.5g}", f"{gap:.2%}", f"{within:.2%}", source)
        )
        assert gap <= within, f"{quantity} of {case} is {found:.6g}; expected {expected:.6g} within {within:.2%}"

    return check
