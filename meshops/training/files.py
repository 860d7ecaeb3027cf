"""The files in a run's folder, how they are written, and the course of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meshops.data.generation import atomic_write, locked

LAST, METRICS = "last.ckpt", "metrics.jsonl"

__all__ = ["LAST", "METRICS", "atomic_write", "course", "locked"]


def course(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's `metrics.jsonl`; what is no row, as a line cut short or damaged, is left out."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            yield row
