"""The files in a run's folder, and how they are written."""

from meshops.data.generation import atomic_write, locked

LAST, METRICS = "last.ckpt", "metrics.jsonl"

__all__ = ["LAST", "METRICS", "atomic_write", "locked"]
